"""The pretrained models of the real tier: a file each, named as the model, found by being here."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from ..packages import located, sha256

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Model:
    """Weights in a package.

    path: the folder in the package; file: the weights in it, whose digest says what they are.
    """

    name: str
    title: str
    package: str
    path: str
    file: str
    license: str

    @property
    def folder(self) -> Path:
        return located(self.package, self.path)

    @property
    def digest(self) -> str:
        """SHA-256 of the weights."""
        return sha256(self.folder / self.file)

    def tokenizer(self) -> PreTrainedTokenizerBase:
        return AutoTokenizer.from_pretrained(self.folder, **self._packed)

    def classifier(self, classes: int, seed: int, *, random: bool = False) -> PreTrainedModel:
        """The model with a new head, which `seed` draws; `random`: and all other weights as well.

        Raises:
            ValueError: the package is not there.
        """
        return self._made(AutoModelForSequenceClassification, seed, random, num_labels=classes)

    def writer(self, seed: int, *, random: bool = False) -> PreTrainedModel:
        """The model that continues texts; `random`: with weights that `seed` draws.

        Raises:
            ValueError: the package is not there.
        """
        return self._made(AutoModelForCausalLM, seed, random)

    @property
    def _packed(self) -> dict[str, str]:
        return {"gguf_file": self.file} if self.file.endswith(".gguf") else {}

    def _made(self, kind: Any, seed: int, random: bool, **settings: Any) -> PreTrainedModel:
        torch.manual_seed(seed)
        if not random and not self._packed:
            return kind.from_pretrained(self.folder, **settings)
        config = AutoConfig.from_pretrained(self.folder, **self._packed, **settings)
        model = kind.from_config(config)
        if not random:
            model.load_state_dict(_unpacked(self.folder, self.file), strict=False)
        return model


@cache
def _unpacked(folder: Path, file: str) -> dict[str, Tensor]:
    """Weights by name, from a format that takes long to read."""
    return AutoModelForCausalLM.from_pretrained(folder, gguf_file=file).state_dict()


def _found() -> Iterator[Model]:
    for path in sorted(FOLDER.glob("[!_]*.py")):
        yield importlib.import_module(f".{path.stem}", __package__).MODEL


MODELS: dict[str, Model] = {model.name: model for model in _found()}
