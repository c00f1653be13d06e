"""Polynomials in the rows B and the length S of a batch, as bytes of tensors are: whole, exact."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import combinations

TERMS = ("1", "S", "S*S", "B", "B*S", "B*S*S")
# A tensor has a dimension of B rows or none. B is told from everything else in a size by primes
# of which no dimension of a model is a multiple, and so is S where it has to be; three lengths give
# the parabola in S.
ROWS, LENGTHS = (1009, 1013, 1019), (127, 193, 317)
LEAST = (1, 16)  # rows and length from which on the largest are told apart

Polynomial = tuple[int, ...]


def through(sizes: tuple[int, ...]) -> Polynomial:
    """The one that has these values at `ROWS` and `LENGTHS`.

    Raises:
        ValueError: none with whole coefficients has.
    """
    each = any(sizes) and all(size % rows == 0 for size, rows in zip(sizes, ROWS, strict=True))
    values = [size // rows if each else size for size, rows in zip(sizes, ROWS, strict=True)]
    (s, t, u), (x, y, z) = LENGTHS, values
    first, second = Fraction(y - x, t - s), Fraction(z - y, u - t)
    square = (second - first) / (u - s)
    line = first - square * (s + t)
    found = (x - line * s - square * s * s, line, square)
    if any(number.denominator != 1 for number in found):
        raise ValueError(f"{sizes} at {ROWS} rows of {LENGTHS} tokens are no whole polynomial")
    whole = tuple(map(int, found))
    return (0, 0, 0, *whole) if each else (*whole, 0, 0, 0)


def value(polynomial: Polynomial, rows: int, length: int) -> int:
    """Its value for a batch."""
    terms = (1, length, length**2, rows, rows * length, rows * length**2)
    return sum(number * term for number, term in zip(polynomial, terms, strict=True))


def largest(polynomials: Iterable[Polynomial]) -> list[Polynomial]:
    """Those whose maximum is that of all, for any batch of at least `LEAST`, in order.

    One goes that is nowhere above another, or above what lies between two others.
    """
    front: dict[Polynomial, Polynomial] = {}  # by what is left where it is counted from `LEAST`
    for polynomial in polynomials:
        here = _from_least(polynomial)
        if not any(_below(here, other) for other in front):
            front = {key: old for key, old in front.items() if not _below(key, here)}
            front[here] = polynomial
    for key in sorted(front):
        others = [other for other in front if other != key]
        if any(_between(key, one, other) for one, other in combinations(others, 2)):
            del front[key]
    return sorted(front.values())


def _from_least(polynomial: Polynomial) -> Polynomial:
    """The same in what B and S have above `LEAST`: what is never negative shows no minus there."""
    rows, length = LEAST
    without, with_rows = (
        (c + length * b + length**2 * a, b + 2 * length * a, a)
        for c, b, a in (polynomial[:3], polynomial[3:])
    )
    return (*(x + rows * y for x, y in zip(without, with_rows, strict=True)), *with_rows)


def _below(one: Polynomial, other: Polynomial) -> bool:
    return all(x <= y for x, y in zip(one, other, strict=True))


def _between(one: Polynomial, left: Polynomial, right: Polynomial) -> bool:
    """Whether some mean of two others, by weights, is nowhere below it."""
    low, high = Fraction(0), Fraction(1)
    for number, x, y in zip(one, left, right, strict=True):  # x + weight * (y - x) >= number
        if x == y:
            if number > x:
                return False
        elif y > x:
            low = max(low, Fraction(number - x, y - x))
        else:
            high = min(high, Fraction(x - number, x - y))
    return low <= high
