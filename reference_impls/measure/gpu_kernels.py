"""What a GPU's kernels keep for the backward pass, where those of a CPU keep more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PretrainedConfig

ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attn_pdrop", "attention_dropout")


@contextmanager
def fused_dropout() -> Iterator[None]:
    """Dropout keeps a mask of one byte a number, in place of one of the numbers' type."""

    def dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        return torch.native_dropout(x, p, True)[0] if training and p else x

    with patch.object(functional, "dropout", dropout):
        yield


def without_attention_dropout(config: PretrainedConfig) -> PretrainedConfig:
    """The configuration, changed: with dropout a CPU has no fused attention.

    A GPU's keeps nothing for it but the state of its generator.
    """
    for name in ATTENTION_DROPOUT:
        if hasattr(config, name):
            setattr(config, name, 0.0)
    return config
