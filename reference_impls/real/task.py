"""What every task of the real tier is: texts that are split once and for all."""

from __future__ import annotations

import hashlib
import json
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from .models import Model
from .packages import located

TOKENS = 64  # a text is cut behind so many
Example = tuple[str, Any]


@dataclass(frozen=True)
class Task(ABC):
    """Texts, each with what is to be found out of it.

    paths: files in the package; read: from these to all examples. license: of the texts.
    """

    name: str
    title: str
    package: str
    paths: tuple[str, ...]
    license: str
    read: Callable[[list[Path]], list[Example]]

    metric: ClassVar[str]
    sizes: ClassVar[dict[str, int]] = {"test": 1000, "dev": 500, "train": 2000}

    @cached_property
    def splits(self) -> dict[str, list[Example]]:
        """Test, dev and train: drawn in this order, the same always; no text is in two.

        Raises:
            ValueError: the package is not there, or holds too few texts.
        """
        examples = self.read([located(self.package, path) for path in self.paths])
        known = dict(sorted(examples))  # each text once
        texts = random.Random(f"splits of {self.name}").sample(sorted(known), len(known))
        drawn, found = iter(texts), {}
        for name, size in self.sizes.items():
            found[name] = [(text, known[text]) for text in islice(drawn, size)]
            if len(found[name]) < size:
                raise ValueError(f"task '{self.name}' has too few texts: {len(known)}")
        return found

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the splits."""
        return hashlib.sha256(json.dumps(self.splits).encode()).hexdigest()

    def batches(
        self,
        tokenizer: PreTrainedTokenizerBase,
        seed: int,
        rows: int,
        *,
        shuffled_labels: bool = False,
    ) -> Iterator[dict[str, Tensor]]:
        """Endless batches of the training texts, shuffled anew in each epoch.

        `shuffled_labels`: each text has the label of another, the same in every epoch.
        """
        rng, examples = random.Random(f"order {seed}"), self.splits["train"]
        if shuffled_labels:
            labels = random.Random(f"labels {seed}").sample(
                [label for _, label in examples], len(examples)
            )
            examples = [(text, label) for (text, _), label in zip(examples, labels, strict=True)]

        def stream() -> Iterator[Example]:
            while True:
                yield from rng.sample(examples, len(examples))

        endless = stream()
        while True:
            yield self.encoded(tokenizer, list(islice(endless, rows)))

    @torch.no_grad()
    def right(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, split: str) -> int:
        """How many texts of a split the model, in evaluation mode, has right."""
        # texts of a length stand together, so that little is computed for padding
        examples = sorted(self.splits[split], key=lambda example: (len(example[0]), example))
        starts = range(0, len(examples), 100)
        return sum(self.solved(model, tokenizer, examples[i : i + 100]) for i in starts)

    def gives(self, tokenizer: PreTrainedTokenizerBase) -> dict[str, tuple]:
        """What a method may want of it, by the name of the method's field."""
        return {"special_tokens": tuple(sorted({*tokenizer("")["input_ids"]}))}

    @property
    @abstractmethod
    def guessing(self) -> float:
        """The score on the test of who does the same with every text."""

    @abstractmethod
    def model(self, model: Model, seed: int, *, random: bool = False) -> PreTrainedModel:
        """The model as the task needs it; see `Model`."""

    @abstractmethod
    def encoded(
        self, tokenizer: PreTrainedTokenizerBase, examples: list[Example]
    ) -> dict[str, Tensor]:
        """A batch, padded to its longest text, with labels."""

    @abstractmethod
    def solved(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, examples: list[Example]
    ) -> int:
        """How many of a batch the model has right."""
