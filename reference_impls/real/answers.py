"""Tasks in which a text is answered with another, which has to be right to the letter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ..core.batches import moved
from .models import Model
from .task import TOKENS, Example, Task

MARK = "\n"  # between text and answer
IGNORED = -100  # as transformers' losses have it
MARGIN = 4  # tokens that an answer may be longer than the longest one that is right


@dataclass(frozen=True)
class Answers(Task):
    """An example is a text and its answer. The loss is of the answer alone; answers are greedy."""

    metric: ClassVar[str] = "exact match"
    sizes: ClassVar[dict[str, int]] = {"test": 500, "dev": 200, "train": 2000}

    @property
    def guessing(self) -> float:
        """Of who gives the text back."""
        return sum(text == answer for text, answer in self.splits["test"]) / self.sizes["test"]

    def gives(self, tokenizer: PreTrainedTokenizerBase) -> dict[str, tuple]:
        """There are no classes, so that none has a name."""
        return {**super().gives(tokenizer), "verbalizer": ()}

    def model(self, model: Model, seed: int, *, random: bool = False) -> PreTrainedModel:
        return model.writer(seed, random=random)

    def encoded(
        self, tokenizer: PreTrainedTokenizerBase, examples: list[Example]
    ) -> dict[str, Tensor]:
        """Padded on the right; labels are those of the answer and of the end behind it."""
        pairs = [
            (_ids(tokenizer, text + MARK), [*_ids(tokenizer, answer), tokenizer.eos_token_id])
            for text, answer in examples
        ]
        return {
            "input_ids": _padded([text + answer for text, answer in pairs], tokenizer.pad_token_id),
            "attention_mask": _padded([[1] * len(text + answer) for text, answer in pairs], 0),
            "labels": _padded([[IGNORED] * len(text) + answer for text, answer in pairs], IGNORED),
        }

    def solved(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, examples: list[Example]
    ) -> int:
        asked = [_ids(tokenizer, text + MARK) for text, _ in examples]
        longest = max(len(_ids(tokenizer, answer)) for _, answer in examples)
        width = max(map(len, asked))
        mask = [[0] * (width - len(ids)) + [1] * len(ids) for ids in asked]
        pad = tokenizer.pad_token_id
        batch = {
            "input_ids": torch.tensor([[pad] * (width - len(ids)) + ids for ids in asked]),
            "attention_mask": torch.tensor(mask),
        }
        written = model.generate(
            **moved(batch, model.device),
            max_new_tokens=longest + MARGIN,
            do_sample=False,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=pad,
        )
        texts = tokenizer.batch_decode(written[:, width:], skip_special_tokens=True)
        return sum(
            text.strip() == answer for text, (_, answer) in zip(texts, examples, strict=True)
        )


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"][:TOKENS]


def _padded(rows: list[list[int]], filler: int) -> Tensor:
    longest = max(map(len, rows))
    return torch.tensor([row + [filler] * (longest - len(row)) for row in rows])
