"""What options may be: a field names its type, and is checked before a method touches a model.

r: Count = 8
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, NamedTuple

Count = Whole = int
Finite = Negative = NotNegative = Part = Positive = Share = float


class Kind(NamedTuple):
    """A type of options: Python's own, and what else holds of a value, also in words."""

    type: type
    words: str
    holds: Callable[[Any], bool]


KINDS = {
    "bool": Kind(bool, "true or false", lambda value: True),
    "Count": Kind(int, "a whole number, at least 1", lambda value: value >= 1),
    "Finite": Kind(float, "a finite number", lambda value: True),
    "Negative": Kind(float, "a number below 0", lambda value: value < 0),
    "NotNegative": Kind(float, "a number, at least 0", lambda value: value >= 0),
    "Part": Kind(float, "a number, at least 0 and below 1", lambda value: 0 <= value < 1),
    "Positive": Kind(float, "a number above 0", lambda value: value > 0),
    "Share": Kind(float, "a number above 0, at most 1", lambda value: 0 < value <= 1),
    "Whole": Kind(int, "a whole number, at least 0", lambda value: value >= 0),
}
_NUMBERS = {int: Integral, float: Real}


def check(name: str, kind: str, value: Any) -> None:
    """Let pass what is of the kind, and all where there is no such kind.

    Raises:
        ValueError: naming the option, its value and what it must be.
    """
    if kind not in KINDS:
        return
    known = KINDS[kind]
    if known.type is bool:
        right = isinstance(value, bool)
    else:
        right = isinstance(value, _NUMBERS[known.type]) and not isinstance(value, bool)
        right = right and math.isfinite(value) and known.holds(value)
    if not right:
        raise ValueError(f"{name} = {value!r}: this option must be {known.words}")
