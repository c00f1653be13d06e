"""A method in a drawing as small as a stamp: the same parts at fixed places, without words."""

from __future__ import annotations

from .shapes import box, circle, flow, hourglass
from .vocabulary import Drawing, Piece, State

WIDTH, HEIGHT, STEP = 120, 90, 4
LEFT, RIGHT = 20, 76  # of the parts on the main line
MAIN = (LEFT + RIGHT) / 2
# Part -> x, y, width, height.
PLACES = {
    "pooler": (20, 2, 26, 7),
    "head": (52, 2, 24, 7),
    "feed_forward_norm": (20, 16, 56, 3),
    "feed_forward_down": (20, 29, 56, 5),
    "feed_forward_up": (20, 36.5, 56, 5),
    "attention_norm": (20, 44, 56, 3),
    "attention_output": (20, 56.5, 56, 5),
    "query": (20, 65, 13, 7),
    "key": (41.5, 65, 13, 7),
    "value": (63, 65, 13, 7),
    "embedding_norm": (20, 79, 56, 3),
    "embeddings": (20, 84, 56, 5),
}
SLOTS = {"after_attention": 51.7, "after_feed_forward": 24, "between_norms": 24}
BESIDE = 96  # the middle of what stands right of the block
DIRECTIONS = ("backward", "fused", "forward")
MATRICES = (State.ENTRIES, State.SAMPLED, State.MIXED, State.PROJECTED)


def stamp(drawing: Drawing) -> str:
    """The thumbnail; the block stands in its middle where nothing stands beside it."""
    beside = drawing.aside and drawing.aside.picture in (*MATRICES, *DIRECTIONS)
    left = 0 if beside or drawing.pieces("layer_outputs", "last_states") else MAIN - WIDTH / 2
    return f'<svg viewBox="{left:g} 0 {WIDTH} {HEIGHT}">{"".join(_shapes(drawing))}</svg>'


def _shapes(drawing: Drawing) -> list[str]:
    shapes = [
        '<rect class="frame" x="8" y="12.5" width="76" height="63" rx="4"/>',
        flow((MAIN, 79), (MAIN, 9), arrow=False),
    ]
    for part, (x, y, width, height) in PLACES.items():
        shape = box(x, y, width, height, drawing.state(part), step=STEP)
        # nearly every method trains a head: it must not draw the eye
        shapes.append(f'<g class="usual">{shape}</g>' if part == "head" else shape)
    for piece in drawing.added:
        shapes += added(piece)
    if drawing.aside and drawing.aside.picture in MATRICES:
        shapes.append(box(90, 32, 26, 26, State(drawing.aside.picture), step=STEP))
    if drawing.aside and drawing.aside.picture in DIRECTIONS:
        shapes += direction(drawing.aside.picture)
    return shapes


def direction(picture: str) -> list[str]:
    """How a method that trains everything goes through the model."""
    if picture == "forward":
        return [flow((x, 72), (x, 16), style="flow backward") for x in (96, 108)]
    if picture == "backward":
        return [flow((BESIDE + 4, 16), (BESIDE + 4, 72), style="flow backward")]
    return [
        flow((BESIDE + 4, y), (BESIDE + 4, y + 11), style="flow backward") for y in (16, 31, 46, 61)
    ]


def added(piece: Piece) -> list[str]:
    """What a method adds."""
    state, place = piece.state, PLACES.get(piece.place)
    if piece.kind == "fusion":
        return [box(MAIN - 20, 20, 40, 2.5, state)]
    if piece.place in SLOTS:
        y, apart = SLOTS[piece.place], state is State.EARLIER
        middles = (MAIN - 18, MAIN, MAIN + 18) if apart else (MAIN,)
        top, wide, high = (y - 0.5, 14, 5) if apart else (y - 3.7, 26, 7.4)
        return [hourglass(x, top, wide, high, state, active=False) for x in middles]
    if place and piece.kind == "low_rank":
        x, y, width, height = place
        return [hourglass(x + width + 4, y - 1, 6, height + 2, state, active=False)]
    if place:  # a vector above keys or values, or below the second map
        x, y, width, height = place
        return [circle(x + width / 2, y - 2 if width < 20 else y + height + 1, 2.8, "solid")]
    around = (-2, 8, 80, 90)  # the text, or in front of it
    return {
        "attention": [box(x, 60.5, 8, 4, state) for x in (56, 77)],
        "entrance": [circle(x, 75.5, 2.8, "solid") for x in (26.5, 69.5)],
        "last_states": [
            box(90, 2, 24, 7, state),
            flow((MAIN, 11), (102, 11), (102, 9), arrow=False),
        ],
        "layer_outputs": [
            flow((MAIN, 11), (102, 11), (102, 77), (MAIN, 77), arrow=False),
            box(95, 20, 14, 46, state),
        ],
        "beside_feed_forward": [
            flow((MAIN, 43), (82, 43), (82, 27), (MAIN, 27), arrow=False),
            hourglass(82, 28, 10, 14, state, active=False),
        ],
        "input": [box(x, 80, 8, 8, state) for x in (around if piece.helper else (-12, -2, 8))],
    }[piece.place]
