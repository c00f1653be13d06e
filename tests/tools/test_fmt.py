"""The canonical form: same data, same comments, one way to write an entry."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.small_catalog import CATALOG
from tools.commands.fmt import FormatError, formatted
from tools.data.files import ROOT, write
from tools.data.loader import parse
from tools.data.parts import load, read
from tools.export import entry

REAL = read(ROOT / "papers.yaml")
HEAD, _, PAPERS = CATALOG.partition("papers:\n")


def fmt(text: str) -> str:
    return formatted(text.encode(), "papers.yaml", ROOT).decode()


def test_what_is_canonical_stays_as_it_is_to_the_byte():
    assert len(REAL) > 5
    assert {name: formatted(raw, name, ROOT) for name, raw in REAL.items()} == REAL


def test_every_entry_of_the_catalog_is_its_canonical_text():
    document = load(ROOT / "papers.yaml")
    text = b"".join(REAL.values()).decode()
    assert all(entry.text(paper) in text for paper in document.data["papers"])


def test_entries_and_keys_are_put_in_order_and_values_are_written_in_one_way():
    messy = (
        HEAD
        + """papers:
  - title: 'On Dropping
      Adapters'
    id: ruckle2020drop
    authors: ["Rücklé, Andreas", {literal: "Barnes & Noble"}]

    venue: "ACL"
    year: 2022
    kind: analysis
    leaves:
      - low-rank
    modality: [ LLM ]
    summary: "Counts what can be dropped."
    acl: 2022.acl-long.1
  - id: hu2021lora
    title: "LoRA"
    authors: ["Hu, Edward J."]
    year: 2022
    venue: ICLR
    kind: method
    leaves: [low-rank]
    modality: [LLM]
    url: https://example.org/lora
    summary: "Trains two matrices."
    added: "2026-11-21"
"""
    )
    assert fmt(messy) == (
        HEAD
        + """papers:
  - id: hu2021lora
    title: "LoRA"
    authors:
      - "Hu, Edward J."
    year: 2022
    venue: ICLR
    kind: method
    leaves: [low-rank]
    modality: [LLM]
    url: https://example.org/lora
    summary: >-
      Trains two matrices.
    added: "2026-11-21"
  - id: ruckle2020drop
    title: "On Dropping Adapters"
    authors:
      - "Rücklé, Andreas"
      - {literal: "Barnes & Noble"}
    year: 2022
    venue: ACL
    kind: analysis
    leaves: [low-rank]
    modality: [LLM]
    acl: "2022.acl-long.1"
    summary: >-
      Counts what can be dropped.
"""
    )


def test_a_key_that_would_be_dropped_is_an_error():
    with pytest.raises(KeyError, match="no key titel"):
        entry.text({"id": "a2020b", "titel": "T"})


@pytest.mark.parametrize("key", ["title", "arxiv", "doi", "acl", "openreview", "pages", "added"])
def test_identifiers_and_titles_are_quoted_whatever_they_look_like(key):
    assert entry.text({"id": "a2020b", key: "abc"}) == f'  - id: a2020b\n    {key}: "abc"\n'


def test_comments_stay_with_what_they_stand_before():
    text = fmt(CATALOG)
    noted = (
        text.replace("  - id: mao2021unipelt\n", "  # of the whole entry\n  - id: mao2021unipelt\n")
        .replace('    authors:\n      - "Mao', '    # of the authors\n    authors:\n      - "Mao')
        .replace(
            "    year: 2022\n    venue: ACL\n", "    year: 2022  # a note\n    venue: ACL\n", 1
        )
    )
    assert noted.count("#") == text.count("#") + 3
    assert fmt(noted) == noted
    moved = noted.replace("    year: 2022  # a note\n    venue: ACL\n", "", 1).replace(
        "  - id: mao2021unipelt\n",
        "  - id: mao2021unipelt\n    venue: ACL\n    year: 2022  # a note\n",
    )
    assert moved != noted
    assert fmt(moved) == noted


def test_what_is_wrong_is_told_and_nothing_is_written(tmp_path):
    path = tmp_path / "papers.yaml"
    path.write_text(
        CATALOG.replace("kind: survey", "kind: sruvey").replace("year: 2022", "yaer: 1")
    )
    before = path.read_bytes()
    done = run(str(path))
    assert done.returncode == 1
    assert path.read_bytes() == before
    assert "papers.yaml:" in done.stderr
    assert "'year'" in done.stderr


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools", "fmt", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)


def test_the_command(tmp_path):
    path = tmp_path / "papers.yaml"
    path.write_text(CATALOG, encoding="utf-8")
    assert run(str(path), "--check").returncode == 1
    assert path.read_text(encoding="utf-8") == CATALOG
    assert run(str(path)).returncode == 0
    assert path.read_text(encoding="utf-8") == fmt(CATALOG)
    assert run(str(path), "--check").returncode == 0
    assert run(str(tmp_path / "none.yaml")).returncode == 2


@pytest.mark.parametrize(
    "raw", [b"\xff\xfe\x00", b"", b"[" * 100_000, b"papers: &a [*a]", b"- a\n- b", b"\x00" * 10]
)
def test_files_that_are_no_catalog(raw):
    with pytest.raises(FormatError) as caught:
        formatted(raw, "papers.yaml", ROOT)
    assert str(caught.value)
    assert len(caught.value.findings) >= 1


PARSED = parse(CATALOG.encode(), "papers.yaml").data["papers"]
WORDS = st.text(st.sampled_from("abc é'\"\\:#-,[]{}|>&*!%@`"), min_size=1, max_size=30).map(
    lambda text: " ".join(text.split()) or "a"
)


@st.composite
def written(draw) -> str:
    """A catalog with entries and keys in any order, values in any style, comments anywhere."""
    lines = ["papers:"]
    for paper in draw(st.permutations(PARSED)):
        paper = {**paper, "title": draw(WORDS), "summary": draw(WORDS) + "."}
        for place, key in enumerate(draw(st.permutations(list(paper)))):
            lead = "  - " if place == 0 else "    "
            if draw(st.booleans()):
                lines.append(f"{lead[:-2] if place == 0 else lead}# {draw(WORDS)}")
            tail = f"  # {draw(WORDS)}" if draw(st.booleans()) else ""
            lines += _any_style(draw, lead, key, paper[key], tail)
    return HEAD + "\n".join(lines) + "\n"


def _any_style(draw, lead: str, key: str, value, tail: str) -> list[str]:
    if isinstance(value, int):
        return [f"{lead}{key}: {value}{tail}"]
    if isinstance(value, str):
        style = draw(st.sampled_from(["double", "single", "folded"]))
        if style == "double":
            return [f"{lead}{key}: {entry.quoted(value)}{tail}"]
        if style == "single":
            return [f"{lead}{key}: '{value.replace(chr(39), chr(39) * 2)}'{tail}"]
        return [f"{lead}{key}: >-{tail}", f"      {value}"]
    items = [
        f"{{literal: {entry.quoted(item['literal'])}}}"
        if isinstance(item, dict)
        else entry.quoted(item)
        for item in value
    ]
    if draw(st.booleans()):
        return [f"{lead}{key}: [{', '.join(items)}]{tail}"]
    return [f"{lead}{key}:{tail}", *(f"      - {item}" for item in items)]


@settings(max_examples=100)
@given(written())
def test_any_way_to_write_a_catalog_keeps_data_and_comments(text):
    result = fmt(text)  # it compares data and comments itself, and raises where they differ
    assert fmt(result) == result


@pytest.mark.parametrize("times", [40, pytest.param(200, marks=pytest.mark.night)])
def test_a_process_killed_while_it_writes_leaves_the_old_file_or_the_new(tmp_path, times):
    path, old, new = tmp_path / "papers.yaml", "a" * 2_000_000, "b" * 2_000_000
    path.write_text(old)
    rng, seen = random.Random(0), set()
    for number in range(times):
        started, ready = os.pipe()
        child = os.fork()
        if child == 0:
            while True:  # until killed
                write(path, new)
                os.write(ready, b".")
                write(path, old)
                os.write(ready, b".")
        for _ in range(1 + number % 2):  # of two writes, so that both files were there
            os.read(started, 1)
        os.close(started)
        os.close(ready)
        time.sleep(rng.uniform(0, 0.01))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        text = path.read_text()
        assert text in (old, new)
        seen.add(text[0])
    assert seen == {"a", "b"}
