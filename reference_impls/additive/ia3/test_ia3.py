"""(IA)³: what is scaled, where, that merging is exact, its counts."""

import pytest
import torch
from transformers import BertConfig, GPT2Config, T5Config
from transformers.activations import ACT2FN

from reference_impls.additive.ia3.ia3 import IA3
from reference_impls.anatomy import anatomy, model_on_meta
from tests.methods import models
from tests.methods.settings import adapt

every_family = pytest.mark.parametrize("name", list(models.CLASSIFIERS))


def factors(layer) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """l_k, l_v and l_ff."""
    return (
        layer.key.module.ia3_key.factor,
        layer.value.module.ia3_value.factor,
        layer.feed_forward_down.module.ia3_input.factor,
    )


@torch.no_grad()
@every_family
def test_keys_and_values_are_scaled_and_queries_are_not(name):
    _, model = adapt("ia3", name)
    layer = anatomy(model).layers[1]
    l_k, l_v, _ = factors(layer)
    x = torch.randn(3, 32)
    for projection, factor in ((layer.query, 1.0), (layer.key, l_k), (layer.value, l_v)):
        expected = x @ projection.weight.T
        if projection.bias is not None:
            expected = expected + projection.bias
        output = projection.module(x)[:, projection.columns]
        torch.testing.assert_close(output, factor * expected, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_attention_of_bert_by_hand():
    _, model = adapt("ia3", "bert")
    layer = anatomy(model.eval()).layers[0]
    l_k, l_v, _ = factors(layer)
    attention = layer.attention
    x = torch.randn(1, 6, 32)

    def heads(t: torch.Tensor) -> torch.Tensor:
        return t.view(1, 6, 4, 8).transpose(1, 2)

    query = heads(x @ layer.query.weight.T + layer.query.bias)
    key = heads(l_k * (x @ layer.key.weight.T + layer.key.bias))
    value = heads(l_v * (x @ layer.value.weight.T + layer.value.bias))
    expected = (query @ key.transpose(-1, -2) / 8**0.5).softmax(-1) @ value
    expected = expected.transpose(1, 2).reshape(1, 6, 32)
    torch.testing.assert_close(attention(x)[0], expected, atol=1e-6, rtol=1e-5)


@torch.no_grad()
@every_family
def test_feed_forward_is_scaled_after_the_activation(name):
    _, model = adapt("ia3", name)
    layer = anatomy(model.eval()).layers[0]
    _, _, l_ff = factors(layer)
    x = torch.randn(3, 32)
    ups = [x @ up.weight.T + (0 if up.bias is None else up.bias) for up in layer.feed_forward_up]
    activation = {"llama": "silu", "qwen2": "silu", "gpt2": "gelu_new", "t5": "gelu_new"}
    hidden = ACT2FN[activation.get(name, "gelu")](ups[0])
    if len(ups) == 2:
        hidden = hidden * ups[1]
    down = layer.feed_forward_down
    expected = (l_ff * hidden) @ down.weight.T + (0 if down.bias is None else down.bias)
    if layer.post_norm:
        output = down.module(layer.feed_forward_input(x))
    else:
        output = layer.feed_forward_input(x)
    torch.testing.assert_close(output, expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_scaling_the_ungated_factor_is_the_same():
    _, model = adapt("ia3", "llama")
    layer = anatomy(model.eval()).layers[0]
    x = torch.randn(3, 32)
    expected = layer.feed_forward_input(x)
    l_ff = factors(layer)[2].clone()
    factors(layer)[2].fill_(1.0)
    layer.feed_forward_up[1].weight.mul_(l_ff[:, None])
    torch.testing.assert_close(layer.feed_forward_input(x), expected, atol=1e-6, rtol=1e-5)


@torch.no_grad()
@every_family
def test_merging_in_double_precision_is_exact(name):
    inputs = models.batch(name)
    method, model = adapt("ia3", name)
    model.double().eval()
    before = models.logits(model, inputs)
    merged = [
        (
            layer.query.weight.clone(),
            factors(layer)[0][:, None] * layer.key.weight,
            factors(layer)[1][:, None] * layer.value.weight,
            layer.feed_forward_down.weight * factors(layer)[2],
        )
        for layer in anatomy(model).layers
    ]
    method.merge(model)
    for layer, expected in zip(anatomy(model).layers, merged, strict=True):
        projections = (layer.query, layer.key, layer.value, layer.feed_forward_down)
        for projection, weight in zip(projections, expected, strict=True):
            assert torch.equal(projection.weight, weight)
    # Llama's norm computes in float32 even then
    tolerance = 1e-6 if name == "llama" else 1e-10
    torch.testing.assert_close(models.logits(model, inputs), before, atol=tolerance, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_merging_scales_biases_of_keys_and_values_only(name):
    method, model = adapt("ia3", name)
    layer = anatomy(model).layers[0]
    l_k, l_v, _ = (factor.clone() for factor in factors(layer))
    projections = (layer.query, layer.key, layer.value, layer.feed_forward_down)
    before = [projection.bias.clone() for projection in projections]
    method.merge(model)
    for projection, bias, factor in zip(projections, before, (1, l_k, l_v, 1), strict=True):
        assert torch.equal(projection.bias, bias * factor)


@pytest.mark.parametrize(
    ("config", "count"),
    [
        (BertConfig(), 12 * (768 + 768 + 3072)),
        (GPT2Config(), 12 * (768 + 768 + 3072)),
        # the decoder's layers attend twice
        (T5Config(), 6 * (2 * 512 + 2048) + 6 * (4 * 512 + 2048)),
    ],
)
def test_counts(config, count):
    assert IA3().trained(anatomy(model_on_meta(config))) == count


def test_rate_rises_over_60_of_1000_steps_and_falls_to_zero():
    shares = [IA3().schedule(step / 1000) for step in range(1001)]
    assert shares[:61] == pytest.approx([step / 60 for step in range(61)])
    assert shares[60:] == pytest.approx([(1000 - step) / 940 for step in range(60, 1001)])
