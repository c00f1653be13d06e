"""Where each transformer keeps its parts.

This is the only file that knows a model family's module names. Methods speak in its terms
("each layer's query projection", "the end of each feed-forward block"), so that one method file
serves BERT, RoBERTa, GPT-2 and Llama alike. A new family is one entry in `FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.pytorch_utils import Conv1D


@dataclass(frozen=True)
class Family:
    """Dotted module names, relative to the base model (first three) or to a layer (the rest)."""

    layers: str
    final: str
    outer_norms: tuple[str, ...]
    attention: str
    query: str
    key: str
    value: str
    attention_output: str
    attention_end: str
    feed_forward_input: str
    feed_forward_up: tuple[str, ...]
    feed_forward_down: str
    feed_forward_end: str
    norms: tuple[str, ...]
    post_norm: bool
    causal: bool


_BERT = Family(
    layers="encoder.layer",
    final="encoder",
    outer_norms=("embeddings.LayerNorm",),
    attention="attention.self",
    query="attention.self.query",
    key="attention.self.key",
    value="attention.self.value",
    attention_output="attention.output.dense",
    attention_end="attention.output.dropout",
    feed_forward_input="intermediate",
    feed_forward_up=("intermediate.dense",),
    feed_forward_down="output.dense",
    feed_forward_end="output.dropout",
    norms=("attention.output.LayerNorm", "output.LayerNorm"),
    post_norm=True,
    causal=False,
)
_GPT2 = Family(
    layers="h",
    final="ln_f",
    outer_norms=("ln_f",),
    attention="attn",
    query="attn.c_attn",
    key="attn.c_attn",
    value="attn.c_attn",
    attention_output="attn.c_proj",
    attention_end="attn.resid_dropout",
    feed_forward_input="mlp",
    feed_forward_up=("mlp.c_fc",),
    feed_forward_down="mlp.c_proj",
    feed_forward_end="mlp.dropout",
    norms=("ln_1", "ln_2"),
    post_norm=False,
    causal=True,
)
_LLAMA = Family(
    layers="layers",
    final="norm",
    outer_norms=("norm",),
    attention="self_attn",
    query="self_attn.q_proj",
    key="self_attn.k_proj",
    value="self_attn.v_proj",
    attention_output="self_attn.o_proj",
    attention_end="self_attn.o_proj",
    feed_forward_input="mlp",
    feed_forward_up=("mlp.gate_proj", "mlp.up_proj"),
    feed_forward_down="mlp.down_proj",
    feed_forward_end="mlp.down_proj",
    norms=("input_layernorm", "post_attention_layernorm"),
    post_norm=False,
    causal=True,
)
FAMILIES: dict[str, Family] = {
    "bert": _BERT,
    "roberta": _BERT,
    "gpt2": _GPT2,
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
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
class Layer:
    """One transformer layer.

    `attention_end` and `feed_forward_end` are the last modules of the two sub-blocks: what they
    return is added to the residual stream. `feed_forward_input` is the module whose first
    argument is the input of the feed-forward block. `post_norm`: the norms follow the sub-blocks,
    on the residual stream, so that the last one returns the layer's output; else they open them.
    """

    attention: nn.Module
    query: Projection
    key: Projection
    value: Projection
    attention_output: Projection
    attention_end: nn.Module
    feed_forward_input: nn.Module
    feed_forward_up: tuple[Projection, ...]
    feed_forward_down: Projection
    feed_forward_end: nn.Module
    norms: tuple[nn.Module, ...]
    post_norm: bool
    block: nn.Module

    @property
    def end(self) -> nn.Module:
        """The module that returns the layer's output: its last norm, or the block itself."""
        return self.norms[-1] if self.post_norm else self.block


@dataclass(frozen=True)
class Anatomy:
    """The parts of a model. `final` is the module that returns the last hidden states."""

    model: PreTrainedModel
    base: PreTrainedModel
    embedding: nn.Embedding
    layers: tuple[Layer, ...]
    final: nn.Module
    norms: tuple[nn.Module, ...]
    head: tuple[nn.Module, ...]
    hidden_size: int
    heads: int
    kv_heads: int
    head_dim: int
    causal: bool

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
    layers = tuple(_layer(block, family) for block in base.get_submodule(family.layers))
    is_language_model = model.get_output_embeddings() is not None or model is base
    return Anatomy(
        model=model,
        base=base,
        embedding=model.get_input_embeddings(),
        layers=layers,
        final=base.get_submodule(family.final),
        norms=tuple(norm for layer in layers for norm in layer.norms)
        + tuple(base.get_submodule(name) for name in family.outer_norms),
        head=() if is_language_model else tuple(m for m in model.children() if m is not base),
        hidden_size=config.hidden_size,
        heads=config.num_attention_heads,
        kv_heads=getattr(config, "num_key_value_heads", None) or config.num_attention_heads,
        head_dim=getattr(config, "head_dim", None)
        or config.hidden_size // config.num_attention_heads,
        causal=family.causal,
    )


def _layer(block: nn.Module, family: Family) -> Layer:
    get = block.get_submodule
    names = (family.query, family.key, family.value)
    if len(set(names)) == 1:
        fused = get(family.query)
        third = _width(fused) // 3
        query, key, value = (Projection(fused, i * third, (i + 1) * third) for i in range(3))
    else:
        query, key, value = (_whole(get(name)) for name in names)
    return Layer(
        attention=get(family.attention),
        query=query,
        key=key,
        value=value,
        attention_output=_whole(get(family.attention_output)),
        attention_end=get(family.attention_end),
        feed_forward_input=get(family.feed_forward_input),
        feed_forward_up=tuple(_whole(get(name)) for name in family.feed_forward_up),
        feed_forward_down=_whole(get(family.feed_forward_down)),
        feed_forward_end=get(family.feed_forward_end),
        norms=tuple(get(name) for name in family.norms),
        post_norm=family.post_norm,
        block=block,
    )


def _width(module: nn.Module) -> int:
    return module.weight.shape[1 if isinstance(module, Conv1D) else 0]


def _whole(module: nn.Module) -> Projection:
    return Projection(module, 0, _width(module))


def numel(tensors: Iterator[Tensor] | list[Tensor]) -> int:
    """Number of elements of all tensors together."""
    return sum(tensor.numel() for tensor in tensors)


def model_on_meta(config: PretrainedConfig) -> PreTrainedModel:
    """The architecture without weights: a causal language model, or a classifier of an encoder."""
    family = FAMILIES.get(config.model_type)
    auto = AutoModelForCausalLM if family and family.causal else AutoModelForSequenceClassification
    with torch.device("meta"):
        return auto.from_config(config)
