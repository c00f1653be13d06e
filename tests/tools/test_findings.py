"""How findings are printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.data.findings import ANNOTATIONS, Finding, as_github, as_json, as_text, nearest

FINDING = Finding(
    "S204", "papers.yaml", 123, 5, "hu2021lora", "venue", "'ICRL' is not a venue", "ICLR"
)
LINE = "papers.yaml:123:5 S204 hu2021lora.venue: 'ICRL' is not a venue; did you mean 'ICLR'?"


def test_text() -> None:
    assert as_text([FINDING], "1 paper, 1 finding") == f"{LINE}\n1 paper, 1 finding\n"


@pytest.mark.parametrize(
    ("entry", "field", "shown"),
    [("a", "", "S001 a: m"), ("", "b", "S001 b: m"), ("", "", "S001 m"), ("a", "b", "S001 a.b: m")],
)
def test_text_without_entry_or_field(entry: str, field: str, shown: str) -> None:
    assert str(Finding("S001", "p", 1, 1, entry, field, "m")) == f"p:1:1 {shown}"


def test_what_a_catalog_holds_cannot_command_a_terminal_or_a_runner() -> None:
    finding = Finding("S102", "p", 1, 1, "", "", "\x1b[2J\n::warning::x\u202e" + "y" * 1000)
    shown = str(finding)
    assert shown.startswith("p:1:1 S102 \\x1b[2J\\n::warning::x\\u202eyyy")
    assert shown.isprintable()
    assert len(shown) < 650


def test_json() -> None:
    report = json.loads(as_json([FINDING], "done"))
    assert report["summary"] == "done"
    assert report["findings"] == [
        {
            "code": "S204",
            "path": "papers.yaml",
            "line": 123,
            "column": 5,
            "entry": "hu2021lora",
            "field": "venue",
            "message": "'ICRL' is not a venue",
            "suggestion": "ICLR",
        }
    ]


def test_github_escapes_properties_and_message() -> None:
    finding = Finding("S001", "a,b:c%\n.yaml", 1, 2, "", "", "100%,\r\n: fine")
    first, last, end = as_github([finding], "done").split("\n")
    assert first == (
        "::error file=a%2Cb%3Ac%25%0A.yaml,line=1,col=2,title=S001::S001 100%25,\\r\\n: fine"
    )
    assert (last, end) == ("done", "")


def test_github_sends_what_it_would_not_show_to_the_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    many = [Finding("S001", "p", i, 1, "", "", f"number {i}") for i in range(1, ANNOTATIONS + 3)]
    lines = as_github(many, "done").splitlines()
    assert sum(line.startswith("::error ") for line in lines) == ANNOTATIONS
    assert lines[-2:] == ["2 more in the step's summary", "done"]
    written = summary.read_text(encoding="utf-8")
    assert written.startswith("before\n")
    assert "number 11\np:12:1 S001 number 12" in written
    assert "number 10\n" not in written


def test_github_prints_the_rest_where_there_is_no_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    many = [Finding("S001", "p", i, 1, "", "", "m") for i in range(1, ANNOTATIONS + 2)]
    assert as_github(many, "done").splitlines()[ANNOTATIONS:] == ["p:11:1 S001 m", "done"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [("ICRL", "ICLR"), ("iclr", "ICLR"), ("Findings of EMLP", "Findings of EMNLP"), ("zzz", None)],
)
def test_nearest(value: str, expected: str | None) -> None:
    assert nearest(value, ["ICML", "ICLR", "EMNLP", "Findings of EMNLP"]) == expected
