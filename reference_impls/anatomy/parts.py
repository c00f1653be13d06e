"""A model in the terms that methods speak in: stacks of layers, their attention and projections.

Nothing here knows how a model family names its modules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D


@dataclass(frozen=True)
class Projection:
    """A linear map from `d_in` to `d_out` features: outputs `start:stop` of `module`.

    GPT-2 computes query, key and value with one module, of which each is a slice; its `Conv1D`
    stores the weight as (d_in, d_out), `nn.Linear` as (d_out, d_in).
    """

    module: nn.Module
    start: int
    stop: int

    @property
    def d_in(self) -> int:
        weight = self.module.weight
        return weight.shape[0] if isinstance(self.module, Conv1D) else weight.shape[1]

    @property
    def d_out(self) -> int:
        return self.stop - self.start

    @property
    def weight(self) -> Tensor:
        """A (d_out, d_in) view of the weight; writing to it in place changes the model."""
        weight = self.module.weight
        return (weight.T if isinstance(self.module, Conv1D) else weight)[self.start : self.stop]

    @property
    def bias(self) -> Tensor | None:
        """A (d_out,) view of the bias, or None where the projection has none."""
        return None if self.module.bias is None else self.module.bias[self.start : self.stop]

    @property
    def columns(self) -> slice:
        """The features of the module's output that belong to this projection."""
        return slice(self.start, self.stop)

    @property
    def padding(self) -> tuple[int, int]:
        """Zeros left and right that widen d_out features to the module's whole output."""
        return self.start, width(self.module) - self.stop


@dataclass(frozen=True)
class Attention:
    """An attention block.

    `attention` is the module that attends; what `attention_end` returns is added to the residual
    stream.
    """

    attention: nn.Module
    query: Projection
    key: Projection
    value: Projection
    attention_output: Projection
    attention_end: nn.Module


@dataclass(frozen=True)
class Layer(Attention):
    """One transformer layer; the fields of `Attention` are those of its self-attention.

    `cross` is its attention to the encoder, if it has one. What `feed_forward_end` returns is added
    to the residual stream. `feed_forward_input` is the module whose first argument is the input of
    the feed-forward block. `end` returns the layer's output. `post_norm`: the norms follow the
    sub-blocks, on the residual stream, so that `end` is the last of them; else they open them.
    """

    feed_forward_input: nn.Module
    feed_forward_up: tuple[Projection, ...]
    feed_forward_down: Projection
    feed_forward_end: nn.Module
    norms: tuple[nn.Module, ...]
    end: nn.Module
    post_norm: bool
    block: nn.Module
    cross: Attention | None

    @property
    def attentions(self) -> tuple[Attention, ...]:
        """Its self-attention and, in the decoder of an encoder-decoder, its cross-attention."""
        return (self, self.cross) if self.cross else (self,)

    def projections(self, name: str) -> tuple[Projection, ...]:
        """All projections called `name`: a field of `Attention` in every attention, or its own.

        Raises:
            ValueError: a layer has no such projection.
        """
        found = getattr(self, name, None)
        if isinstance(found, Projection):
            owners = self.attentions if name in Attention.__dataclass_fields__ else (self,)
            return tuple(getattr(owner, name) for owner in owners)
        if name == "feed_forward_up":
            return found
        raise ValueError(f"a layer has no projection '{name}'")


@dataclass(frozen=True)
class Stack:
    """Layers that follow one another, and the module that takes their inputs."""

    module: nn.Module
    layers: tuple[Layer, ...]
    causal: bool


@dataclass(frozen=True)
class Anatomy:
    """The parts of a model. `final` is the module that returns the last hidden states.

    `positions`: how many tokens it has learned positions for, None if it computes positions.
    """

    model: PreTrainedModel
    base: PreTrainedModel
    embedding: nn.Embedding
    stacks: tuple[Stack, ...]
    final: nn.Module
    norms: tuple[nn.Module, ...]
    head: tuple[nn.Module, ...]
    hidden_size: int
    heads: int
    kv_heads: int
    head_dim: int
    positions: int | None

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All layers, those of an encoder before those of its decoder."""
        return tuple(layer for stack in self.stacks for layer in stack.layers)

    @property
    def encoder_decoder(self) -> bool:
        """Whether a second stack attends to the first."""
        return len(self.stacks) > 1

    @property
    def causal(self) -> bool:
        """Whether no token sees a later one, anywhere in the model."""
        return all(stack.causal for stack in self.stacks)

    def head_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters of the task head (a language-model head belongs to the base instead)."""
        for module in self.head:
            yield from module.parameters()

    def base_parameters(self) -> Iterator[nn.Parameter]:
        """All other parameters, tied ones once."""
        head = {id(parameter) for parameter in self.head_parameters()}
        yield from (p for p in self.model.parameters() if id(p) not in head)


def width(module: nn.Module) -> int:
    """The number of features that a linear module returns."""
    return module.weight.shape[1 if isinstance(module, Conv1D) else 0]


def numel(tensors: Iterable[Tensor]) -> int:
    """Number of elements of all tensors together."""
    return sum(tensor.numel() for tensor in tensors)
