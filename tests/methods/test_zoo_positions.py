"""A model has learned positions for as many tokens as `positions` says, and not for one more."""

from __future__ import annotations

import pytest
import torch

from reference_impls import architectures
from tests.methods.zoo import NAMES, every, model_of

torch.set_num_threads(1)

LONG = 200  # tokens, for a model that computes positions
WITH_TEXT = [n for n in NAMES if architectures.kind(n) not in ("vision", "audio")]
TABLES = {  # of positions that are no `nn.Embedding` that tokens look up
    **dict.fromkeys(("gptj", "ctrl", "codegen"), "they are computed once, for so many tokens"),
    "ibert": "it is quantized",
    "longformer": "it is longer than a text: padding to a multiple of the window has positions too",
    "mpt": "its biases are computed once, for so many tokens",
    "siglip2": "nothing of it is watched",
    "instructblip": "nothing of it is watched",
    "whisper": "an image or sound enters, and the text is a decoder's",
    "vision-encoder-decoder": "an image or sound enters, and the text is a decoder's",
    "prophetnet": "of its rows some are for the tokens that it predicts at once",
    "fsmt": "they are computed, and grow where a text is longer",
}


def runs(model, name: str, length: int) -> bool:
    """Whether the model takes texts of a length, without padding."""
    batch = {k: v[1:] for k, v in architectures.batch(name, rows=2, length=length).items()}
    if architectures.about(name, "tokens"):  # placeholders of an image stand in front of the text
        cut = {k: v[:, : -architectures.about(name, "tokens")] for k, v in text_of(batch).items()}
        batch |= cut
    try:
        with torch.no_grad():
            model(**batch)
    except (IndexError, RuntimeError, ValueError):
        return False
    return True


def text_of(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What has an entry for each token."""
    names = ("input_ids", "attention_mask", "labels", "mm_token_type_ids")
    return {key: batch[key] for key in names if key in batch and batch[key].ndim == 2}


@every(WITH_TEXT, but=TABLES)
def test_learned_positions_are_counted_as_far_as_tokens_may_have_them(name):
    model, parts = model_of(name)
    assert runs(model, name, parts.positions or LONG)
    if parts.positions:
        assert not runs(model, name, parts.positions + 1)


@pytest.mark.parametrize("name", ["gptj", "mpt"])
def test_what_is_no_table_is_not_counted(name):
    assert model_of(name)[1].positions is None
