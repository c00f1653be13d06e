"""Where each transformer keeps its parts.

This is the only file that knows a model family's module names. Methods speak in its terms
("each layer's query projection", "the end of each feed-forward block"), so that one method file
serves BERT, RoBERTa, GPT-2, Llama and T5 alike. A new family is one entry in `FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.pytorch_utils import Conv1D


@dataclass(frozen=True)
class AttentionNames:
    """Dotted module names of an attention block, relative to a layer."""

    attention: str
    query: str
    key: str
    value: str
    attention_output: str
    attention_end: str


@dataclass(frozen=True)
class StackNames:
    """Dotted module names: `layers` relative to the base model, the rest to a layer.

    Of `feed_forward_up`, those that the model has; `end` may be empty: the layer itself.
    """

    layers: str
    self_attention: AttentionNames
    feed_forward_input: str
    feed_forward_up: tuple[str, ...]
    feed_forward_down: str
    feed_forward_end: str
    norms: tuple[str, ...]
    end: str
    post_norm: bool
    causal: bool
    module: str = ""
    cross_attention: AttentionNames | None = None


@dataclass(frozen=True)
class Family:
    """The stacks of a model family, and dotted module names relative to its base model."""

    stacks: tuple[StackNames, ...]
    final: str
    outer_norms: tuple[str, ...]


_BERT = Family(
    stacks=(
        StackNames(
            layers="encoder.layer",
            self_attention=AttentionNames(
                attention="attention.self",
                query="attention.self.query",
                key="attention.self.key",
                value="attention.self.value",
                attention_output="attention.output.dense",
                attention_end="attention.output.dropout",
            ),
            feed_forward_input="intermediate",
            feed_forward_up=("intermediate.dense",),
            feed_forward_down="output.dense",
            feed_forward_end="output.dropout",
            norms=("attention.output.LayerNorm", "output.LayerNorm"),
            end="output.LayerNorm",
            post_norm=True,
            causal=False,
        ),
    ),
    final="encoder",
    outer_norms=("embeddings.LayerNorm",),
)
_GPT2 = Family(
    stacks=(
        StackNames(
            layers="h",
            self_attention=AttentionNames(
                attention="attn",
                query="attn.c_attn",
                key="attn.c_attn",
                value="attn.c_attn",
                attention_output="attn.c_proj",
                attention_end="attn.resid_dropout",
            ),
            feed_forward_input="mlp",
            feed_forward_up=("mlp.c_fc",),
            feed_forward_down="mlp.c_proj",
            feed_forward_end="mlp.dropout",
            norms=("ln_1", "ln_2"),
            end="",
            post_norm=False,
            causal=True,
        ),
    ),
    final="ln_f",
    outer_norms=("ln_f",),
)
_LLAMA = Family(
    stacks=(
        StackNames(
            layers="layers",
            self_attention=AttentionNames(
                attention="self_attn",
                query="self_attn.q_proj",
                key="self_attn.k_proj",
                value="self_attn.v_proj",
                attention_output="self_attn.o_proj",
                attention_end="self_attn.o_proj",
            ),
            feed_forward_input="mlp",
            feed_forward_up=("mlp.gate_proj", "mlp.up_proj"),
            feed_forward_down="mlp.down_proj",
            feed_forward_end="mlp.down_proj",
            norms=("input_layernorm", "post_attention_layernorm"),
            end="",
            post_norm=False,
            causal=True,
        ),
    ),
    final="norm",
    outer_norms=("norm",),
)


def _t5_attention(block: str, name: str) -> AttentionNames:
    return AttentionNames(
        attention=f"{block}.{name}",
        query=f"{block}.{name}.q",
        key=f"{block}.{name}.k",
        value=f"{block}.{name}.v",
        attention_output=f"{block}.{name}.o",
        attention_end=f"{block}.dropout",
    )


def _t5_stack(module: str, feed_forward: str, **differences) -> StackNames:
    """`feed_forward`: the last sub-block, which returns what the layer returns, but no tuple."""
    maps = f"{feed_forward}.DenseReluDense"
    return StackNames(
        module=module,
        layers=f"{module}.block",
        self_attention=_t5_attention("layer.0", "SelfAttention"),
        feed_forward_input=maps,
        feed_forward_up=tuple(f"{maps}.{name}" for name in ("wi", "wi_0", "wi_1")),
        feed_forward_down=f"{maps}.wo",
        feed_forward_end=f"{feed_forward}.dropout",
        end=feed_forward,
        post_norm=False,
        **differences,
    )


_T5 = Family(
    stacks=(
        _t5_stack(
            "encoder",
            "layer.1",
            norms=("layer.0.layer_norm", "layer.1.layer_norm"),
            causal=False,
        ),
        _t5_stack(
            "decoder",
            "layer.2",
            norms=("layer.0.layer_norm", "layer.1.layer_norm", "layer.2.layer_norm"),
            causal=True,
            cross_attention=_t5_attention("layer.1", "EncDecAttention"),
        ),
    ),
    final="decoder",
    outer_norms=("encoder.final_layer_norm", "decoder.final_layer_norm"),
)
FAMILIES: dict[str, Family] = {
    "bert": _BERT,
    "roberta": _BERT,
    "gpt2": _GPT2,
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "t5": _T5,
}


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
        return self.start, _width(self.module) - self.stop


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
    """The parts of a model. `final` is the module that returns the last hidden states."""

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


def anatomy(model: PreTrainedModel) -> Anatomy:
    """Locate the parts of `model`.

    Raises:
        ValueError: the model's family is not in `FAMILIES`.
    """
    config, base = model.config, model.base_model
    family = FAMILIES.get(config.model_type)
    if family is None:
        raise ValueError(
            f"no anatomy for model type '{config.model_type}' (known: {', '.join(FAMILIES)}); "
            "add an entry to FAMILIES in reference_impls/anatomy.py"
        )
    stacks = tuple(_stack(base, names) for names in family.stacks)
    is_language_model = model.get_output_embeddings() is not None or model is base
    return Anatomy(
        model=model,
        base=base,
        embedding=model.get_input_embeddings(),
        stacks=stacks,
        final=base.get_submodule(family.final),
        norms=tuple(norm for stack in stacks for layer in stack.layers for norm in layer.norms)
        + tuple(base.get_submodule(name) for name in family.outer_norms),
        head=() if is_language_model else tuple(m for m in model.children() if m is not base),
        hidden_size=config.hidden_size,
        heads=config.num_attention_heads,
        kv_heads=getattr(config, "num_key_value_heads", None) or config.num_attention_heads,
        head_dim=getattr(config, "head_dim", None)
        or config.hidden_size // config.num_attention_heads,
    )


def _stack(base: nn.Module, names: StackNames) -> Stack:
    layers = tuple(_layer(block, names) for block in base.get_submodule(names.layers))
    return Stack(base.get_submodule(names.module), layers, names.causal)


def _attention(block: nn.Module, names: AttentionNames) -> Attention:
    get = block.get_submodule
    if names.query == names.key == names.value:
        fused = get(names.query)
        third = _width(fused) // 3
        query, key, value = (Projection(fused, i * third, (i + 1) * third) for i in range(3))
    else:
        query, key, value = (_whole(get(n)) for n in (names.query, names.key, names.value))
    return Attention(
        attention=get(names.attention),
        query=query,
        key=key,
        value=value,
        attention_output=_whole(get(names.attention_output)),
        attention_end=get(names.attention_end),
    )


def _layer(block: nn.Module, names: StackNames) -> Layer:
    get = block.get_submodule
    present = {name for name, _ in block.named_modules()}
    return Layer(
        **vars(_attention(block, names.self_attention)),
        feed_forward_input=get(names.feed_forward_input),
        feed_forward_up=tuple(_whole(get(n)) for n in names.feed_forward_up if n in present),
        feed_forward_down=_whole(get(names.feed_forward_down)),
        feed_forward_end=get(names.feed_forward_end),
        norms=tuple(get(name) for name in names.norms),
        end=get(names.end),
        post_norm=names.post_norm,
        block=block,
        cross=names.cross_attention and _attention(block, names.cross_attention),
    )


def _width(module: nn.Module) -> int:
    return module.weight.shape[1 if isinstance(module, Conv1D) else 0]


def _whole(module: nn.Module) -> Projection:
    return Projection(module, 0, _width(module))


def numel(tensors: Iterable[Tensor]) -> int:
    """Number of elements of all tensors together."""
    return sum(tensor.numel() for tensor in tensors)


def model_on_meta(config: PretrainedConfig) -> PreTrainedModel:
    """The architecture without weights: a language model, or a classifier of an encoder."""
    family = FAMILIES.get(config.model_type)
    auto = AutoModelForSequenceClassification
    if family and len(family.stacks) > 1:
        auto = AutoModelForSeq2SeqLM
    elif family and family.stacks[0].causal:
        auto = AutoModelForCausalLM
    with torch.device("meta"):
        return auto.from_config(config)
