"""A batch tells the parts of a model whose inputs are not guessed."""

from __future__ import annotations

import pytest
import torch

from reference_impls import anatomy as package
from reference_impls import architectures
from reference_impls.anatomy import anatomy
from reference_impls.reparameterized.lora.lora import LoRA
from tests.methods.zoo import learns

torch.set_num_threads(1)


@pytest.fixture
def no_memory(monkeypatch):
    monkeypatch.setattr(package, "_FOUND", {})


@pytest.mark.parametrize("name", ["siglip2", "instructblip"])
def test_a_model_whose_inputs_are_not_guessed_is_seen_through_by_a_batch(no_memory, name):
    model, batch = architectures.build(name), architectures.batch(name)
    with pytest.raises(ValueError, match=r"try a batch of yours: anatomy\(model, inputs=batch\)"):
        LoRA().setup(model)
    parts = anatomy(model, inputs=batch)
    assert all(layer.query and layer.feed_forward_up for layer in parts.layers)
    learns(model, LoRA())
    again = architectures.build(name)  # of the same structure
    assert len(anatomy(again).layers) == len(parts.layers)


def test_layers_of_images_are_seen_in_a_batch_that_has_one(no_memory):
    model, batch = architectures.build("mllama"), architectures.batch("mllama")
    assert "pixel_values" in batch
    places = [layer.place for layer in anatomy(model).layers]
    seen = [layer.place for layer in anatomy(model, inputs=batch).layers]
    assert set(places) < set(seen)
    assert any("vision_model" in place for place in seen)


@pytest.mark.parametrize("name", ["bert", "gpt2", "t5", "opt", "vit", "mixtral"])
def test_a_batch_tells_what_a_guess_does(no_memory, name):
    base, batch = architectures.build(name).base_model, architectures.batch(name)
    guessed = package._found(base)
    assert package._found(base, batch) == guessed


def test_what_a_head_makes_of_labels_is_no_part_of_a_batch_and_guessed(no_memory):
    model, batch = architectures.build("whisper"), architectures.batch("whisper")
    assert batch.keys() == {"input_features", "labels"}
    parts = anatomy(model, inputs=batch)
    assert [len(stack.layers) for stack in parts.stacks] == [2, 2]


def test_a_batch_that_a_model_does_not_take_is_refused_and_nothing_forgotten(no_memory):
    model, batch = architectures.build("bert"), architectures.batch("bert")
    parts = anatomy(model)
    with pytest.raises(ValueError, match=r"inputs: BertModel: its forward pass could not be watch"):
        anatomy(model, inputs={"attention_mask": batch["attention_mask"]})
    assert len(anatomy(model).layers) == len(parts.layers)
