"""Faults in what is told of differences from libraries, and in the rows behind it (S718, S719)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.tools.fault_cases import Case
from tests.tools.small_catalog import METHOD_PATH

FOLDER = Path(METHOD_PATH).parent.as_posix()
DIFFERENCES, PARITY = f"{FOLDER}/differences.toml", f"{FOLDER}/measured/parity.json"
EQUAL = {
    "library": "peft",
    "version": "1.2",
    "compared": "logits",
    "models": ["BERT"],
    "outcome": "equal",
    "difference": 1e-7,
    "note": "",
}
APART = EQUAL | {"outcome": "deviates", "difference": 0.5, "note": "shares one A"}
MERGED = APART | {"compared": "merged model", "note": "merges no bias"}
ROWS = (EQUAL, APART, MERGED)
TOLD = """\
[[difference]]
name = "peft-shared"
library = "peft"
title = "One pair"
severity = "deviation"
effect = "Logits move by {largest}."
notes = ["shares one A"]
reproduce = "print(3)"
prints = "3"

[[difference]]
name = "peft-biases"
library = "peft"
title = "No bias"
severity = "bug"
effect = "The merged model differs."
notes = ["merges no bias"]
reproduce = "print(3)"
prints = "3"
"""


def _beside(old: str = "", new: str = "", rows: tuple[dict, ...] = ROWS) -> Callable[[Path], None]:
    """Write what is told, with a change, and the rows, of which there is one a line."""

    def spoil(root: Path) -> None:
        assert not old or TOLD.count(old) == 1, old
        (root / DIFFERENCES).write_text(TOLD.replace(old, new) if old else TOLD, "utf-8")
        lines = ",\n ".join(json.dumps(row) for row in rows)
        (root / PARITY).write_text(f"[\n {lines}\n]\n", "utf-8")

    return spoil


def _no_rows(root: Path) -> None:
    _beside()(root)
    (root / PARITY).write_text("{", "utf-8")


def case(code: str, at: str, says: str, file: str, spoil: Callable[[Path], None]) -> Case:
    return Case(code, at=at, says=says, file=file, spoil=spoil)


NEW = APART | {"compared": "gradients", "note": "shares one a"}
OTHER = APART | {"library": "torch"}

FAULTS_OF_DIFFERENCES = [
    case(
        "S718",
        '"compared": "gradients"',
        "no difference tells that peft 'shares one a' (gradients); did you mean 'shares one A'?",
        PARITY,
        _beside(rows=(*ROWS, NEW)),
    ),
    case(
        "S718",
        '"outcome": "deviates"',
        "'shares one A' is told more than once: peft-biases, peft-shared",
        PARITY,
        _beside('["merges no bias"]', '["merges no bias", "shares one A"]'),
    ),
    case("S718", "{", "the file: Invalid JSON", PARITY, _no_rows),
    case(
        "S719",
        'severity = "bugs"',
        "difference.1.severity: Input should be 'bug', 'deviation'",
        DIFFERENCES,
        _beside('severity = "bug"', 'severity = "bugs"'),
    ),
    case(
        "S719",
        'notes = ["merges no bias"]',
        "peft-biases: no row that deviates has the note 'merges no bias'",
        DIFFERENCES,
        _beside(rows=(EQUAL, APART, EQUAL | {"note": "merges no bias"})),
    ),
    case(
        "S719",
        'notes = ["merges no bias", "merges"]',
        "peft-biases: no row that deviates has the note 'merges'",
        DIFFERENCES,
        _beside('["merges no bias"]', '["merges no bias", "merges"]'),
    ),
    case(
        "S719",
        'methods = ["lore"]',
        "'lore' has no row with these notes; did you mean 'lora'?",
        DIFFERENCES,
        _beside('["shares one A"]', '["shares one A"]\nmethods = ["lore"]'),
    ),
    case(
        "S719",
        'name = "peft-shared" # again',
        "the name 'peft-shared' is that of one in",
        DIFFERENCES,
        _beside('name = "peft-biases"', 'name = "peft-shared" # again'),
    ),
    case(
        "S719",
        'library = "peft"',
        "peft-shared: none of its rows is of 'peft'",
        DIFFERENCES,
        _beside(rows=(EQUAL, OTHER, MERGED)),
    ),
    case(
        "S719",
        "effect =",
        "peft-shared: the rows of 'peft-shared' have no figure 'counted'",
        DIFFERENCES,
        _beside("{largest}", "{counted}"),
    ),
    case(
        "S719",
        "effect =",
        "peft-shared: 0.5 stands in the effect alone; put it in, as {largest}",
        DIFFERENCES,
        _beside("{largest}", "0.5"),
    ),
]
