"""A chart of spread: a line for each row, with a dot for each seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from markupsafe import Markup

from ...text.escape import html, safe

WIDTH, LEFT, RIGHT, TOP, STEP, AXIS = 400, 130, 16, 10, 16, 18


def dots(title: str, rows: Mapping[str, Sequence[float]], chance: float | None = None) -> Markup:
    """Fractions by row; a short stroke marks the row's mean."""
    bottom = TOP + len(rows) * STEP

    def x(fraction: float) -> str:
        return f"{LEFT + fraction * (WIDTH - LEFT - RIGHT):.1f}"

    quarters = [part / 4 for part in range(5)]
    drawn = [
        f'<line class="grid" x1="{x(part)}" x2="{x(part)}" y1="{TOP}" y2="{bottom}"/>'
        f'<text x="{x(part)}" y="{bottom}" dy="1.3em" text-anchor="middle">{part:.0%}</text>'
        for part in quarters
    ]
    if chance is not None:
        drawn.append(
            f'<line class="chance" x1="{x(chance)}" x2="{x(chance)}" y1="{TOP}" y2="{bottom}"/>'
        )
    described = []
    for row, (label, fractions) in enumerate(rows.items()):
        y = TOP + (row + 0.5) * STEP
        drawn.append(
            f'<text x="{LEFT - 8}" y="{y}" dy="0.32em" text-anchor="end">{html(label)}</text>'
        )
        mean = x(fmean(fractions))
        drawn.append(f'<line class="mean" x1="{mean}" x2="{mean}" y1="{y - 6}" y2="{y + 6}"/>')
        drawn += [
            f'<circle class="seed" cx="{x(fraction)}" cy="{y}" r="3.2">'
            f"<title>{html(label)}: {fraction:.1%}</title></circle>"
            for fraction in fractions
        ]
        ends = " and ".join(f"{fraction:.1%}" for fraction in (min(fractions), max(fractions)))
        described.append(f"{html(label)} ends at between {ends}")
    legend = '<li class="seed">a seed</li><li class="mean">their mean</li>'
    if chance is not None:
        legend += '<li class="chance">chance</li>'
    return safe(
        f'<figure class="chart bars dots"><svg viewBox="0 0 {WIDTH} {bottom + AXIS}" role="img">'
        f"<title>{html(title)}</title><desc>{'; '.join(described)}.</desc>{''.join(drawn)}</svg>"
        f'<figcaption><ul class="legend">{legend}</ul></figcaption></figure>'
    )
