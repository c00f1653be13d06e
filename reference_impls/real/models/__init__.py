"""The pretrained models of the real tier: a file each, named as the model, found by being here."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
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
        return AutoTokenizer.from_pretrained(self.folder)

    def classifier(self, classes: int, seed: int, *, random: bool = False) -> PreTrainedModel:
        """The model with a new head, which `seed` draws; `random`: and all other weights as well.

        Raises:
            ValueError: the package is not there.
        """
        settings: dict[str, Any] = {"num_labels": classes}
        torch.manual_seed(seed)
        if random:
            config = AutoConfig.from_pretrained(self.folder, **settings)
            return AutoModelForSequenceClassification.from_config(config)
        return AutoModelForSequenceClassification.from_pretrained(self.folder, **settings)


def _found() -> Iterator[Model]:
    for path in sorted(FOLDER.glob("[!_]*.py")):
        yield importlib.import_module(f".{path.stem}", __package__).MODEL


MODELS: dict[str, Model] = {model.name: model for model in _found()}
