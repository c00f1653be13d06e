"""Tasks in which a text is put into one of several classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ..core.batches import moved
from .models import Model
from .task import TOKENS, Example, Task


@dataclass(frozen=True)
class Classes(Task):
    """An example is a text and the number of its class."""

    classes: tuple[str, ...]

    metric: ClassVar[str] = "accuracy"

    @property
    def guessing(self) -> float:
        """Of who always says the class that is most frequent in training."""
        labels = [label for _, label in self.splits["train"]]
        most = max(sorted(set(labels)), key=labels.count)
        return sum(label == most for _, label in self.splits["test"]) / len(self.splits["test"])

    def gives(self, tokenizer: PreTrainedTokenizerBase) -> dict[str, tuple]:
        names = (tokenizer(name, add_special_tokens=False)["input_ids"] for name in self.classes)
        return {**super().gives(tokenizer), "verbalizer": tuple(map(tuple, names))}

    def model(self, model: Model, seed: int, *, random: bool = False) -> PreTrainedModel:
        return model.classifier(len(self.classes), seed, random=random)

    def encoded(
        self, tokenizer: PreTrainedTokenizerBase, examples: list[Example]
    ) -> dict[str, Tensor]:
        texts, labels = zip(*examples, strict=True)
        tokens = tokenizer(
            list(texts), padding=True, truncation=True, max_length=TOKENS, return_tensors="pt"
        )
        return {
            "input_ids": tokens["input_ids"],
            "attention_mask": tokens["attention_mask"],
            "labels": torch.tensor(labels),
        }

    def solved(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, examples: list[Example]
    ) -> int:
        batch = moved(self.encoded(tokenizer, examples), model.device)
        labels = batch.pop("labels")
        return (model(**batch).logits.argmax(-1) == labels).sum().item()
