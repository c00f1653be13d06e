"""Printed counts: how they are read, and the one rule by which they are compared."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from pydantic import ValidationError

from tools.data.files import ROOT
from tools.data.published import (
    PUBLISHED,
    Published,
    PublishedError,
    Share,
    read_printed,
    read_published,
    verdict,
)
from tools.rules.catalog import read

ENTRY = {
    "method": "lora",
    "architecture": {"label": "RoBERTa-base", "config": {"model_type": "roberta"}},
    "printed": "0.3M",
    "source": {"paper": "hu2021lora"},
    "ours": 294_912,
}


@pytest.mark.parametrize(
    ("printed", "number", "step", "unit"),
    [
        ("294,912", 294_912, 1, ""),
        ("768", 768, 1, ""),
        ("0.30M", Fraction(3, 10), Fraction(1, 100), "M"),
        ("1.586%", Fraction(1586, 1000), Fraction(1, 1000), "%"),
        ("41K", 41, 1, "K"),
    ],
)
def test_numbers_are_read_as_printed(
    printed: str, number: Fraction, step: Fraction, unit: str
) -> None:
    assert read_printed(printed) == (number, step, unit)


@pytest.mark.parametrize("printed", ["", "about 3M", "1,23", "3.M", "0.3G", "1,2345"])
def test_what_is_no_number_is_refused(printed: str) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        read_printed(printed)


@pytest.mark.parametrize(
    ("printed", "count", "expected"),
    [
        ("0.30M", 295_000, "equal"),
        ("0.30M", 304_999, "equal"),
        ("0.30M", 305_001, "cut off"),
        ("0.30M", 309_999, "cut off"),
        ("0.30M", 310_000, "differs"),
        ("0.30M", 294_999, "differs"),
        ("294,912", 294_912, "equal"),
        ("294,912", 294_913, "differs"),
        ("540K", 540_672, "cut off"),
    ],
)
def test_the_rule(printed: str, count: int, expected: str) -> None:
    assert verdict(printed, count) == expected


def test_a_share_is_one_of_the_base_or_of_the_base_and_what_is_added() -> None:
    base = Share(what="the base model", value=900)
    assert verdict("11.1%", 100, base) == "equal"
    assert verdict("10.0%", 100, base.model_copy(update={"added": True})) == "equal"
    with pytest.raises(ValueError, match="says of what"):
        verdict("11.1%", 100)


def test_what_differs_must_say_why_and_a_source_is_a_paper_or_a_citation() -> None:
    assert Published.model_validate(ENTRY).verdict == "equal"
    with pytest.raises(ValidationError, match="a note that says why"):
        Published.model_validate({**ENTRY, "printed": "0.4M"})
    assert Published.model_validate({**ENTRY, "printed": "0.4M", "note": "so"}).note == "so"
    for source in ({}, {"citation": "A"}, {"paper": "b", "citation": "A", "url": "https://a"}):
        with pytest.raises(ValidationError, match="a source is"):
            Published.model_validate({**ENTRY, "source": source})


def test_the_file_is_read_by_method_and_faults_are_named(tmp_path: Path) -> None:
    assert read_published(tmp_path) == {}
    path = tmp_path / PUBLISHED
    path.parent.mkdir()
    path.write_text(json.dumps([ENTRY, {**ENTRY, "method": "x"}, {**ENTRY, "ours": 299_000}]))
    assert {name: len(own) for name, own in read_published(tmp_path).items()} == {"lora": 2, "x": 1}
    path.write_text(json.dumps([{**ENTRY, "ours": "many"}]))
    with pytest.raises(PublishedError, match=r"published_counts.json: 0\.ours: "):
        read_published(tmp_path)


def test_the_real_file_names_papers_of_the_catalog() -> None:
    catalog = read(ROOT / "papers.yaml")
    entries = [entry for own in read_published(ROOT).values() for entry in own]
    assert len(entries) > 60
    papers = {entry.source.paper for entry in entries} - {""}
    assert papers <= set(catalog.paper)
    urls = {entry.source.url for entry in entries} - {""}
    assert all(url.startswith("https://") for url in urls)
