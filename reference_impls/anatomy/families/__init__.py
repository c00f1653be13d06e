"""What differs from one model family to the next: each has one file here that says it.

A file is found by being here; all that it must have is `FAMILY`, with transformers' names of the
model types that it serves.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor
from transformers import PretrainedConfig


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


def token_ids(config: PretrainedConfig, rows: int, length: int) -> dict[str, Tensor]:
    """Some text of full length, as token ids and their mask."""
    ids = torch.zeros(rows, length, dtype=torch.long)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def built_as_released(config: PretrainedConfig) -> bool:
    """No: transformers builds the model as it is released."""
    return False


@dataclass(frozen=True)
class Family:
    """A model family: dotted module names, relative to its base model, and what else is its own.

    types: transformers' names of its model types.
    shape: "encoder", "decoder" or "encoder-decoder", as tasks ask for it.
    model_class: transformers' class for a model of which only the configuration is given.
    positions: its learned embeddings of positions, if it has some.
    inputs: any inputs, of `rows` and `length`, to a model of such a configuration.
    untied: whether models of a configuration are released with an output matrix of their own,
        though transformers builds them with that of the embeddings.
    """

    types: tuple[str, ...]
    shape: str
    model_class: type
    stacks: tuple[StackNames, ...]
    final: str
    outer_norms: tuple[str, ...]
    positions: str = ""
    inputs: Callable[[PretrainedConfig, int, int], dict[str, Tensor]] = token_ids
    untied: Callable[[PretrainedConfig], bool] = built_as_released


def known() -> list[str]:
    """The model types that have a file."""
    return list(_modules())


def family_of(model_type: str) -> Family | None:
    """The family of a model type, if it has a file."""
    module = _modules().get(model_type)
    return module and module.FAMILY


def file_of(model_type: str) -> Path | None:
    """The file of a model type, if it has one."""
    module = _modules().get(model_type)
    return module and Path(module.__file__)


@cache
def _modules() -> dict[str, ModuleType]:
    """The files here, by the model types that they serve."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))
    modules = [importlib.import_module(f".{name}", __package__) for name in names]
    return {model_type: module for module in modules for model_type in module.FAMILY.types}
