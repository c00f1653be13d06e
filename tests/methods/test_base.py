"""What is known of an architecture without a method."""

from __future__ import annotations

import torch

from reference_impls.measure.base import Base, close

torch.set_num_threads(1)


def test_what_is_known_of_an_architecture():
    bert, xlm = Base("bert"), Base("mamba")
    assert list(bert.padded) == list(xlm.padded) == ["on the right"]
    longer = bert.padded["on the right"]
    assert longer["input_ids"].shape == longer["attention_mask"].shape == (4, 12)
    assert not longer["attention_mask"][:, 9:].any()
    assert not bert.writes
    assert not bert.moving
    words = bert.used["bert.embeddings.word_embeddings.weight"]
    assert words.any()
    assert not words.all()  # tokens that no text of the batch has
    assert not Base("mobilebert").padded  # padding changes that model itself
    assert Base("llama").writes
    labels = Base("llama").padded["on the right"]["labels"]
    assert bool((labels[:, 9:] == -100).all())
    assert Base("t5").padded["on the right"]["labels"].shape == (4, 9)
    assert Base("vit").padded == {}


def test_outputs_are_the_same_by_their_largest():
    one = torch.tensor([0.0, 100.0])
    assert close(one, one + 0.019)
    assert not close(one, one + 0.021)
    assert close(one / 1e4, one / 1e4 + 1.9e-4)
    assert not close(one / 1e4, one / 1e4 + 2.1e-4)
    assert not close(one, one[:1])
    assert not close(one, one + float("nan"))
