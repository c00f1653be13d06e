"""Inputs that a model takes, of which only the shapes matter: text, an image or sound."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor
from transformers import PretrainedConfig, PreTrainedModel

SAMPLES, FRAMES = 16_000, 128


def one(config: PretrainedConfig, *names: str, default: Any = None) -> Any:
    """The first of these fields that a configuration, or one within it, has."""
    inside = [getattr(config, name, None) for name in config.sub_configs]
    for place in (config, *(c for c in inside if c is not None)):
        for name in names:
            value = getattr(place, name, None)
            if value is not None:
                return value
    return default


def token_ids(config: PretrainedConfig, rows: int, length: int) -> Tensor:
    """Ids (rows, length) of some token that is no special one."""
    text = config.get_text_config()
    special = {v for k, v in text.to_dict().items() if k.endswith("_token_id")}
    size = getattr(text, "vocab_size", None) or 2
    free = (i for i in range(size - 1, -1, -1) if i not in special)
    return torch.full((rows, length), next(free, 0))


def inputs(model: PreTrainedModel, rows: int, length: int) -> dict[str, Tensor]:
    """What the model's forward asks for, by its main input.

    Text is (rows, length) token ids, as many for a decoder beside its encoder. An
    image is (rows, channels, height, width), sound (rows, samples) or (rows, bins, frames).
    """
    config, main = model.config, model.main_input_name
    accepted = inspect.signature(model.forward).parameters
    if main == "pixel_values" or (main != "input_ids" and "pixel_values" in accepted):
        given = {"pixel_values": _image(config, rows)}
    elif main == "input_features" and "input_features" in accepted:
        given = {main: _features(model, rows)}
    elif main == "input_values" and "input_values" in accepted:
        given = {main: _sound(model, rows)}
    else:
        ids = token_ids(config, rows, length)
        given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if config.is_encoder_decoder and "decoder_input_ids" in accepted:
        given["decoder_input_ids"] = token_ids(config, rows, length)
    return given


def _image(config: PretrainedConfig, rows: int) -> Tensor:
    size = one(config, "image_size", default=224)
    height, width = size if isinstance(size, (tuple, list)) else (size, size)
    return torch.zeros(rows, one(config, "num_channels", default=3), height, width)


def _features(model: PreTrainedModel, rows: int) -> Tensor:
    config = model.config
    bins = one(config, "num_mel_bins", "feature_projection_input_dim", default=80)
    frames = 2 * config.max_source_positions if hasattr(config, "max_source_positions") else FRAMES
    bins_first = hasattr(config, "max_source_positions")
    return torch.zeros(rows, bins, frames) if bins_first else torch.zeros(rows, frames, bins)


def _sound(model: PreTrainedModel, rows: int) -> Tensor:
    bins = getattr(model.config, "num_mel_bins", None)
    if bins:
        return torch.zeros(rows, model.config.max_length, bins)
    return torch.zeros(rows, SAMPLES)
