"""Words that a summary has of an abstract."""

from __future__ import annotations

import pytest

from tools.records.wording import borrowed

EIGHT = "one two three four five six seven eight"


def test_eight_words_in_a_row_are_borrowed() -> None:
    assert borrowed(f"We count {EIGHT} times.", f"Some {EIGHT} and more {EIGHT}") == EIGHT


@pytest.mark.parametrize(
    "abstract", ["", "one two three four five six seven", EIGHT.replace("four", "and")]
)
def test_fewer_are_not(abstract: str) -> None:
    assert borrowed(EIGHT, abstract) == ""


def test_case_marks_and_hyphens_are_left_aside() -> None:
    theirs = "(One) TWO-three, four; five/six: seven. Eight"
    assert borrowed(EIGHT, theirs) == EIGHT
