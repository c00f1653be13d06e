"""The commands that take a trained method to peft's files and back."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .modules import modules

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


def add(commands: Any) -> None:
    """Add them to a parser's commands."""
    exporting = commands.add_parser("export-peft", help="write a delta as peft's files")
    exporting.add_argument("delta", type=Path, metavar="DELTA", help="what deltas.save wrote")
    exporting.add_argument("--model", required=True, help="the base: a folder, or a name")
    exporting.add_argument("--out", type=Path, required=True, help="a folder")
    exporting.set_defaults(run=_export)

    loading = commands.add_parser("load-peft", help="make a delta of peft's files")
    loading.add_argument("method", metavar="METHOD", help="what it is to be here")
    loading.add_argument("adapter", type=Path, metavar="FOLDER", help="what peft wrote")
    loading.add_argument("--model", required=True, help="the base: a folder, or a name")
    loading.add_argument("--out", type=Path, required=True, help="a file")
    loading.set_defaults(run=_load)


def _export(options: argparse.Namespace) -> int:
    deltas, peft_format = modules("deltas", "peft_format")
    _, tensors = deltas.read(options.delta)
    heads = {name: t for name, t in tensors.items() if name.startswith(deltas.HEAD)}
    model = _base(options.model, heads)
    deltas.load(model, options.delta)
    peft_format.export(model, options.out)
    print(f"written: {options.out / peft_format.CONFIG} and {peft_format.TENSORS}")
    return 0


def _load(options: argparse.Namespace) -> int:
    deltas, peft_format = modules("deltas", "peft_format")
    config, tensors = peft_format.read(options.adapter)
    tops = tuple(f"{name}." for name in config.get("modules_to_save") or ())
    model = _base(options.model, {n: t for n, t in tensors.items() if n.startswith(tops)})
    peft_format.load(model, options.adapter, options.method)
    deltas.save(model, options.out)
    print(f"written: {options.out}")
    return 0


def _base(name: str, head: Mapping[str, Tensor]) -> PreTrainedModel:
    """The model as its configuration says, or, with a head, a classifier of as many classes."""
    transformers = importlib.import_module("transformers")
    if head:
        classes = [len(head[name]) for name in sorted(head) if head[name].ndim == 2][-1]
        kind = transformers.AutoModelForSequenceClassification
        return kind.from_pretrained(name, num_labels=classes)
    config = transformers.AutoConfig.from_pretrained(name)
    (anatomy,) = modules("anatomy")
    return anatomy.class_of(config).from_pretrained(name)
