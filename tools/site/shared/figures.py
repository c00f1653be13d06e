"""Figures of the ledger in words, as several pages write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...data.ledger import Report
from ...data.runs import Run
from ...text import markup


def masked_of(reports: dict[str, Report], full: Report) -> list[str]:
    """Methods that train little beside `full`, but get a gradient for nearly every weight."""
    return [
        name
        for name, report in reports.items()
        if report.counts.trained < full.counts.trained / 2
        and report.ledger.gradients > 0.9 * full.ledger.gradients
    ]


def amount(number: int) -> str:
    """Bytes with three figures: '26.9 GB', '437 MB', '0'."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if number >= unit:
            value = number / unit
            return f"{value:.{max(0, 3 - len(str(int(value))))}f} {name}"
    return f"{number} bytes" if number else "0"


def amount_or_dash(number: int | None) -> str:
    """The same; a dash where there is none."""
    return "–" if number is None else amount(number)


def share(part: int, whole: int) -> str:
    """A percentage with two figures."""
    percent = 100 * part / whole
    return f"{percent:.0f}%" if percent >= 9.5 else f"{percent:.2g}%"


def sizes_of(runs: Mapping[str, Mapping[str, Run]]) -> str:
    """'86,848 to 176,448': how many parameters the models have that were trained."""
    sizes = {run.counts.base for by_method in runs.values() for run in by_method.values()}
    ends = sorted({min(sizes), max(sizes)}) if sizes else []
    return " to ".join(f"{size:,}" for size in ends)


def listed(names: Iterable[str]) -> str:
    """'A, B and C'."""
    return markup.listed(sorted(names))
