"""A method in one transformer block: the input at the bottom, the head at the top."""

from __future__ import annotations

from .canvas import COLUMNS, LETTERS, MAIN, Canvas
from .shapes import box, circle, flow, hourglass, text
from .vocabulary import Drawing, Piece, State

LAYER = (10, 234)  # its frame, from left to right
TEXT = ("x_1", "x_2", "…", "x_n")
BESIDE = 199  # the middle of what stands beside the feed-forward block


def block(drawing: Drawing) -> Canvas:
    """The whole drawing but for what stands in its right margin."""
    canvas = Canvas(drawing)
    entry(canvas)
    bottom = canvas.y - 6
    canvas.rise(20)
    entrance(canvas)
    attention(canvas)
    feed_forward(canvas)
    canvas.frame = top, _ = canvas.y - 8, bottom
    left, right = LAYER
    canvas.shapes.insert(
        0,
        f'<rect class="frame" x="{left}" y="{top:g}" width="{right - left}" '
        f'height="{bottom - top:g}" rx="8"/>',
    )
    canvas.add(text(right - 6, bottom - 9, "× L layers", "right quiet"))
    head(canvas)
    return canvas


def entry(canvas: Canvas) -> None:
    """The text, its embeddings, and a prompt among them."""
    drawing, prompt = canvas.drawing, canvas.drawing.pieces("input")
    canvas.tokens(TEXT if prompt else drawing.tokens or TEXT)
    canvas.rows["input"] = canvas.y + 9
    canvas.rise(10)
    canvas.part("embeddings", "embeddings")
    canvas.rise(10)
    for piece in prompt:
        canvas.tokens(drawing.tokens, "h" if piece.helper else "p")
        canvas.rows["input"] = canvas.y + (49 if piece.helper else 9)
        if piece.helper:
            canvas.helper("LSTM, MLP", canvas.y + 9, 214)
        canvas.rise(10)
    canvas.norm("embedding_norm")
    canvas.rows["embeddings"] = canvas.y + 8


def entrance(canvas: Canvas) -> None:
    """Where a layer begins: vectors that are added to its input."""
    if not canvas.drawing.pieces("entrance"):
        return
    canvas.rise(28)
    for x, label in ((MAIN - 45, "v_1"), (MAIN + 45, "v_2")):
        canvas.add(
            box(x - 13, canvas.y + 7, 26, 17, State.TRAINED, label),
            flow((x, canvas.y + 7), (x, canvas.y)),
        )
    canvas.tokens(("h_1", "h_2", "…", "h_n"))
    canvas.rows["entrance"] = canvas.y + 20
    canvas.rise(4, arrow=False)


def attention(canvas: Canvas) -> None:
    """The attention block, up to its norm."""
    start = canvas.y
    pieces = {piece.place: piece for piece in canvas.drawing.added}
    prefix, scaled = pieces.get("attention"), "key" in pieces and pieces["key"].kind == "scale"
    fork, top = start - 10, start - 44
    join = 38 if scaled else 20 if not prefix else 60 if prefix.gated else 34
    canvas.add(
        flow((MAIN, start), (MAIN, fork), arrow=False),
        flow((COLUMNS["query"], fork), (COLUMNS["value"], fork), arrow=False),
    )
    for name, x in COLUMNS.items():
        canvas.add(
            flow((x, fork), (x, fork - 8)),
            box(x - 17, top, 34, 26, canvas.drawing.state(name), LETTERS[name]),
            flow((x, top), (x, top - join)),
        )
        for piece in canvas.drawing.pieces(name):
            if piece.kind == "scale":
                canvas.scale(x, top - 27, f"× l_{LETTERS[name].lower()}")
            else:
                canvas.low_rank(piece, x, top, 26, fork)
    if prefix:
        keys_and_values(canvas, prefix, top - join)
    canvas.rows["projections"] = top + 13
    canvas.rows["prefix"] = top + (28 if prefix and prefix.helper else -join / 2)
    canvas.y = top - join - 20
    canvas.add(
        f'<rect class="operation" x="36" y="{canvas.y:g}" width="170" height="20" rx="10"/>',
        text(MAIN, canvas.y + 10, "attention"),
    )
    canvas.rise(9)
    canvas.wide_map("attention_output", "O")
    canvas.serial("after_attention")
    canvas.plus(start - 4)
    canvas.rise(8)
    canvas.norm("attention_norm")
    canvas.rows["norm"] = canvas.y + 8


def keys_and_values(canvas: Canvas, prefix: Piece, end: float) -> None:
    """Those of a prefix, right of the text's; attention begins at height `end`."""
    y = end + (21 if prefix.gated else 11)
    for name in ("key", "value"):
        x = COLUMNS[name] + 8
        canvas.add(
            flow((x + 11, y), (x + 11, end)),
            box(x, y, 23, 17, prefix.state, f"P_{LETTERS[name].lower()}"),
        )
        if prefix.gated:
            canvas.gate(x + 11, end + 12)
    if prefix.helper:
        canvas.helper("P′, MLP", y + 8.5, COLUMNS["value"] + 33)


def feed_forward(canvas: Canvas) -> None:
    """The feed-forward block, up to the end of the layer."""
    start, drawing = canvas.y - 5, canvas.drawing
    canvas.rise(14)
    canvas.wide_map("feed_forward_up", "W_1")
    canvas.rise(6, arrow=False)
    canvas.y -= 14
    middle = canvas.y + 7
    canvas.add(circle(MAIN, middle, 7, "operation", "γ"))
    canvas.rows["feed_forward"] = middle
    canvas.rise(8)
    if any(piece.kind == "scale" for piece in drawing.pieces("feed_forward_down")):
        canvas.y -= 18
        canvas.scale(MAIN, canvas.y, "× l_ff")
        canvas.rows["feed_forward"] = canvas.y + 9
        canvas.rise(8)
    canvas.wide_map("feed_forward_down", "W_2")
    canvas.serial("after_feed_forward")
    canvas.plus(start)
    for piece in drawing.pieces("beside_feed_forward"):
        joint = canvas.y + 7
        canvas.add(
            flow((MAIN, start), (BESIDE, start), (BESIDE, joint), (MAIN + 7, joint)),
            hourglass(BESIDE, middle - 22, 34, 44, piece.state),
        )
    if pieces := drawing.pieces("between_norms"):
        between_norms(canvas, pieces)
    canvas.rise(8)
    canvas.norm("feed_forward_norm", "same norm" if pieces else "norm")


def between_norms(canvas: Canvas, pieces: list[Piece]) -> None:
    """An adapter that reads what the norm returns and adds to what the norm reads."""
    total = canvas.y - 4
    canvas.rise(12)
    canvas.norm("feed_forward_norm")
    canvas.rise(9, arrow=False)
    adapter, *fusion = pieces
    canvas.y -= 30
    places = (MAIN - 36, MAIN, MAIN + 36) if fusion else (MAIN,)
    for x in places:
        canvas.add(hourglass(x, canvas.y, 28 if fusion else 48, 30, adapter.state))
    canvas.rows["after_feed_forward"] = canvas.y + 15
    if fusion:
        canvas.add(flow((places[0], canvas.y + 30), (places[-1], canvas.y + 30), arrow=False))
        for x in places:
            canvas.add(flow((x, canvas.y), (x, canvas.y - 7), arrow=False))
        canvas.y -= 27
        canvas.add(box(MAIN - 50, canvas.y, 100, 20, fusion[0].state, "attention"))
    if adapter.gated:
        canvas.rise(10, arrow=False)
        canvas.gate(MAIN, canvas.y)
        canvas.y -= 7
    canvas.plus(total, 46)


def head(canvas: Canvas) -> None:
    """What reads the last hidden states."""
    pooler, own = canvas.drawing.state("pooler"), canvas.drawing.state("head")
    if canvas.drawing.pieces("layer_outputs"):
        canvas.y -= 32  # what comes from the side stands in for the last states
    else:
        canvas.rise(22)
    line = canvas.y
    canvas.y -= 22
    canvas.rows["head"] = canvas.y + 11
    if not canvas.drawing.pieces("last_states"):
        canvas.add(
            box(MAIN - 60, canvas.y, 76, 22, pooler, "pooler"),
            flow((MAIN + 16, canvas.y + 11), (MAIN + 33, canvas.y + 11)),
            box(MAIN + 33, canvas.y, 66, 22, own, "head"),
        )
        return
    canvas.add(
        box(MAIN - 40, canvas.y, 80, 22, State.TRAINED, "probe"),
        flow(
            (MAIN, line + 8), (22, line + 8), (22, line - 40), (40, line - 40), style="flow skipped"
        ),
        box(40, canvas.y - 29, 70, 22, pooler, "pooler"),
        flow((110, line - 40), (124, line - 40), style="flow skipped"),
        box(124, canvas.y - 29, 80, 22, own, "own head"),
    )
    canvas.y -= 29
