"""Scaled parallel adapter: what the branch computes and reads, the scale, the start, counts."""

import copy

import pytest
import torch
from torch import nn

from reference_impls import architectures
from reference_impls.additive.parallel_adapter.parallel_adapter import (
    ParallelAdapter,
    ScaledParallelAdapter,
)
from reference_impls.anatomy import anatomy
from reference_impls.core.method import trainable
from tests.methods import models
from tests.methods.settings import adapt, batches, shake

SCALE = 3.0  # settings.py
every_family = pytest.mark.parametrize("name", list(models.CLASSIFIERS))


def by_hand(adapter: nn.Module, x: torch.Tensor, scale: float = SCALE) -> torch.Tensor:
    hidden = (x @ adapter.down.weight.T + adapter.down.bias).clamp(min=0)
    return scale * (hidden @ adapter.up.weight.T + adapter.up.bias)


@torch.no_grad()
def test_an_adapter_computes_the_equation():
    torch.manual_seed(0)
    adapter = models.shake(ParallelAdapter(32, 5, SCALE, 0.0)).double()
    x = torch.randn(50, 32).double()
    torch.testing.assert_close(adapter(x), by_hand(adapter, x), atol=1e-12, rtol=0)


@torch.no_grad()
def test_bert_normalizes_block_plus_branch_plus_input():
    _, model = adapt("parallel_adapter", "bert")
    block = model.eval().double().bert.encoder.layer[1]
    x = torch.randn(2, 5, 32).double()
    read = block.attention(x)[0]
    middle = nn.functional.gelu(block.intermediate.dense(read))
    h = block.output.dense(middle) + by_hand(block.intermediate.parallel, read)
    expected = block.output.LayerNorm(h + read)
    torch.testing.assert_close(block(x), expected, atol=1e-10, rtol=0)


@torch.no_grad()
@every_family
def test_the_branch_reads_the_input_of_the_block_and_joins_its_output(name):
    inputs = models.batch(name)
    _, model = adapt("parallel_adapter", name)
    model.eval()
    for layer in anatomy(model).layers:
        start, end, seen = layer.feed_forward_input, layer.feed_forward_end, []
        start.register_forward_pre_hook(lambda m, args, seen=seen: seen.append(args[0]))
        end.register_forward_hook(lambda m, args, out, seen=seen: seen.append(out))
        model(**inputs)
        del start._forward_pre_hooks[next(iter(start._forward_pre_hooks))]  # the adapter's
        del end._forward_hooks[next(iter(end._forward_hooks))]
        model(**inputs)
        x, joined, same_x, alone = seen
        assert torch.equal(x, same_x)
        expected = alone + by_hand(start.parallel, x)
        torch.testing.assert_close(joined, expected, atol=1e-5, rtol=1e-5)
        assert not torch.allclose(joined, alone, atol=1e-3)


@torch.no_grad()
def test_where_the_relu_is_idle_it_is_a_scaled_low_rank_update():
    torch.manual_seed(0)
    adapter = models.shake(ParallelAdapter(16, 3, SCALE, 0.0)).double()
    adapter.down.bias.fill_(100.0)
    x = torch.randn(20, 16).double()
    update = SCALE * adapter.up.weight @ adapter.down.weight
    moved = adapter(x) - adapter(torch.zeros_like(x))
    torch.testing.assert_close(moved, x @ update.T, atol=1e-10, rtol=0)
    assert torch.linalg.matrix_rank(update) == 3


@torch.no_grad()
@every_family
def test_the_scale_multiplies_the_branch_alone(name):
    """Four times the scale is four times the way up: with zero there, the model itself."""
    inputs, outputs = models.batch(name), {}
    for scale, factor in ((1.0, 4.0), (4.0, 1.0), (4.0, 0.0)):
        method = ScaledParallelAdapter(size=5, scale=scale, dropout=0.0)
        model = models.build(name)
        method.setup(model)
        shake(method, model)
        for layer in anatomy(model).layers:
            up = layer.feed_forward_end.parallel.up
            up.weight.mul_(factor)
            up.bias.mul_(factor)
        outputs[scale, factor] = models.logits(model.eval(), inputs)
    torch.testing.assert_close(outputs[1.0, 4.0], outputs[4.0, 1.0], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(outputs[4.0, 1.0], outputs[4.0, 0.0], atol=1e-3)


@every_family
def test_a_learned_scale_starts_at_one_and_is_one_number_a_layer(name):
    method = ScaledParallelAdapter(size=5, learned_scale=True, dropout=0.0)
    model = models.build(name)
    method.setup(model)
    parts = anatomy(model)
    scales = {n: p for n, p in model.named_parameters() if n.endswith("parallel.scale")}
    assert len(scales) == len(parts.layers)
    assert all(p.item() == 1.0 for p in scales.values())
    without = ScaledParallelAdapter(size=5).trained(parts)
    assert method.trained(parts) == without + len(parts.layers)
    shake(method, model)
    method.loss(model, models.batch(name)).backward()
    assert all(p.grad.abs() > 0 for p in scales.values())
    assert scales.keys() < method.delta(model).keys()


@torch.no_grad()
def test_a_learned_scale_scales():
    torch.manual_seed(0)
    adapter = models.shake(ParallelAdapter(16, 5, None, 0.0)).double()
    adapter.scale.fill_(2.5)
    x = torch.randn(7, 16).double()
    torch.testing.assert_close(adapter(x), by_hand(adapter, x, 2.5), atol=1e-12, rtol=0)


@torch.no_grad()
def test_the_start_is_that_of_lora():
    torch.manual_seed(0)
    adapter = ParallelAdapter(64, 512, 4.0, 0.0)
    bound = 64**-0.5
    assert 0.99 * bound < adapter.down.weight.abs().max() <= bound
    assert adapter.down.weight.std() == pytest.approx(bound / 3**0.5, rel=0.02)  # uniform
    for zero in (adapter.down.bias, adapter.up.weight, adapter.up.bias):
        assert not zero.any()


@torch.no_grad()
def test_dropout_acts_between_the_maps_and_in_training_only():
    torch.manual_seed(0)
    adapter = models.shake(ParallelAdapter(8, 5, 2.0, dropout=1.0))
    x = torch.randn(3, 8)
    nothing = (2.0 * adapter.up.bias).expand(3, -1)
    torch.testing.assert_close(adapter.train()(x), nothing)
    torch.testing.assert_close(adapter.eval()(x), by_hand(adapter, x, 2.0))


def test_a_copy_can_be_made_after_a_checkpointed_step():
    method, model = adapt("parallel_adapter", "gpt2-lm")
    model.train()
    model.activation_checkpointing_enable()
    method.loss(model, models.batch("gpt2-lm")).backward()
    assert all(p.grad is not None for p in trainable(model))
    copy.deepcopy(model)


def test_no_branch_is_left_behind():
    _, model = adapt("parallel_adapter", "bert")
    model(**next(batches("bert")))
    assert all(layer.feed_forward_end.parallel.branch is None for layer in anatomy(model).layers)


def test_the_defaults_are_those_of_the_papers_summarization_script():
    method = ScaledParallelAdapter()
    assert (method.size, method.scale, method.dropout, method.lr) == (512, 4.0, 0.1, 5e-5)
    assert not method.learned_scale


def test_experts_begin_and_end_in_one_module_which_may_return_more_than_states():
    """The experts of GPT-OSS return their router's scores as well."""
    model, batch = architectures.build("gpt_oss"), architectures.batch("gpt_oss")
    before = architectures.logits(model, batch)
    ScaledParallelAdapter(size=4, dropout=0.0).setup(model)
    for layer in anatomy(model).layers:
        assert layer.feed_forward_input is layer.feed_forward_end
    assert torch.equal(architectures.logits(model, batch), before)
    models.shake(model)
    assert not torch.equal(architectures.logits(model, batch), before)


@pytest.mark.parametrize(
    ("name", "layer", "block", "behind"),
    [
        ("flex_olmo", "layers.0", "mlp", "post_feedforward_layernorm"),
        ("afmoe", "layers.1", "mlp", "post_mlp_layernorm"),
        ("switch_transformers", "encoder.block.1", "layer.1.mlp", "layer.1.dropout"),
        ("nllb-moe", "encoder.layers.1", "ffn", "ff_dropout"),
    ],
)
def test_what_follows_experts_is_the_end_of_their_block_and_not_its_beginning(
    name, layer, block, behind
):
    model = architectures.build(name)
    found = next(x for x in anatomy(model).layers if x.place.endswith(f"'{layer}'"))
    inside = model.base_model.get_submodule(layer)
    assert found.feed_forward_input is inside.get_submodule(block)
    assert found.feed_forward_end is inside.get_submodule(behind)
    ScaledParallelAdapter(size=4, dropout=0.0).setup(model)
    given = []
    inside.get_submodule(block).register_forward_pre_hook(lambda m, args: given.append(args[0]))
    found.feed_forward_input.parallel.register_forward_pre_hook(lambda m, x: given.append(x[0]))
    model(**architectures.batch(name))
    assert given
    assert all(torch.equal(one, other) for one, other in zip(given[::2], given[1::2], strict=True))
