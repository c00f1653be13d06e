"""Every method has mutants that can be planted; `tests/mutants/plant.py` shows they are caught."""

from __future__ import annotations

import pytest

from reference_impls.method import load_methods
from tests.mutants import plant

METHODS = list(load_methods())
every_list = pytest.mark.parametrize("name", plant.lists())


def mutant(**changes: str) -> plant.Mutant:
    """A mutant that can be planted, but for the changes."""
    values = {"old": "class Method:", "new": "class Other:", "file": "reference_impls/method.py"}
    return plant.Mutant(name="core", why="a test", runs=(), **{**values, **changes})


def test_every_method_has_mutants_and_the_core_has():
    assert plant.lists() == sorted(["core", *METHODS])


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
        assert all((plant.ROOT / run[0].partition("::")[0]).is_file() for run in m.runs)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"old": "class Mathod:"}, "occurs 0 times in reference_impls/method.py"),
        ({"old": "self"}, "occurs [0-9]+ times"),
        ({"new": "class Method:"}, "changes nothing"),
        ({"new": "class Method"}, "no Python any more"),
        ({"file": "reference_impls/mathod.py"}, "there is no reference_impls/mathod.py"),
    ],
)
def test_what_cannot_be_planted_is_an_error_that_names_file_and_mutant(changes, complaint):
    assert "class Other:" in mutant().source()
    with pytest.raises(plant.MutantError, match=f"core.toml: a test: .*{complaint}"):
        mutant(**changes).source()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[[mutant]]\nwhy = "a"\nold = "b"', "lacks new"),
        ('[[mutant]]\nwhy = "a"\nold = "b"\nnew = "c"\nplace = "d"', "'place' is no key"),
        ('[[mutant]]\nwhy = "a"\nold = "b"\nnew = "c"', "must name file and tests"),
    ],
)
def test_an_incomplete_list_is_an_error(text, complaint, tmp_path, monkeypatch):
    (tmp_path / "no_method.toml").write_text(text)
    monkeypatch.setattr(plant, "MUTANTS", tmp_path)
    with pytest.raises(plant.MutantError, match=complaint):
        plant.load("no_method")


def test_the_tests_that_fail_are_read_off_the_summary():
    output = "..F\nFAILED tests/a.py::test_b[c-d] - AssertionError: e - f\nERROR tests/g.py::h\n"
    assert plant.failed(output) == ["tests/a.py::test_b[c-d]", "tests/g.py::h"]
