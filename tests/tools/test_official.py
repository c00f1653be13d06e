"""Official code: what is declared of it, and which numbers of a docstring have to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.small_catalog import OFFICIAL, OFFICIAL_PATH, write_tree
from tools.data.declared import DeclaredError
from tools.data.files import ROOT
from tools.data.implementations import discover, parse_page
from tools.data.official import Official, read_officials
from tools.data.printed_numbers import printed
from tools.data.twins import without_claim, without_twin

NUMBER = OFFICIAL.partition("[[number]]")[2]
GLOB = """
says = "1e-4 to 6e-2"
file = "runs/*.sh"
pattern = "lr=(.+)"
value = [1e-4, 6e-2]
[number.lines]
"runs/a.sh" = "lr=6e-2"
"runs/b.sh" = "lr=1e-4"
"runs/c.sh" = "lr=5e-3"
"""
START = """
[[start]]
ours = "A"
official = "lora_A"
law = "normal 0.02"
std = 0.02
mean = 0.0
how = "the model of run.sh, made without a checkpoint"
"""


def written(root: Path, text: str) -> Official:
    write_tree(root, official=text)
    return read_officials(root)["lora"]


def with_number(root: Path, number: str) -> Official:
    return written(root, OFFICIAL.replace(NUMBER, number))


def test_every_method_is_compared() -> None:
    assert set(read_officials(ROOT)) == set(discover(ROOT))


def test_what_is_read(tmp_path: Path) -> None:
    official = written(tmp_path, OFFICIAL + START)
    assert official.code[0].url.startswith("https://github.com/microsoft/LoRA/tree/c4593f0")
    assert official.number[0].value == (0.1,)
    assert official.start[0].ours_law == ""
    assert [key for key, setting in official.settings.items() if setting.differs] == ["decay"]


def test_several_repositories_or_none(tmp_path: Path) -> None:
    two = OFFICIAL.replace("[code]", "[[code]]") + OFFICIAL.partition("\n[settings]")[0].replace(
        "[code]", "[[code]]"
    )
    assert len(written(tmp_path, two).code) == 2
    none = OFFICIAL.partition("[settings]")[2].partition("[[number]]")[0]
    text = f'unavailable = "No code is known."\n[settings]{none}'
    assert written(tmp_path, text).unavailable == "No code is known."


def test_of_several_files_the_ends_or_all_values_are_said(tmp_path: Path) -> None:
    assert with_number(tmp_path, GLOB).number[0].value == (1e-4, 6e-2)
    text = GLOB.replace("1e-4 to 6e-2", "1e-4, 5e-3 or 6e-2").replace("[1e-4,", "[1e-4, 5e-3,")
    assert len(with_number(tmp_path, text).number[0].value) == 3


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("commit", "comit", 1, "code.0.commit: Field required"),
        ('"microsoft/LoRA"', '"https://x.org/a"', 2, "code.0.repository: String should match"),
        ("c4593f06", "main", 3, "code.0.commit: String should match"),
        ('dropout = "equal"\n', "", 5, "settings.dropout: Field required"),
        ('loss = "equal"', 'loss = "same"', 13, "settings.loss: is 'equal', 'none' (neither"),
        ('here = "none"', 'here = "0.1 [`run.sh`]"', 9, "settings.decay: is the same in both"),
        ('here = "none"', 'here = "TODO"', 9, "settings.decay: still says TODO"),
        ('"none" }', '"none", why = "" }', 9, "settings.decay.why: is not a key here; these are"),
        ('says = "0.1"', 'says = "a tenth"', 16, "number.0: says 'a tenth', which has no number"),
        ('says = "0.1"', 'says = "0.2"', 16, "number.0: says '0.2', but value is [0.1]"),
        ("value = 0.1", "value = 0.2", 16, "value is [0.2], but the lines have [0.1]"),
        ("value = 0.1", "value = []", 16, "needs file, line, pattern and value; or of"),
        ("value = 0.1", 'value = 0.1\nof = "us"', 16, "of stands in place of a file: leave out"),
        ('"decay (.+)"', '"decay .+"', 16, "pattern needs one group"),
        ('"decay (.+)"', '"decay ("', 16, "pattern is no regular expression"),
        ('"decay (.+)"', '"rate (.+)"', 16, "finds nothing in the line of NLU/run.sh"),
        ('"decay (.+)"', '"--(.+) "', 16, "finds 'weight_decay' in NLU/run.sh, which is no number"),
        ("decay 0.1", "decay\\n0.1", 19, "number.0.line: String should match"),
        ("NLU/run.sh", "NLU/*.sh", 16, "a file has a line; a pattern of files has lines"),
    ],
)
def test_faults_are_named_with_their_line(
    old: str, new: str, line: int, message: str, tmp_path: Path
) -> None:
    assert OFFICIAL.count(old) == 1
    with pytest.raises(DeclaredError) as error:
        written(tmp_path, OFFICIAL.replace(old, new))
    assert str(error.value).startswith(f"{OFFICIAL_PATH}:{line}: ")
    assert message in error.value.message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("lr=5e-3", "lr=7e-2", "but the lines have [0.0001, 0.06, 0.07]"),
        ("[1e-4, 6e-2]", "[5e-3, 6e-2]", "but the lines have [0.0001, 0.005, 0.06]"),
        ("1e-4 to 6e-2", "5e-3 to 6e-2", "says '5e-3 to 6e-2', but value is [0.0001, 0.06]"),
        ("runs/c.sh", "other/c.sh", "'other/c.sh' is not one of runs/*.sh"),
        ("lr=5e-3", "rate=5e-3", "pattern finds nothing in the line of runs/c.sh"),
    ],
)
def test_a_pattern_of_files_holds_for_each_of_them(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(DeclaredError) as error:
        with_number(tmp_path, GLOB.replace(old, new))
    assert message in error.value.message


def test_neither_code_nor_why_not(tmp_path: Path) -> None:
    with pytest.raises(DeclaredError, match=r"needs .code. with repository and commit, or"):
        written(tmp_path, OFFICIAL.partition("\n")[2].partition("\n\n")[2])


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("a rate of 1e-3, 14,155,776 values, 8 % of them and -3", [1e-3, 14155776, 0.08, -3]),
        ("GPT-2, BERT, 7B, 8-bit, T5, `lr = 3`, 1/2, $x_1$, $10^{-6}$, [§4.1, table 3]", []),
        ("$\\alpha = 16$, $s$ = 4, $W \\in R^{2}$, $1 - p$, $l = -1.5$", [16, 4, -1.5]),
        ("He et al. 2022, arXiv:2312.11420, eq. (7), version 1, Table 5, figure 7", []),
    ],
)
def test_numbers_are_those_that_state_something(text: str, numbers: list[float]) -> None:
    assert printed(text) == numbers


def missing(docstring: str, official: Official) -> list[str]:
    page = parse_page(docstring)
    return [lack.number for lack in without_twin(page, official)]


def items(*differences: str) -> str:
    heading = "Paper, official code, libraries\n"
    return f"A: b.\n\n{heading}{'-' * 31}\n" + "\n".join(f"- {text}" for text in differences)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("The rate is 3e-4. [`run.sh`]", ["3e-4"]),
        ("The rate is 3e-4. [§4; `grad`]", ["3e-4"]),
        ("The rate is 3e-4. [§4]", []),
        ("It is 3 in the paper. [§4] It is 5 here, and 7. [`run.sh`]", ["5", "7"]),
        ("It is 3 in the paper. The official code has 5.", ["5"]),
        ("The scripts have 5; the rest 3. [§4] It is 6.", ["5", "3"]),
        ("Decay: 0.1. [`run.sh`]", []),
        ("Decay: 0.1. [`NLU/`]", []),
        ("Decay: 0.1. [`other.sh`]", ["0.1"]),
        ("Decay: 0.15. [`run.sh`]", ["0.15"]),
        ("Decay: 0.1 first, 0.1 later. [`run.sh`]", []),
        ("The [SEP] of 3 texts. [`run.sh`]", ["3"]),
    ],
)
def test_what_is_said_of_official_code_has_a_twin(
    text: str, numbers: list[str], tmp_path: Path
) -> None:
    assert missing(items(text), written(tmp_path, OFFICIAL)) == numbers


def test_the_checklist_needs_twins_as_well(tmp_path: Path) -> None:
    text = OFFICIAL.replace(
        'warm_up = "none"', 'warm_up.official = "6 % [`a.sh`]"\nwarm_up.here = "none"'
    )
    assert missing(items(), written(tmp_path, text)) == ["6 %"]


def test_a_number_of_the_paper_stands_beside_its_section(tmp_path: Path) -> None:
    paper = '\nsays = "rank 8"\nof = "the paper, §4.1"\n'
    official = with_number(tmp_path, paper)
    assert missing(items("They take rank 8. [§4.1; `run.sh`]"), official) == ["0.1"]
    assert missing(items("They take rank 8. [§5; `run.sh`]"), official) == ["8", "0.1"]


def test_words_that_stand_nowhere_are_named(tmp_path: Path) -> None:
    official = with_number(tmp_path, NUMBER.replace('"0.1"', '"rate 0.1"'))
    [(index, message)] = without_claim(parse_page(items()), official)
    assert index == 0
    assert message == "nothing said of official code has the words 'rate 0.1'"
    [(_, message)] = without_claim(parse_page(items("A rate 0.1. [`b.sh`]")), official)
    assert message == "where 'rate 0.1' stands, the source is not NLU/run.sh"
    [(_, message)] = without_claim(parse_page(items("A rate 0.15. [`run.sh`]")), official)
    assert message.startswith("nothing said")
    official = with_number(tmp_path, NUMBER.replace('"0.1"', '"0.1 of it"'))
    [(_, message)] = without_claim(parse_page(items("It takes 10.1 of it. [`run.sh`]")), official)
    assert message == "nothing said of official code has the words '0.1 of it'"


def test_the_checklist_does_not_contradict_the_first_values(tmp_path: Path) -> None:
    text = OFFICIAL + START + 'differs = "ours is normal"\n'
    with pytest.raises(DeclaredError, match=r"settings\.start is the same in both, but a"):
        written(tmp_path, text)
    assert written(
        tmp_path, text.replace('start = "equal"', 'start = { official = "a [`b.py`]", here = "c" }')
    )
