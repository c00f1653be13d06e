"""The tiny models of every architecture: they are built alike, they learn, and padding is not seen.

At the gate two of each kind are tried, those whose names have the least CRC-32; at night all.
"""

from __future__ import annotations

from zlib import crc32

import pytest
import torch

from reference_impls import architectures

torch.set_num_threads(1)

NAMES = architectures.names()
BY_KIND = {
    kind: [n for n in NAMES if architectures.kind(n) == kind] for kind in architectures.KINDS
}
SAMPLE = {
    name
    for names in BY_KIND.values()
    for name in sorted(names, key=lambda name: crc32(name.encode()))[:2]
}
WITH_TEXT = [
    name
    for kind in ("encoder", "decoder", "encoder-decoder", "joined")
    for name in BY_KIND[kind]
    if architectures.about(name, "input") != "page"
]
PADDED = {"input_ids": 0, "attention_mask": 0, "labels": -100, "mm_token_type_ids": 0}
TOLERANCE = 2e-4  # of logits; the largest measured is 2.3e-5, of mT5


def every(names):
    return [
        pytest.param(name, marks=() if name in SAMPLE else (pytest.mark.night,)) for name in names
    ]


def longer(batch):
    """The same batch with three more columns of padding."""
    return {
        key: torch.nn.functional.pad(value, (0, 3), value=PADDED[key])
        if key in PADDED and value.dim() == 2
        else value
        for key, value in batch.items()
    }


@pytest.mark.parametrize("name", every(NAMES))
def test_a_model_is_tiny_shaken_and_built_twice_alike(name):
    before = torch.get_rng_state()
    model, again, other = (architectures.build(name, seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert not model.training
    assert sum(parameter.numel() for parameter in model.parameters()) < 1_000_000
    for key, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key
    for (key, value), drawn in zip(model.named_parameters(), other.parameters()):
        assert not torch.equal(value, drawn), key
        assert value.dtype == torch.float32, key
        assert value.numel() == 1 or value.unique().numel() > 1, f"{key} is constant"


@pytest.mark.parametrize("name", every(NAMES))
def test_a_model_learns_from_its_batch(name):
    model, batch = architectures.build(name), architectures.batch(name)
    loss = model(**batch).loss
    assert loss.isfinite()
    loss.backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)
    reached = sum(bool(gradient.any()) for gradient in gradients)
    assert reached >= 0.3 * len(list(model.parameters()))
    with torch.no_grad():
        logits = architectures.logits(model, batch)
    assert logits.isfinite().all()
    assert logits.std() > 1e-3


@pytest.mark.parametrize("name", every(NAMES))
def test_a_batch_is_drawn_from_its_seed_and_moves_the_model(name):
    one, same, other = (architectures.batch(name, seed=seed) for seed in (0, 0, 1))
    assert all(torch.equal(value, same[key]) for key, value in one.items())
    assert {len(value) for value in one.values()} == {4}
    model = architectures.build(name)
    with torch.no_grad():
        first, second = model(**one).loss, model(**other).loss
    assert first != second


@pytest.mark.parametrize("name", every(WITH_TEXT))
def test_padding_does_not_change_what_is_said_of_real_tokens(name):
    model, batch = architectures.build(name), architectures.batch(name)
    mask = batch["attention_mask"]
    assert (mask == 0).sum(1).tolist() == [3, 0, 0, 0]
    with torch.no_grad():
        difference = architectures.logits(model, batch) - architectures.logits(model, longer(batch))
    moved = difference.abs().max()
    if architectures.about(name, "padding"):
        assert moved > TOLERANCE / 2  # 1.6e-4 for MobileBERT, whose logits are small
    else:
        assert moved < TOLERANCE


def test_rows_and_length_are_those_asked_for():
    for name in ("bert", "gpt2", "t5"):
        text = architectures.batch(name, rows=2, length=12)
        assert text["input_ids"].shape == text["attention_mask"].shape == (2, 12)
    assert architectures.batch("vit", rows=2)["pixel_values"].shape == (2, 3, 16, 16)
    image = architectures.batch("llava", rows=2, length=12)
    assert image["input_ids"].shape == image["labels"].shape == (2, 4 + 12)
    assert (image["input_ids"] == 39).sum(1).tolist() == [4, 4]
    assert (image["labels"] == -100).sum(1).tolist() == [4 + 3, 4]


def test_logits_are_of_real_tokens_or_of_rows():
    def shape(name):
        with torch.no_grad():
            return architectures.logits(architectures.build(name), architectures.batch(name)).shape

    assert shape("llama") == shape("t5") == (4 * 9 - 3, 40)
    assert shape("git") == (4 * 9 - 3, 40)  # what it says of the image is left out
    assert shape("bert") == shape("vit") == shape("wav2vec2") == (4, 3)
    assert shape("clip") == (4, 4)


def test_widths_differ_where_a_model_lets_them():
    gemma = architectures.config("gemma2")
    assert gemma.head_dim * gemma.num_attention_heads != gemma.hidden_size
    assert set(gemma.layer_types) == {"sliding_attention", "full_attention"}
    assert gemma.sliding_window < architectures.batch("gemma2")["input_ids"].shape[1]
    llama = architectures.config("llama")
    assert llama.num_key_value_heads < llama.num_attention_heads
    nested = architectures.config("llava")
    assert nested.text_config.model_type == "llama"
    assert nested.vision_config.hidden_size == nested.text_config.hidden_size == 32


@pytest.mark.parametrize("name", every(NAMES))
def test_nothing_is_left_to_chance_in_training(name):
    model, batch = architectures.build(name).train(), architectures.batch(name)
    losses = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        losses.append(model(**batch).loss.item())
    assert losses[0] == losses[1]


def test_there_are_models_of_every_kind_and_an_unknown_name_is_refused():
    assert len(NAMES) >= 95
    assert len(set(NAMES)) == len(NAMES)
    assert all(len(names) >= 10 for names in BY_KIND.values())
    # a configuration has no value of its own called as one of these
    assert {type(architectures.about(name, "padding")) for name in NAMES} == {str, type(None)}
    assert architectures.kind("flan-t5") == "encoder-decoder"
    assert architectures.config("flan-t5").model_type == "t5"
    with pytest.raises(ValueError, match="no tiny model of type 'lama'; did you mean llama"):
        architectures.build("lama")
    with pytest.raises(ValueError, match=r"type 'xyzzy9'; names\(\) lists all"):
        architectures.kind("xyzzy9")
