"""Sizes of tensors as polynomials in the rows and the length of a batch."""

from __future__ import annotations

import random

import pytest

from reference_impls.measure.polynomials import (
    LENGTHS,
    ROWS,
    Polynomial,
    largest,
    through,
    value,
)


def sizes(polynomial: Polynomial) -> tuple[int, ...]:
    return tuple(value(polynomial, *size) for size in zip(ROWS, LENGTHS, strict=True))


@pytest.mark.parametrize(
    "polynomial",
    [
        (0, 0, 0, 0, 0, 0),
        (4096, 0, 0, 0, 0, 0),
        (0, 8, 0, 0, 0, 0),
        (7, 8, 2, 0, 0, 0),
        (0, 0, 0, 4, 0, 0),
        (0, 0, 0, 30 * 64, 64, 0),  # of a text with thirty rows before it
        (0, 0, 0, 900, 60, 1),  # such a text looks at itself
    ],
)
def test_it_is_found_from_three_sizes(polynomial):
    assert through(sizes(polynomial)) == polynomial


def test_what_is_none_is_refused():
    with pytest.raises(ValueError, match="no whole polynomial"):
        through((1, 2, 4))


def test_its_value_is_the_sum_of_its_terms():
    assert (
        value((1, 10, 100, 1000, 10_000, 100_000), 2, 3) == 1 + 30 + 900 + 2000 + 60_000 + 1_800_000
    )


def test_the_largest_have_the_maximum_of_all():
    draw = random.Random(0)
    every = [
        (draw.randrange(10**6), draw.randrange(999), 0, 0, draw.randrange(99), draw.randrange(3))
        for _ in range(300)
    ]
    found = largest(every)
    assert set(found) < set(every)
    assert len(found) < 20
    for rows in (1, 2, 5, 64, 1000):
        for length in (16, 17, 100, 5000):
            most = max(value(one, rows, length) for one in every)
            assert max(value(one, rows, length) for one in found) == most


def test_what_is_nowhere_above_others_goes():
    low, high, between = (0, 0, 0, 0, 8, 0), (800, 0, 0, 0, 0, 0), (400, 0, 0, 0, 4, 0)
    assert largest([low, high, between]) == [low, high]
    assert largest([low, high, (401, 0, 0, 0, 4, 0)]) == [low, (401, 0, 0, 0, 4, 0), high]
    # below the other from the least batch on, though not at a length of one
    assert largest([(0, 0, 0, 0, 2, 0), (30, 0, 0, 0, 0, 0)]) == [(0, 0, 0, 0, 2, 0)]
