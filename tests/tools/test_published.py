"""Printed counts: how they are read, and the one rule by which they are compared."""

from __future__ import annotations

from fractions import Fraction

import pytest
from pydantic import ValidationError

from tools.data.published import Published, Share, read_printed, verdict

ENTRY = {
    "architecture": "RoBERTa-base",
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
