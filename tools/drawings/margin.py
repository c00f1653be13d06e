"""What stands right of the block: notes beside its rows, or a picture with words below it."""

from __future__ import annotations

from collections.abc import Iterable

from .canvas import LINE, MAIN, NOTES, Canvas
from .shapes import box, circle, flow, hourglass, text
from .vocabulary import State

EDGES = (7, 358)  # of the whole drawing: nothing is drawn beyond


def margin(canvas: Canvas) -> list[str]:
    """Everything right of the block."""
    shapes = []
    for row, lines in canvas.drawing.notes.items():
        shapes += words(lines, canvas.rows[row] - (len(lines) - 1) * LINE / 2)
    aside = canvas.drawing.aside
    if aside:
        top, bottom = canvas.frame
        shapes += PICTURES[aside.picture](canvas, top, bottom)
    return shapes


def words(lines: Iterable[str], y: float, x: float = NOTES) -> list[str]:
    """Lines of text, the first at height y."""
    return [text(x, y + i * LINE, line, "note") for i, line in enumerate(lines)]


def _centered(canvas: Canvas, height: float, top: float, bottom: float) -> float:
    """The upper end of a picture of this height and its words, in the middle of the frame."""
    return (top + bottom - height - 10 - LINE * len(canvas.drawing.aside.words)) / 2


def _matrix(state: State, label: str):
    def draw(canvas: Canvas, top: float, bottom: float) -> list[str]:
        y = _centered(canvas, 74, top, bottom)
        return [
            box(NOTES + 20, y, 70, 56, state, step=8),
            text(NOTES + 55, y + 66, label),
            *words(canvas.drawing.aside.words, y + 88),
        ]

    return draw


def _projected(canvas: Canvas, top: float, bottom: float) -> list[str]:
    y = _centered(canvas, 74, top, bottom)
    return [
        box(NOTES + 6, y, 60, 50, State.TRAINED, "G"),
        flow((NOTES + 70, y + 25), (NOTES + 82, y + 25)),
        box(NOTES + 86, y, 10, 50, State.TRAINED),
        text(NOTES + 36, y + 62, "m × n"),
        text(NOTES + 91, y + 62, "rank r"),
        *words(canvas.drawing.aside.words, y + 86),
    ]


def _arrow(canvas: Canvas, top: float, bottom: float) -> list[str]:
    """All gradients, backward through the whole block."""
    x = NOTES
    return [
        flow((x, top + 4), (x, bottom - 4), style="flow backward"),
        *words(canvas.drawing.aside.words, (top + bottom) / 2 - LINE, NOTES + 10),
    ]


def _fused(canvas: Canvas, top: float, bottom: float) -> list[str]:
    x, step = NOTES, (bottom - top - 8) / 6
    arrows = [
        flow((x, top + 4 + i * step), (x, top + 4 + (i + 1) * step - 5), style="flow backward")
        for i in range(6)
    ]
    return arrows + words(canvas.drawing.aside.words, (top + bottom) / 2 - 1.5 * LINE, NOTES + 10)


def _forward(canvas: Canvas, top: float, bottom: float) -> list[str]:
    shapes, middle = [], (top + bottom) / 2
    for x, label in ((NOTES + 22, "θ + εz"), (NOTES + 80, "θ − εz")):
        shapes += [
            flow((x, middle - 6), (x, top + 24), style="flow backward"),
            text(x, top + 12, "loss"),
            text(x, middle + 6, label),
        ]
    return shapes + words(canvas.drawing.aside.words, middle + 34)


def _layers(canvas: Canvas, top: float, bottom: float) -> list[str]:
    y, shapes = _centered(canvas, 96, top, bottom), []
    for index in range(6):
        at = y + 16 * index
        shapes.append(box(NOTES + 12, at, 52, 11, State.FROZEN))
        if index < 4:
            shapes.append(hourglass(NOTES + 76, at, 12, 11, State.TRAINED, active=False))
    return [*shapes, *words(canvas.drawing.aside.words, y + 112)]


def _average(canvas: Canvas, top: float, bottom: float) -> list[str]:
    y = canvas.rows["after_feed_forward"]
    shapes = []
    for index in range(4):
        x = NOTES + 16 + 27 * index
        shapes += [
            hourglass(x, y + 22, 20, 24, State.HELPER),
            flow((x, y + 22), (x, y + 10), arrow=False),
        ]
    return [
        *shapes,
        flow((NOTES + 97, y + 10), (MAIN + 46, y + 10), style="flow helped"),
        text(NOTES + 56, y + 56, "one a domain", "quiet"),
        *words(canvas.drawing.aside.words, y + 78),
    ]


def _shared(canvas: Canvas, top: float, bottom: float) -> list[str]:
    low, high = canvas.rows["after_attention"], canvas.rows["after_feed_forward"]
    y = (low + high) / 2
    x = NOTES + 30
    return [
        flow((x, y - 14), (x, high), (MAIN + 26, high), style="flow helped"),
        flow((x, y + 14), (x, low), (MAIN + 26, low), style="flow helped"),
        box(NOTES + 2, y - 14, 92, 28, State.TRAINED, "A_1 … A_n"),
        *words(canvas.drawing.aside.words, low + 24),
    ]


def _side(canvas: Canvas, top: float, bottom: float) -> list[str]:
    x, mix, entry, ladder = NOTES + 61, bottom - 66, bottom + 3, NOTES - 3
    return [
        flow((MAIN, entry), (x - 18, entry)),
        box(x - 18, entry - 10, 36, 20, State.TRAINED, "D_0"),
        flow((x, entry - 10), (x, mix + 10)),
        flow((MAIN, top + 8), (MAIN, top - 6), (ladder, top - 6), (ladder, mix), (NOTES + 5, mix)),
        box(NOTES + 5, mix - 10, 30, 20, State.TRAINED, "D_i"),
        flow((NOTES + 35, mix), (x - 10, mix)),
        circle(x, mix, 10, "trained"),
        text(x, mix, "μ", "on-trained"),
        flow((x, mix - 10), (x, mix - 30)),
        box(x - 46, mix - 110, 92, 80, State.TRAINED),
        text(x, mix - 77, "side block", "on-trained"),
        text(x, mix - 61, "S_i, width d/r", "on-trained"),
        flow((x, mix - 110), (x, top + 26)),
        box(x - 32, top + 4, 64, 22, State.TRAINED, "norm, U"),
        flow((x, top + 4), (x, top - 14), (MAIN - 22, top - 14), (MAIN - 22, top - 24)),
        *words(canvas.drawing.aside.words, entry + 26),
    ]


def _phases(canvas: Canvas, top: float, bottom: float) -> list[str]:
    return words(canvas.drawing.aside.words, (top + bottom) / 2 - 3 * LINE)


PICTURES = {
    "entries": _matrix(State.ENTRIES, "all weights θ"),
    "sampled": _matrix(State.SAMPLED, "gradient"),
    "mixed": _matrix(State.MIXED, "W of a linear map"),
    "projected": _projected,
    "backward": _arrow,
    "fused": _fused,
    "forward": _forward,
    "layers": _layers,
    "average": _average,
    "shared": _shared,
    "side": _side,
    "phases": _phases,
}
