"""The tasks of the real tier: a file each, named as the task, found by being here.

The file's docstring is what readers are told of it: a title, what it holds and from where.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ...core.batches import moved
from ..packages import located

FOLDER = Path(__file__).parent
SIZES = {"test": 1000, "dev": 500, "train": 2000}
TOKENS = 64  # a text is cut behind so many
Example = tuple[str, int]


@dataclass(frozen=True)
class Task:
    """Texts with a class each.

    paths: files in the package; read: from these to all texts, each with the number of its class.
    license: of the texts.
    """

    name: str
    title: str
    package: str
    paths: tuple[str, ...]
    license: str
    classes: tuple[str, ...]
    read: Callable[[list[Path]], list[Example]]

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
        for name, size in SIZES.items():
            found[name] = [(text, known[text]) for text in islice(drawn, size)]
            if len(found[name]) < size:
                raise ValueError(f"task '{self.name}' has too few texts: {len(known)}")
        return found

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the splits."""
        return hashlib.sha256(json.dumps(self.splits).encode()).hexdigest()

    @property
    def majority(self) -> float:
        """The score on the test of who always says the class that is most frequent in training."""
        labels = [label for _, label in self.splits["train"]]
        most = max(sorted(set(labels)), key=labels.count)
        return sum(label == most for _, label in self.splits["test"]) / SIZES["test"]

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
            yield encoded(tokenizer, list(islice(endless, rows)))

    @torch.no_grad()
    def right(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, split: str) -> int:
        """How many texts of a split the model, in evaluation mode, puts in their class."""
        # texts of a length stand together, so that little is computed for padding
        examples = sorted(self.splits[split], key=lambda example: (len(example[0]), example))
        found = 0
        for start in range(0, len(examples), 100):
            batch = moved(encoded(tokenizer, examples[start : start + 100]), model.device)
            labels = batch.pop("labels")
            found += (model(**batch).logits.argmax(-1) == labels).sum().item()
        return found


def encoded(tokenizer: PreTrainedTokenizerBase, examples: list[Example]) -> dict[str, Tensor]:
    """A batch, padded to its longest text."""
    texts, labels = zip(*examples, strict=True)
    tokens = tokenizer(
        list(texts), padding=True, truncation=True, max_length=TOKENS, return_tensors="pt"
    )
    return {
        "input_ids": tokens["input_ids"],
        "attention_mask": tokens["attention_mask"],
        "labels": torch.tensor(labels),
    }


def _found() -> Iterator[Task]:
    for path in sorted(FOLDER.glob("[!_]*.py")):
        yield importlib.import_module(f".{path.stem}", __package__).TASK


TASKS: dict[str, Task] = {task.name: task for task in _found()}
