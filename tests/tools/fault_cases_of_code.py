"""Faults in what belongs to a method: its file, card, tests, measurements and mutants (S7xx)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.tools.fault_cases import Case
from tests.tools.small_catalog import (
    CARD,
    CARD_PATH,
    CELLS,
    METHOD,
    METHOD_PATH,
    MUTANTS,
    OFFICIAL_PATH,
    TEST_PATH,
)


def _moved(root: Path) -> None:
    shutil.move(root / "reference_impls/reparameterized", root / "reference_impls/prompt")


def _renamed(root: Path) -> None:
    folder = (root / METHOD_PATH).parent.rename((root / METHOD_PATH).parents[1] / "rank")
    (folder / "lora.py").rename(folder / "rank.py")


def _second_file(root: Path) -> None:
    path = (root / METHOD_PATH).parents[1] / "zlora" / "zlora.py"
    path.parent.mkdir()
    path.write_text(METHOD, encoding="utf-8")


def _card_lost(root: Path) -> None:
    (root / CARD_PATH).unlink()


def _test_lost(root: Path) -> None:
    (root / TEST_PATH).unlink()


def _beside(name: str, text: str | None) -> Callable[[Path], None]:
    """Write a file beside the method, or take it away."""

    def spoil(root: Path) -> None:
        path = (root / METHOD_PATH).parent / name
        if text is None:
            path.unlink()
        else:
            path.write_text(text, encoding="utf-8")

    return spoil


def _architectures(text: str) -> Callable[[Path], None]:
    """Write a file of architectures; the method was tried on t5."""

    def spoil(root: Path) -> None:
        _beside(ARCHITECTURES, CELLS.replace("[]", '["t5"]'))(root)
        path = root / "reference_impls/architectures/encoders.toml"
        path.parent.mkdir()
        path.write_text(text, encoding="utf-8")

    return spoil


ARCHITECTURES = "measured/architectures.json"
CELLS_OF_OTHER_CODE = CELLS.replace('"sources": {}', '"sources": {"core/gone.py": "ab"}')
OTHER_CODE = '{"cue": {"sources": {"core/gone.py": "ab"}}, "summary": {"sources": {"x.py": "cd"}}}'
DRAWN, EQUATION = CARD.partition("[beside]")[0], 'equation = ["LoRA"]\n'

FAULTS_OF_CODE = [
    Case(
        "S701",
        "    description: Something is written before the input.\n",
        "    description: Something is written before the input.\n    main: true\n",
        "- id: soft",
        "has no implementation",
    ),
    Case(
        "S717",
        "        elsewhere:\n",
        "        open: true\n        elsewhere:\n",
        "open: true",
        "has an implementation; remove the key",
    ),
    Case(
        "S717",
        "        description: What is written are vectors.\n",
        "        description: What is written are vectors.\n        open: true\n",
        "open: true",
        "is in no main branch",
    ),
    Case(
        "S716",
        "        elsewhere:\n",
        "        no_code: Nothing to do.\n        elsewhere:\n",
        "class LoRA",
        "declares leaf 'low-rank', whose no_code says that it has no code",
        METHOD_PATH,
    ),
    Case(
        "S704",
        at="class LoRA",
        says="is in prompt, but its leaf is below reparameterized",
        file="reference_impls/prompt/lora/lora.py",
        spoil=_moved,
    ),
    Case(
        "S705",
        '    paper = "hu2021lora"',
        '    paper = "hu2022lora"',
        "class LoRA",
        "did you mean 'hu2021lora'?",
        METHOD_PATH,
    ),
    Case("S706", "**Merge:** exact.", "**Merge:** TODO", 'r"""LoRA', "**Merge:**", METHOD_PATH),
    Case("S706", "**Merge:** exact.\n", "", 'r"""LoRA', "lacks **Merge:**", METHOD_PATH),
    Case(
        "S706",
        "Source: Hu et al. 2021, arXiv:2106.09685.\n",
        "",
        'r"""LoRA',
        "last paragraph 'Source: …'",
        METHOD_PATH,
    ),
    Case(
        "S707",
        at="class LoRA",
        says="add reference_impls/reparameterized/lora/test_lora.py",
        file=METHOD_PATH,
        spoil=_test_lost,
    ),
    Case(
        "S708",
        at="class LoRA",
        says="the file is named otherwise",
        file="reference_impls/reparameterized/rank/rank.py",
        spoil=_renamed,
    ),
    Case(
        "S708",
        at="class LoRA",
        says=f"already the name of {METHOD_PATH}",
        file="reference_impls/reparameterized/zlora/zlora.py",
        spoil=_second_file,
    ),
    *(
        Case("S711", at="class LoRA", says=says, file=METHOD_PATH, spoil=_beside(name, text))
        for name, text, says in (
            (
                "measured/runs.json",
                None,
                "runs.json is missing: run `python -m reference_impls mea",
            ),
            ("measured/runs.json", "[1]", "measured/runs.json is spoiled"),
            ("measured/runs.json", OTHER_CODE, "runs.json is of other code on cue, summary"),
            ("measured/ledger.json", None, "measured/ledger.json is missing"),
            (
                "measured/ledger.json",
                '{"sources": {"core/gone.py": "ab"}}',
                "is of other code: run",
            ),
            ("measured/ledger.json", "{", "measured/ledger.json is spoiled"),
            ("forms.py", "SPEC = 1", "measured/forms.json is missing"),
            (
                ARCHITECTURES,
                None,
                f"{ARCHITECTURES} is missing: run `python -m reference_impls mea",
            ),
            (ARCHITECTURES, "[]", f"{ARCHITECTURES} is spoiled"),
            (ARCHITECTURES, '{"runs": [], "sources": {}}', f"{ARCHITECTURES} is spoiled"),
            (ARCHITECTURES, CELLS_OF_OTHER_CODE, f"{ARCHITECTURES} is of other code: run"),
        )
    ),
    Case(
        "S711",
        "    mergeable = True\n",
        '    mergeable = True\n    tasks = ("cue", "cloze")\n',
        "class LoRA",
        "measured/runs.json lacks cue, cloze: run",
        METHOD_PATH,
    ),
    Case(
        "S711",
        at="class LoRA",
        says=f"{ARCHITECTURES} lacks bert, gpt: run",
        file=METHOD_PATH,
        spoil=_architectures("[bert]\n[t5]\n[gpt]\n"),
    ),
    Case(
        "S711",
        says="Expected ']'",
        file="reference_impls/architectures/encoders.toml",
        spoil=_architectures("[bert"),
    ),
    Case(
        "S712",
        at="class LoRA",
        says="has no planted faults; add 3 to reference_impls/reparameterized/lora/mutants.toml",
        file=METHOD_PATH,
        spoil=_beside("mutants.toml", None),
    ),
    Case(
        "S712",
        at="class LoRA",
        says="has 2 planted faults; add 1 to",
        file=METHOD_PATH,
        spoil=_beside("mutants.toml", 2 * MUTANTS),
    ),
    Case(
        "S712",
        at="class LoRA",
        says="has no planted faults",
        file=METHOD_PATH,
        spoil=_beside("mutants.toml", 3 * MUTANTS.replace("r: int = 8", "")),
    ),
    Case(
        "S712",
        says="is not TOML",
        file="reference_impls/reparameterized/lora/mutants.toml",
        spoil=_beside("mutants.toml", "[[mutant]"),
    ),
    Case(
        "S709",
        at="class LoRA",
        says=f"has no card; add {CARD_PATH} with a [drawing]",
        file=METHOD_PATH,
        spoil=_card_lost,
    ),
    Case("S709", DRAWN, "", "[beside]", "has no drawing; add [drawing]", CARD_PATH),
    Case("S710", EQUATION, "", "[beside]", "add equation = [part, …]", CARD_PATH),
    Case("S710", EQUATION, 'equation = ["LoRa"]\n', "equation", "did you mean 'LoRA'?", CARD_PATH),
    Case("S710", "details.LoRA = [1]\n", "", "[beside]", "no part carries detail 1", CARD_PATH),
    Case("S710", "LoRA = [1]", "LoRA = [1, 2]", "details", "has no detail 2", CARD_PATH),
    Case("S710", "LoRA = [1]", "Lora = [1]", "details", "no part 'Lora'; did you mean", CARD_PATH),
    Case("S710", "LoRA = [1]", "LoRA = [1]\nelsewhere = [1]", "elsewhere", "has a part", CARD_PATH),
    Case("S710", "$$ h = W x + B A x $$", "Nothing", "equation", "no equation", CARD_PATH),
    Case("S713", "\n[beside]", "\n[beside", "[beside", "is not TOML", CARD_PATH),
    Case(
        "S713",
        "added = [{",
        "adds = [{",
        "adds",
        "drawing.adds: is not a key here; these are: states, added",
        CARD_PATH,
    ),
    Case("S713", '"low_rank"', '"lowrank"', "added", "should be 'adapter'", CARD_PATH),
    Case("S713", "settings = {", "setting = {", "setting", "published.0.setting: ", CARD_PATH),
    Case("S713", '"0.3M"', '"0.4M"', "[[published]]", "needs a note that says why", CARD_PATH),
    Case("S713", '"0.3M"', '"much"', "[[published]]", "is not a number", CARD_PATH),
    Case(
        "S713", "RoBERTa-base = {", "RoBERTa = {", "[drawing]", "must be both a key of", CARD_PATH
    ),
    Case(
        "S713", '{ paper = "hu2021lora" }', '{ paper = "hu2022lora" }', "source", "did", CARD_PATH
    ),
    Case(
        "S714",
        at="class LoRA",
        says=f"is not compared with its official code; add {OFFICIAL_PATH} with [settings]",
        file=METHOD_PATH,
        spoil=_beside("official.toml", None),
    ),
    Case("S714", 'loss = "equal"\n', "", "[settings]", "settings.loss: Field", OFFICIAL_PATH),
    Case("S714", "0.1 [`run.sh`]", "0.1", "decay", "ends with its source", OFFICIAL_PATH),
    Case("S714", "decay 0.1", "decay 0.2", "[[number]]", "the lines have [0.2]", OFFICIAL_PATH),
    Case(
        "S715",
        "paper: the same.",
        "the official rate is 3e-4.",
        'r"""LoRA',
        "3e-4 in '…the official rate is 3e-4.…' has no [[number]] in",
        METHOD_PATH,
    ),
    Case(
        "S715",
        'dropout = "equal"',
        'dropout = { official = "0.3 [`run.sh`]", here = "none" }',
        "dropout",
        "0.3 in '…0.3 [`run.sh`]…' has no [[number]] in",
        OFFICIAL_PATH,
    ),
    Case(
        "S715",
        'says = "0.1"',
        'says = ["0.1", "by 0.1"]',
        "says",
        "nothing said of official code has the words 'by 0.1'",
        OFFICIAL_PATH,
    ),
]
