"""Houlsby adapters: what an adapter computes, where it sits, its start, its counts."""

import pytest
import torch
from torch import nn
from transformers import BertConfig, LlamaConfig

from reference_impls import architectures
from reference_impls.additive.houlsby.houlsby import Bottleneck, Houlsby
from reference_impls.anatomy import anatomy, model_on_meta, numel
from reference_impls.core.method import trainable
from tests.methods import models
from tests.methods.settings import adapt

LLAMA_7B = LlamaConfig(
    vocab_size=32000, hidden_size=4096, intermediate_size=11008, num_hidden_layers=32
)


def by_hand(adapter: nn.Module, h: torch.Tensor) -> torch.Tensor:
    """h + up(GELU(down(h))), with GELU's tanh form written out."""
    x = h @ adapter.down.weight.T + adapter.down.bias
    gelu = 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))
    return h + gelu @ adapter.up.weight.T + adapter.up.bias


@torch.no_grad()
def test_an_adapter_computes_the_equation():
    torch.manual_seed(0)
    # large enough that GELU's two forms differ
    adapter = models.shake(Bottleneck(32, 5, std=0.3)).double()
    h = 3 * torch.randn(50, 32).double()
    torch.testing.assert_close(adapter(h), by_hand(adapter, h), atol=1e-10, rtol=0)


@torch.no_grad()
def test_bert_normalizes_input_plus_adapter_of_each_block():
    _, model = adapt("houlsby", "bert")
    block = model.eval().bert.encoder.layer[0]
    x = torch.randn(2, 5, 32)
    mixed = block.attention.self(x)[0]
    h = mixed @ block.attention.output.dense.weight.T + block.attention.output.dense.bias
    after_attention = block.attention.output.LayerNorm(
        x + by_hand(block.attention.output.dropout.adapter, h)
    )
    h = block.output.dense(block.intermediate(after_attention))
    expected = block.output.LayerNorm(after_attention + by_hand(block.output.dropout.adapter, h))
    torch.testing.assert_close(block(x), expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_pre_norm_models_add_the_adapter_of_each_block(name):
    _, model = adapt("houlsby", name)
    parts = anatomy(model.eval())
    layer = parts.layers[1]
    seen = {}
    for key, module in (("attention", layer.attention_end), ("feed", layer.feed_forward_end)):
        module.register_forward_hook(lambda m, i, o, key=key: seen.update({key: o}))
    layer.block.register_forward_hook(lambda m, i, o: seen.update(x=i[0], out=o))
    model(**models.batch(name))
    expected = seen["x"] + seen["attention"] + seen["feed"]
    torch.testing.assert_close(seen["out"], expected, atol=1e-5, rtol=1e-5)

    layer.attention_end._forward_hooks.clear()  # what the block computes without adapter
    seen_h = {}
    layer.attention_end.register_forward_hook(lambda m, i, o: seen_h.update(h=o))
    model(**models.batch(name))
    expected = by_hand(layer.attention_end.adapter, seen_h["h"])
    torch.testing.assert_close(seen["attention"], expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("name", list(models.MODELS))
def test_with_zero_up_projections_the_model_is_the_pretrained_one(name):
    inputs = models.batch(name)
    _, model = adapt("houlsby", name, shaken=False)
    for module in model.modules():
        if hasattr(module, "up") and hasattr(module, "down"):
            module.up.weight.zero_()
    expected = models.logits(models.build(name), inputs)
    assert torch.equal(models.logits(model.eval(), inputs), expected)


@torch.no_grad()
def test_start_is_near_the_identity_and_cut_off_at_two_standard_deviations():
    model = models.build("bert", hidden_size=128, num_attention_heads=4)
    Houlsby().setup(model)
    adapter = anatomy(model).layers[0].attention_end.adapter
    h = torch.randn(50, 128)
    moved = (adapter(h) - h).norm() / h.norm()
    assert 0 < moved < 1e-2
    weights = torch.cat([adapter.down.weight.flatten(), adapter.up.weight.flatten()])
    assert weights.abs().max() <= 0.02
    # a Gaussian cut off at two standard deviations keeps 0.8796 of its own
    assert weights.std() == pytest.approx(0.8796e-2, rel=0.03)
    assert not adapter.down.bias.any()
    assert not adapter.up.bias.any()


def test_every_norm_is_trained_and_no_other_weight_of_the_model():
    _, model = adapt("houlsby", "bert")
    head = {id(p) for p in anatomy(model).head_parameters()}
    trained = {
        name
        for name, p in model.named_parameters()
        if p.requires_grad and id(p) not in head and ".adapter." not in name
    }
    assert trained == {n for n, _ in model.named_parameters() if "LayerNorm" in n}
    assert len(trained) == 2 * (2 * 2 + 1)


@pytest.mark.parametrize(
    ("config", "norms"),
    [(BertConfig(), 2 * 768 * (2 * 12 + 1)), (LLAMA_7B, 4096 * (2 * 32 + 1))],
)
def test_count_of_the_norms(config, norms):
    parts = anatomy(model_on_meta(config))
    d, layers = config.hidden_size, config.num_hidden_layers
    assert Houlsby().trained(parts) == 2 * layers * (2 * 64 * d + 64 + d) + norms


def test_rate_rises_over_a_tenth_of_the_steps_and_falls_to_zero():
    shares = [Houlsby().schedule(step / 100) for step in range(101)]
    assert shares[:11] == pytest.approx([step / 10 for step in range(11)])
    assert shares[10:] == pytest.approx([(100 - step) / 90 for step in range(10, 101)])


def test_adapters_stay_in_float32():
    model = models.build("bert").to(torch.bfloat16)
    Houlsby(size=5).setup(model)
    adapters = [p for n, p in model.named_parameters() if ".adapter." in n]
    assert {p.dtype for p in adapters} == {torch.float32}
    assert {id(p) for p in adapters} <= {id(p) for p in trainable(model)}


@pytest.mark.parametrize("name", ["swin", "gpt_oss"])
def test_widths_differ_from_layer_to_layer_and_blocks_may_return_more_than_states(name):
    model = architectures.build(name)
    method, head = Houlsby(size=4), {id(p) for p in anatomy(model).head_parameters()}
    method.setup(model)
    parts = anatomy(model)
    for layer in parts.layers:
        for end in (layer.attention_end, layer.feed_forward_end):
            assert end.adapter.up.out_features == layer.width
    assert method.trained(parts) == numel(p for p in trainable(model) if id(p) not in head)
    assert architectures.logits(model, architectures.batch(name)).isfinite().all()
