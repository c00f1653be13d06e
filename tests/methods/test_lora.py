"""LoRA: the equations of the paper, recomputed by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from transformers import BertConfig, GPT2Config, LlamaConfig, RobertaConfig, T5Config

from reference_impls.anatomy import Projection, anatomy, model_on_meta
from reference_impls.prompt.prompt_tuning import PromptTuning
from reference_impls.reparameterized.lora import LoRA
from tests.methods import models

TARGETS = ("query", "value", "attention_output", "feed_forward_down")
R, ALPHA = 3, 7.0
every_model = pytest.mark.parametrize("name", ["bert", "gpt2", "llama"])


def adapted(name: str, **arguments):
    """A float64 model with shaken LoRA on it, and its parts."""
    torch.manual_seed(0)
    model = models.build(name)
    method = LoRA(**{"r": R, "alpha": ALPHA, "targets": TARGETS} | arguments)
    method.setup(model)
    models.shake(model.double(), seed=1)
    return method, model, anatomy(model)


def pairs(parts, targets=TARGETS) -> list[tuple[Projection, Tensor, Tensor]]:
    """Each adapted projection with its A and B."""
    found = []
    for layer in parts.layers:
        for target in targets:
            projection = getattr(layer, target)
            update = projection.module.get_submodule(f"lora_{target}")
            found.append((projection, update.a, update.b))
    return found


def inputs_for(projection: Projection) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(2, 5, projection.d_in, generator=generator, dtype=torch.float64)


@every_model
def test_output_is_that_of_the_equation(name):
    _, _, parts = adapted(name)
    for p, a, b in pairs(parts):
        x = inputs_for(p)
        bias = 0 if p.bias is None else p.bias
        expected = x @ p.weight.T + bias + ALPHA / R * (x @ a.T @ b.T)
        torch.testing.assert_close(p.module(x)[..., p.columns], expected, atol=1e-10, rtol=0)


def test_slices_of_a_fused_matrix_that_are_not_adapted_keep_their_output():
    _, _, parts = adapted("gpt2")
    for layer in parts.layers:
        key, x = layer.key, inputs_for(layer.key)
        expected = x @ key.weight.T + key.bias
        torch.testing.assert_close(key.module(x)[..., key.columns], expected, atol=1e-12, rtol=0)


@every_model
def test_merging_adds_the_scaled_product_to_the_adapted_slices_alone(name):
    method, model, parts = adapted(name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    expected = [(p, p.weight + ALPHA / R * b @ a) for p, a, b in pairs(parts)]
    keys = [(layer.key, layer.key.weight.clone()) for layer in parts.layers]
    size = sum(p.weight.numel() for p, _ in expected)
    method.merge(model)
    for p, weight in expected:
        torch.testing.assert_close(p.weight, weight, atol=1e-12, rtol=0)
    assert all(torch.equal(p.weight, weight) for p, weight in keys)
    changed = sum((before[k] != v).sum().item() for k, v in model.state_dict().items())
    assert changed == size


@every_model
def test_the_update_has_rank_r(name):
    method, model, parts = adapted(name)
    originals = [(p, p.weight.detach().clone()) for p, _, _ in pairs(parts)]
    method.merge(model)
    for p, weight in originals:
        values = torch.linalg.svdvals(p.weight - weight)
        assert (values > 1e-9 * values[0]).sum() == R


def test_full_rank_expresses_any_update():
    method, model, parts = adapted("bert", r=32, targets=("value",))
    wanted = torch.randn(32, 32, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    (p, a, b), *_ = pairs(parts, ("value",))
    original = p.weight.detach().clone()
    with torch.no_grad():
        a.copy_(torch.eye(32))
        b.copy_(wanted * 32 / ALPHA)
    method.merge(model)
    torch.testing.assert_close(p.weight - original, wanted, atol=1e-12, rtol=0)


@every_model
def test_a_change_of_basis_between_the_factors_changes_nothing(name):
    _, _, parts = adapted(name)
    basis = torch.randn(R, R, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    for p, a, b in pairs(parts):
        x = inputs_for(p)
        before = p.module(x)
        with torch.no_grad():
            a.copy_(torch.linalg.solve(basis, a))
            b.copy_(b @ basis)
        torch.testing.assert_close(p.module(x), before, atol=1e-10, rtol=0)


@every_model
def test_gradients_are_those_of_the_equation(name):
    _, _, parts = adapted(name)
    for p, a, b in pairs(parts):
        x = inputs_for(p)
        output = p.module(x)
        upstream = torch.randn(
            output.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64
        )
        of_a, of_b = torch.autograd.grad(output, (a, b), upstream)
        g, rows = upstream[..., p.columns].flatten(0, 1), x.flatten(0, 1)
        torch.testing.assert_close(of_b, ALPHA / R * g.T @ rows @ a.T, atol=1e-10, rtol=0)
        torch.testing.assert_close(of_a, ALPHA / R * b.T @ g.T @ rows, atol=1e-10, rtol=0)


@every_model
def test_at_the_start_only_the_second_factor_gets_a_gradient(name):
    model = models.build(name)
    LoRA(r=R, alpha=ALPHA, targets=TARGETS).setup(model)
    model(**models.batch(name)).loss.backward()
    for p, a, b in pairs(anatomy(model)):
        assert not b.any()
        assert not a.grad.any()
        assert b.grad.any()
        bound = 1 / math.sqrt(p.d_in)
        assert 0.8 * bound < a.abs().max() <= bound


@every_model
def test_dropout_acts_on_the_input_of_the_first_factor_alone(name):
    _, model, parts = adapted(name, dropout=0.5)
    model.train()
    for p, a, b in pairs(parts, ("value", "feed_forward_down")):
        alone = [u for key, u in p.module.named_children() if u.a is not a]
        for update in alone:  # a fused matrix carries several: silence the others
            update.dropout.p = 0.0
        x = inputs_for(p)
        torch.manual_seed(5)
        output = p.module(x)[..., p.columns]
        torch.manual_seed(5)
        dropped = torch.nn.functional.dropout(x, 0.5)
        assert not torch.equal(dropped, x)
        bias = 0 if p.bias is None else p.bias
        expected = x @ p.weight.T + bias + ALPHA / R * (dropped @ a.T @ b.T)
        torch.testing.assert_close(output, expected, atol=1e-10, rtol=0)


def test_a_target_that_no_layer_has_is_refused_and_the_model_left_alone():
    model = models.build("bert")
    with pytest.raises(ValueError, match="no projection 'quary'"):
        LoRA(targets=("query", "quary")).setup(model)
    assert all(p.requires_grad for p in model.parameters())


def llama(hidden: int, layers: int, heads: int, kv_heads: int, middle: int) -> LlamaConfig:
    return LlamaConfig(
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        intermediate_size=middle,
    )


ATTENTION = ("query", "key", "value", "attention_output")
FEED_FORWARD = ("feed_forward_up", "feed_forward_down")
ALL = (*ATTENTION, *FEED_FORWARD)
ROBERTA_LARGE = RobertaConfig(
    hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096
)
GPT3 = GPT2Config(n_embd=12288, n_layer=96, n_head=96)
T5_BASE = T5Config(d_model=768, d_kv=64, d_ff=3072, num_layers=12, num_heads=12)
FLAN_T5_LARGE = T5Config(
    d_model=1024,
    d_kv=64,
    d_ff=2816,
    num_layers=24,
    num_heads=16,
    feed_forward_proj="gated-gelu",
)
# an encoder-decoder of its sizes: the same matrices, cross-attention included
BART_LARGE = T5Config(d_model=1024, d_kv=64, d_ff=4096, num_layers=12, num_heads=16)
# (configuration, arguments, published count): exact, or rounded as printed
PUBLISHED = {
    "RoBERTa-base, r 8": (RobertaConfig(), {"r": 8}, 294_912),
    "RoBERTa-large, r 8": (ROBERTA_LARGE, {"r": 8}, 786_432),
    "GPT-2 medium, r 8": (GPT2Config(n_embd=1024, n_layer=24, n_head=16), {"r": 8}, 786_432),
    "GPT-2 large, r 8": (GPT2Config(n_embd=1280, n_layer=36, n_head=20), {"r": 8}, 1_474_560),
    "LLaMA-2 7B, r 16": (llama(4096, 32, 32, 32, 11008), {"r": 16}, 8_388_608),
    "LLaMA-2 13B, r 16": (llama(5120, 40, 40, 40, 13824), {"r": 16}, 13_107_200),
    "Llama 3.2 3B, r 64": (llama(3072, 28, 24, 8, 8192), {"r": 64}, 18_350_080),
    "GPT-3, query and value, r 1": (GPT3, {"r": 1}, 4_718_592),
    "GPT-3, value, r 2": (GPT3, {"r": 2, "targets": ("value",)}, 4_718_592),
    "GPT-3, attention, r 1": (GPT3, {"r": 1, "targets": ATTENTION}, 9_437_184),
    "GPT-3, attention, r 4": (GPT3, {"r": 4, "targets": ATTENTION}, 37_748_736),
    "LLaMA-2 7B, all, r 128": (
        llama(4096, 32, 32, 32, 11008),
        {"r": 128, "targets": ALL},
        319_815_680,  # PiSSA paper, whose updates have LoRA's shapes
    ),
    # DeBERTa-v3-base has the layers of BERT-base
    "DeBERTa-v3-base, all, r 8": (BertConfig(), {"r": 8, "targets": ALL}, 1_327_104),
    "DeBERTa-v3-base, all, r 2": (BertConfig(), {"r": 2, "targets": ALL}, 331_776),
    "T5-base, r 8": (T5_BASE, {"r": 8}, 884_736),
    "FLAN-T5-large, r 16": (FLAN_T5_LARGE, {"r": 16}, 4_718_592),
    # He et al. print 7.2 % and 6.1 % of 406 million, cut off, not rounded
    "BART-large, r 200": (BART_LARGE, {"r": 200}, 29_491_200),
    "BART-large, feed-forward, r 102": (
        BART_LARGE,
        {"r": 102, "targets": FEED_FORWARD},
        25_067_520,
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_counts(name):
    config, arguments, expected = PUBLISHED[name]
    assert LoRA(**arguments).trained(anatomy(model_on_meta(config))) == expected


@pytest.mark.parametrize(
    ("config", "r", "targets", "expected"),
    [
        # DoRA and ReFT papers: 0.83 % and 0.826 % of LLaMA 7B
        (llama(4096, 32, 32, 32, 11008), 32, ("query", "key", "value"), 56_098_816),
        # notebook of adapters, Llama 3 8B
        (llama(4096, 32, 32, 8, 14336), 64, ("query", "key", "value"), 113_246_208),
    ],
)
def test_published_counts_that_leave_out_one_factor_of_a_gated_block(config, r, targets, expected):
    parts = anatomy(model_on_meta(config))
    count = LoRA(r=r, targets=(*targets, *FEED_FORWARD)).trained(parts)
    one = len(parts.layers) * r * (config.hidden_size + config.intermediate_size)
    assert count - one == expected


def test_published_count_with_a_prompt_besides():
    """LoRA+PrefixEmbed: 8 rows in front and 4 behind; printed as 151.1M."""
    parts = anatomy(model_on_meta(GPT3))
    assert LoRA(r=32).trained(parts) + PromptTuning(length=8 + 4).trained(parts) == 151_142_400
