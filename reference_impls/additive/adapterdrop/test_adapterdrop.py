"""AdapterDrop: which layers have an adapter, what it computes, how n is drawn."""

import copy

import pytest
import torch
from transformers import BertConfig, GPT2Config

from reference_impls.additive.adapterdrop.adapterdrop import AdapterDrop
from reference_impls.anatomy import anatomy, model_on_meta
from reference_impls.core.method import trainable
from reference_impls.core.training import Loop, train
from reference_impls.measure.reports import on_task
from reference_impls.shared.bottleneck import Bottleneck
from tests.methods import models
from tests.methods.ledgers import LAB
from tests.methods.settings import batches, shake

LAYERS = 4
every_model = pytest.mark.parametrize("name", list(models.MODELS))
every_family = pytest.mark.parametrize("name", list(models.CLASSIFIERS))


def build(name: str):
    names = {"gpt2": ["n_layer"], "t5": ["num_layers", "num_decoder_layers"]}
    depth = dict.fromkeys(names.get(name.removesuffix("-lm"), ["num_hidden_layers"]), LAYERS)
    return models.build(name, **depth)


def robust(name: str, **arguments):
    """A shaken model of four layers with adapters in each: (method, model)."""
    model = build(name)
    method = AdapterDrop(**{"size": 5, "dropped": 1, **arguments})
    method.setup(model)
    return method, shake(method, model).eval()


def outputs_of_layers(model, inputs) -> list[torch.Tensor]:
    seen: list[torch.Tensor] = []
    handles = [
        layer.end.register_forward_hook(lambda module, args, output: seen.append(output))
        for layer in anatomy(model).stacks[0].layers
    ]
    model(**inputs)
    for handle in handles:
        handle.remove()
    return seen


@torch.no_grad()
@every_family
@pytest.mark.parametrize("n", range(LAYERS + 1))
def test_the_first_n_layers_are_the_pretrained_ones_to_the_last_bit(name, n):
    inputs = models.batch(name)
    expected = outputs_of_layers(build(name), inputs)
    method, model = robust(name)
    method.drop(model, n)
    same = [
        torch.equal(ours, theirs)
        for ours, theirs in zip(outputs_of_layers(model, inputs), expected, strict=True)
    ]
    assert same == [True] * n + [False] * (LAYERS - n)


@torch.no_grad()
@every_model
def test_without_any_adapter_the_logits_are_the_pretrained_ones(name):
    inputs = models.batch(name)
    expected = models.logits(build(name), inputs)
    method, model = robust(name)
    head = dict(build(name).named_parameters())
    for key, parameter in model.named_parameters():
        if key in head:
            parameter.copy_(head[key])
    method.drop(model, LAYERS)
    assert torch.equal(models.logits(model, inputs), expected)


@torch.no_grad()
def test_a_bert_layer_computes_the_equation():
    method, model = robust("bert")
    method.drop(model, 0)
    block = model.bert.encoder.layer[2]
    x = torch.randn(2, 5, 32)
    read = block.attention(x)[0]
    s = read + block.output.dense(block.intermediate(read))
    norm, adapter = block.output.LayerNorm, block.output.LayerNorm.adapter

    def normalize(t: torch.Tensor) -> torch.Tensor:
        centered = t - t.mean(-1, keepdim=True)
        variance = centered.square().mean(-1, keepdim=True)
        return centered / (variance + norm.eps).sqrt() * norm.weight + norm.bias

    hidden = (normalize(s) @ adapter.down.weight.T + adapter.down.bias).clamp(min=0)
    expected = normalize(s + hidden @ adapter.up.weight.T + adapter.up.bias)
    torch.testing.assert_close(block(x), expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_a_pre_norm_layer_adds_the_adapter_of_its_output(name):
    inputs = models.batch(name)
    method, model = robust(name)
    method.drop(model, 3)
    with_adapter = outputs_of_layers(model, inputs)[3]
    method.drop(model, 4)
    s = outputs_of_layers(model, inputs)[3]
    adapter = anatomy(model).layers[3].block.adapter
    hidden = (s @ adapter.down.weight.T + adapter.down.bias).clamp(min=0)
    expected = s + hidden @ adapter.up.weight.T + adapter.up.bias
    torch.testing.assert_close(with_adapter, expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_scaling_and_permuting_the_hidden_units_changes_nothing():
    torch.manual_seed(0)
    adapter = models.shake(Bottleneck(8, 5)).double()
    x = torch.randn(20, 8).double()
    expected = adapter(x)
    order, scale = torch.tensor([3, 0, 4, 1, 2]), torch.tensor([0.5, 2, 3, 1, 7]).double()
    adapter.down.weight.copy_(scale[:, None] * adapter.down.weight[order])
    adapter.down.bias.copy_(scale * adapter.down.bias[order])
    adapter.up.weight.copy_(adapter.up.weight[:, order] / scale)
    torch.testing.assert_close(adapter(x), expected, atol=1e-12, rtol=0)
    adapter.down.weight[0] *= -1  # a ReLU lets positive factors through only
    assert not torch.allclose(adapter(x), expected)


def dropped_in_training(model) -> int:
    """How many layers, from the first, do without in training mode; no other does."""
    places = [layer.end for layer in anatomy(model).layers]
    skipped = [place.adapter.skipped[True] for place in places]
    assert skipped == sorted(skipped, reverse=True)
    return sum(skipped)


def test_n_is_drawn_uniformly_for_each_batch_and_leaves_the_last_adapter():
    method, model = robust("bert")
    torch.manual_seed(0)
    drawn = []
    for step in range(2000):
        method.before_step(model, step)
        drawn.append(dropped_in_training(model))
    counts = torch.bincount(torch.tensor(drawn), minlength=LAYERS + 1)
    assert counts[LAYERS] == 0
    error = (2000 * 0.25 * 0.75) ** 0.5
    assert (counts[:LAYERS] - 500).abs().max() < 4 * error


@torch.no_grad()
def test_evaluation_keeps_its_own_n_whatever_training_draws():
    inputs = models.batch("bert")
    method, model = robust("bert", dropped=2)
    expected = models.logits(model, inputs)
    by_training = []
    for n in range(LAYERS):
        method.drop(model, n, training=True)
        assert torch.equal(models.logits(model.eval(), inputs), expected)
        by_training.append(models.logits(model.train(), inputs))
    same = [torch.equal(logits, expected) for logits in by_training]
    assert same == [False, False, True, False]


@torch.no_grad()
def test_adapters_join_in_the_mode_that_the_model_is_in():
    model = build("bert")
    AdapterDrop(size=5, dropped=2).setup(model)
    fresh = models.logits(model, models.batch("bert"))
    assert torch.equal(models.logits(model.eval(), models.batch("bert")), fresh)


@every_family
def test_nothing_flows_back_below_layer_n(name):
    method, model = robust(name)
    method.drop(model.train(), 2, training=True)
    needs = [output.requires_grad for output in outputs_of_layers(model, models.batch(name))]
    assert needs == [False, False, True, True]
    method.loss(model, models.batch(name)).backward()
    got = [
        all(p.grad is not None and p.grad.any() for p in adapter.parameters())
        for adapter in (layer.end.adapter for layer in anatomy(model).layers)
    ]
    assert got == [False, False, True, True] * len(anatomy(model).stacks)


def test_checkpointing_sees_the_same_n_in_its_second_forward_pass():
    inputs, gradients = models.batch("bert"), []
    for checkpointing in (False, True):
        method, model = robust("bert")
        model.train()
        if checkpointing:
            model.activation_checkpointing_enable()
        method.drop(model, 2, training=True)
        method.loss(model, inputs).backward()
        gradients.append([p.grad for p in trainable(model)])
    for plain, checkpointed in zip(*gradients, strict=True):
        assert (plain is None) == (checkpointed is None)
        if plain is not None:
            torch.testing.assert_close(plain, checkpointed, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_a_deep_copy_has_its_own_n():
    inputs = models.batch("bert")
    method, model = robust("bert")
    twin = copy.deepcopy(model)
    before = models.logits(twin, inputs)
    method.drop(model, 3)
    assert torch.equal(models.logits(twin, inputs), before)


def test_robust_training_repeats_with_its_seed_and_trains_every_adapter():
    fresh = build("bert")
    torch.manual_seed(3)
    AdapterDrop(size=5, dropped=1).setup(fresh)
    states = []
    for _ in range(2):
        model, method = build("bert"), AdapterDrop(size=5, dropped=1, lr=1e-2)
        train(method, model, Loop(lambda seed: batches("bert"), steps=8, seed=3, progress=False))
        states.append(model.state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    start = fresh.state_dict()
    assert not any(torch.equal(states[0][key], start[key]) for key in start if "adapter" in key)


def test_counts_of_both_variants():
    parts = anatomy(model_on_meta(BertConfig()))
    one = 2 * 48 * 768 + 768 + 48
    assert AdapterDrop().trained(parts) == AdapterDrop().stored(parts) == 12 * one == 894_528
    assert AdapterDrop(robust=False).trained(parts) == 7 * one
    gpt2 = anatomy(model_on_meta(GPT2Config()))
    assert AdapterDrop(dropped=0).trained(gpt2) == 12 * one
    model = build("bert")
    method = AdapterDrop(size=5, dropped=1)
    method.setup(model)
    assert sum(value.numel() for value in method.tensors(model).values()) == method.stored(
        anatomy(model)
    )


def test_at_least_one_layer_keeps_its_adapter():
    model = build("bert")
    with pytest.raises(ValueError, match="of 4 layers, 0 to 3 can do without"):
        AdapterDrop(dropped=LAYERS).setup(model)
    AdapterDrop(dropped=LAYERS - 1).setup(model)


def test_the_specialized_variant_has_no_adapters_to_drop():
    model = build("bert")
    method = AdapterDrop(size=5, dropped=2, robust=False)
    method.setup(model)
    names = [name for name, _ in model.named_parameters() if "adapter.down.weight" in name]
    assert [name.split(".")[3] for name in names] == ["2", "3"]
    with pytest.raises(ValueError, match="n = 2 only"):
        method.drop(model, 3)


def test_the_ledger_is_that_of_the_costliest_draw():
    """Half of the steps leave out the first adapter; a method that never does costs as much."""
    dropping = on_task(AdapterDrop, "first-clause", size=16)
    assert dropping["ledger"] == LAB["pfeiffer"]["first-clause"]["ledger"]
