"""What a prompt at a model's input takes of its room: in the cache, the mask and the positions."""

from __future__ import annotations

import inspect
from typing import Any

from torch import Tensor
from transformers import Cache, PreTrainedModel, StaticCache

from ..anatomy import Anatomy


class PromptedCache:
    """Mixin of a cache that holds `hidden` entries that are no tokens: those of a prompt.

    Outside of a pass it tells the number of its tokens, by which `generate` knows what is done.
    """

    hidden = 0

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return super().get_seq_length(layer_idx) - self.hidden


def hide(output: Any, length: int) -> None:
    """After a pass: let a cache in its output tell the number of its tokens, without the prompt."""
    if isinstance(output, Tensor):
        return
    for cache in output if isinstance(output, tuple) else vars(output).values():
        if isinstance(cache, Cache):
            if not isinstance(cache, PromptedCache):
                cache.__class__ = type(type(cache).__name__, (PromptedCache, type(cache)), {})
            cache.hidden = length


def enter(given: dict[str, Any], tokens: int, length: int, room: int | None) -> bool:
    """Before a pass over `tokens` more: whether the prompt of `length` is to be put in.

    That is, no cache has it. `room`: how many positions the model has, if it has learned them.

    Raises:
        ValueError: prompt and text are more than the positions or than a static cache, or the mask
            is not (batch, tokens).
    """
    cache, mask = given.get("past_key_values"), given.get("attention_mask")
    prompted = isinstance(cache, PromptedCache)
    known = 0 if cache is None else int(cache.get_seq_length())
    known += cache.hidden if prompted else 0
    if mask is not None and (isinstance(mask, dict) or mask.ndim != 2):
        raise ValueError("a prompt at the input needs an attention mask of (batch, tokens)")
    text, places = max(known - length, 0) + tokens, max(known, length) + tokens
    if room is not None and places > room:
        raise ValueError(
            f"{text} tokens and a prompt of {length} are more than the {room} positions of this "
            "model"
        )
    if isinstance(cache, StaticCache) and places > cache.get_max_length():
        raise ValueError(
            f"{text} tokens and a prompt of {length} are more than a static cache of "
            f"{cache.get_max_length()} holds: make it larger, or use one that grows"
        )
    if prompted:
        cache.hidden = 0
    for layer in () if known else getattr(cache, "layers", ()):
        if getattr(layer, "prefill_length", None):  # how many a window that slides never drops
            layer.prefill_length += length
    return known == 0


def check_room(parts: Anatomy, length: int) -> None:
    """Refuse a model that takes no prompt, or a prompt that leaves no position for a text.

    Raises:
        ValueError: saying what the model lacks, or how many positions there are.
    """
    _ = parts.embedding
    if len(parts.found_stacks) > 1 and not parts.encoder_decoder:
        raise ValueError(f"{parts.title} has several towers, and a prompt is for one of them")
    entrance = parts.entrance
    takes = inspect.signature(entrance.forward).parameters
    if not isinstance(entrance, PreTrainedModel) or "inputs_embeds" not in takes:
        raise ValueError(f"{type(entrance).__name__} takes no inputs_embeds")
    if parts.no_prompt:
        raise ValueError(f"{parts.title} takes no prompt: {parts.no_prompt}")
    if parts.positions is not None and length >= parts.positions:
        raise ValueError(
            f"a prompt of {length} leaves no room in the {parts.positions} positions of this model"
        )
