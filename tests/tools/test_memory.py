"""Predicted peaks as they are read, and the largest batch that they leave room for."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from tools import atlas as material
from tools.atlas import Atlas
from tools.data.committed import CommittedError
from tools.data.files import ROOT
from tools.data.memory import CARDS, GIB, RESERVED, at, most_rows, read_memory
from tools.data.peaks import Step
from tools.site.pages.fits import fits, held
from tools.site.shared.site import Site

PEAK = ((100, 2, 0, 8, 3, 1), (500, 0, 0, 0, 1, 0))
EVIL = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    return material.load(ROOT)


def made(atlas: Atlas, what: str) -> str:
    return dict(fits.pages(Site(atlas, "# C")))[what]


def write(root: Path, text: str) -> Path:
    folder = root / "reference_impls" / "prompt" / "a" / "measured"
    folder.mkdir(parents=True)
    (folder / "memory.json").write_text(text, encoding="utf-8")
    return root


def test_what_is_committed_is_read_by_architecture_and_method(tmp_path: Path) -> None:
    told = {"of": "5", "float32": PEAK, "bfloat16": "not so"}
    found = read_memory(write(tmp_path, json.dumps({"architectures": {"t5": told}})))
    assert found == {"t5": {"a": {"float32": PEAK, "bfloat16": "not so"}}}


def test_a_spoiled_file_is_named(tmp_path: Path) -> None:
    told = {"of": "5", "float32": [[1, 2]]}
    with pytest.raises(CommittedError, match=r"prompt/a/measured/memory.json: architectures.t5"):
        read_memory(write(tmp_path, json.dumps({"architectures": {"t5": told}})))


def test_a_peak_is_the_largest_polynomial() -> None:
    assert at(PEAK, 1, 1) == 501
    assert at(PEAK, 4, 20) == 100 + 40 + 32 + 240 + 1600


def test_the_most_rows_fit_and_one_more_does_not() -> None:
    draw = random.Random(1)
    for _ in range(300):
        length, room = draw.randint(1, 40), draw.randint(0, 9000)
        rows = most_rows(PEAK, length, room)
        assert rows == 0 or at(PEAK, rows, length) <= room
        assert at(PEAK, rows + 1, length) > room
    assert most_rows(((700, 0, 0, 0, 0, 0), *PEAK), 1, 650) == 0
    assert most_rows(((600, 0, 0, 0, 0, 0), *PEAK), 1, 650) == most_rows(PEAK, 1, 650) > 0


def test_a_row_of_the_page_is_what_fits_and_what_takes_least_is_first(atlas: Atlas) -> None:
    rows = fits.table(atlas, "llama-2-7b", "bfloat16, checkpointing", 2048)
    assert [row.least for row in rows] == sorted(row.least for row in rows)
    for row in rows:
        peak = atlas.memory["llama-2-7b"][row.name]["bfloat16, checkpointing"]
        assert row.least == at(peak, 1, 2048)
        for card, number in zip(CARDS, row.rows, strict=True):
            assert at(peak, number + 1, 2048) > card * GIB - RESERVED
            assert not number or at(peak, number, 2048) <= card * GIB - RESERVED


def test_what_was_run_on_a_card_stands_beside_what_is_predicted(atlas: Atlas) -> None:
    steps = [step for _, step, _ in held.on_cards(atlas)]
    assert len(steps) > 15
    at_once = replace(atlas, steps=(Step("Card", "llama-2-7b", "bfloat16", "lora", 20 * 10**9),))
    ((title, step, told),) = held.on_cards(at_once)
    assert (title, step.card) == ("LoRA", "Card")
    assert told == at(atlas.memory["llama-2-7b"]["lora"]["bfloat16"], 8, 256)
    text = unescape(made(at_once, "methods/fits.md"))
    assert f"<td>Card</td><td>{fits.amount(told)}</td><td>20.0 GB</td>" in text
    assert f"off by {100 * (told / 20e9 - 1):.1f}% in the" in " ".join(text.split())


def test_without_steps_or_peaks_the_page_says_so(atlas: Atlas) -> None:
    assert "**On a card**" not in made(replace(atlas, steps=()), "methods/fits.md")
    text = made(replace(atlas, memory={}), "methods/fits.md")
    assert "No peak has been told yet" in text
    assert "## What is predicted" in text  # where other pages lead
    assert "<table" not in text


def test_what_refuses_is_named_with_its_reason_and_cannot_leave_the_page(atlas: Atlas) -> None:
    told = {**atlas.memory["llama-2-7b"], "lora": dict.fromkeys(fits.settings(atlas), EVIL)}
    evil = replace(atlas, memory={"llama-2-7b": told})
    text = made(evil, "methods/fits.md")
    assert "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;" in text
    assert EVIL not in text
    assert "</script" not in made(evil, fits.DATA)
