"""A method in one transformer block: the input at the bottom, the head at the top."""

from __future__ import annotations

from tools.drawings.shapes import box, circle, flow, hourglass, text
from tools.drawings.vocabulary import Drawing, Piece, Row, State

WIDTH, NOTES, LINE = 360, 244, 13.5
MAIN, LEFT = 121, 24  # the main line, and the residual one beside it
FRAME = (10, 234)
COLUMNS = {"query": 57, "key": 121, "value": 185}
LETTERS = {"query": "Q", "key": "K", "value": "V"}
PLACE_BESIDE = 199  # what stands beside a block or a wide map
TEXT_TOKENS = ("x_1", "x_2", "…", "x_n")


class Block:
    """The block under construction; `y` is the top of what is drawn, which grows upward.

    `rows` are the heights at which notes may stand, `marks` those that pictures beside it need.
    """

    def __init__(self, drawing: Drawing) -> None:
        self.drawing, self.y = drawing, -2.0
        self.shapes: list[str] = []
        self.rows: dict[Row, float] = {}
        self.marks: dict[str, float] = {}
        self.input()
        bottom = self.y - 6
        self.rise(20)
        self.entrance()
        self.attention()
        self.add_and_norm("attention_norm", *self.branch)
        self.feed_forward()
        self.marks |= {"frame": self.y - 8, "frame_bottom": bottom}
        self.frame(self.y - 8, bottom)
        if not self.drawing.pieces("layer_outputs"):
            self.rise(22)
        self.head()

    def add(self, *shapes: str) -> None:
        self.shapes += shapes

    def rise(self, height: float, *, arrow: bool = True) -> None:
        """The main line, upward."""
        self.add(flow((MAIN, self.y), (MAIN, self.y - height), arrow=arrow))
        self.y -= height

    def part(self, name: str, label: str, height: float = 22, width: float = 120) -> None:
        """A part of the model on the main line."""
        self.y -= height
        self.add(box(MAIN - width / 2, self.y, width, height, self.drawing.state(name), label))

    def tokens(self, labels: tuple[str, ...], trained: str = "") -> None:
        """A row of vectors; those labeled `trained` are."""
        size, gap = (26 if len(labels) < 6 else 19), 4
        wide = [max(size, 7 * len(label) + 8) if "_" not in label else size for label in labels]
        x = MAIN - (sum(wide) + gap * (len(labels) - 1)) / 2
        self.y -= 18
        for label, width in zip(labels, wide, strict=True):
            style = "trained" if label == trained else "data"
            self.add(
                f'<rect class="{style}" x="{x:g}" y="{self.y:g}" width="{width}" height="18" '
                'rx="3"/>',
                text(x + width / 2, self.y + 9, label, "on-trained" if label == trained else ""),
            )
            x += width + gap

    def input(self) -> None:
        prompt = self.drawing.pieces("input")
        self.tokens(TEXT_TOKENS if prompt else self.drawing.tokens or TEXT_TOKENS)
        self.rows["input"] = self.y + 9
        self.rise(10)
        self.part("embeddings", "embeddings")
        self.rise(10)
        for piece in prompt:
            self.tokens(self.drawing.tokens, "h" if piece.helper else "p")
            self.rows["input"] = self.y + 9
            if piece.helper:
                self.helper("LSTM, MLP", self.y + 9, 214)
                self.rows["input"] += 40
            self.rise(10)
        self.part("embedding_norm", "norm", 16)
        self.rows["embeddings"] = self.y + 8

    def helper(self, label: str, y: float, x: float) -> None:
        """A network in the right margin that computes, in training, what stands at (x, y)."""
        self.add(
            box(NOTES + 2, y - 11, 84, 22, State.HELPER, label),
            flow((NOTES + 2, y), (x, y), style="flow helped"),
        )

    def entrance(self) -> None:
        """Where a layer begins: vectors that are added to its input."""
        if not self.drawing.pieces("entrance"):
            return
        self.rise(28)
        for x, label in ((MAIN - 45, "v_1"), (MAIN + 45, "v_2")):
            self.add(
                box(x - 13, self.y + 7, 26, 17, State.TRAINED, label),
                flow((x, self.y + 7), (x, self.y)),
            )
        self.tokens(("h_1", "h_2", "…", "h_n"))
        self.rows["entrance"] = self.y + 20
        self.rise(4, arrow=False)

    def attention(self) -> None:
        start = self.y
        self.branch = (start - 4,)
        pieces = {piece.place: piece for piece in self.drawing.added}
        prefix = pieces.get("attention")
        fork, top = start - 10, start - 10 - 8 - 26
        join = 20
        if prefix:
            join = 48 if prefix.gated else 34
        elif "key" in pieces and pieces["key"].kind == "scale":
            join = 38
        self.add(
            flow((MAIN, start), (MAIN, fork), arrow=False),
            flow((COLUMNS["query"], fork), (COLUMNS["value"], fork), arrow=False),
        )
        for name, x in COLUMNS.items():
            self.add(
                flow((x, fork), (x, fork - 8)),
                box(x - 17, top, 34, 26, self.drawing.state(name), LETTERS[name]),
                flow((x, top), (x, top - join)),
            )
            self.beside(pieces.get(name), x, top, 26, fork)
        if prefix:
            self.prefix(prefix, top, join)
        self.rows["projections"] = top + 13
        self.rows["prefix"] = top + (28 if prefix and prefix.helper else -join / 2)
        self.y = top - join - 20
        self.add(
            f'<rect class="operation" x="36" y="{self.y:g}" width="170" height="20" rx="10"/>',
            text(MAIN, self.y + 10, "attention"),
        )
        self.rise(9)
        self.wide_map("attention_output", "O")
        self.serial("after_attention")

    def beside(
        self, piece: Piece | None, x: float, top: float, height: float, below: float
    ) -> None:
        """What acts on a map whose main line is at x: a low-rank update, or a scale behind it."""
        if piece is None:
            return
        if piece.kind == "scale":
            self.scale(x, top - 27, f"× l_{LETTERS[piece.place].lower()}")
            return
        side = x + (28 if piece.place in COLUMNS else 78)
        joint = top - 8
        self.add(
            flow((side, below), (side, joint), (x, joint), arrow=False),
            flow((x, below), (side, below), arrow=False),
            circle(x, joint, 3, "joint"),
            hourglass(side, top + 1, 17, height - 2, piece.state, active=False),
        )
        if piece.gated:
            self.gate(side, joint)

    def scale(self, x: float, y: float, label: str) -> None:
        self.add(box(x - 18, y, 36, 18, State.TRAINED, label))

    def gate(self, x: float, y: float) -> None:
        self.add(circle(x, y, 7, "trained"), text(x, y, "G", "sign on-trained"))

    def prefix(self, piece: Piece, top: float, join: float) -> None:
        """Keys and values in front of the text's, right of the lines to attention."""
        for name in ("key", "value"):
            x, y = COLUMNS[name] + 8, top - join + 11
            self.add(
                flow((x + 11, y), (x + 11, top - join)),
                box(x, y, 23, 17, piece.state, f"P_{LETTERS[name].lower()}"),
            )
            if piece.gated:
                self.gate(x + 25, y - 1)
        if piece.helper:
            self.helper("P′, MLP", top - join + 19.5, COLUMNS["value"] + 33)

    def wide_map(self, name: str, label: str) -> None:
        below = self.y
        self.part(name, label)
        for piece in self.drawing.pieces(name):
            if piece.kind == "low_rank":
                self.rise(12, arrow=False)
                self.beside(piece, MAIN, self.y + 12, 22, below + 4)

    def serial(self, place: str) -> None:
        """Adapters on the main line, behind a block."""
        self.rows[place] = self.y - 8
        for piece in self.drawing.pieces(place):
            self.rise(11, arrow=False)
            below = self.y
            if piece.norm:
                self.y -= 11
                self.add(box(MAIN - 24, self.y, 48, 9, piece.state))
                self.rise(5, arrow=False)
            self.y -= 30
            self.add(hourglass(MAIN, self.y, 48, 30, piece.state))
            self.rows[place] = self.y + 15
            self.rise(7, arrow=False)
            if piece.residual:
                self.add(
                    flow(
                        (MAIN, below + 4),
                        (MAIN + 40, below + 4),
                        (MAIN + 40, self.y),
                        (MAIN + 3, self.y),
                        arrow=False,
                    ),
                    circle(MAIN, self.y, 3, "joint"),
                )

    def plus(self, start: float, left: float = LEFT) -> None:
        """The residual connection from `start` ends here."""
        self.rise(10, arrow=False)
        self.y -= 7
        self.add(
            flow((MAIN, start), (left, start), (left, self.y), (MAIN - 7, self.y)),
            circle(MAIN, self.y, 7, "operation", "+"),
        )
        self.y -= 7

    def add_and_norm(self, name: str, start: float) -> None:
        self.plus(start)
        self.rise(8)
        self.part(name, "norm", 16)
        self.rows["norm"] = self.y + 8

    def feed_forward(self) -> None:
        start = self.y - 5
        beside = self.drawing.pieces("beside_feed_forward")
        scales = [p for p in self.drawing.pieces("feed_forward_down") if p.kind == "scale"]
        self.rise(14)
        self.wide_map("feed_forward_up", "W_1")
        self.rise(6, arrow=False)
        self.y -= 14
        self.add(circle(MAIN, self.y + 7, 7, "operation", "γ"))
        middle = self.y + 7
        self.rows["feed_forward"] = middle
        if scales:
            self.rise(8)
            self.y -= 18
            self.scale(MAIN, self.y, "× l_ff")
            self.rows["feed_forward"] = self.y + 9
            self.rise(8)
        else:
            self.rise(8)
        self.wide_map("feed_forward_down", "W_2")
        self.serial("after_feed_forward")
        between = self.drawing.pieces("between_norms")
        if between:
            self.between_norms(start, between)
            return
        self.plus(start)
        if beside:
            joint = self.y + 7
            self.add(
                flow(
                    (MAIN, start), (PLACE_BESIDE, start), (PLACE_BESIDE, joint), (MAIN + 7, joint)
                ),
                hourglass(PLACE_BESIDE, middle - 22, 34, 44, beside[0].state),
            )
        self.rise(8)
        self.part("feed_forward_norm", "norm", 16)

    def between_norms(self, start: float, pieces: list[Piece]) -> None:
        """An adapter that reads the norm's output and adds to its input, before it again."""
        self.plus(start)
        sum_at = self.y - 4
        self.rise(12)
        self.part("feed_forward_norm", "norm", 16)
        self.rise(9, arrow=False)
        fused = len(pieces) > 1
        self.y -= 30
        for x in (MAIN - 36, MAIN, MAIN + 36) if fused else (MAIN,):
            self.add(hourglass(x, self.y, 28 if fused else 48, 30, pieces[0].state))
        self.rows["after_feed_forward"] = self.y + 15
        if fused:
            self.add(flow((MAIN - 36, self.y + 30), (MAIN + 36, self.y + 30), arrow=False))
            for x in (MAIN - 36, MAIN, MAIN + 36):
                self.add(flow((x, self.y), (x, self.y - 7), arrow=False))
            self.y -= 27
            self.add(box(MAIN - 50, self.y, 100, 20, pieces[1].state, "attention"))
        if pieces[0].gated:
            self.rise(10, arrow=False)
            self.gate(MAIN, self.y)
            self.y -= 7
        self.plus(sum_at, 46)
        self.rise(8)
        self.part("feed_forward_norm", "same norm", 16)

    def frame(self, top: float, bottom: float) -> None:
        left, right = FRAME
        self.shapes.insert(
            0,
            f'<rect class="frame" x="{left}" y="{top:g}" width="{right - left}" '
            f'height="{bottom - top:g}" rx="8"/>',
        )
        self.add(text(right - 6, bottom - 9, "× L layers", "right quiet"))

    def head(self) -> None:
        pooler, head = self.drawing.state("pooler"), self.drawing.state("head")
        if self.drawing.pieces("layer_outputs"):
            self.y -= 32  # what comes from the side stands in for the last states
        line = self.y
        self.y -= 22
        if self.drawing.pieces("last_states"):
            self.add(
                box(MAIN - 40, self.y, 80, 22, State.TRAINED, "probe"),
                flow(
                    (MAIN, line + 8),
                    (22, line + 8),
                    (22, line - 40),
                    (40, line - 40),
                    style="flow skipped",
                ),
                box(40, self.y - 29, 70, 22, pooler, "pooler"),
                flow((110, self.y - 18), (124, self.y - 18), style="flow skipped"),
                box(124, self.y - 29, 80, 22, head, "own head"),
            )
            self.rows["head"] = self.y + 11
            self.y -= 31
            return
        self.add(
            box(MAIN - 60, self.y, 76, 22, pooler, "pooler"),
            flow((MAIN + 16, self.y + 11), (MAIN + 33, self.y + 11)),
            box(MAIN + 33, self.y, 66, 22, head, "head"),
        )
        self.rows["head"] = self.y + 11
        self.y -= 2
