"""Tiny random models of many model types of transformers, to try a method on every architecture.

`common.toml` holds the sizes that most model types name alike; the other files hold one table for
each model type, with what differs there. The file says what kind of model it is. The keys of a
table are values of the type's configuration, with these exceptions, which tell how to use it:

    type    = the model type, where a table is a variant of one and has another name
    class   = the transformers class to build, where it is not the automatic class of the kind
    input   = how images or sound enter, a name in `batches.INPUTS`; a joined model without it
              gets text alone
    tokens  = how many placeholder tokens stand for one image
    padding = why padding changes the logits of real tokens in this model itself

Nothing is read from a network. A model has fewer than a million parameters.
"""

from __future__ import annotations

import copy
import dataclasses
import difflib
import hashlib
import json
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import CONFIG_MAPPING, AutoConfig, PreTrainedConfig, PreTrainedModel

from . import batches
from .batches import ORDINARY

__all__ = ["ORDINARY", "about", "batch", "build", "config", "digest", "kind", "logits", "names"]

KINDS = {  # the file, and the automatic class
    "encoder": ("encoders", "AutoModelForSequenceClassification"),
    "decoder": ("decoders", "AutoModelForCausalLM"),
    "encoder-decoder": ("encoder_decoders", "AutoModelForSeq2SeqLM"),
    "vision": ("vision", "AutoModelForImageClassification"),
    "audio": ("audio", "AutoModelForAudioClassification"),
    "joined": ("joined", "AutoModelForImageTextToText"),
}
CLASSIFIERS = ("encoder", "vision", "audio")
CLASSES = 3
DEFAULT_INPUTS = {"vision": "image", "audio": "waves"}
ABOUT = ("type", "class", "input", "tokens", "padding")
NOISE = 0.1  # standard deviation of what is added to every parameter


def names() -> list[str]:
    """All model types that the installed transformers knows, in the order of the files."""
    return list(_tables())


def kind(name: str) -> str:
    """'encoder', 'decoder', 'encoder-decoder', 'vision', 'audio' or 'joined'."""
    return _entry(name)[0]


def about(name: str, key: str) -> Any:
    """One of the values of `ABOUT`; None where the table has none."""
    return _entry(name)[1].get(key)


def config(name: str) -> PreTrainedConfig:
    """The configuration of a tiny model."""
    table = copy.deepcopy(_entry(name)[1])  # a configuration may change what it is given
    table = {key: value for key, value in table.items() if key not in ABOUT}
    if kind(name) in CLASSIFIERS:
        table["num_labels"] = CLASSES
    model_type = about(name, "type") or name
    return AutoConfig.for_model(model_type, **_sized(AutoConfig.for_model(model_type), table))


def digest(names: Iterable[str]) -> str:
    """SHA-256, in hexadecimal, of what is written of these model types."""
    written = [_read("common"), *((name, *_entry(name)) for name in sorted(names))]
    return hashlib.sha256(json.dumps(written).encode()).hexdigest()


def build(name: str, seed: int = 0) -> PreTrainedModel:
    """A tiny model in evaluation mode, with random weights that depend on `seed` alone.

    Every parameter is then shaken: a bias that is zero and a norm that is one would hide what is
    wrong with them. Torch's global generator stays as it is.
    """
    model_class = getattr(transformers, about(name, "class") or KINDS[kind(name)][1])
    make = getattr(model_class, "from_config", model_class)  # an Auto class, or not
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = make(config(name)).float().eval()
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape), alpha=NOISE)
    if about(name, "input") in batches.PAIRS:
        model.register_forward_pre_hook(_with_loss, with_kwargs=True)
    return model


def batch(name: str, rows: int = 4, length: int = 9, seed: int = 0) -> dict[str, torch.Tensor]:
    """A batch with labels, as keyword arguments of the model: `model(**batch).loss` is finite.

    Text is [rows, length], padded on the right: row 0 lacks three tokens, the others none.
    Images of joined models stand before the text, which their placeholders make longer. Every
    tensor has one entry for each row.
    """
    generator = torch.Generator().manual_seed(seed)
    form = about(name, "input") or DEFAULT_INPUTS.get(kind(name))
    draw = batches.Draw(config(name), rows, length, generator)
    return draw.batch(kind(name), form, about(name, "tokens") or 0)


def logits(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """What a model says of a batch: [real tokens, vocabulary], or [rows, classes].

    Dual encoders give [rows, rows], how well each text fits each image.
    """
    output = model(**batch)
    found = output["logits_per_text"] if "logits_per_text" in output else output["logits"]
    labels = batch.get("labels")
    if labels is None or labels.dim() == 1:
        return found
    if found.shape[:2] == labels.shape and model.config.is_encoder_decoder:
        return found[labels != batches.IGNORED]
    mask = batch["attention_mask"].bool()
    return found[:, -mask.shape[1] :][mask]  # an image may stand before the text


def _with_loss(model: PreTrainedModel, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """Ask a dual encoder for its loss, which others give because there are labels."""
    return args, {"return_loss": True, **kwargs}


@cache
def _tables() -> dict[str, tuple[str, dict[str, Any]]]:
    """The kind and the table of each model type."""
    return {
        name: (each, table)
        for each, (stem, _) in KINDS.items()
        for name, table in _read(stem).items()
        if table.get("type", name) in CONFIG_MAPPING
    }


@cache
def _read(stem: str) -> dict[str, Any]:
    path = Path(__file__).with_name(f"{stem}.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _entry(name: str) -> tuple[str, dict[str, Any]]:
    try:
        return _tables()[name]
    except KeyError:
        near = difflib.get_close_matches(name, names(), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "names() lists all"
        raise ValueError(f"no tiny model of type '{name}'; {hint}") from None


def _sized(default: PreTrainedConfig, table: dict[str, Any]) -> dict[str, Any]:
    """The values that make a configuration tiny: the common ones, then those of the table.

    A common value is taken where the configuration declares the name (or one that stands for it)
    and gives it a value of its own: a width of heads that follows from others is left to follow.
    """
    declared = {field.name: field.default for field in dataclasses.fields(default)}
    values: dict[str, Any] = {}
    for key, value in _read("common").items():
        if key not in declared:
            key = default.attribute_map.get(key, key)
        if key in declared and not (key == "head_dim" and declared[key] is None):
            values[key] = value
    for key, value in declared.items():
        if "drop" in key and isinstance(value, float | int) and not isinstance(value, bool):
            values[key] = type(value)(0)
    values.update(table)
    for key in default.sub_configs:
        inner = table.get(key, {})
        sub = getattr(default, key, None)
        if "model_type" in inner:
            sub = AutoConfig.for_model(inner["model_type"])
        if sub is not None:
            values[key] = {"model_type": sub.model_type, **_sized(sub, inner)}
    return values
