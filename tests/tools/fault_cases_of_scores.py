"""Faults in what others measured or printed of a method (S720, S721)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.tools.fault_cases import Case
from tests.tools.small_catalog import CARD, CARD_PATH, write_suite

PRINTED_PATH = "reference_impls/reparameterized/lora/printed.toml"
PRINTED = """\
[[table]]
paper = "hu2021lora"
where = "Table 2"
seen = "https://example.org/paper"
model = "RoBERTa-base"
label = "LoRA"
metric = "accuracy"
[table.scores]
MNLI = "87.5"
CoLA = { printed = "63.4 ± 1.2", metric = "Matthews correlation" }
"""
CLAIMED = f'suite = ["lora--rank8"]\n{CARD}'


def _claimed_twice(root: Path) -> None:
    """A run that there is, named twice."""
    _card(CLAIMED.replace('"]', '", "lora--rank8"]', 1))(root)
    write_suite(root)


def _card(text: str) -> Callable[[Path], None]:
    return lambda root: (root / CARD_PATH).write_text(text, encoding="utf-8") and None


def _printed(text: str) -> Callable[[Path], None]:
    return lambda root: (root / PRINTED_PATH).write_text(text, encoding="utf-8") and None


FAULTS_OF_SCORES = [
    *(
        Case("S720", at=at, says=says, file=PRINTED_PATH, spoil=_printed(text))
        for text, at, says in (
            ("[[table]", "[[table]", "is not TOML"),
            (PRINTED.replace("hu2021lora", "hu2022lora"), "paper =", "did you mean 'hu2021lora'?"),
            (PRINTED.replace('"87.5"', '"about 87"'), "[[table]]", "'about 87' is not a number"),
            (PRINTED.replace('paper = "hu2021lora"\n', ""), "[[table]]", "a source is a paper of"),
            (
                PRINTED.replace("metric =", 'name =""\nmetric =', 1),
                "name =",
                "table.0.name: is not a key here",
            ),
        )
    ),
    Case(
        "S721",
        at="suite",
        says="no suite has a run 'lora--rank8'",
        file=CARD_PATH,
        spoil=_card(CLAIMED),
    ),
    Case(
        "S721",
        at="suite",
        says="too: a run is of one method",
        file=CARD_PATH,
        spoil=_claimed_twice,
    ),
]
