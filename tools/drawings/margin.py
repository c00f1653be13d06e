"""What stands right of the block: notes beside its rows, or a picture with words below it."""

from __future__ import annotations

from collections.abc import Iterable

from tools.drawings.block import LINE, MAIN, NOTES, Block
from tools.drawings.shapes import box, circle, flow, hourglass, text
from tools.drawings.vocabulary import State

RIGHT = 356  # what stands here must not reach beyond


def margin(block: Block) -> list[str]:
    """Everything right of the block."""
    shapes = []
    for row, lines in block.drawing.notes.items():
        shapes += words(lines, block.rows[row] - (len(lines) - 1) * LINE / 2)
    aside = block.drawing.aside
    if aside:
        top, bottom = block.marks["frame"], block.marks["frame_bottom"]
        shapes += PICTURES[aside.picture](block, top, bottom)
    return shapes


def words(lines: Iterable[str], y: float, x: float = NOTES) -> list[str]:
    """Lines of text, the first at height y."""
    return [text(x, y + i * LINE, line, "note") for i, line in enumerate(lines)]


def _centered(block: Block, height: float, top: float, bottom: float) -> float:
    """The upper end of a picture of this height and its words, in the middle of the frame."""
    return (top + bottom - height - 10 - LINE * len(block.drawing.aside.words)) / 2


def _matrix(state: State, label: str):
    def draw(block: Block, top: float, bottom: float) -> list[str]:
        y = _centered(block, 74, top, bottom)
        return [
            box(NOTES + 20, y, 70, 56, state, step=8),
            text(NOTES + 55, y + 66, label),
            *words(block.drawing.aside.words, y + 88),
        ]

    return draw


def _projected(block: Block, top: float, bottom: float) -> list[str]:
    y = _centered(block, 74, top, bottom)
    return [
        box(NOTES + 6, y, 60, 50, State.TRAINED, "G"),
        flow((NOTES + 70, y + 25), (NOTES + 82, y + 25)),
        box(NOTES + 86, y, 10, 50, State.TRAINED),
        text(NOTES + 36, y + 62, "m × n"),
        text(NOTES + 91, y + 62, "rank r"),
        *words(block.drawing.aside.words, y + 86),
    ]


def _arrow(block: Block, top: float, bottom: float) -> list[str]:
    """All gradients, backward through the whole block."""
    x = NOTES
    return [
        flow((x, top + 4), (x, bottom - 4), style="flow backward"),
        *words(block.drawing.aside.words, (top + bottom) / 2 - LINE, NOTES + 10),
    ]


def _fused(block: Block, top: float, bottom: float) -> list[str]:
    x, step = NOTES, (bottom - top - 8) / 6
    arrows = [
        flow((x, top + 4 + i * step), (x, top + 4 + (i + 1) * step - 5), style="flow backward")
        for i in range(6)
    ]
    return arrows + words(block.drawing.aside.words, (top + bottom) / 2 - 1.5 * LINE, NOTES + 10)


def _forward(block: Block, top: float, bottom: float) -> list[str]:
    shapes, middle = [], (top + bottom) / 2
    for x, label in ((NOTES + 22, "θ + εz"), (NOTES + 80, "θ − εz")):
        shapes += [
            flow((x, middle - 6), (x, top + 24), style="flow backward"),
            text(x, top + 12, "loss"),
            text(x, middle + 6, label),
        ]
    return shapes + words(block.drawing.aside.words, middle + 34)


def _layers(block: Block, top: float, bottom: float) -> list[str]:
    y, shapes = _centered(block, 96, top, bottom), []
    for index in range(6):
        at = y + 16 * index
        shapes.append(box(NOTES + 12, at, 52, 11, State.FROZEN))
        if index < 4:
            shapes.append(hourglass(NOTES + 76, at, 12, 11, State.TRAINED, active=False))
    return [*shapes, *words(block.drawing.aside.words, y + 112)]


def _average(block: Block, top: float, bottom: float) -> list[str]:
    y = block.rows["after_feed_forward"]
    shapes = []
    for index in range(4):
        x = NOTES + 16 + 27 * index
        shapes += [
            hourglass(x, y + 22, 20, 24, State.HELPER),
            flow((x, y + 22), (x, y + 10), arrow=False),
        ]
    return [
        *shapes,
        flow((NOTES + 97, y + 10), (NOTES - 60, y + 10), style="flow helped"),
        text(NOTES + 56, y + 56, "one a domain", "quiet"),
        *words(block.drawing.aside.words, y + 78),
    ]


def _shared(block: Block, top: float, bottom: float) -> list[str]:
    low, high = block.rows["after_attention"], block.rows["after_feed_forward"]
    y = (low + high) / 2
    x = NOTES + 30
    return [
        flow((x, y - 14), (x, high), (MAIN + 26, high), style="flow helped"),
        flow((x, y + 14), (x, low), (MAIN + 26, low), style="flow helped"),
        box(NOTES + 2, y - 14, 92, 28, State.TRAINED, "A_1 … A_n"),
        *words(block.drawing.aside.words, low + 24),
    ]


def _side(block: Block, top: float, bottom: float) -> list[str]:
    x, mix, entry, ladder = NOTES + 61, bottom - 66, bottom + 3, NOTES - 3
    return [
        flow((MAIN, entry), (x - 18, entry)),
        box(x - 18, entry - 10, 36, 20, State.TRAINED, "D_0"),
        flow((x, entry - 10), (x, mix + 10)),
        flow((MAIN, top + 8), (MAIN, top - 6), (ladder, top - 6), (ladder, mix), (NOTES + 5, mix)),
        box(NOTES + 5, mix - 10, 30, 20, State.TRAINED, "D_l"),
        flow((NOTES + 35, mix), (x - 10, mix)),
        circle(x, mix, 10, "trained"),
        text(x, mix, "μ", "on-trained"),
        flow((x, mix - 10), (x, mix - 30)),
        box(x - 46, mix - 110, 92, 80, State.TRAINED),
        text(x, mix - 77, "side block S_l", "on-trained"),
        text(x, mix - 61, "width d / r", "on-trained"),
        flow((x, mix - 110), (x, top + 26)),
        box(x - 32, top + 4, 64, 22, State.TRAINED, "norm, U"),
        flow((x, top + 4), (x, top - 14), (MAIN - 22, top - 14), (MAIN - 22, top - 24)),
        *words(block.drawing.aside.words, entry + 26),
    ]


def _phases(block: Block, top: float, bottom: float) -> list[str]:
    return words(block.drawing.aside.words, (top + bottom) / 2 - 3 * LINE)


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
