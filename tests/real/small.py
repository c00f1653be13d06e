"""A model and a task of a few words in the place of those that packages hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, PreTrainedModel

from reference_impls.real import training
from reference_impls.real.models import MODELS, Model
from reference_impls.real.plan import Plan
from reference_impls.real.tasks import TASKS, Answers, Classes, Task

WORDS = ("[PAD]", "[CLS]", "good", "bad", *"abcdefghijklmnopqrstuvwxyz")
PLAN = Plan(
    model="tiny",
    methods=("bitfit", "lora"),
    rows=4,
    head_lr=0.01,
    rates=(-6, -4),
    wider=2,
    tuning=0,
    seeds=(1, 2),
    controls=("words",),
    variants=(),
    steps={"words": 12},
)


def tokenizer(texts: str | list[str], **settings: object) -> dict[str, torch.Tensor | list[int]]:
    """Words by their place in the list; a single text gives a list, as transformers' do."""
    if isinstance(texts, str):
        return {"input_ids": [1] * settings.get("add_special_tokens", True)}
    ids = [[1, *(WORDS.index(word) for word in text.split())] for text in texts]
    longest = max(map(len, ids))
    padded = [row + [0] * (longest - len(row)) for row in ids]
    tokens = torch.tensor(padded)
    return {"input_ids": tokens, "attention_mask": (tokens > 0).long()}


@dataclass(frozen=True)
class Tiny(Model):
    digest: str = "of tiny weights"  # type: ignore[misc]

    def tokenizer(self):
        return tokenizer

    def classifier(self, classes: int, seed: int, *, random: bool = False) -> PreTrainedModel:
        torch.manual_seed(seed + 100 * random)
        return BertForSequenceClassification(
            BertConfig(
                vocab_size=len(WORDS),
                hidden_size=16,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=32,
                max_position_embeddings=16,
                num_labels=classes,
            )
        )


def read(paths: list[Path]) -> list[tuple[str, int]]:
    """Letters, with a word that tells the class."""
    letters = WORDS[4:]
    texts = [(a, b) for a in letters for b in letters for _ in range(1) if a != b]
    return [(f"{a} {('bad', 'good')[i % 2]} {b}", i % 2) for i, (a, b) in enumerate(texts)]


def put(monkeypatch: pytest.MonkeyPatch) -> Classes:
    """Have both known, and tasks with small splits."""
    monkeypatch.setitem(MODELS, "tiny", Tiny("tiny", "Tiny", "", "", "", "MIT"))
    for kind in (Task, Answers):
        monkeypatch.setattr(kind, "sizes", {"test": 50, "dev": 40, "train": 200})
    task = Classes("words", "Words", "none", (), "MIT", read, ("bad", "good"))
    monkeypatch.setitem(TASKS, "words", task)
    training.tokenizer.cache_clear()
    return task
