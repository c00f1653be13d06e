"""The models that times are measured on, with random weights, and their batches."""

from __future__ import annotations

from typing import NamedTuple

import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
    PretrainedConfig,
    PreTrainedModel,
)

from reference_impls.core.batches import Batch


class Size(NamedTuple):
    """A model, and rows and tokens of its batches. `generates`: it writes text."""

    title: str
    model: type[PreTrainedModel]
    config: PretrainedConfig
    step: tuple[int, int]
    one: tuple[int, int]
    many: tuple[int, int]
    generates: bool = False


SIZES = {
    "minilm": Size(
        "MiniLM",
        BertForSequenceClassification,
        BertConfig(
            vocab_size=30522,
            hidden_size=384,
            num_hidden_layers=6,
            num_attention_heads=12,
            intermediate_size=1536,
        ),
        step=(8, 32),
        one=(1, 32),
        many=(32, 16),
    ),
    "smollm2": Size(
        "SmolLM2",
        LlamaForCausalLM,
        LlamaConfig(
            vocab_size=49152,
            hidden_size=576,
            num_hidden_layers=30,
            num_attention_heads=9,
            num_key_value_heads=3,
            intermediate_size=1536,
            tie_word_embeddings=True,
        ),
        step=(2, 32),
        one=(1, 32),
        many=(32, 4),
        generates=True,
    ),
}


def batch_of(size: Size, rows: int, length: int) -> Batch:
    """Random tokens, of which the first of several rows has fewer: padding stops shortcuts."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(3, size.config.vocab_size, (rows, length), generator=generator)
    mask = torch.ones_like(ids)
    if rows > 1:
        mask[0, -length // 8 :] = 0
    labels = ids if size.generates else torch.randint(2, (rows,), generator=generator)
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}
