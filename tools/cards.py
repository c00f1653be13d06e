"""What is declared of a method beside its code: `card.toml` in its folder, read into one schema.

A card says by what other names people look for the method (`aliases`), where it acts
(`[drawing]`), which part of its file carries which sentence of its page (`[beside]`), what a
program for one's own model needs (`[own_model]`), which counts and peaks of memory others print
(`[[published]]`, `[[peak]]`), and how the tests that all methods share build it (`[contract]`).
Every section may be missing where the default does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, model_validator

from .data.declared import files, read
from .data.printed_peaks import PrintedPeak
from .data.published import Arguments, Published
from .drawings.vocabulary import (
    GROUPS,
    PARTS,
    Aside,
    Drawing,
    Kind,
    Piece,
    Place,
    Row,
    State,
)

FILE = "card.toml"
Baseline = Literal["lower", "upper", "usual"]
_Part = Literal[*GROUPS, *PARTS]
_Place = Literal["maps", *get_args(Place)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Added(_Model):
    """The same thing added at several places, of which a group of parts is as many."""

    kind: Kind
    at: tuple[_Place, ...]
    state: State = State.TRAINED
    residual: bool = False
    norm: bool = False
    gated: bool = False
    helper: bool = False

    def pieces(self) -> list[Piece]:
        looks = self.model_dump(exclude={"at"})
        return [Piece(place=place, **looks) for at in self.at for place in GROUPS.get(at, (at,))]


class Act(_Model):
    """Where a method acts: by state the parts of the model or groups of them, and what is added."""

    states: dict[State, tuple[_Part, ...]] = {}
    added: tuple[Added, ...] = ()
    notes: dict[Row, tuple[str, ...]] = {}
    aside: Aside | None = None
    tokens: tuple[str, ...] = ()

    def drawn(self) -> Drawing:
        return Drawing(
            states=dict(self._parts()),
            added=tuple(piece for added in self.added for piece in added.pieces()),
            notes=self.notes,
            aside=self.aside,
            tokens=self.tokens,
        )

    def _parts(self) -> list[tuple[str, State]]:
        return [
            (part, state)
            for state, names in self.states.items()
            for name in names
            for part in GROUPS.get(name, (name,))
        ]

    @model_validator(mode="after")
    def _one_state_a_part(self) -> Act:
        parts = [part for part, _ in self._parts()]
        twice = sorted({part for part in parts if parts.count(part) > 1})
        if twice:
            raise ValueError(f"two states for {', '.join(twice)}")
        return self


class Beside(_Model):
    """Which parts of the file its equation and the numbered details of its docstring belong to.

    `details` gives each part the details that it carries out; `elsewhere` are those that no part
    of the file does.
    """

    equation: tuple[str, ...] = ()
    details: dict[str, tuple[int, ...]] = {}
    elsewhere: tuple[int, ...] = ()


class Needed(_Model):
    """What a program for one's own model needs of the method's: lines before it, and arguments."""

    prepare: str = ""
    arguments: dict[str, str] = {}


class OwnModel(Needed):
    """The same of models of text; `kinds` has what others need instead, where that differs.

    `language_model` is false where the texts of such a model lack what the method changes. An empty
    table of a kind says that it needs the same.
    """

    language_model: bool = True
    kinds: dict[Literal["encoder-decoder", "vision", "audio"], Needed] = {}

    def of(self, kind: str) -> Needed | None:
        """What a program for another kind of model needs; None where that is not known."""
        own = self.kinds.get(kind)
        if own is None:
            return None if self.arguments else self
        return Needed(
            prepare=own.prepare or self.prepare, arguments=own.arguments or self.arguments
        )


class Contract(_Model):
    """How the shared tests build the method, and which of their promises are others for it.

    arguments: values away from the defaults that hide bugs.
    refused: by a part of the error, the models of `tests/methods/models.py` that `setup` must
        refuse with it, or groups of them.
    left_padding_matters: models whose outputs change with padding on the left.
    setup_needs_values, needs_values: `setup`, or the course of the training, depends on the values
        of the weights or of the data, so that shapes alone do not do.
    masks_kept: how many attention masks a step on shapes alone keeps that one on values does not.
    reaches: by task, the least score of a run, where that is below what all methods reach.
    moves: by task, how far a loss of the first steps may be from the committed one, where that is
        more than for other methods: three times what other vector instructions were seen to change.
    repeats: the same of the score at the end.
    """

    arguments: Arguments = {}
    refused: dict[str, tuple[str, ...]] = {}
    left_padding_matters: tuple[str, ...] = ()
    setup_needs_values: bool = False
    needs_values: bool = False
    masks_kept: int = 0
    reaches: dict[str, float] = {}
    moves: dict[str, float] = {}
    repeats: dict[str, float] = {}


class Card(_Model):
    """One method's card.

    `baseline`: others are compared with it: the least that can be trained, all that can be, or what
    is usually taken.
    `aliases`: other names by which people look for it.
    `suite`: the runs of libraries' suites that are of this method, by their names there.
    `architectures`: the arguments of transformers' `AutoConfig.for_model`, by a label that what
    others print gives as its own.
    """

    baseline: Baseline | None = None
    aliases: tuple[str, ...] = ()
    drawing: Act | None = None
    beside: Beside = Beside()
    own_model: OwnModel = OwnModel()
    architectures: dict[str, dict[str, Any]] = {}
    published: tuple[Published, ...] = ()
    peak: tuple[PrintedPeak, ...] = ()
    suite: tuple[str, ...] = ()
    contract: Contract = Contract()

    @property
    def drawn(self) -> Drawing | None:
        return self.drawing and self.drawing.drawn()

    @model_validator(mode="after")
    def _architectures_are_those_of_what_is_printed(self) -> Card:
        named = {entry.architecture for entry in (*self.published, *self.peak)}
        odd = sorted(named ^ self.architectures.keys())
        if odd:
            raise ValueError(
                f"'{odd[0]}' must be both a key of [architectures] and the architecture of a count "
                "or a peak"
            )
        return self


def read_cards(root: Path) -> dict[str, Card]:
    """Every card below `root`/reference_impls, by the method's name. Raises DeclaredError."""
    return {path.parent.name: read(path, root, Card) for path in files(root, FILE)}
