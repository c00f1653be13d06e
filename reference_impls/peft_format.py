"""peft's files, `adapter_config.json` and `adapter_model.safetensors`, written and read.

What of a method stands in them is said beside it, in its `peft_format.py`: `export`, `load` and the
type that peft has for it, or why its function is another one in peft. A head that was trained is
among peft's modules to save. vLLM, which serves such files, takes none with a head.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel

from .anatomy import anatomy
from .core.method import Method
from .core.registry import PACKAGE, load_method, method_file
from .deltas import head_of, method_on, put_head, write
from .measure import files

CONFIG, TENSORS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
# of what a configuration may ask for beside what a method reads: what changes no function
SILENT = {
    *("alpha_pattern", "auto_mapping", "base_model_name_or_path", "exclude_modules"),
    *("fan_in_fan_out", "feedforward_modules", "inference_mode", "init_ia3_weights"),
    *("init_lora_weights", "layers_pattern", "layers_to_transform", "lora_alpha", "lora_dropout"),
    *("megatron_core", "modules_to_save", "num_attention_heads", "num_layers"),
    *("num_transformer_submodules", "num_virtual_tokens", "peft_type", "peft_version"),
    *("prompt_tuning_init", "prompt_tuning_init_text", "qalora_group_size", "r", "rank_pattern"),
    *("revision", "target_modules", "task_type", "token_dim", "tokenizer_kwargs"),
    *("tokenizer_name_or_path", "use_rslora"),
}


def export(model: PreTrainedModel, folder: Path) -> None:
    """Write the method that is on a model, and its head, as peft does.

    Raises:
        ValueError: no method is on the model, or peft has none that computes the same.
    """
    method = method_on(model)
    own, tensors = _side(method.name).export(method, model)
    parts, head = anatomy(model), head_of(model)
    task = "SEQ_2_SEQ_LM" if parts.encoder_decoder else "CAUSAL_LM" if parts.causal else None
    config = {
        "peft_type": _side(method.name).TYPE,
        "task_type": "SEQ_CLS" if head else task,
        "base_model_name_or_path": model.config._name_or_path or None,
        "inference_mode": True,
        "modules_to_save": sorted({name.partition(".")[0] for name in head}) or None,
        **own,
    }
    # a name without a dot is no module's
    keys = {name: PREFIX * ("." in name) + name for name in tensors | head}
    every = {keys[name]: t.detach().cpu().contiguous() for name, t in (tensors | head).items()}
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / TENSORS, every, {"format": "pt"})
    files.replace(folder / CONFIG, json.dumps(config, indent=2, sort_keys=True))


def load(model: PreTrainedModel, folder: Path, name: str) -> Method:
    """Put what peft wrote on a model, as the method of this name; returns the method.

    Raises:
        OSError: a file is not there.
        ValueError: it is another method's, asks for what the method does not do, or does not fit
            the model, which is then as it was if the method can be taken off.
    """
    side = _side(name)
    config, tensors = read(folder)
    if config.get("peft_type") != side.TYPE:
        given = config.get("peft_type")
        raise ValueError(
            f"{folder / CONFIG}: peft_type is {given!r}, of {name} it is {side.TYPE!r}"
        )
    asked = {key for key, value in config.items() if value and value != "none"}
    if odd := sorted(asked - SILENT):
        raise ValueError(f"{folder / CONFIG}: {odd[0]} = {config[odd[0]]!r} is not done here")
    head = {name: tensors.pop(name, None) for name in head_of(model)}
    try:
        method, delta = side.load(config, tensors, model)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder}: {error}") from None
    if tensors:
        raise ValueError(f"{folder / TENSORS}: {min(tensors)} is nothing of {name} on this model")
    return _put(method, model, delta, head, folder)


def _put(
    method: Method,
    model: PreTrainedModel,
    delta: Mapping[str, Tensor],
    head: Mapping[str, Tensor | None],
    folder: Path,
) -> Method:
    for name, tensor in head.items():
        if tensor is None or tensor.shape != model.get_parameter(name).shape:
            raise ValueError(f"{folder / TENSORS}: it lacks {name}, or that of as many classes")
    method.setup(model)
    try:
        method.check_fit(model, dict(delta))
    except ValueError as error:
        method.restore(model)
        raise ValueError(f"{folder}: {error}") from None
    method.put(model, dict(delta))
    method.begun = True
    put_head(model, head)
    return method


def _side(name: str) -> ModuleType:
    """What is said of peft's files beside a method.

    Raises:
        ValueError: there is none, with the reason.
    """
    path = method_file(name).with_name("peft_format.py")
    title = load_method(name).title
    if not path.exists():
        raise ValueError(f"peft has no {title}")
    parts = path.with_suffix("").relative_to(PACKAGE).parts
    found = importlib.import_module("." + ".".join(parts), __package__)
    if reason := getattr(found, "REFUSED", ""):
        raise ValueError(f"{title} is another function in peft: {reason}")
    return found


def read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Configuration and tensors, by the names that modules have without peft.

    Raises:
        OSError: a file is not there.
        ValueError: one cannot be read.
    """
    for name in (CONFIG, TENSORS):
        if not (folder / name).is_file():
            raise OSError(f"{folder / name}: no such file")
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        tensors = load_file(folder / TENSORS)
    except (ValueError, SafetensorError) as error:
        raise ValueError(f"{folder}: it cannot be read: {error}") from None
    if not isinstance(config, dict):
        raise ValueError(f"{folder / CONFIG}: it is no table of settings")
    return config, {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items()}
