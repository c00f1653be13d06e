"""P-tuning v2: its dropout, its starts, what is kept, the counts of the official code."""

from __future__ import annotations

import copy
import gc
import weakref

import pytest
import torch
from torch.nn.functional import pad
from transformers import BertConfig

from reference_impls.anatomy import anatomy, model_on_meta, numel
from reference_impls.core.method import METHODS, trainable
from reference_impls.core.training import Loop, train
from reference_impls.shared.prefix_attention import Prefix, Reparametrized
from tests.methods import models
from tests.methods.settings import batches

PTuningV2 = METHODS["p_tuning_v2"]
LENGTH = 3


def blocks_of(model) -> list:
    return [block for layer in anatomy(model).layers for block in layer.attentions]


def tuned(name: str, **arguments):
    """A shaken model with prompts; returns the method too."""
    model = models.build(name)
    torch.manual_seed(2)
    method = PTuningV2(**{"length": LENGTH} | arguments)
    method.setup(model)
    return method, model


def seen_by_attention(model, inputs) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """What each prefix gives out in a training pass."""
    seen = []
    handles = [
        block.attention.prefix.register_forward_hook(lambda *io: seen.append(io[-1]))
        for block in blocks_of(model)
    ]
    model.train()(**inputs)
    for handle in handles:
        handle.remove()
    return seen


@pytest.mark.parametrize("name", ["bert", "llama", "t5"])
def test_in_training_each_text_has_its_own_dropout_of_keys_and_values(name):
    _, model = tuned(name, dropout=0.25)
    inputs = models.batch(name, rows=600)
    seen = seen_by_attention(model, inputs)
    assert len(seen) == len(blocks_of(model))
    for block, dropped in zip(blocks_of(model), seen):
        for rows, texts in zip(block.attention.prefix(), dropped, strict=True):
            assert texts.shape == (600, *rows.shape)
            kept = texts != 0
            torch.testing.assert_close(texts[kept], (rows / 0.75).expand_as(texts)[kept])
            error = (0.25 * 0.75 / kept.numel()) ** 0.5
            assert kept.float().mean().item() == pytest.approx(0.75, abs=5 * error)
            assert not torch.equal(kept[0], kept[1])
        assert not torch.equal(*(texts != 0 for texts in dropped))


@pytest.mark.parametrize("reparametrize", [False, True])
def test_what_is_stored_has_no_dropout_even_while_training(reparametrize):
    inputs = models.batch("bert")
    method, model = tuned("bert", dropout=0.5, reparametrize=reparametrize, bottleneck=5)
    model.train()
    model(**inputs).loss.backward()
    delta = method.delta(model)
    method.fold_prefixes(model)
    for block in blocks_of(model):
        assert type(block.attention.prefix) is Prefix
        for rows in block.attention.prefix():
            assert rows.shape[0] == LENGTH
            assert rows.all()
    after = method.delta(model)
    assert delta.keys() == after.keys()
    assert all(torch.equal(delta[key], after[key]) for key in delta)
    twin = copy.deepcopy(model).eval()
    assert torch.equal(models.logits(twin, inputs), models.logits(model.eval(), inputs))


def test_without_dropout_training_is_evaluation():
    inputs = models.batch("bert")
    _, model = tuned("bert", dropout=0.0)
    expected = models.logits(model, inputs)
    torch.testing.assert_close(models.logits(model.train(), inputs), expected)


def test_it_is_prefix_tuning_without_a_perceptron():
    """To the bit, where dropout is off: keys and values in front, no position moves."""
    inputs = models.batch("bert")
    _, model = tuned("bert")
    other = models.build("bert")
    torch.manual_seed(2)
    METHODS["prefix_tuning"](length=LENGTH, reparametrize=False).setup(other)
    with torch.no_grad():
        for block in blocks_of(other):
            for rows in block.attention.prefix():
                rows.mul_(0.02)  # where it starts is P-tuning v2's own
    assert torch.equal(models.logits(model, inputs), models.logits(other, inputs))


def test_the_classifier_reads_cls_over_prompts_in_every_layer():
    """Layer by layer, by hand."""
    inputs = models.batch("bert")
    _, model = tuned("bert")
    hidden = model.bert.embeddings(inputs["input_ids"])
    seen = pad(inputs["attention_mask"], (LENGTH, 0), value=1)[:, None, None, :].bool()
    for layer in model.bert.encoder.layer:
        attention = layer.attention.self
        query, key, value = (
            linear(hidden).unflatten(-1, (4, 8)).transpose(1, 2)
            for linear in (attention.query, attention.key, attention.value)
        )
        mine = (rows.transpose(0, 1).expand(4, -1, -1, -1) for rows in attention.prefix())
        key, value = (torch.cat(pair, dim=2) for pair in zip(mine, (key, value)))
        scores = (query @ key.transpose(2, 3) / 8**0.5).masked_fill(~seen, float("-inf"))
        context = (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)
        attended = layer.attention.output(context, hidden)
        hidden = layer.output(layer.intermediate(attended), attended)
    expected = model.classifier(model.bert.pooler(hidden))
    torch.testing.assert_close(models.logits(model, inputs), expected, atol=1e-5, rtol=1e-5)


def test_only_prompts_and_the_new_head_are_trained():
    _, model = tuned("bert")
    names = {name for name, p in model.named_parameters() if p.requires_grad}
    prompts = {
        f"bert.encoder.layer.{i}.attention.self.prefix.{part}"
        for i in (0, 1)
        for part in ("keys", "values")
    }
    assert names == prompts | {"classifier.weight", "classifier.bias"}  # not the pooler


def test_the_start_is_normal_and_as_small_as_the_models_own():
    _, model = tuned("bert", length=400)
    for block in blocks_of(model):
        for rows in block.attention.prefix():
            assert abs(rows.mean() / 0.02) < 5 / rows.numel() ** 0.5
            assert abs(rows.std() / 0.02 - 1) < 5 / (2 * rows.numel()) ** 0.5


def test_the_perceptron_is_an_option_and_dropped_after_training():
    method, model = tuned("bert")
    assert all(type(block.attention.prefix) is Prefix for block in blocks_of(model))
    model, method = models.build("bert"), PTuningV2(length=3, reparametrize=True, bottleneck=5)
    loop = Loop(lambda seed: batches("bert"), steps=2, progress=False)
    before = []
    loop.evaluate = lambda model: before.append(type(blocks_of(model)[0].attention.prefix)) or 0.0
    train(method, model, loop)
    assert set(before) == {Reparametrized}
    assert all(type(block.attention.prefix) is Prefix for block in blocks_of(model))
    head = {id(p) for p in anatomy(model).head_parameters()}
    left = numel(p for p in trainable(model) if id(p) not in head)
    assert left == method.stored(anatomy(model))


def test_the_perceptron_leaves_the_memory_once_it_is_folded():
    method, model = tuned("bert", reparametrize=True, bottleneck=5)
    trunk = weakref.ref(blocks_of(model)[0].attention.prefix.trunk)
    method.fold_prefixes(model)
    gc.collect()
    assert trunk() is None


def test_the_count_of_the_script_for_rte():
    """20 rows of 2 · 24 · 1024 numbers, as `PrefixEncoder` has without projection."""
    config = BertConfig(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16)
    parts = anatomy(model_on_meta(config))
    assert PTuningV2().trained(parts) == PTuningV2().stored(parts) == 20 * 2 * 24 * 1024
