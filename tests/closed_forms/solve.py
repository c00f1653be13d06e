"""Whole coefficients that make a sum of products equal what was measured, exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch

from tools.data.closed_forms import Form, Values, term, value

PRIME = 2**31 - 1  # products of two remainders are 64-bit numbers
HELD_OUT = 8  # random models that a form is not made of, and must leave no remainder on


@dataclass
class Point:
    """One measurement: the names' values, and the number that a form is sought for."""

    values: Values
    number: int


class NoFormError(Exception):
    """The terms that are tried do not make up a number."""


def solve(terms: Iterable[str], points: list[Point], held_out: int) -> Form | None:
    """The form whose value is the number at every point, or None.

    It is made of all points but the last `held_out`. Of terms that depend on others the earlier
    ones are used.
    """
    terms = list(dict.fromkeys(terms))
    rows = [[int(term(t, p.values)) for t in terms] + [p.number] for p in points[:-held_out]]
    left = torch.tensor(rows) % PRIME
    pivots: list[int] = []
    for column in range(len(terms)):
        done = len(pivots)
        below = left[done:, column].nonzero()
        if not len(below):
            continue
        pivot = done + int(below[0])
        left[[done, pivot]] = left[[pivot, done]]
        left[done] = left[done] * pow(int(left[done, column]), -1, PRIME) % PRIME
        factors = left[:, column].clone()
        factors[done] = 0
        left = (left - factors[:, None] * left[done]) % PRIME
        pivots.append(column)
    found = {terms[column]: int(left[i, -1]) for i, column in enumerate(pivots)}
    form = {t: c - PRIME if c > PRIME // 2 else c for t, c in found.items() if c}
    exact = all(value(form, point.values) == point.number for point in points)
    return form if exact else None


def find(attempts: list[Iterable[str]], points: Callable[[int], list[Point]], batches: int) -> Form:
    """A form of the first terms that suffice.

    `points` gives the measurements of so many models, of each `batches`.

    Raises:
        NoFormError: none of them do.
    """
    for more, terms in (*((1, terms) for terms in attempts), (2, attempts[-1])):
        known = points(1)[0].values
        terms = [t for t in terms if all(f.isdigit() or f in known for f in t.split("*"))]
        # what a batch does not change takes a model each; some measurements follow from others, and
        # where there are many of those, the last attempt is repeated with twice as many models
        fixed = sum(not {"B", "S", "longer"} & set(t.split("*")) for t in terms)
        needed = 5 * more * max(fixed, len(terms) // batches) // 4 + HELD_OUT
        form = solve(terms, points(needed), HELD_OUT * batches)
        if form is not None:
            return form
    raise NoFormError


def times(*factors: Iterable[str]) -> list[str]:
    """All products of a term from each; the empty term is 1."""
    found = [""]
    for terms in factors:
        found = [f"{a}*{b}".strip("*") for a in found for b in terms]
    return [product or "1" for product in found]
