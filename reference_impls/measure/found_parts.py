"""What is found of an architecture, in words: its parts, what it lacks, and what is refused on it.

Nothing here needs weights: the model has shapes only.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from itertools import islice
from typing import Any

from torch import nn
from torch._subclasses.fake_tensor import (
    DynamicOutputShapeException,
    UnsupportedFakeTensorException,
)
from transformers import PretrainedConfig

from ..anatomy import Anatomy, Block, Layer, Projection, anatomy, built, model_on_meta
from ..core.batches import singles
from ..core.method import Method
from ..core.quiet import quiet
from .any_batch import batch_for
from .given import stand_ins
from .shapes import shapes_only

TOKENS = 8  # of the text that a method is set up on


def described(parts: Anatomy) -> dict[str, Any]:
    """What was found, ready for JSON; layers that are alike are one entry, with all their names.

    model: its class; layers: of each kind the `names`, the `parts` that were found, and of those
        that are `missing` why; none: why there are no layers; around: what is outside of them.
    """
    names = {module: name for name, module in parts.base.named_modules()}
    groups: list[dict[str, Any]] = []
    for stack in parts.found_stacks:
        for layer in stack.layers:
            told = _layer(layer, names)
            same = next((g for g in groups if {**g, "names": None} == {**told, "names": None}), {})
            if same:
                same["names"] += told["names"]
            else:
                groups.append(told)
    return {
        "model": type(parts.model).__name__,
        "layers": groups,
        "none": "" if groups else parts.reason,
        "around": _around(parts, names),
    }


def _layer(layer: Layer, names: dict[nn.Module, str]) -> dict[str, Any]:
    block = names[layer.block]
    blocks: list[tuple[str, Block]] = [("", layer)]
    if layer.cross:
        blocks.append(("cross-attention: ", layer.cross))
    return {
        "names": [block],
        "parts": {
            f"{before}{name}": _part(part, names, block)
            for before, one in blocks
            for name, part in one.found.items()
        },
        "missing": {
            f"{before}{name}": why
            for before, one in blocks
            for name, why in one.missing.items()
            if not one.has(name)
        },
    }


def _part(part: Any, names: dict[nn.Module, str], block: str) -> str:
    """'attn.c_attn, features 0 to 64': where a part of a layer is, seen from the layer."""
    if isinstance(part, tuple):
        return "; ".join(_part(one, names, block) for one in part)
    module = part.module if isinstance(part, Projection) else part
    name = names[module]
    said = "the layer itself" if name == block else name.removeprefix(f"{block}.")
    if not isinstance(part, Projection) or part.runs == ((0, part.widen.width),):
        return said
    slices = ", ".join(f"{start} to {stop}" for start, stop in part.runs[:3])
    return f"{said}, features {slices}{', …' * (len(part.runs) > 3)}"


def _around(parts: Anatomy, names: dict[nn.Module, str]) -> dict[str, str]:
    """What is outside of layers, and the sizes that all of them share."""
    found = {
        "last states": lambda: names.get(parts.final, "the model itself"),
        "table of tokens": lambda: f"{parts.embedding.num_embeddings} of them",
        "width": lambda: str(parts.hidden_size),
        "heads": lambda: str(parts.heads),
        "heads of keys": lambda: str(parts.kv_heads),
        "width of heads": lambda: str(parts.head_dim),
    }
    told = {}
    for what, ask in found.items():
        try:
            told[what] = ask()
        except ValueError as error:
            told[what] = f"missing: {error}"
    told["norms"] = str(len(parts.norms))
    told["positions"] = "computed" if parts.positions is None else f"{parts.positions} learned"
    if parts.no_prompt:
        told["no prompt"] = parts.no_prompt
    return told


def refusal(method_class: type[Method], config: PretrainedConfig) -> str:
    """Why a method with its default options is refused on an architecture; empty if it is not."""
    try:
        with quiet(), shapes_only(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of how little data there is
            model = built(config)
            model.set_experts_implementation("eager")  # the only one for such tensors
            batch = batch_for(model, 1, TOKENS)
            method = method_class(**stand_ins(method_class, model, batch))
            method.setup(model, islice(singles(batch), 1))
    except ValueError as error:
        return str(error)
    except (DynamicOutputShapeException, UnsupportedFakeTensorException):
        return ""  # past every check: it asks for the values of weights or data
    except Exception as error:  # a stranger's forward may raise anything, or give no loss
        return f"{type(error).__name__}: {error}"
    return ""


def report(config: PretrainedConfig, methods: Iterable[type[Method]]) -> dict[str, Any]:
    """What `described` says of an architecture, and the methods that run on it or are refused.

    runs: names of methods; refused: of the others, why.
    """
    with quiet():
        found = described(anatomy(model_on_meta(config)))
    why = {method.name: refusal(method, config) for method in methods}
    return {
        **found,
        "runs": [name for name, reason in why.items() if not reason],
        "refused": {name: reason for name, reason in why.items() if reason},
    }


def lines(told: dict[str, Any]) -> list[str]:
    """A report as text."""
    number = sum(len(group["names"]) for group in told["layers"])
    said = [f"{told['model']}: {number} layers" if number else f"{told['model']}: {told['none']}"]
    for group in told["layers"]:
        said += ["", f"{shortened(group['names'])} ({len(group['names'])} of {number})"]
        said += [f"  {name:34} {where}" for name, where in group["parts"].items()]
        said += [f"  {name:34} missing: {why}" for name, why in group["missing"].items()]
    said += ["", "around the layers"]
    said += [f"  {name:34} {what}" for name, what in told["around"].items()]
    if "runs" in told:
        said += ["", f"methods that run: {', '.join(told['runs'])}"]
        said += [f"  {name}: {why}" for name, why in told["refused"].items()]
    return said


def shortened(names: list[str]) -> str:
    """'h.0 to h.2, h.4': names whose numbers follow one another are told by first and last."""
    runs: list[list[str]] = []
    for name in names:
        place, _, number = name.rpartition(".")
        last = runs[-1][-1] if runs else ""
        follows = number.isdigit() and last == f"{place}.{int(number) - 1}"
        if follows:
            runs[-1].append(name)
        else:
            runs.append([name])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)
