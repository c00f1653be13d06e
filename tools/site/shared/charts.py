"""Charts as SVG: the colors come from the page's style sheet, so they follow its theme."""

from __future__ import annotations

from typing import NamedTuple

from markupsafe import Markup

from ...text.escape import html, safe

WIDTH, HEIGHT = 520, 280
LEFT, RIGHT, TOP, BOTTOM = 48, 16, 12, 48
LETTER = 8  # width of a letter, roughly, on a phone


class Line(NamedTuple):
    """One series: its label, a CSS class, and points (x, mean, lowest, highest)."""

    label: str
    style: str
    points: list[tuple[int, float, float, float]]


def learning_curve(title: str, lines: list[Line], chance: float | None = None) -> Markup:
    """Scores (fractions) against steps: a line for each series in its band of seeds, and a legend.

    The vertical axis runs from 0 to 1, so that two charts can be compared.
    """
    last = max((point[0] for line in lines for point in line.points), default=1) or 1

    def x(step: float) -> str:
        return f"{LEFT + step / last * (WIDTH - LEFT - RIGHT):.1f}"

    def y(score: float) -> str:
        return f"{TOP + (1 - score) * (HEIGHT - TOP - BOTTOM):.1f}"

    def path(pairs: list[tuple[int, float]]) -> str:
        return " ".join(f"{x(step)},{y(score)}" for step, score in pairs)

    floor = y(0)
    parts = []
    for score in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(score)}" y2="{y(score)}"/>'
            f'<text x="{LEFT - 8}" y="{y(score)}" dy="0.32em" text-anchor="end">{score:.0%}</text>'
        )
    for step in _ticks(last):
        parts.append(
            f'<text x="{x(step)}" y="{floor}" dy="1.5em" text-anchor="middle">{step}</text>'
        )
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" '
        'text-anchor="middle">training steps</text>'
    )
    if chance is not None:
        parts.append(
            f'<line class="chance" x1="{LEFT}" x2="{WIDTH - RIGHT}" '
            f'y1="{y(chance)}" y2="{y(chance)}"/>'
        )
    for line in lines:
        band = [(p[0], p[3]) for p in line.points] + [(p[0], p[2]) for p in line.points[::-1]]
        mean = [(p[0], p[1]) for p in line.points]
        parts.append(
            f'<g class="{html(line.style)}"><polygon class="band" points="{path(band)}"/>'
            f'<polyline points="{path(mean)}"/></g>'
        )
    described = "; ".join(
        f"{line.label} ends at {line.points[-1][1]:.1%}" for line in lines if line.points
    )
    legend = "".join(
        f'<li class="{html(line.style)}">{html(line.label)}</li>' for line in lines
    ) + ('<li class="chance">chance</li>' if chance is not None else "")
    return safe(
        f'<figure class="chart"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f"<title>{html(title)}</title><desc>{html(described)}.</desc>"
        f'{"".join(parts)}</svg><figcaption><ul class="legend">{legend}</ul></figcaption></figure>'
    )


BARS_WIDTH, BAR_LEFT, BAR_RIGHT, BAR_HEIGHT, BAR_STEP = 400, 130, 42, 10, 15


def stacked_bars(
    title: str, unit: str, parts: list[str], rows: list[tuple[str, list[float]]]
) -> Markup:
    """A bar for each (label, one number a part), with its total at the end, and a legend.

    `parts` are names, and the CSS classes of their colors.
    """
    longest = max((sum(numbers) for _, numbers in rows), default=1) or 1
    scale = (BARS_WIDTH - BAR_LEFT - BAR_RIGHT) / longest
    drawn, described = [], []
    for row, (label, numbers) in enumerate(rows):
        y, x, total = TOP + row * BAR_STEP, float(BAR_LEFT), sum(numbers)
        drawn.append(
            f'<text x="{BAR_LEFT - 8}" y="{y + BAR_HEIGHT / 2}" dy="0.32em" '
            f'text-anchor="end">{html(label)}</text>'
        )
        for part, number in zip(parts, numbers, strict=True):
            if number:
                drawn.append(
                    f'<rect class="{html(part)}" x="{x:.1f}" y="{y}" '
                    f'width="{number * scale:.1f}" height="{BAR_HEIGHT}">'
                    f"<title>{html(label)}, {html(part)}: {_figures(number)} {unit}</title></rect>"
                )
            x += number * scale
        drawn.append(
            f'<text x="{x + 6:.1f}" y="{y + BAR_HEIGHT / 2}" dy="0.32em">{_figures(total)}</text>'
        )
        described.append(f"{html(label)} ends at {_figures(total)} {unit}")
    legend = "".join(f'<li class="{html(part)}">{html(part)}</li>' for part in parts)
    height = TOP + len(rows) * BAR_STEP + 4
    return safe(
        f'<figure class="chart bars"><svg viewBox="0 0 {BARS_WIDTH} {height}" role="img">'
        f"<title>{html(title)}, in {unit}</title><desc>{'; '.join(described)}.</desc>"
        f"{''.join(drawn)}</svg>"
        f'<figcaption><ul class="legend">{legend}</ul></figcaption></figure>'
    )


def _figures(number: float) -> str:
    """Three figures: '1,234', '26.9', '2.20', '0'."""
    if not number:
        return "0"
    return f"{number:,.{max(0, 3 - len(str(int(number))))}f}"


def _ticks(last: int) -> list[int]:
    """Round numbers of steps from 0 to at most `last`, at most nine of them."""
    sizes = (digit * 10**power for power in range(9) for digit in (1, 2, 5))
    return list(range(0, last + 1, next(size for size in sizes if last <= 8 * size)))
