"""The timeline's axis: where each month stands, and how many columns of points it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from ....data.papers import MONTHS, Date

# Of the drawing, in its own units: from a point to the next, beside or above it; how many may stand
# above each other in a month, for which all twelve grow wider, and where no month is known; a year
# of few papers, how few, the place of years left out, the margin at either end and before January.
STEP, HIGHEST, LOWER = 7, 20, 10
SHORT, FEW, BREAK, MARGIN = 40, 10, 18, 5


@dataclass(frozen=True)
class Year:
    """A year on the axis: where it begins, the columns of each month, and of no known month.

    A short year has no columns of months, but a few of its own.
    """

    start: int
    months: int
    rest: int

    @property
    def apart(self) -> int:
        """Where the columns of no known month begin."""
        return self.start + MARGIN + len(MONTHS) * self.months * STEP

    @property
    def length(self) -> int:
        return self.apart + self.rest * STEP - self.start if self.months else SHORT

    def columns(self, date: Date) -> list[int]:
        """The middles of the columns in which a paper of this date may stand."""
        if not self.months:
            most = (SHORT - MARGIN) // STEP
            part = (date.month - 1) * most // len(MONTHS) if date.month else most // 2
            return [self.start + MARGIN + part * STEP + STEP // 2]
        first, number = self.apart, self.rest or 1
        if date.month:
            first, number = self.start + MARGIN + (date.month - 1) * self.months * STEP, self.months
        return [first + i * STEP + STEP // 2 for i in range(number)]


@dataclass(frozen=True)
class Axis:
    """The years that are shown, and where empty ones are left out."""

    years: dict[int, Year]
    breaks: list[int]
    width: int

    def columns(self, date: Date) -> list[int]:
        return self.years[date.year].columns(date)

    def middle(self, date: Date) -> int:
        """The middle of the month, or of those of the year whose month is not known."""
        columns = self.columns(date)
        return (columns[0] + columns[-1]) // 2


def axis_of(years: Iterable[int], crowds: Mapping[Date, int] | None = None) -> Axis:
    """Years side by side; two or more without papers shrink to a break.

    `years` has the year of each paper, `crowds` how many of a date stand together on a lane. A
    month of a year has as many columns as keep its fullest month low enough; a year of few papers
    is drawn short.
    """
    papers, crowds = Counter(years), crowds or {}
    known = sorted(papers)
    shown = set(known) | {year + 1 for year, later in pairwise(known) if later == year + 2}
    found: dict[int, Year] = {}
    breaks, x = [], MARGIN
    for year in sorted(shown):
        if found and year - 1 not in shown:
            breaks.append(x + BREAK // 2)
            x += BREAK
        fullest = max((crowds.get(Date(year, month + 1), 0) for month in range(12)), default=0)
        months = max(1, ceil(fullest / HIGHEST)) if papers[year] >= FEW else 0
        found[year] = Year(x, months, ceil(crowds.get(Date(year), 0) / LOWER))
        x += found[year].length
    return Axis(found, breaks, x + MARGIN)
