"""What a drawing of a method is declared with: the model's parts, their states, what is added."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from pydantic import ConfigDict

MAPS = (
    "query",
    "key",
    "value",
    "attention_output",
    "feed_forward_up",
    "feed_forward_down",
)
NORMS = ("embedding_norm", "attention_norm", "feed_forward_norm")
BASE = ("embeddings", *NORMS, *MAPS, "pooler")
PARTS = (*BASE, "head")
GROUPS = {"base": BASE, "maps": MAPS, "norms": NORMS}

# Where something can be added, apart from beside a map: that has the map's name.
Place = Literal[
    "input",
    "entrance",
    "attention",
    "after_attention",
    "beside_feed_forward",
    "after_feed_forward",
    "between_norms",
    "layer_outputs",
    "last_states",
    "query",
    "key",
    "value",
    "attention_output",
    "feed_forward_up",
    "feed_forward_down",
]
Kind = Literal[
    "adapter", "fusion", "low_rank", "scale", "prefix", "prompt", "vectors", "side", "probe"
]
# The rows of a drawing that a note can stand beside.
Row = Literal[
    "input",
    "embeddings",
    "entrance",
    "projections",
    "prefix",
    "after_attention",
    "norm",
    "feed_forward",
    "after_feed_forward",
    "head",
]


class State(StrEnum):
    """What training does to a part of the model, or to what was added to it."""

    FROZEN = "frozen"
    QUANTIZED = "quantized"
    UNUSED = "unused"
    TRAINED = "trained"
    BIASES = "biases"
    ENTRIES = "entries"
    PROJECTED = "projected"
    MIXED = "mixed"
    SAMPLED = "sampled"
    HELPER = "helper"
    EARLIER = "earlier"


# In the order of the legend; each is also what a description says of it.
MEANING = {
    State.FROZEN: "frozen",
    State.QUANTIZED: "frozen, stored in four bits",
    State.UNUSED: "not used",
    State.TRAINED: "trained",
    State.BIASES: "only the bias trained",
    State.ENTRIES: "single entries trained",
    State.PROJECTED: "trained, its gradient projected to a low rank",
    State.MIXED: "trained, random columns as pretrained in each step",
    State.SAMPLED: "trained, a random part of its gradient in each step",
    State.HELPER: "trained, not kept afterwards",
    State.EARLIER: "trained in an earlier phase, then frozen",
}


@dataclass(frozen=True)
class Piece:
    """Something that a method adds to each layer, or to the input, or beside the model.

    residual: an adapter adds its output to its own input. norm: it has a layer norm of its own.
    gated: a learned gate scales it. helper: in training a helper network computes it.
    """

    kind: Kind
    place: Place
    state: State = State.TRAINED
    residual: bool = False
    norm: bool = False
    gated: bool = False
    helper: bool = False


@dataclass(frozen=True)
class Aside:
    """A picture beside the block of what a block alone cannot show, with words below it."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    picture: Literal[
        "entries",
        "sampled",
        "mixed",
        "projected",
        "backward",
        "fused",
        "forward",
        "layers",
        "average",
        "shared",
        "side",
        "phases",
    ]
    words: tuple[str, ...]


@dataclass(frozen=True)
class Drawing:
    """Where a method acts. Parts that are not named are frozen; the task head is trained.

    `tokens` are the rows that enter the model where they are not just the text's.
    """

    states: dict[str, State] = field(default_factory=dict)
    added: tuple[Piece, ...] = ()
    notes: dict[Row, tuple[str, ...]] = field(default_factory=dict)
    aside: Aside | None = None
    tokens: tuple[str, ...] = ()

    def state(self, part: str) -> State:
        """What happens to a part of the model."""
        return self.states.get(part, State.TRAINED if part == "head" else State.FROZEN)

    def pieces(self, *places: Place) -> list[Piece]:
        """What is added at these places."""
        return [piece for piece in self.added if piece.place in places]
