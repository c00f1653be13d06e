"""Where each transformer keeps its parts.

Methods speak in the terms of `Anatomy` ("each layer's query projection", "the end of each
feed-forward block"), so that one method file serves BERT, RoBERTa, GPT-2, Llama and T5 alike. Only
the files in `families` know module names; a new family is one file there.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AutoModelForSequenceClassification, PretrainedConfig, PreTrainedModel

from .families import AttentionNames, StackNames, family_of, known
from .parts import Anatomy, Attention, Layer, Projection, Stack, numel, width

__all__ = [
    "Anatomy",
    "Attention",
    "Layer",
    "Projection",
    "Stack",
    "anatomy",
    "built",
    "model_on_meta",
    "numel",
]


def anatomy(model: PreTrainedModel) -> Anatomy:
    """Locate the parts of `model`.

    Raises:
        ValueError: no file in `families` serves the model's type, the model lacks parts that its
            type has (an encoder alone), or it is wrapped in another module.
    """
    if not isinstance(model, PreTrainedModel):
        raise ValueError(f"this is a {type(model).__name__}: pass the transformers model itself")
    config, base = model.config, model.base_model
    family = family_of(config.model_type)
    if family is None:
        raise ValueError(
            f"no anatomy for model type '{config.model_type}' (known: {', '.join(known())}); "
            "add a file for it in reference_impls/anatomy/families"
        )
    try:
        stacks = tuple(_stack(base, names) for names in family.stacks)
        final = base.get_submodule(family.final)
        outer_norms = tuple(base.get_submodule(name) for name in family.outer_norms)
    except AttributeError as error:
        raise ValueError(
            f"{type(model).__name__} is no whole model of type '{config.model_type}': {error}"
        ) from None
    is_language_model = model.get_output_embeddings() is not None or model is base
    return Anatomy(
        model=model,
        base=base,
        embedding=model.get_input_embeddings(),
        stacks=stacks,
        final=final,
        norms=tuple(norm for stack in stacks for layer in stack.layers for norm in layer.norms)
        + outer_norms,
        head=() if is_language_model else tuple(m for m in model.children() if m is not base),
        hidden_size=config.hidden_size,
        heads=config.num_attention_heads,
        kv_heads=getattr(config, "num_key_value_heads", None) or config.num_attention_heads,
        head_dim=getattr(config, "head_dim", None)
        or config.hidden_size // config.num_attention_heads,
        positions=_positions(base.get_submodule(family.positions)) if family.positions else None,
    )


def _positions(table: nn.Embedding) -> int:
    """How many tokens have one: where padding has a position, counting begins behind it."""
    return table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)


def _stack(base: nn.Module, names: StackNames) -> Stack:
    layers = tuple(_layer(block, names) for block in base.get_submodule(names.layers))
    return Stack(base.get_submodule(names.module), layers, names.causal)


def _attention(block: nn.Module, names: AttentionNames) -> Attention:
    get = block.get_submodule
    if names.query == names.key == names.value:
        fused = get(names.query)
        third = width(fused) // 3
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


def _whole(module: nn.Module) -> Projection:
    return Projection(module, 0, width(module))


def built(config: PretrainedConfig, **arguments: Any) -> PreTrainedModel:
    """A model with random weights, of its family's class (else a classifier), tied as released.

    `arguments` are those of transformers' `from_config`.
    """
    family = family_of(config.model_type)
    auto = family.model_class if family else AutoModelForSequenceClassification
    model = auto.from_config(config, **arguments)
    if family and family.untied(config):
        output = model.get_output_embeddings()
        output.weight = nn.Parameter(output.weight.detach().clone())
    return model


def model_on_meta(config: PretrainedConfig) -> PreTrainedModel:
    """The architecture without weights, as `built` makes it."""
    with torch.device("meta"):
        return built(config)
