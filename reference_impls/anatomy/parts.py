"""A model in the terms that methods speak in: stacks of layers, their attention and projections.

Nothing here knows how a model names its modules. A part that a model lacks raises a ValueError when
it is asked for, saying why it was not found: so a method that does not need it runs, and another is
refused by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel

from .projection import Projection


class Part:
    """A part of a block; reading one that was not found raises a ValueError with the reason."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, block: Block | None, owner: type | None = None) -> Any:
        return self if block is None else block.part(self.name)


@dataclass(frozen=True, eq=False, repr=False)
class Block:
    """Parts of a model by their names; of others, why they are missing. `place`: where it is."""

    place: str
    found: dict[str, Any]
    missing: dict[str, str]

    def part(self, name: str) -> Any:
        """A part.

        Raises:
            ValueError: the model lacks it, or it was not found.
        """
        if name in self.found:
            return self.found[name]
        raise ValueError(
            f"{self.place} has no {name}: {self.missing.get(name, 'it was not found')}; give its "
            f"name, anatomy(model, {name}=…), or the layers that have one, anatomy(model, layers=…)"
        )

    def has(self, name: str) -> bool:
        """Whether a part was found."""
        return name in self.found


@dataclass(frozen=True, eq=False, repr=False)
class Attention(Block):
    """An attention block.

    `attention` is the module that attends; what `attention_end` returns is added to the residual
    stream. Of keys and values (batch, kv_heads, n, key_dim and value_dim), what reaches the
    attention function; None where it is none of transformers' table, as `registered` says.
    """

    heads: int | None = None
    kv_heads: int | None = None
    key_dim: int | None = None
    value_dim: int | None = None
    registered: bool = False

    attention = Part()
    query = Part()
    key = Part()
    value = Part()
    attention_output = Part()
    attention_end = Part()


ATTENTION = ("query", "key", "value", "attention_output")


@dataclass(frozen=True, eq=False, repr=False)
class Layer(Attention):
    """One transformer layer; the fields of `Attention` are those of its self-attention.

    `of_tokens`: it works on (batch, tokens, width), of the tokens that the model was given. `cross`
    is its attention to the encoder, if it has one. What `feed_forward_end` returns is added
    to the residual stream. `feed_forward_input` is the module whose first argument is the input of
    the feed-forward block. `end` returns the layer's output. `post_norm`: the norms follow the
    sub-blocks, on the residual stream, so that `end` is the last of them; else they open them.
    """

    block: nn.Module | None = None
    width: int = 0
    of_tokens: bool = True
    post_norm: bool = False
    norms: tuple[nn.Module, ...] = ()
    cross: Attention | None = None

    feed_forward_input = Part()
    feed_forward_up = Part()
    feed_forward_down = Part()
    feed_forward_end = Part()
    end = Part()

    @property
    def attentions(self) -> tuple[Attention, ...]:
        """Its self-attention and, in the decoder of an encoder-decoder, its cross-attention."""
        return (self, self.cross) if self.cross else (self,)

    @property
    def linear_maps(self) -> tuple[Projection, ...]:
        """All of them: of each attention query, key, value and output, then up and down."""
        attention = (getattr(block, name) for block in self.attentions for name in ATTENTION)
        return (*attention, *self.feed_forward_up, self.feed_forward_down)

    def projections(self, name: str) -> tuple[Projection, ...]:
        """All projections called `name`: of every attention, or of the feed-forward block.

        Raises:
            ValueError: a layer has no such projection.
        """
        if name in ATTENTION:
            return tuple(getattr(block, name) for block in self.attentions)
        if name == "feed_forward_up":
            return self.feed_forward_up
        if name == "feed_forward_down":
            return (self.feed_forward_down,)
        raise ValueError(f"a layer has no projection '{name}'")


@dataclass(frozen=True, eq=False, repr=False)
class Stack:
    """Layers that follow one another, and the module that takes their inputs."""

    module: nn.Module
    layers: tuple[Layer, ...]
    causal: bool


@dataclass(frozen=True, eq=False, repr=False)
class Anatomy:
    """The parts of a model. `norms`: all that scale features by a trained vector.

    `positions`: how many tokens it has learned positions for, None if it computes positions.
    `reason`: why there are no stacks, where there are none. `no_prompt`: why it takes no embedded
    text in front of that of tokens. `heads_named`: how many attention heads its configuration says
    that there are.
    """

    model: PreTrainedModel
    base: PreTrainedModel
    found_stacks: tuple[Stack, ...]
    found_final: nn.Module | None
    found_width: int | None
    norms: tuple[nn.Module, ...]
    head: tuple[nn.Module, ...]
    positions: int | None
    reason: str = ""
    no_prompt: str = ""
    heads_named: int | None = None

    @property
    def stacks(self) -> tuple[Stack, ...]:
        """Encoder or decoder, or both in this order.

        Raises:
            ValueError: no layers were found.
        """
        if not self.found_stacks:
            raise ValueError(f"{self.title} has no layers that were found: {self.reason}")
        return self.found_stacks

    @property
    def title(self) -> str:
        """What messages call the model."""
        return type(self.base).__name__

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All layers, those of an encoder before those of its decoder."""
        return tuple(layer for stack in self.stacks for layer in stack.layers)

    @property
    def final(self) -> nn.Module:
        """The module that returns the last hidden states.

        Raises:
            ValueError: none does.
        """
        if self.found_final is None:
            raise ValueError(f"no module of {self.title} returns its last hidden states")
        return self.found_final

    @property
    def last_width(self) -> int:
        """The features of a token in the last of the hidden states that the model returns.

        Raises:
            ValueError: it returns none, or none of (batch, tokens, features).
        """
        if self.found_width is None:
            raise ValueError(f"{self.title} returns no hidden states of (batch, tokens, features)")
        return self.found_width

    @property
    def embedding(self) -> nn.Embedding:
        """The table of tokens.

        Raises:
            ValueError: the model has none: it reads no text, or embeds it in another way.
        """
        try:
            table = self.model.get_input_embeddings()
        except (NotImplementedError, AttributeError):
            table = None
        if not isinstance(table, nn.Embedding):
            text = self.base.main_input_name == "input_ids"
            why = "it embeds text in another way" if text else "it reads no text"
            raise ValueError(f"{self.title} has no table of tokens: {why}")
        return table

    @property
    def hidden_size(self) -> int:
        """The features of a token in every layer."""
        return self._same("width", (layer.width for layer in self.layers))

    @property
    def heads(self) -> int:
        """Attention heads in every layer."""
        heads = (block.heads or self.heads_named for block in self._attentions())
        return self._same("number of heads", heads)

    @property
    def kv_heads(self) -> int:
        """Heads of keys and values in every layer."""
        return self._same("number of key heads", (b.kv_heads for b in self._attentions()))

    @property
    def head_dim(self) -> int:
        """The features of a head's query and key in every layer."""
        return self._same("width of heads", (block.key_dim for block in self._attentions()))

    def _attentions(self) -> Iterator[Attention]:
        for layer in self.layers:
            yield from layer.attentions

    def _same(self, what: str, values: Iterable[int | None]) -> int:
        different = set(values)
        if len(different) > 1 or None in different:
            known = ", ".join(sorted(map(str, different - {None}))) or "they do not tell"
            raise ValueError(f"{self.title} has no one {what}: of its layers, {known}")
        return different.pop()

    @property
    def encoder_decoder(self) -> bool:
        """Whether a second stack attends to the first."""
        return any(layer.cross for stack in self.found_stacks for layer in stack.layers)

    @property
    def causal(self) -> bool:
        """Whether no token sees a later one, anywhere in the model."""
        return all(stack.causal for stack in self.stacks)

    @property
    def entrance(self) -> nn.Module:
        """The module that takes tokens, or embedded text in place of them."""
        return self.stacks[0].module

    def norm_parameters(self) -> list[nn.Parameter]:
        """Gains and biases of all norms, each once, without adapters that were put into them."""
        own = (p for norm in self.norms for p in norm.parameters(recurse=False))
        return list({id(parameter): parameter for parameter in own}.values())

    def head_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters of the task head (a language-model head belongs to the base instead)."""
        for module in self.head:
            yield from module.parameters()

    def base_parameters(self) -> Iterator[nn.Parameter]:
        """All other parameters, tied ones once."""
        head = {id(parameter) for parameter in self.head_parameters()}
        yield from (p for p in self.model.parameters() if id(p) not in head)


def numel(tensors: Iterable[Tensor]) -> int:
    """Number of elements of all tensors together."""
    return sum(tensor.numel() for tensor in tensors)
