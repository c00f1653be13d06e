"""When a method's closed forms are found anew, and by what."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from reference_impls.core.registry import load_method, method_files
from reference_impls.measure import cells, command, ledgers, memory, recorded
from reference_impls.measure import closed_forms as forms

NAME = next(iter(method_files()))
METHOD = load_method(NAME)


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """A folder with what the method declares of its forms, in place of the real one."""
    (tmp_path / "forms.py").write_text("SPEC = 1\n", encoding="utf-8")
    (tmp_path / "measured").mkdir()
    monkeypatch.setattr(forms, "declaration", lambda method: tmp_path / "forms.py")
    monkeypatch.setattr(
        forms, "sources", lambda *files: {path.name: path.read_text() for path in files}
    )
    return tmp_path


def test_forms_are_stale_until_found_and_when_what_they_are_made_of_changes(beside):
    assert forms.is_stale(METHOD)
    made = {"sources": forms.sources_of(METHOD)}
    forms.path_of(METHOD).write_text(json.dumps(made), encoding="utf-8")
    assert not forms.is_stale(METHOD)
    assert {f"{NAME}.py", "forms.py", "ledger.py"} == made["sources"].keys()
    (beside / "forms.py").write_text("SPEC = 2\n", encoding="utf-8")
    assert forms.is_stale(METHOD)


def test_forms_are_asked_for_where_they_are_declared_in_a_checkout(beside, monkeypatch):
    monkeypatch.setattr(recorded, "stale", lambda method: [])
    monkeypatch.setattr(ledgers, "is_stale", lambda method: False)
    monkeypatch.setattr(cells, "is_stale", lambda method: False)
    monkeypatch.setattr(memory, "missing", lambda method: [])
    wanted = [command.Job(NAME, command.FORMS)]
    assert command.jobs([NAME], stale=True) == wanted
    assert [str(job) for job in wanted] == [f"{NAME} closed forms"]
    monkeypatch.setattr(forms, "ROOT", beside)
    assert command.jobs([NAME], stale=True) == []
    monkeypatch.undo()
    assert wanted[0] in command.jobs([NAME], stale=False)
    assert forms.can_be_found(METHOD)
    monkeypatch.setattr(forms, "declaration", lambda method: beside / "none.py")
    assert wanted[0] not in command.jobs([NAME], stale=False)


def test_the_program_of_the_tests_finds_them_and_its_last_word_is_passed_on(monkeypatch):
    asked = []

    def run(words, **settings):
        asked.append((words, settings["cwd"]))
        return SimpleNamespace(returncode=len(asked) - 1, stderr="progress\nno form of trained\n")

    monkeypatch.setattr(subprocess, "run", run)
    job = command.Job(NAME, command.FORMS)
    command.keep(job, command.measured(job, False))
    words = [sys.executable, "-m", "tests.closed_forms", NAME, "--write"]
    assert asked == [(words, forms.ROOT)]
    with pytest.raises(ValueError, match=f"closed forms of {NAME}: no form of trained"):
        command.measured(job, False)
