"""What the comparisons of prompts and prefixes share."""

from __future__ import annotations

import pytest
from peft import TaskType

from tests.methods import models

LENGTH = 3
DECODERS = pytest.mark.parametrize("name", ["gpt2-lm", "llama-lm"])


def task(name: str) -> TaskType:
    if name == "t5-lm":
        return TaskType.SEQ_2_SEQ_LM
    return TaskType.SEQ_CLS if name == "bert" else TaskType.CAUSAL_LM


def ignore_first_token(name: str):
    """A batch of which the first token is no label."""
    batch = models.batch(name)
    batch["labels"] = batch["labels"].clone()
    batch["labels"][:, 0] = -100
    return batch
