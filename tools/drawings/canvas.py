"""What a block is drawn on, and the pieces that appear in several of its places."""

from __future__ import annotations

from .shapes import box, circle, flow, hourglass, text
from .vocabulary import Drawing, Piece, Row, State

NOTES, LINE = 244, 13.5  # where notes begin, and the height of a line
MAIN, LEFT = 121, 24  # the main line, and the residual one beside it
COLUMNS = {"query": 57, "key": 121, "value": 185}
LETTERS = {"query": "Q", "key": "K", "value": "V"}


class Canvas:
    """Shapes, drawn upward: `y` is the top of what there is.

    `rows` are the heights at which notes may stand; `frame` is the top and the bottom of the layer.
    """

    def __init__(self, drawing: Drawing) -> None:
        self.drawing, self.y = drawing, -2.0
        self.shapes: list[str] = []
        self.rows: dict[Row, float] = {}
        self.frame = (0.0, 0.0)

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

    def norm(self, name: str, label: str = "norm") -> None:
        self.part(name, label, 16)

    def tokens(self, labels: tuple[str, ...], trained: str = "") -> None:
        """A row of vectors; those labeled `trained` are."""
        size, gap = (26 if len(labels) < 6 else 19), 4
        wide = [max(size, 7 * len(label) + 8) if "_" not in label else size for label in labels]
        x = MAIN - (sum(wide) + gap * (len(labels) - 1)) / 2
        self.y -= 18
        for label, width in zip(labels, wide, strict=True):
            style, weight = ("trained", "on-trained") if label == trained else ("data", "")
            self.add(
                f'<rect class="{style}" x="{x:g}" y="{self.y:g}" width="{width}" height="18" '
                'rx="3"/>',
                text(x + width / 2, self.y + 9, label, weight),
            )
            x += width + gap

    def helper(self, label: str, y: float, x: float) -> None:
        """A network in the right margin that computes, in training, what stands at (x, y)."""
        self.add(
            box(NOTES + 2, y - 11, 84, 22, State.HELPER, label),
            flow((NOTES + 2, y), (x, y), style="flow helped"),
        )

    def gate(self, x: float, y: float) -> None:
        self.add(circle(x, y, 7, "trained"), text(x, y, "G", "sign on-trained"))

    def scale(self, x: float, y: float, label: str) -> None:
        """A vector that rescales what passes, from y on downward."""
        self.add(box(x - 18, y, 36, 18, State.TRAINED, label))

    def low_rank(self, piece: Piece, x: float, top: float, height: float, below: float) -> None:
        """Two thin matrices beside the map at (x, top): they read what it reads, at `below`."""
        side, joint = x + (28 if piece.place in COLUMNS else 78), top - 8
        self.add(
            flow((x, below), (side, below), (side, joint), (x, joint), arrow=False),
            circle(x, joint, 3, "joint"),
            hourglass(side, top + 1, 17, height - 2, piece.state, active=False),
        )
        if piece.gated:
            self.gate(side, joint)

    def wide_map(self, name: str, label: str) -> None:
        """A map on the main line, with what stands beside it."""
        below = self.y
        self.part(name, label)
        for piece in self.drawing.pieces(name):
            if piece.kind == "low_rank":
                self.rise(12, arrow=False)
                self.low_rank(piece, MAIN, self.y + 12, 22, below + 4)

    def serial(self, place: str) -> None:
        """Adapters on the main line, behind a block."""
        self.rows[place] = self.y - 8
        for piece in self.drawing.pieces(place):
            self.rise(11, arrow=False)
            below = self.y + 4
            if piece.norm:
                self.y -= 11
                self.add(box(MAIN - 24, self.y, 48, 9, piece.state))
                self.rise(5, arrow=False)
            self.y -= 30
            self.add(hourglass(MAIN, self.y, 48, 30, piece.state))
            self.rows[place] = self.y + 15
            self.rise(7, arrow=False)
            if piece.residual:
                around = ((MAIN, below), (MAIN + 40, below), (MAIN + 40, self.y), (MAIN, self.y))
                self.add(flow(*around, arrow=False), circle(MAIN, self.y, 3, "joint"))

    def plus(self, start: float, left: float = LEFT) -> None:
        """The residual connection from `start` ends here."""
        self.rise(10, arrow=False)
        self.y -= 7
        self.add(
            flow((MAIN, start), (left, start), (left, self.y), (MAIN - 7, self.y)),
            circle(MAIN, self.y, 7, "operation", "+"),
        )
        self.y -= 7
