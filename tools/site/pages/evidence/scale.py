"""What the runs on real weights would cost for all methods there are, on many cards."""

from __future__ import annotations

from statistics import median

from markupsafe import Markup

from ....atlas import Atlas
from ....data.ledger import ARCHITECTURES, Report
from ....text.escape import page
from ....text.markup import table

METHODS, MODELS, TASKS, RATES, SEEDS = 150, 10, 20, 5, 3
RUNS = METHODS * MODELS * TASKS * (RATES + SEEDS)
STEPS, CARDS = 1000, 100
HOUR = 3600


def table_of(atlas: Atlas) -> Markup | None:
    """If all models were of a size: from the steps that were measured on a card.

    None where none were.
    """
    rows = []
    for found in atlas.peaks:
        if found.seconds:
            step = median(found.seconds)
            rows.append(
                [
                    page(f"{found.architecture}, {found.precision}, {found.card}"),
                    tokens(atlas, found.architecture),
                    str(len(found.seconds)),
                    f"{1000 * step:,.0f} ms",
                    f"{STEPS * step:,.0f} s",
                    f"{RUNS * STEPS * step / HOUR:,.0f}",
                    f"{RUNS * STEPS * step / HOUR / CARDS:,.0f}",
                ]
            )
    head = ["Models of the size of", "Tokens a step", "Methods", "A step (median)"]
    head += [f"{STEPS:,} steps", "Card hours", f"Hours on {CARDS} cards"]
    return table(head, "lrrrrrr", rows) if rows else None


def tokens(atlas: Atlas, title: str) -> str:
    """How many the measured steps have, as the ledger counts them."""
    for name, reports in atlas.ledger.architectures.items():
        for report in reports.values():
            if ARCHITECTURES.get(name, name) == title and isinstance(report, Report):
                return f"{report.rows * report.length:,}"
    return "–"
