"""Things timed in turn: what is kept is their ratio within a round, and its median over rounds.

Processor seconds of one process vary by tens of percent with what else a machine does; within a
round all have the same neighbors, and so their ratio varies by much less.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from statistics import median, quantiles

Work = Callable[[], object]
Seconds = dict[str, list[float]]
LEAST, MOST = 5, 21  # rounds
ENOUGH = 20.0  # seconds that the rounds take together, unless these are fewer than LEAST
SHORT = 0.04  # seconds: what is shorter is done several times in a round


def timed(works: Mapping[str, Work], clock: Callable[[], float] = time.process_time) -> Seconds:
    """Processor seconds of each work, by round; each is done once before, which is not kept.

    Each round begins with another one, so that none is always the one after the heaviest.
    """
    names = list(works)
    first = {name: _seconds(works[name], 1, clock) for name in names}
    times = max(1, math.ceil(SHORT / max(min(first.values()), 1e-9)))
    length = times * sum(first.values())
    rounds = min(MOST, max(LEAST, int(ENOUGH / max(length, 1e-9))))
    found: Seconds = {name: [] for name in names}
    for number in range(rounds):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            found[name].append(_seconds(works[name], times, clock) / times)
    return found


def _seconds(work: Work, times: int, clock: Callable[[], float]) -> float:
    started = clock()
    for _ in range(times):
        work()
    return clock() - started


def ratio(mine: list[float], others: list[float]) -> dict[str, float]:
    """The median of the ratios within a round, the quartiles around it, and how many rounds."""
    ratios = [one / other for one, other in zip(mine, others, strict=True)]
    low, _, high = quantiles(ratios, n=4, method="inclusive")
    return {
        "median": round(median(ratios), 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "rounds": len(ratios),
    }
