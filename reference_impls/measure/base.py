"""An architecture without a method: what it computes, and what it does not keep by itself."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from transformers import PreTrainedModel

from .. import architectures
from ..core.batches import Batch
from ..core.training import train_mode

CLOSE = 2e-4  # of the largest logit
LEAST = 1e-4  # of the model's largest gradient: what has less is of no use to the model
WRITTEN = 4  # tokens


class Base:
    """An architecture without a method: what is expected of one, and what it does not keep."""

    def __init__(self, name: str) -> None:
        batch, model = architectures.batch(name), architectures.build(name)
        self.state = {key: value.clone() for key, value in model.state_dict().items()}
        self.logits, self.states = logits(model, batch), states(model, batch)
        self.padded = {
            which: longer
            for which, longer in paddings(model, batch).items()
            if not architectures.about(name, "padding") and _same(model, longer, self.logits)
        }
        self.writes = can_write(model, batch)
        train_mode(model)
        model(**batch).loss.backward()
        found = model.state_dict()
        self.moving = {k for k in found if not torch.equal(found[k], self.state[k])}
        size = {
            key: torch.zeros_like(p) if p.grad is None else p.grad.abs()
            for key, p in model.named_parameters()
        }
        least = LEAST * max(grad.max() for grad in size.values())
        self.used = {key: grad >= least for key, grad in size.items()}


def _same(model: PreTrainedModel, batch: Batch, expected: Tensor) -> bool:
    """Whether a model takes a batch at all, and says the same of it."""
    try:
        return close(expected, logits(model, batch))
    except Exception:
        return False


@cache
def base(name: str) -> Base:
    """What is known of an architecture; made once in a process."""
    return Base(name)


@torch.no_grad()
def logits(model: PreTrainedModel, batch: Batch) -> Tensor:
    """Those of real tokens, or of each row."""
    return architectures.logits(model, batch)


@torch.no_grad()
def states(model: PreTrainedModel, batch: Batch) -> torch.Size | None:
    """The shape of what the base model returns first, if it takes the batch without labels."""
    base, inputs = model.base_model, {k: v for k, v in batch.items() if k != "labels"}
    if base is model:
        return None
    try:
        return base(**inputs)[0].shape
    except Exception:  # such as a decoder that needs its own inputs
        return None


def paddings(model: PreTrainedModel, batch: Batch) -> dict[str, Batch]:
    """The same text with more padding on its right."""
    if "attention_mask" not in batch:
        return {}
    pad = model.config.get_text_config().pad_token_id or 0
    longer = dict(batch)
    for key, fill in (("input_ids", pad), ("attention_mask", 0), ("mm_token_type_ids", 0)):
        if key in batch:
            longer[key] = torch.nn.functional.pad(batch[key], (0, 3), value=fill)
    labels = batch.get("labels")
    each = labels is not None and labels.shape == batch["input_ids"].shape
    if each and not model.config.is_encoder_decoder:
        longer["labels"] = torch.nn.functional.pad(labels, (0, 3), value=-100)
    return {"on the right": longer}


def can_write(model: PreTrainedModel, batch: Batch) -> bool:
    """Whether the model writes the same text with a cache and without."""
    if not model.can_generate():
        return False
    try:
        return same_with_a_cache(model, batch)
    except Exception:  # a model that does not generate from such a batch
        return False


def same_with_a_cache(model: PreTrainedModel, batch: Batch) -> bool:
    """Whether a model finds the same words likely with a cache and without."""
    return close(*(scores(model, batch, use_cache=use) for use in (True, False)))


@torch.no_grad()
def scores(model: PreTrainedModel, batch: Batch, *, use_cache: bool) -> Tensor:
    """Those of all words, (words, rows, vocabulary), while the likeliest are written; of the rows
    that have no padding."""
    inputs = {k: v[1:].clone() for k, v in batch.items() if k != "labels" and v.ndim}
    settings = {"max_new_tokens": WRITTEN, "min_new_tokens": WRITTEN, "do_sample": False}
    # padding tells some models positions, and images have tokens that stand for them
    words = model.config.get_text_config().vocab_size
    settings["bad_words_ids"] = [[i] for i in range(words) if i not in architectures.ORDINARY]
    asked = {"output_logits": True, "return_dict_in_generate": True, "use_cache": use_cache}
    return torch.stack(model.generate(**inputs, **settings, **asked).logits)


def close(expected: Tensor, found: Tensor) -> bool:
    """Whether two outputs are the same but for rounding."""
    if expected.shape != found.shape:
        return False
    return bool((expected - found).abs().max() <= CLOSE * max(1.0, expected.abs().max().item()))
