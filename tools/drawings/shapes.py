"""The few shapes that drawings are made of. Their colors come from the style sheet."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..text.escape import html
from .vocabulary import State

STEP = 7  # between the dots or lines of a pattern


def text(x: float, y: float, words: str, style: str = "") -> str:
    """Words at (x, y), the middle of the line; what follows a `_`, up to a space, is lowered."""
    shown = re.sub(r"_(\w+)", r'<tspan class="low" dy="3">\1</tspan>', str(html(words)))
    shown = shown.replace("</tspan> ", '</tspan><tspan dy="-3"> </tspan>')
    attribute = f' class="{style}"' if style else ""
    return f'<text x="{x:g}" y="{y:g}" dy=".35em"{attribute}>{shown}</text>'


def box(
    x: float, y: float, width: float, height: float, state: State, label: str = "", step: int = STEP
) -> str:
    """A part with its state: upper left corner at (x, y)."""
    rect = (
        f'<rect class="{state}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" '
        f'rx="{min(3, height / 4):g}"/>'
    )
    if not label:
        return rect + pattern(x, y, width, height, state, step)
    # the label has a gap in the pattern to itself
    side = max((width - 11 - 7 * len(label.replace("_", ""))) / 2, 4)
    if state is not State.BIASES:
        rect += pattern(x, y, side, height, state, step)
    rect += pattern(x + width - side, y, side, height, state, step)
    return rect + text(x + width / 2, y + height / 2, label, _weight(state))


def _weight(state: State) -> str:
    plain = (State.FROZEN, State.QUANTIZED, State.BIASES, State.ENTRIES, State.UNUSED)
    return "" if state in plain else "on-trained"


def pattern(x: float, y: float, width: float, height: float, state: State, step: int = STEP) -> str:
    """What tells a state from others without its color."""
    if state is State.ENTRIES:
        rows = range(1, round(height / step) + 1)
        gap = height / (len(rows) + 1)
        path = "".join(
            f"M{x + step * (0.5 + row % 2 / 2):g} {y + row * gap:.4g}H{x + width - 2:g}"
            for row in rows
        )
        return f'<path class="dots" d="{path}"/>'
    if state is State.BIASES:
        strip = max(step / 2, 2.5)
        return f'<path class="strip" d="M{x + width - strip / 2:g} {y:g}v{height:g}"/>'
    if state is State.MIXED:
        path = "".join(f"M{x + at:g} {y + 1:g}v{height - 2:g}" for at in _along(width, 1.5 * step))
        return f'<path class="columns" d="{path}"/>'
    if state is State.PROJECTED:
        return f'<path class="strip thin" d="M{x + 1:g} {y + height / 2:g}h{width - 2:g}"/>'
    if state in (State.SAMPLED, State.QUANTIZED):
        lean, step = (height, 1.6 * step) if state is State.SAMPLED else (0, step)
        path = ""
        for at in _along(width + lean, step):
            low, high = min(at, width), max(at - lean, 0)  # cut off at the sides
            rise = low - high if lean else height
            path += f"M{x + low:g} {y + height - (at - low):g}l{high - low:g} {-rise:g}"
        return f'<path class="{"slant" if lean else "bars"}" d="{path}"/>'
    return ""


def _along(length: float, step: float) -> Iterable[float]:
    count = max(1, int((length - 1) / step))
    first = (length - (count - 1) * step) / 2
    return (round(first + i * step, 1) for i in range(count))


def hourglass(
    x: float, y: float, width: float, height: float, state: State, *, active: bool = True
) -> str:
    """A bottleneck around (x, …) with its top at y; `active`: a nonlinearity at its waist."""
    half, waist, middle = width / 2, width / 6, y + height / 2
    path = (
        f"M{x - half:g} {y:g}h{width:g}L{x + waist:g} {middle:g}L{x + half:g} {y + height:g}"
        f"h{-width:g}L{x - waist:g} {middle:g}Z"
    )
    dot = f'<circle class="dot" cx="{x:g}" cy="{middle:g}" r="{width / 9:g}"/>' if active else ""
    return f'<path class="{state}" d="{path}"/>{dot}'


def circle(x: float, y: float, radius: float, style: str, label: str = "") -> str:
    """A circle, with a letter in it or without."""
    drawn = f'<circle class="{style}" cx="{x:g}" cy="{y:g}" r="{radius:g}"/>'
    return drawn + (text(x, y, label, "sign") if label else "")


def flow(*points: tuple[float, float], arrow: bool = True, style: str = "flow") -> str:
    """A line through the points, with an arrowhead at the last or without."""
    (x0, y0), *rest = points
    path, last = f"M{x0:g} {y0:g}", (x0, y0)
    for x, y in rest:
        before, last = last, (x, y)
        path += f"V{y:g}" if x == before[0] else f"H{x:g}" if y == before[1] else f"L{x:g} {y:g}"
    if arrow:
        (x, y) = last
        path += {
            (0, -1): "m-3 4 3-4 3 4",
            (0, 1): "m-3-4 3 4 3-4",
            (1, 0): "m-4-3 4 3-4 3",
            (-1, 0): "m4-3-4 3 4 3",
        }[_sign(x - before[0]), _sign(y - before[1])]
    return f'<path class="{style}" d="{path}"/>'


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)
