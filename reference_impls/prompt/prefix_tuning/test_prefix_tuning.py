"""Prefix tuning: the reparametrization, what is left of it, published counts."""

from __future__ import annotations

import pytest
import torch
from transformers import BertConfig, GPT2Config, LlamaConfig

from reference_impls import architectures
from reference_impls.anatomy import anatomy, model_on_meta, numel
from reference_impls.core.method import METHODS, trainable
from reference_impls.core.training import Loop, train
from reference_impls.shared.prefix_attention import Prefix, Reparametrized
from tests.methods import models
from tests.methods.settings import adapt, batches

PrefixTuning = METHODS["prefix_tuning"]


def prefixes(model) -> list[torch.nn.Module]:
    return [layer.attention.prefix for layer in anatomy(model).layers]


@pytest.mark.parametrize("name", ["bert", "gpt2-lm", "llama-lm"])
def test_the_prefix_is_the_mlp_of_shared_rows(name):
    _, model = adapt("prefix_tuning", name)
    parts = anatomy(model)
    first, second = prefixes(model)
    assert first.trunk is second.trunk
    hidden = (first.trunk.rows @ first.trunk.down.weight.T + first.trunk.down.bias).tanh()
    for prefix in (first, second):
        columns = hidden @ prefix.up.weight.T + prefix.up.bias
        expected = columns.view(3, 2, parts.kv_heads, parts.head_dim)
        keys, values = prefix()
        torch.testing.assert_close(keys, expected[:, 0], atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(values, expected[:, 1], atol=1e-6, rtol=1e-6)


def test_in_t5_encoder_decoder_and_cross_attention_have_prefixes_with_a_trunk_each():
    _, model = adapt("prefix_tuning", "t5-lm")
    encoder, decoder = (stack.layers for stack in anatomy(model).stacks)
    kinds = [
        [layer.attention.prefix.trunk for layer in encoder],
        [layer.attention.prefix.trunk for layer in decoder],
        [layer.cross.attention.prefix.trunk for layer in decoder],
    ]
    assert [len({id(trunk) for trunk in kind}) for kind in kinds] == [1, 1, 1]
    assert len({id(kind[0]) for kind in kinds}) == 3


def test_the_start_is_standard_normal_and_torch_linear():
    torch.manual_seed(0)
    model = models.build("bert")
    PrefixTuning(length=200, bottleneck=64).setup(model)
    trunk = prefixes(model)[0].trunk
    assert abs(trunk.rows.mean()) < 0.05
    assert abs(trunk.rows.std() - 1) < 0.05
    bound = 32**-0.5
    assert 0.95 * bound < trunk.down.weight.abs().max() <= bound


@pytest.mark.parametrize("name", ["bert", "gpt2-lm", "llama-lm"])
def test_dropping_the_mlp_changes_no_bit(name):
    inputs = models.batch(name)
    method, model = adapt("prefix_tuning", name)
    model.eval()
    before = models.logits(model, inputs)
    delta = method.delta(model)
    method.fold_prefixes(model)
    assert all(type(prefix) is Prefix for prefix in prefixes(model))
    assert torch.equal(models.logits(model, inputs), before)
    after = method.delta(model)
    assert delta.keys() == after.keys()
    assert all(torch.equal(delta[key], after[key]) for key in delta)


def test_training_ends_without_the_mlp_and_has_trained_it():
    keys = []
    loop = Loop(
        lambda seed: batches("bert"),
        steps=3,
        progress=False,
        evaluate=lambda model: keys.append(prefixes(model)[0]()[0].detach().clone()) or 0.0,
    )
    model, method = models.build("bert"), PrefixTuning(length=3, bottleneck=5, lr=1e-2)
    train(method, model, loop)
    assert all(type(prefix) is Prefix for prefix in prefixes(model))
    assert (keys[-1] - keys[0]).abs().max() > 1e-3
    assert torch.equal(prefixes(model)[0].keys, keys[-1])
    assert numel(method.tensors(model).values()) == method.stored(anatomy(model))


def test_a_delta_that_does_not_fit_leaves_the_mlp():
    method, model = adapt("prefix_tuning", "bert")
    with pytest.raises(ValueError, match="does not fit"):
        method.load_delta(model, {"no.such.tensor": torch.zeros(1)})
    assert all(type(prefix) is Reparametrized for prefix in prefixes(model))


def test_without_reparametrization_trained_and_stored_are_the_same():
    method = PrefixTuning(length=4, reparametrize=False)
    model = models.build("llama")
    method.setup(model)
    parts = anatomy(model)
    head = {id(p) for p in parts.head_parameters()}
    trained = numel(p for p in trainable(model) if id(p) not in head)
    assert trained == method.trained(parts) == method.stored(parts) == 2 * 2 * 4 * 2 * 8


@pytest.mark.parametrize(
    ("config", "length", "published"),
    [
        # peft's benchmark, Llama 3.2 3B: 8 of 24 heads have keys and values
        (
            LlamaConfig(
                hidden_size=3072,
                num_hidden_layers=28,
                num_attention_heads=24,
                num_key_value_heads=8,
                head_dim=128,
                intermediate_size=8192,
                vocab_size=128256,
                tie_word_embeddings=True,
            ),
            50,
            2_867_200,
        ),
        (BertConfig(), 10, 184_320),  # UniPELT paper: 184K
        # peft's documentation: BLOOMZ 560M, whose layers are as many and as wide as GPT-2 medium's
        (GPT2Config(n_embd=1024, n_layer=24, n_head=16), 30, 1_474_560),
    ],
)
def test_published_stored_counts(config, length, published):
    parts = anatomy(model_on_meta(config))
    assert PrefixTuning(length=length).stored(parts) == published
    flat = PrefixTuning(length=length, reparametrize=False)
    assert flat.trained(parts) == published


def test_the_closed_form_of_the_official_sizes():
    """GPT-2 medium, as in `control_trans` and `wte` of the official code."""
    config = GPT2Config(n_embd=1024, n_layer=24, n_head=16)
    parts = anatomy(model_on_meta(config))
    mlp = 1024 * 512 + 512 + 512 * (24 * 2 * 1024) + 24 * 2 * 1024
    method = PrefixTuning()
    assert method.trained(parts) == 10 * 1024 + mlp
    assert method.stored(parts) == 491_520


def test_attention_that_would_not_see_a_prefix_is_refused_and_left_alone():
    model = architectures.build("bloom")
    with pytest.raises(ValueError, match="it would not see a prefix"):
        PrefixTuning().setup(model)
    assert model.config._attn_implementation in ("sdpa", "eager")


def test_other_attention_is_refused_and_left_alone():
    model = models.build("bert")
    model.config._attn_implementation_internal = "flex_attention"
    with pytest.raises(ValueError, match="not 'flex_attention'"):
        PrefixTuning().setup(model)
    assert all(p.requires_grad for p in model.parameters())
    model.set_attn_implementation("eager")
    PrefixTuning().setup(model)
