"""What watching a model finds: parts by their names, or why they are missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Map:
    """A linear map: these features of what a module returns, as (start, stop) runs."""

    module: str
    runs: tuple[tuple[int, int], ...]


@dataclass
class Block:
    """Parts by their names (a `Map`, or the name of a module), and why others were not found."""

    parts: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def note(self, name: str, found: Any, reason: str) -> None:
        """A part, or why it is missing."""
        if found is None or found == ():
            self.missing[name] = reason
        else:
            self.parts[name] = found


@dataclass
class FoundAttention(Block):
    """An attention block. `registered`: transformers' table has its attention function."""

    heads: int | None = None
    kv_heads: int | None = None
    key_dim: int | None = None
    value_dim: int | None = None
    registered: bool = False
    causal: bool | None = None


@dataclass
class FoundLayer(Block):
    """A layer; `block` is its module, `width` how many features a token has in it.

    `of_tokens`: it works on (batch, tokens, features), with the tokens that the model was given.
    """

    block: str = ""
    width: int = 0
    of_tokens: bool = True
    post_norm: bool = False
    norms: tuple[str, ...] = ()
    own: FoundAttention | None = None
    cross: FoundAttention | None = None


@dataclass
class Found:
    """Everything that was found: layers in their order, by the list that they are in."""

    layers: list[FoundLayer] = field(default_factory=list)
    norms: tuple[str, ...] = ()
    final: str | None = None
    last_width: int | None = None
    positions: tuple[str, int] | None = None  # a table, and its row for the first token
    unseen: str = ""  # why nothing could be watched
    prompt: str = ""  # why it takes no prompt at its input
