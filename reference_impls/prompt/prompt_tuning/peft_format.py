"""Prompt tuning to and from peft's files, on a decoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel

from ...anatomy import anatomy
from .prompt_tuning import Prompt, PromptTuning

TYPE = "PROMPT_TUNING"
EMBEDDINGS = "prompt_embeddings"


def export(
    method: PromptTuning, model: PreTrainedModel
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Configuration and tensors.

    Raises:
        ValueError: the model is no decoder.
    """
    _demand_decoder(model)
    _, prompt = _prompt(model)
    parts = anatomy(model)
    config = {
        "num_virtual_tokens": method.length,
        "token_dim": prompt.rows.shape[1],
        "num_layers": len(parts.layers),
        "num_attention_heads": parts.layers[0].heads,
        "num_transformer_submodules": 1,
        "prompt_tuning_init": "RANDOM",
    }
    return config, {EMBEDDINGS: prompt.rows}


def load(
    config: Mapping[str, Any], tensors: dict[str, Tensor], model: PreTrainedModel
) -> tuple[PromptTuning, dict[str, Tensor]]:
    """The method and its delta; what is read is taken out of `tensors`.

    Raises:
        ValueError: there is no prompt, or the model is no decoder.
    """
    _demand_decoder(model)
    if EMBEDDINGS not in tensors:
        raise ValueError(f"there is no tensor '{EMBEDDINGS}'")
    rows = tensors.pop(EMBEDDINGS)
    method = PromptTuning(length=len(rows), init="uniform")
    method.setup(model)
    name, _ = _prompt(model)
    method.detach(model)
    return method, {f"{name}.rows": rows}


def _demand_decoder(model: PreTrainedModel) -> None:
    """peft leaves the prompt in an encoder's output, and gives a second one to a decoder."""
    parts = anatomy(model)
    if parts.encoder_decoder or not parts.causal:
        raise ValueError("peft's prompt is another function here: it is the same on decoders only")


def _prompt(model: PreTrainedModel) -> tuple[str, Prompt]:
    return next((name, m) for name, m in model.named_modules() if isinstance(m, Prompt))
