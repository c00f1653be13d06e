"""What is kept for the next run is what would be found anew, or is not taken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.records import PAPER, VENUES, evidence
from tools import kept
from tools.data.files import ROOT
from tools.kept import Kept
from tools.records.evidence import Judge, judge


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(kept, "folder", lambda: tmp_path)
    monkeypatch.setattr(Kept, "every", [])
    return tmp_path


def never() -> str:
    raise AssertionError("it is found anew")


def run(**answers: str) -> None:
    """A run that asks these questions, and finds these answers where none is kept."""
    kind = Kept("words", "jinja2")
    for question, answer in answers.items():
        kind.answer(question, lambda answer=answer: answer)  # type: ignore[misc]
    kept.save()
    Kept.every.clear()


def test_the_next_run_takes_what_was_found() -> None:
    run(a="1", b="2")
    again = Kept("words", "jinja2")
    assert (again.answer("a", never), again.answer("b", never)) == ("1", "2")
    assert again.answer("c", lambda: "3") == "3"
    assert again.answer("c", never) == "3"


@pytest.mark.parametrize("name", ["_code", "version"])
def test_other_code_and_other_libraries_find_it_anew(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(a="old")
    other = {"_code": lambda: b"other", "version": lambda library: "0"}[name]
    monkeypatch.setattr(kept, name, other)
    assert Kept("words", "jinja2").answer("a", lambda: "new") == "new"


def test_the_code_is_every_file_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "TOOLS", tmp_path)
    states = []
    for text in ("", "a = 1", "a = 2"):
        (tmp_path / "deep").mkdir(exist_ok=True)
        (tmp_path / "deep" / "a.py").write_text(text)
        states.append(kept._code.__wrapped__())
    assert len({*states}) == 3


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "7", '{"state": 1, "answers": 2}', "\udcff"])
def test_a_broken_file_is_not_taken(text: str, folder: Path) -> None:
    (folder / "words.json").write_bytes(text.encode(errors="surrogateescape"))
    run(a="new")
    assert Kept("words", "jinja2").answer("a", never) == "new"


def test_a_file_does_not_grow(folder: Path) -> None:
    run(a="1", b="2")
    run(b="2")
    assert list(json.loads((folder / "words.json").read_text())["answers"].values()) == ["2"]


def test_an_error_is_raised_each_time() -> None:
    kind = Kept("words")
    for _ in range(2):
        with pytest.raises(AssertionError, match="anew"):
            kind.answer("a", never)


@pytest.mark.parametrize("place", [None, Path("/does/not/exist")])
def test_it_works_where_nothing_can_be_kept(
    place: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "folder", lambda: place)
    run(a="1")
    assert Kept("words", "jinja2").answer("a", lambda: "2") == "2"


def test_a_build_keeps_what_it_found(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "tools", "build", "--check"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    (file,) = tmp_path.rglob("digests.json")
    assert {len(answer) for answer in json.loads(file.read_text())["answers"].values()} == {64}


def test_what_is_said_of_an_entry_is_kept_whole_and_for_it_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    early = {"issued": {"date-parts": [[2019]]}}
    known = evidence(early, reasons={"year": "The record is older."})
    other = PAPER.model_copy(update={"title": "Another one"})
    asked = [(PAPER, evidence(early)), (PAPER, known), (other, known), (PAPER, evidence())]
    for _ in range(2):  # the second time from the file
        monkeypatch.setattr(Judge, "kept", Kept("judgements"))
        ask = Judge(VENUES)
        assert [ask(*pair) for pair in asked] == [judge(*pair, VENUES) for pair in asked]
        assert len(ask.kept.asked) == len(asked)
        kept.save()
    monkeypatch.setattr("tools.records.evidence.judge", lambda *asked: never())
    assert str(ask(PAPER, known).differences[0]) == "year is 2019 there: The record is older."
    monkeypatch.setattr(Judge, "kept", Kept("judgements"))
    assert Judge(VENUES)(PAPER, evidence()).identified
    with pytest.raises(AssertionError, match="anew"):  # a venue may be called otherwise
        Judge({"ICLR": VENUES["ICLR"]})(PAPER, evidence())
