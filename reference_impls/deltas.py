"""A trained method in one file: its delta, the head of a task, and what both were made with.

The file is safetensors. Its metadata names the method, its settings, the base model and the
version of this package, so that a file alone says how it is to be read. The head's tensors are
under their names with "head:" in front.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from transformers import PreTrainedModel

from .anatomy import anatomy
from .core.method import Method
from .core.registry import load_method

HEAD = "head:"  # no name of a module has a colon
METHOD, SETTINGS, BASE, VERSION = "method", "settings", "base_model", "fine_tuning_atlas"


def save(model: PreTrainedModel, path: Path | str) -> None:
    """Write what training made of an adapted model; an old file is replaced at once.

    Raises:
        ValueError: no method is on the model.
    """
    method = method_on(model)
    tensors = {**method.delta(model), **{HEAD + n: p for n, p in head_of(model).items()}}
    written = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write(Path(path), written, metadata(method, model))


def load(model: PreTrainedModel, path: Path | str, **more: Any) -> Method:
    """Put what `save` wrote on another copy of the base; returns the method, which is on it.

    `more` are settings in place of those in the file, and what a task knows and no file holds.

    Raises:
        OSError: there is no such file.
        ValueError: the file is not of this kind, or does not fit the model, which is then as it
            was if the method can be taken off.
    """
    about, tensors = read(Path(path))
    method = load_method(about[METHOD])(**{**_settings(about, path), **more})
    _demand_head(model, tensors, path)
    method.setup(model)
    try:
        _put(method, model, tensors)
    except ValueError:
        method.restore(model)
        raise
    return method


def put(model: PreTrainedModel, path: Path | str) -> None:
    """Put what `save` wrote into a model that the method is on already.

    Raises:
        OSError: there is no such file.
        ValueError: no method is on the model, or the file does not fit.
    """
    method = method_on(model)
    _, tensors = read(Path(path))
    _demand_head(model, tensors, path)
    _put(method, model, tensors)


def _demand_head(model: PreTrainedModel, tensors: Mapping[str, Tensor], path: Path | str) -> None:
    own = {HEAD + name: tensor.shape for name, tensor in head_of(model).items()}
    if {name: t.shape for name, t in tensors.items() if name.startswith(HEAD)} != own:
        raise ValueError(f"{path}: its head is not that of this model: load one of as many classes")


def _put(method: Method, model: PreTrainedModel, tensors: Mapping[str, Tensor]) -> None:
    delta = {name: tensor for name, tensor in tensors.items() if not name.startswith(HEAD)}
    method.load_delta(model, delta)
    put_head(model, {name: tensors[HEAD + name] for name in head_of(model)})


def put_head(model: PreTrainedModel, head: Mapping[str, Tensor]) -> None:
    """Give the head of a task its values, by name."""
    with torch.no_grad():
        for name, tensor in head.items():
            model.get_parameter(name).copy_(tensor)


def method_on(model: PreTrainedModel) -> Method:
    """The method that is on a model.

    Raises:
        ValueError: none is.
    """
    method = getattr(model, "adapted_by", None)
    if method is None:
        raise ValueError(f"no method is on this {type(model).__name__}")
    return method


def head_of(model: PreTrainedModel) -> dict[str, Tensor]:
    """The parameters of the head of a task, by name."""
    head = {id(parameter) for parameter in anatomy(model).head_parameters()}
    return {name: p for name, p in model.named_parameters() if id(p) in head}


def metadata(method: Method, model: PreTrainedModel) -> dict[str, str]:
    """What the file says beside its tensors."""
    settings = {f.name: getattr(method, f.name) for f in fields(method) if _is_setting(f.type)}
    try:
        version = importlib.metadata.version("fine-tuning-atlas")
    except importlib.metadata.PackageNotFoundError:
        version = ""
    return {
        "format": "pt",
        METHOD: method.name,
        SETTINGS: json.dumps(settings),
        BASE: model.config._name_or_path,
        VERSION: version,
    }


def _is_setting(kind: str) -> bool:
    """Whether a field is neither data nor what makes some."""
    return not kind.startswith("Sequence") and "Callable" not in kind


def write(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Replace a file of tensors at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    save_file(dict(tensors), draft, metadata)
    draft.replace(path)


def read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """A file's metadata and tensors.

    Raises:
        OSError: there is no such file.
        ValueError: it is no safetensors file, or does not name its method.
    """
    if not path.is_file():
        raise OSError(f"{path}: no such file")
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path}: not a safetensors file: {error}") from None
    if METHOD not in about:
        raise ValueError(f"{path}: its metadata names no method: write it with deltas.save")
    return about, tensors


def _settings(about: dict[str, str], path: Path | str) -> dict[str, Any]:
    try:
        return {name: _tuples(value) for name, value in json.loads(about[SETTINGS]).items()}
    except (KeyError, AttributeError, ValueError):
        raise ValueError(f"{path}: its metadata has no settings that can be read") from None


def _tuples(value: Any) -> Any:
    """Lists, which JSON has, as the tuples that settings are."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
