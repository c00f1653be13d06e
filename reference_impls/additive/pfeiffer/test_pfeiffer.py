"""Pfeiffer adapters: what an adapter computes, where it sits and reads, its start, its counts."""

import pytest
import torch
from torch import nn
from transformers import BertConfig

from reference_impls.additive.adapterdrop.adapterdrop import AdapterDrop
from reference_impls.additive.pfeiffer.pfeiffer import Pfeiffer
from reference_impls.anatomy import anatomy, model_on_meta
from reference_impls.shared.bottleneck import Bottleneck
from tests.methods import models
from tests.methods.settings import adapt, shake

POST_NORM = ("bert", "roberta")
PRE_NORM = ("gpt2", "llama", "t5")


def by_hand(adapter: nn.Module, h: torch.Tensor) -> torch.Tensor:
    hidden = (h @ adapter.down.weight.T + adapter.down.bias).clamp(min=0)
    return hidden @ adapter.up.weight.T + adapter.up.bias


@torch.no_grad()
def test_an_adapter_computes_the_equation():
    torch.manual_seed(0)
    adapter = models.shake(Bottleneck(32, 5)).double()
    h = torch.randn(50, 32).double()
    torch.testing.assert_close(adapter(h), by_hand(adapter, h), atol=1e-12, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("name", POST_NORM)
def test_a_post_norm_layer_computes_the_equation(name):
    _, model = adapt("pfeiffer", name)
    for layer in anatomy(model.eval().double()).layers:
        block = layer.block
        x = torch.randn(2, 5, 32).double()
        read = block.attention(x)[0]
        s = read + block.output.dense(block.intermediate(read))
        norm = block.output.LayerNorm

        def normalize(t: torch.Tensor, norm=norm) -> torch.Tensor:
            centered = t - t.mean(-1, keepdim=True)
            variance = centered.square().mean(-1, keepdim=True)
            return centered / (variance + norm.eps).sqrt() * norm.weight + norm.bias

        expected = normalize(s + by_hand(norm.adapter, normalize(s)))
        torch.testing.assert_close(block(x), expected, atol=1e-10, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("name", PRE_NORM)
def test_a_pre_norm_layer_adds_the_adapter_of_its_output(name):
    inputs = models.batch(name)
    _, model = adapt("pfeiffer", name)
    model.eval()
    for layer in anatomy(model).layers:
        seen = []
        layer.end.register_forward_hook(lambda m, args, out, seen=seen: seen.append(out))
        model(**inputs)
        del layer.end._forward_hooks[next(iter(layer.end._forward_hooks))]  # the adapter's
        model(**inputs)
        with_adapter, s = seen
        expected = s + by_hand(layer.end.adapter, s)
        torch.testing.assert_close(with_adapter, expected, atol=1e-5, rtol=1e-5)
        assert not torch.allclose(with_adapter, s, atol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("name", list(models.MODELS))
def test_one_adapter_a_layer_and_attention_is_left_alone(name):
    _, model = adapt("pfeiffer", name)
    places = [m for m in model.modules() if isinstance(m, Bottleneck)]
    layers = anatomy(model).layers
    assert len(places) == len(layers)
    for layer in layers:
        assert isinstance(layer.end.adapter, Bottleneck)
    trained = {n for n, p in model.named_parameters() if p.requires_grad and ".adapter." not in n}
    head = {id(p) for p in anatomy(model).head_parameters()}
    assert {id(p) for n, p in model.named_parameters() if n in trained} == head  # no norm


@torch.no_grad()
@pytest.mark.parametrize("name", PRE_NORM)
def test_with_zero_up_projections_a_pre_norm_model_is_the_pretrained_one(name):
    inputs = models.batch(name)
    _, model = adapt("pfeiffer", name, shaken=False)
    silence(model)
    expected = models.logits(models.build(name), inputs)
    assert torch.equal(models.logits(model.eval(), inputs), expected)


@torch.no_grad()
@pytest.mark.parametrize("name", POST_NORM)
def test_with_zero_up_projections_the_residual_is_taken_before_the_norm(name):
    """LN(s + 0) is the pretrained layer; a residual behind the norm would be normalized twice."""
    inputs = models.batch(name)
    _, model = adapt("pfeiffer", name, shaken=False)
    silence(model)
    expected = models.logits(models.build(name), inputs)
    assert torch.equal(models.logits(model.eval(), inputs), expected)


def silence(model) -> None:
    for module in model.modules():
        if isinstance(module, Bottleneck):
            module.up.weight.zero_()
            module.up.bias.zero_()


@torch.no_grad()
def test_a_relu_adapter_is_invariant_under_scaling_and_order_of_its_hidden_units():
    torch.manual_seed(0)
    adapter = models.shake(Bottleneck(16, 7)).double()
    h = torch.randn(20, 16).double()
    before = adapter(h)
    scales, order = torch.rand(7).double() + 0.5, torch.randperm(7)
    down, up = adapter.down, adapter.up
    down.weight.copy_((scales[:, None] * down.weight)[order])
    down.bias.copy_((scales * down.bias)[order])
    up.weight.copy_((up.weight / scales)[:, order])
    torch.testing.assert_close(adapter(h), before, atol=1e-12, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("name", list(models.CLASSIFIERS))
def test_it_is_adapterdrop_without_dropping(name):
    inputs = models.batch(name)
    outputs = []
    for method in (Pfeiffer(size=5), AdapterDrop(size=5, dropped=0, robust=False)):
        model = models.build(name)
        method.setup(model)
        outputs.append(models.logits(shake(method, model).eval(), inputs))
    assert torch.equal(*outputs)


@torch.no_grad()
def test_start():
    torch.manual_seed(0)
    adapter = Bottleneck(256, 64)
    for linear in (adapter.down, adapter.up):
        assert linear.weight.std() == pytest.approx(0.02, rel=0.03)
        assert linear.weight.abs().max() > 0.06  # not cut off
        assert not linear.bias.any()


@pytest.mark.parametrize(("divisor", "size"), [(2, 384), (16, 48), (64, 12)])
def test_counts_of_the_papers_sizes(divisor, size):
    parts = anatomy(model_on_meta(BertConfig()))
    assert parts.hidden_size // divisor == size
    assert Pfeiffer(size=size).trained(parts) == 12 * (2 * size * 768 + size + 768)


def test_the_defaults_are_those_of_the_paper_on_bert_base():
    assert (Pfeiffer().size, Pfeiffer().lr) == (768 // 16, 1e-4)
