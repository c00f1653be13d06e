"""Inputs that a model takes, of which only the shapes matter: text, an image or sound."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel

SAMPLES, FRAMES = 19_200, 128  # divisible by the steps of the usual models: 320, 1920


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
    named = (config.to_dict() | text.to_dict()).items()
    told = [value for key, value in named if key.endswith(("_token_id", "_token_index"))]
    # one or several, such as the tokens at which Llama 3 stops
    special = {i for value in told for i in (value if isinstance(value, list) else [value])}
    size = getattr(text, "vocab_size", None) or 2
    free = (i for i in range(size - 1, -1, -1) if i not in special)
    return torch.full((rows, length), next(free, 0))


def arguments(model: nn.Module) -> Mapping[str, inspect.Parameter]:
    """What a forward takes by name; where it hands all on, that of the one module in it."""
    found, inner = inspect.signature(model.forward).parameters, list(model.children())
    if len(inner) == 1 and all(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in found.values()):
        return arguments(inner[0])
    return found


def inputs(model: PreTrainedModel, rows: int, length: int) -> dict[str, Tensor]:
    """What the model's forward asks for, by its main input.

    Text is (rows, length) token ids, as many for a decoder beside its encoder. An image is (rows,
    channels, height, width), a film (rows, frames, channels, height, width), sound (rows, samples),
    (rows, bins, frames) or (rows, frames, bins).
    """
    config, main = model.config, model.main_input_name
    accepted = arguments(model)
    given: dict[str, Tensor] = {}
    if "input_ids" in accepted:
        ids = token_ids(config, rows, length)
        given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if main == "input_features":
        given = {main: _features(config, rows)}
    elif main == "input_values":
        given = {main: _sound(config, rows)}
    elif "pixel_values" in accepted and (
        accepted["pixel_values"].default is inspect.Parameter.empty or not _has_places(config)
    ):
        given["pixel_values"] = _image(config, rows)
    if config.is_encoder_decoder and "decoder_input_ids" in accepted:
        given["decoder_input_ids"] = token_ids(config, rows, length)
    return {name: value for name, value in given.items() if name in accepted}


def _has_places(config: PretrainedConfig) -> bool:
    """Whether an image takes the place of tokens in a text, which then may have none."""
    return one(config, "image_token_id", "image_token_index", "media_token_id") is not None


def _image(config: PretrainedConfig, rows: int) -> Tensor:
    size = one(config, "image_size", "input_size", default=224)
    height, width = size if isinstance(size, (tuple, list)) else (size, size)
    films = (config.num_frames,) if getattr(config, "num_frames", None) else ()
    return torch.zeros(rows, *films, one(config, "num_channels", default=3), height, width)


def _features(config: PretrainedConfig, rows: int) -> Tensor:
    """(rows, bins, frames) where the number of frames is fixed, else (rows, frames, bins)."""
    if hasattr(config, "num_mel_bins") and hasattr(config, "max_source_positions"):
        return torch.zeros(rows, config.num_mel_bins, 2 * config.max_source_positions)
    names = ("input_feat_per_channel", "feature_projection_input_dim", "num_mel_bins")
    return torch.zeros(rows, FRAMES, one(config, *names, default=80))


def _sound(config: PretrainedConfig, rows: int) -> Tensor:
    bins = getattr(config, "num_mel_bins", None)
    return torch.zeros(rows, config.max_length, bins) if bins else torch.zeros(rows, SAMPLES)
