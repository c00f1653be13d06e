"""There are mutants of everything, they can be planted, and a survivor is told.

`tests/mutants/plant.py` shows that all are caught, at night; here a few of the tools' are.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutants import plant
from tools.data.implementations import discover

METHODS = discover(plant.ROOT)
every_list = pytest.mark.parametrize("name", plant.lists())
# what holds no decision: no code, or a table that tests/methods/test_drawings.py knows by heart
NOT_PLANTED = {"__init__.py", "syntax.py", "vocabulary.py"}


def mutant(**changes: str) -> plant.Mutant:
    """A mutant that can be planted, but for the changes."""
    values = {"old": "class MutantError", "new": "class Other", "file": "tests/mutants/plant.py"}
    return plant.Mutant(name="core", why="a test", runs=(), **{**values, **changes})


def some(number: int) -> list[plant.Mutant]:
    return [mutant(old=f"{i}") for i in range(number)]


def test_every_method_has_mutants_and_the_core_the_tools_and_the_other_parts_have():
    others = {name for name in plant.lists() if not name.startswith("tools/")}
    assert others == {"benchmarks", "core", "real", *METHODS}


def test_every_file_of_the_tools_has_mutants():
    planted = {m.file for name in plant.chosen(["tools"]) for m in plant.load(name)}
    files = {
        path.relative_to(plant.ROOT).as_posix()
        for path in (plant.ROOT / "tools").rglob("*.py")
        if path.name not in NOT_PLANTED
    }
    files -= {name for name in files if not (plant.ROOT / name).read_text().partition('"""\n')[2]}
    assert files - planted == set()


@every_list
def test_there_are_at_least_three_and_each_says_why(name):
    mutants = plant.load(name)
    assert len(mutants) >= 3
    assert all(m.why.strip() for m in mutants)
    assert len({m.why for m in mutants}) == len(mutants)


@every_list
def test_each_has_its_one_place_and_is_python(name):
    for m in plant.load(name):
        m.source()
        for file, _, test in (run[0].partition("::") for run in m.runs):
            assert (plant.ROOT / file).exists(), m
            name = test.partition("[")[0]
            assert not name or f"def {name}(" in (plant.ROOT / file).read_text("utf-8"), m


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"old": "class MutamtError"}, "occurs 0 times in tests/mutants/plant.py"),
        ({"old": "self"}, "occurs [0-9]+ times"),
        ({"new": "class MutantError"}, "changes nothing"),
        ({"new": "class"}, "no Python any more"),
        ({"file": "tests/mutants/plamt.py"}, "there is no tests/mutants/plamt.py"),
    ],
)
def test_what_cannot_be_planted_is_an_error_that_names_file_and_mutant(changes, complaint):
    assert "class Other(Exception)" in mutant().source()
    with pytest.raises(plant.MutantError, match=f"core.toml: a test: .*{complaint}"):
        mutant(**changes).source()


ENTRY = '[[mutant]]\nwhy = "a"\nold = "b"\nnew = "c"\n'


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository without lists."""
    monkeypatch.setattr(plant, "ROOT", tmp_path)
    monkeypatch.setattr(plant, "MUTANTS", tmp_path / "tests" / "mutants")
    return tmp_path


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(ENTRY if name.endswith(".toml") else "")


def test_a_methods_list_is_in_its_folder_beside_file_and_tests(root):
    folder = "reference_impls/prompt/p_tuning"
    files = ("p_tuning.py", "test_p_tuning.py", "test_encoder.py", "mutants.toml")
    write(root, *(f"{folder}/{name}" for name in files))
    assert plant.lists() == {"p_tuning": root / folder / "mutants.toml"}
    (found,) = plant.load("p_tuning")
    assert (found.name, found.file) == ("p_tuning", f"{folder}/p_tuning.py")
    contract = ("tests/methods/test_contract.py", "-k", "[p_tuning- or [p_tuning]")
    own = [(f"{folder}/test_{name}.py",) for name in ("encoder", "p_tuning")]
    assert found.runs == (*own, contract)


def test_lists_are_meant_by_their_name_or_their_folder(root):
    names = ("core", "tools/rules", "tools/site", "tools2/site")
    write(root, *(f"tests/mutants/{name}.toml" for name in names))
    assert plant.chosen([]) == list(names)
    assert plant.chosen(["tools"]) == ["tools/rules", "tools/site"]
    assert plant.chosen(["tools/site", "core"]) == ["core", "tools/site"]
    with pytest.raises(plant.MutantError, match="no list 'tool'; known: core, tools/rules"):
        plant.chosen(["core", "tool"])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (ENTRY.replace('new = "c"\n', ""), "lacks new"),
        (ENTRY + 'place = "d"', "'place' is no key"),
        (ENTRY, "must name file and tests"),
    ],
)
def test_an_incomplete_list_is_an_error(text, complaint, root):
    write(root, "tests/mutants/no_method.toml")
    (root / "tests/mutants/no_method.toml").write_text(text)
    with pytest.raises(plant.MutantError, match=complaint):
        plant.load("no_method")


def test_a_sample_is_the_same_by_one_seed_and_another_by_another():
    mutants = some(50)
    drawn = plant.part_of(mutants, 5, "a", "1/1")
    assert len(set(drawn)) == 5
    assert plant.part_of(mutants, 5, "a", "1/1") == drawn
    assert plant.part_of(mutants, 5, "b", "1/1") != drawn
    assert set(plant.part_of(mutants, 99, "a", "1/1")) == set(mutants)
    assert plant.part_of(mutants, 0, "a", "1/1") == mutants


def test_parts_are_all_together_and_of_one_size():
    mutants = some(11)
    parts = [plant.part_of(mutants, 0, "", f"{i}/3") for i in (1, 2, 3)]
    assert sorted(map(len, parts)) == [3, 4, 4]
    assert {m for part in parts for m in part} == set(mutants)


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1/0", "12/12", "1", "", "a/b", "-1/3"])
def test_a_part_with_nothing_to_plant_would_pass_and_is_refused(shard):
    with pytest.raises(plant.MutantError, match="nothing to plant"):
        plant.part_of(some(11), 0, "", shard)


def test_the_tests_that_fail_are_read_off_the_summary():
    output = "..F\nFAILED tests/a.py::test_b[c-d] - AssertionError: e - f\nERROR tests/g.py::h\n"
    assert plant.failed(output) == ["tests/a.py::test_b[c-d]", "tests/g.py::h"]


def test_a_survivor_or_a_test_that_fails_anyway_is_told(capsys):
    caught = {mutant(): "tests/a.py::b"}
    assert plant.report(caught, []) == 0
    assert plant.report({**caught, mutant(new="x"): plant.SURVIVED}, []) == 1
    assert "1 of 2 mutants caught" in capsys.readouterr().out
    assert plant.report(caught, ["tests/a.py::b"]) == 1
    assert "tests/a.py::b fails without a mutant" in capsys.readouterr().err


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, plant.__file__, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.parametrize("arguments", [["no_such"], ["core", "--shard", "9"]])
def test_what_cannot_be_run_is_status_2(arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("plant")


def test_a_few_of_the_tools_mutants_are_caught():
    """Others whenever a list changes."""
    done = run("tools", "--sample", "4")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 4 mutants caught" in done.stdout
