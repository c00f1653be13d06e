"""MAM: the two parts by hand, alone and together."""

from __future__ import annotations

import copy

import pytest
import torch

from reference_impls.anatomy import anatomy
from reference_impls.core.method import METHODS, trainable
from reference_impls.shared.parallel_adapter import ParallelAdapter
from reference_impls.shared.prefix_attention import Reparametrized
from tests.methods import models
from tests.methods.settings import adapt, batches, make

MAM, PrefixTuning = METHODS["mam"], METHODS["prefix_tuning"]
FAMILIES = ["bert", "gpt2-lm", "llama-lm"]


def adapters(model) -> list[ParallelAdapter]:
    return [layer.feed_forward_end.parallel for layer in anatomy(model).layers]


def branch(adapter: ParallelAdapter, x: torch.Tensor) -> torch.Tensor:
    """The parallel adapter, written out."""
    hidden = (x @ adapter.down.weight.T + adapter.down.bias).clamp(min=0)
    return adapter.scale * (hidden @ adapter.up.weight.T + adapter.up.bias)


def feed_forward(layer, x: torch.Tensor) -> torch.Tensor:
    """The feed-forward block of an untouched layer."""
    inner = layer.feed_forward_input(x)
    return inner if inner.shape[-1] == x.shape[-1] else layer.feed_forward_down.module(inner)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_adapter_reads_the_blocks_input_and_joins_its_output(name):
    """Seen from outside: what the residual stream gains, and what the block was given."""
    _, model = adapt("mam", name)
    model.eval()
    pristine, given, joined = anatomy(models.build(name)), [], []
    for layer in anatomy(model).layers:
        layer.feed_forward_input.register_forward_pre_hook(lambda m, args: given.append(args[0]))
        if name == "bert":  # the second norm reads the sum of block and residual
            layer.norms[1].register_forward_pre_hook(lambda m, args: joined.append(args[0]))
        else:  # the second norm reads the residual stream, the layer returns the sum
            layer.norms[1].register_forward_pre_hook(lambda m, args: joined.append(-args[0]))
            layer.block.register_forward_hook(lambda m, args, out: joined.append(out))
    with torch.no_grad():
        model(**models.batch(name))
        for index, (layer, adapter) in enumerate(zip(pristine.layers, adapters(model))):
            x = given[index]
            gained = joined[index] - x if name == "bert" else sum(joined[2 * index :][:2])
            expected = feed_forward(layer, x) + branch(adapter, x)
            torch.testing.assert_close(gained, expected, atol=1e-5, rtol=1e-5)
            assert branch(adapter, x).abs().mean() > 1e-2


def test_the_prefix_gates_the_attention_inside_the_model():
    _, model = adapt("mam", "bert")
    model.double().eval()
    layer, seen = anatomy(model).layers[1], []
    layer.attention.register_forward_hook(lambda m, args, out: seen.append((args[0], out[0])))
    ids = models.batch("bert")["input_ids"][1:]
    with torch.no_grad():
        model(ids)
        states, output = seen[0]

        def heads(projection) -> torch.Tensor:
            projected = states @ projection.weight.T + projection.bias
            return projected.unflatten(-1, (4, 8)).transpose(1, 2)

        query, key, value = (heads(p) for p in (layer.query, layer.key, layer.value))
        keys, values = (x.transpose(0, 1) for x in layer.attention.prefix())
        to_text, to_prefix = (query @ k.transpose(-1, -2) / 8**0.5 for k in (key, keys))
        mass = to_prefix.exp().sum(-1, keepdim=True)
        share = mass / (mass + to_text.exp().sum(-1, keepdim=True))
        parallel = to_prefix.softmax(-1) @ values  # an adapter of the query, softmax for a ReLU
        expected = (1 - share) * (to_text.softmax(-1) @ value) + share * parallel
    expected = expected.transpose(1, 2).flatten(2)
    torch.testing.assert_close(output.view_as(expected), expected, atol=1e-10, rtol=0)
    assert 0.01 < share.mean() < 0.99


@pytest.mark.parametrize("name", FAMILIES)
def test_with_the_adapter_zeroed_it_is_prefix_tuning(name):
    inputs = models.batch(name)
    method, model = adapt("mam", name)
    model.eval()
    prefixes = {k: v for k, v in method.tensors(model).items() if ".prefix." in k}
    for adapter in adapters(model):
        adapter.up.weight.data.zero_()
        adapter.up.bias.data.zero_()
    other, plain = adapt("prefix_tuning", name)
    other.put(plain, prefixes)
    for mine, theirs in zip(anatomy(plain).head_parameters(), anatomy(model).head_parameters()):
        mine.data.copy_(theirs)
    assert torch.equal(models.logits(model, inputs), models.logits(plain.eval(), inputs))


@pytest.mark.parametrize("name", FAMILIES)
def test_with_the_prefix_removed_only_the_adapters_are_left(name):
    inputs = models.batch(name)
    _, model = adapt("mam", name)
    alone = copy.deepcopy(model).eval()
    for layer in anatomy(alone).layers:
        del layer.attention.prefix
    base = models.build(name)
    for mine, theirs in zip(anatomy(base).head_parameters(), anatomy(alone).head_parameters()):
        mine.data.copy_(theirs)
    for layer, adapter in zip(anatomy(base).layers, adapters(alone)):
        kept = []
        layer.feed_forward_input.register_forward_pre_hook(
            lambda m, args, kept=kept: kept.append(args[0])
        )
        layer.feed_forward_end.register_forward_hook(
            lambda m, args, out, kept=kept, adapter=adapter: out + branch(adapter, kept.pop())
        )
    expected = models.logits(base, inputs)
    torch.testing.assert_close(models.logits(alone, inputs), expected, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(models.logits(model.eval(), inputs), expected, atol=1e-3)


def test_where_the_relu_is_idle_the_adapter_is_a_scaled_low_rank_update():
    torch.manual_seed(0)
    adapter = ParallelAdapter(8, 3, scale=4.0, dropout=0.0).double()
    models.shake(adapter)
    adapter.down.bias.data.fill_(100.0)
    x = torch.randn(5, 8, dtype=torch.float64)
    update = 4.0 * adapter.up.weight @ adapter.down.weight
    constant = 4.0 * (adapter.up.weight @ adapter.down.bias + adapter.up.bias)
    torch.testing.assert_close(adapter(x), x @ update.T + constant, atol=1e-10, rtol=0)


def test_the_start_is_that_of_lora():
    torch.manual_seed(0)
    adapter = ParallelAdapter(64, 512, scale=4.0, dropout=0.0)
    bound = 64**-0.5
    assert 0.99 * bound < adapter.down.weight.abs().max() <= bound
    for zero in (adapter.down.bias, adapter.up.weight, adapter.up.bias):
        assert not zero.any()


def test_dropout_acts_between_the_maps_and_in_training_only():
    torch.manual_seed(0)
    adapter = models.shake(ParallelAdapter(8, 5, scale=2.0, dropout=1.0))
    x = torch.randn(3, 8)
    nothing = (2.0 * adapter.up.bias).expand(3, -1)
    torch.testing.assert_close(adapter.train()(x), nothing)
    torch.testing.assert_close(adapter.eval()(x), branch(adapter, x))


def test_a_copy_can_be_made_after_a_checkpointed_step():
    method, model = adapt("mam", "gpt2-lm")
    model.train()
    model.activation_checkpointing_enable()
    method.loss(model, models.batch("gpt2-lm")).backward()
    before = [p.grad for p in trainable(model)]
    assert all(grad is not None for grad in before)
    copy.deepcopy(model)


def test_the_paper_defaults_and_their_counts():
    """XSum script: l 30, MLP 800, bottleneck 512, s 4; counted on the sizes of a BERT base."""
    from transformers import BertConfig

    from reference_impls.anatomy import model_on_meta

    method = MAM()
    assert (method.prefix_length, method.bottleneck) == (30, 800)
    assert (method.size, method.scale) == (512, 4.0)
    parts = anatomy(model_on_meta(BertConfig()))
    prefix, adapter = 2 * 12 * 30 * 768, 12 * (2 * 768 * 512 + 768 + 512)
    mlp = 768 * 800 + 800 + 800 * 12 * 2 * 768 + 12 * 2 * 768
    assert method.stored(parts) == prefix + adapter == 10_005_504
    assert method.trained(parts) == 30 * 768 + mlp + adapter
    assert MAM(reparametrize=False).trained(parts) == prefix + adapter


def test_published_counts_on_bart_large():
    """He et al. count 6.7 % of 406,291,456 for MAM, and for prefix with LoRA; no biases counted."""
    from transformers import T5Config

    from reference_impls.anatomy import model_on_meta
    from reference_impls.reparameterized.lora.lora import LoRA

    # an encoder-decoder of BART's sizes: its cross-attention has a prefix too
    config = T5Config(d_model=1024, d_kv=64, d_ff=4096, num_layers=12, num_heads=16)
    parts = anatomy(model_on_meta(config))
    biases = 2 * 12 * (512 + 1024)
    assert MAM().stored(parts) - biases == 27_377_664
    low_rank = LoRA(r=102, targets=("feed_forward_up", "feed_forward_down"))
    both = PrefixTuning(length=30).stored(parts) + low_rank.trained(parts)
    assert both == 27_279_360
    assert {f"{100 * count / 406_291_456:.1f}" for count in (27_377_664, both)} == {"6.7"}


def test_training_changes_both_parts_and_keeps_keys_and_values_only():
    model = models.build("llama-lm")
    method = make("mam")
    method.setup(model, batches("llama-lm"))
    assert all(type(x.attention.prefix) is Reparametrized for x in anatomy(model).layers)
    start = method.tensors(model)
    optimizer = method.optimizer(trainable(model))
    for step in range(2):  # the way down gets a gradient once the way up is no longer zero
        method.step(model, models.batch("llama-lm", seed=step), optimizer, step)
    end = method.tensors(model)
    assert {k.split(".")[-2] for k in end} == {"prefix", "down", "up"}
    assert all(not torch.equal(start[key], end[key]) for key in end)
