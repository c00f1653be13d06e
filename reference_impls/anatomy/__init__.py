"""Where each transformer keeps its parts.

Methods speak in the terms of `Anatomy` ("each layer's query projection", "the end of each
feed-forward block"), so that one method file serves every model. The parts are found by watching
one forward pass (`find.py`). Only the files in `families` know a model by its type, and only what
watching does not tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel

from .classes import built, class_of, model_on_meta, shape
from .families import family_of
from .find import find, heads_named
from .found import Found, FoundAttention, FoundLayer, Map
from .named import put
from .parts import ATTENTION, Anatomy, Attention, Block, Layer, Stack, numel
from .projection import Projection, Widen, whole, width

__all__ = [
    "ATTENTION",
    "Anatomy",
    "Attention",
    "Block",
    "Layer",
    "Projection",
    "Stack",
    "Widen",
    "anatomy",
    "built",
    "class_of",
    "model_on_meta",
    "numel",
    "shape",
    "whole",
    "width",
]

_FOUND: dict[tuple, Found] = {}


def anatomy(
    model: PreTrainedModel, inputs: Mapping[str, Tensor] | None = None, **names: Any
) -> Anatomy:
    """Locate the parts of `model`.

    They are looked for in one forward pass on inputs of a guessed form; where the guess is wrong, a
    batch may be given once, and what it shows holds for all models of the same structure.

    Where some are not found, they may be given by name, once; the model remembers them: `layers`,
    the list of layers within the base model, or the names of some of them; the others, those of a
    layer's parts within it, a fused projection's with its features:
    `anatomy(model, layers="h", query=("attn", 0, 64))`.

    Raises:
        ValueError: it is no transformers model or wrapped in another module, its forward pass
            fails on the given batch, or a name is none of a part, or none of a module that can be
            that part.
    """
    if not isinstance(model, PreTrainedModel):
        raise ValueError(f"this is a {type(model).__name__}: pass the transformers model itself")
    base = model.base_model
    found = _found(base, inputs)
    if names := {**vars(model).get("_named_parts", {}), **names}:
        found = put(base, found, names)
        vars(model)["_named_parts"] = names
    return _resolved(model, base, found)


def _found(base: PreTrainedModel, batch: Mapping[str, Tensor] | None = None) -> Found:
    """What watching finds; what was found in a model of the same structure is not looked for."""
    structure = (type(base), base.config.to_json_string(), tuple(_structure(base)))
    if batch is None and structure in _FOUND:
        return _FOUND[structure]
    found = find(base, batch)
    if batch is not None and found.unseen:
        raise ValueError(f"inputs: {type(base).__name__}: {found.unseen}")
    _FOUND[structure] = found
    return found


def _structure(module: nn.Module, name: str = "") -> Iterator[tuple]:
    """The modules and the shapes of their weights, without what a method added."""
    yield name, type(module), *(tuple(p.shape) for p in module.parameters(recurse=False))
    added = vars(module).get("_added", ())
    for child, inner in module.named_children():
        if child not in added:
            yield from _structure(inner, f"{name}.{child}")


def _resolved(model: PreTrainedModel, base: PreTrainedModel, found: Found) -> Anatomy:
    modules = dict(base.named_modules())
    is_language_model = model.get_output_embeddings() is not None or model is base
    table, first = found.positions or (None, 0)
    return Anatomy(
        model=model,
        base=base,
        found_stacks=tuple(_stacks(base, modules, found)),
        found_final=modules.get(found.final),
        norms=tuple(modules[name] for name in found.norms),
        head=() if is_language_model else tuple(m for m in model.children() if m is not base),
        found_width=found.last_width,
        positions=table and modules[table].num_embeddings - first,
        reason=found.unseen or "no attention was seen that adds to a residual stream",
        no_prompt=family_of(model.config.model_type).no_prompt or found.prompt,
        heads_named=heads_named(base.config),
    )


def _stacks(base: PreTrainedModel, modules: dict[str, nn.Module], found: Found) -> Iterator[Stack]:
    """Layers by the innermost model that they are in, those that attend to others last."""
    owners: dict[str, list[FoundLayer]] = {}
    models = [name for name, module in modules.items() if isinstance(module, PreTrainedModel)]
    for layer in found.layers:
        owners.setdefault(_owner(models, layer), []).append(layer)
    for name, layers in list(owners.items()):
        if len({layer.cross is None for layer in layers}) == 2:  # its encoder is no model by itself
            del owners[name]
            for layer in layers:
                rest = layer.block.removeprefix(f"{name}.") if name else layer.block
                child = rest.partition(".")[0]
                owners.setdefault(f"{name}.{child}" if name else child, []).append(layer)
    for name, layers in sorted(owners.items(), key=lambda item: any(x.cross for x in item[1])):
        seen = {layer.own.causal for layer in layers if layer.own} - {None}
        crossing = any(layer.cross for layer in layers)
        writes = shape(base.config) == "decoder"
        alone = writes and len(owners) == 1  # whatever form its mask has
        causal = alone or (seen == {True} if seen else crossing or writes)
        yield Stack(modules[name], tuple(_layer(base, modules, x) for x in layers), causal)


def _owner(models: list[str], layer: FoundLayer) -> str:
    """The innermost model that a layer is in."""
    around = (name for name in models if not name or layer.block.startswith(f"{name}."))
    return max(around, key=len)


def _layer(base: PreTrainedModel, modules: dict[str, nn.Module], found: FoundLayer) -> Layer:
    place = f"{type(base).__name__}'s layer '{found.block}'"
    own = found.own or FoundAttention()
    reasons = {} if found.own else dict.fromkeys(("attention", *ATTENTION), "it has no attention")
    return Layer(
        place=place,
        found=_parts(modules, {**own.parts, **found.parts}),
        missing={**reasons, **own.missing, **found.missing},
        **_heads(own),
        block=modules[found.block],
        width=found.width,
        of_tokens=found.of_tokens,
        post_norm=found.post_norm,
        norms=tuple(modules[name] for name in found.norms),
        cross=found.cross and _cross(modules, place, found.cross),
    )


def _cross(modules: dict[str, nn.Module], place: str, found: FoundAttention) -> Attention:
    parts = _parts(modules, found.parts)
    return Attention(f"the cross-attention of {place}", parts, found.missing, **_heads(found))


def _heads(found: FoundAttention) -> dict[str, Any]:
    return {
        n: getattr(found, n) for n in ("heads", "kv_heads", "key_dim", "value_dim", "registered")
    }


def _parts(modules: dict[str, nn.Module], parts: dict[str, Any]) -> dict[str, Any]:
    def resolved(part: Any) -> Any:
        if isinstance(part, Map):
            return Projection(modules[part.module], part.runs)
        return tuple(map(resolved, part)) if isinstance(part, tuple) else modules[part]

    return {name: resolved(part) for name, part in parts.items()}
