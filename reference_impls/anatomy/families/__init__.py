"""What watching a model does not tell: a family of which there is such a thing has a file here.

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

from transformers import PretrainedConfig


def built_as_released(config: PretrainedConfig) -> bool:
    """No: transformers builds the model as it is released."""
    return False


@dataclass(frozen=True)
class Family:
    """What is to be known of a model family.

    types: transformers' names of its model types.
    untied: whether models of a configuration are released with an output matrix of their own,
        though transformers builds them with that of the embeddings.
    no_prompt: why it takes no embedded text in front of that of tokens, if it does not.
    """

    types: tuple[str, ...]
    untied: Callable[[PretrainedConfig], bool] = built_as_released
    no_prompt: str = ""


NONE = Family(())


def known() -> list[str]:
    """The model types that have a file."""
    return list(_modules())


def family_of(model_type: str) -> Family:
    """What is to be known of a model type; of most there is nothing."""
    module = _modules().get(model_type)
    return module.FAMILY if module else NONE


def files_of(*model_types: str) -> list[Path]:
    """The files of some model types, of those that have one."""
    modules = (_modules().get(model_type) for model_type in model_types)
    return [Path(module.__file__) for module in modules if module]


@cache
def _modules() -> dict[str, ModuleType]:
    """The files here, by the model types that they serve."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))
    modules = [importlib.import_module(f".{name}", __package__) for name in names]
    return {model_type: module for module in modules for model_type in module.FAMILY.types}
