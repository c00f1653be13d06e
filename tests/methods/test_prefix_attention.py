"""Attention with a prefix: by hand, against a cache, with masks, windows and decoding steps."""

from __future__ import annotations

import copy

import pytest
import torch
from transformers import DynamicCache, MistralConfig, MistralForCausalLM

from reference_impls.anatomy import anatomy
from reference_impls.prompt.prefix_tuning.prefix_tuning import PrefixTuning
from reference_impls.shared.prefix_attention import (
    Prefix,
    prefix_attention,
    restore_attention,
    use_prefix_attention,
)
from tests.methods import models

LENGTH = 3
DECODERS = ("gpt2-lm", "llama-lm")


class Stub(torch.nn.Module):
    """What the attention function reads of an attention module."""

    def __init__(self, *, is_causal: bool, groups: int = 1) -> None:
        super().__init__()
        self.is_causal, self.num_key_value_groups = is_causal, groups


def with_prefix(name: str, layers: slice = slice(None), **config):
    """A model whose `layers` carry random prefixes; returns it and its parts."""
    model = models.build(name, **config)
    use_prefix_attention(model)
    parts = anatomy(model)
    torch.manual_seed(1)
    for layer in parts.layers[layers]:
        keys, values = torch.randn(2, LENGTH, parts.kv_heads, parts.head_dim)
        layer.attention.add_module("prefix", Prefix(keys, values))
    return model, parts


def cache_of(parts, rows: int) -> DynamicCache:
    """A cache that holds the prefixes as if they were tokens seen before."""
    cache = DynamicCache()
    for index, layer in enumerate(parts.layers):
        keys, values = layer.attention.prefix()
        expanded = [x.transpose(0, 1).expand(rows, -1, -1, -1) for x in (keys, values)]
        cache.update(*expanded, index)
    return cache


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("is_causal", [False, True])
def test_a_head_mixes_attention_to_the_text_and_to_the_prefix(is_causal, groups, biased):
    torch.manual_seed(0)
    rows, heads, length, width = 2, 4, 5, 8
    query = torch.randn(rows, heads, length, width, dtype=torch.float64)
    key, value = torch.randn(2, rows, heads // groups, length, width, dtype=torch.float64)
    module = Stub(is_causal=is_causal, groups=groups)
    module.prefix = Prefix(*torch.randn(2, LENGTH, heads // groups, width, dtype=torch.float64))
    bias = torch.randn(1, heads, length, length, dtype=torch.float64) if biased else None
    output, _ = prefix_attention(
        module, query, key, value, None, scaling=width**-0.5, position_bias=bias
    )

    keys, values = (x.transpose(0, 1).repeat_interleave(groups, 0) for x in module.prefix())
    key, value = (x.repeat_interleave(groups, 1) for x in (key, value))
    to_prefix = query @ keys.transpose(-1, -2) / width**0.5
    to_text = query @ key.transpose(-1, -2) / width**0.5 + (bias if biased else 0)
    if is_causal:
        later = torch.ones(length, length, dtype=torch.bool).triu(1)
        to_text = to_text.masked_fill(later, float("-inf"))
    share = to_prefix.exp().sum(-1) / (to_prefix.exp().sum(-1) + to_text.exp().sum(-1))
    gated = share[..., None] * (to_prefix.softmax(-1) @ values)
    expected = (1 - share[..., None]) * (to_text.softmax(-1) @ value) + gated
    torch.testing.assert_close(output.transpose(1, 2), expected, atol=1e-10, rtol=0)


def test_without_a_prefix_it_is_plain_attention_to_the_bit():
    for name in models.MODELS:
        inputs = models.batch(name)
        model = models.build(name)
        before = models.logits(model, inputs)
        use_prefix_attention(model)
        assert torch.equal(models.logits(model, inputs), before), name


@pytest.mark.parametrize("name", DECODERS)
def test_a_prefix_is_a_cache_whose_tokens_have_no_positions(name):
    model, parts = with_prefix(name)
    inputs = models.batch(name)
    outputs = models.logits(model, inputs)
    rows, length = inputs["input_ids"].shape
    cache = cache_of(parts, rows)
    for layer in parts.layers:
        del layer.attention.prefix
    restore_attention(model)
    mask = torch.nn.functional.pad(inputs["attention_mask"], (LENGTH, 0), value=1)
    with torch.no_grad():
        expected = model(
            inputs["input_ids"],
            attention_mask=mask,
            past_key_values=cache,
            position_ids=torch.arange(length)[None],
        ).logits
    expected = expected[inputs["attention_mask"].bool()]
    torch.testing.assert_close(outputs, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", DECODERS)
def test_keys_and_values_of_words_equal_the_words(name):
    base = models.build(name)
    words, ids = torch.tensor([[5, 9, 7]]), models.batch(name)["input_ids"][1:2]
    with torch.no_grad():
        cache = base(words, use_cache=True).past_key_values
        expected = base(torch.cat([words, ids], dim=1)).logits[:, LENGTH:]
    model, parts = with_prefix(name)
    for layer, entry in zip(parts.layers, cache.layers, strict=True):
        for mine, theirs in zip(layer.attention.prefix(), (entry.keys, entry.values), strict=True):
            mine.data.copy_(theirs[0].transpose(0, 1))
    with torch.no_grad():
        positions = torch.arange(LENGTH, LENGTH + ids.shape[1])[None]
        outputs = model(ids, position_ids=positions).logits
    torch.testing.assert_close(outputs, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["bert-mlm", "gpt2-lm", "llama-lm"])
def test_layers_below_the_first_prefix_stay_as_they_were(name):
    inputs = {k: v for k, v in models.batch(name).items() if k != "labels"}
    model, _ = with_prefix(name, layers=slice(1, None))
    with torch.no_grad():
        outputs = model(**inputs, output_hidden_states=True).hidden_states
        expected = models.build(name)(**inputs, output_hidden_states=True).hidden_states
    assert torch.equal(outputs[0], expected[0])
    assert torch.equal(outputs[1], expected[1])
    assert not torch.allclose(outputs[2], expected[2], atol=1e-3)


@pytest.mark.parametrize("mask", ["none", "ones", "boolean", "additive"])
@pytest.mark.parametrize("name", ["bert-mlm", "gpt2-lm", "llama-lm"])
def test_all_forms_of_the_same_mask_are_the_same(name, mask):
    model, parts = with_prefix(name)
    ids = models.batch(name)["input_ids"][1:]
    rows, length = ids.shape
    seen = torch.ones(rows, 1, length, length, dtype=torch.bool)
    seen = seen.tril() if parts.causal else seen
    forms = {
        "none": None,
        "ones": torch.ones(rows, length, dtype=torch.long),
        "boolean": seen,
        "additive": torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min),
    }
    padded_ids, padded_mask = (
        torch.nn.functional.pad(x, (0, 2)) for x in (ids, torch.ones_like(ids))
    )
    with torch.no_grad():
        outputs = model(ids, attention_mask=forms[mask]).logits
        expected = model(padded_ids, attention_mask=padded_mask).logits[:, :length]
    torch.testing.assert_close(outputs, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", DECODERS)
def test_left_padding_changes_nothing(name):
    model, _ = with_prefix(name)
    ids = models.batch(name)["input_ids"][1:]
    padded, mask = (torch.nn.functional.pad(x, (2, 0)) for x in (ids, torch.ones_like(ids)))
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    with torch.no_grad():
        outputs = model(padded, attention_mask=mask, position_ids=positions).logits[:, 2:]
        expected = model(ids).logits
    torch.testing.assert_close(outputs, expected, atol=1e-5, rtol=1e-5)


def test_a_sliding_window_slides_past_the_text_never_past_the_prefix():
    torch.manual_seed(0)
    settings = {k: v for k, v in models.LLAMA.to_diff_dict().items() if k != "model_type"}
    model = MistralForCausalLM(MistralConfig(**settings, sliding_window=4)).eval()
    use_prefix_attention(model)
    parts = anatomy(model)
    for layer in parts.layers:
        keys, values = torch.randn(2, LENGTH, parts.kv_heads, parts.head_dim)
        layer.attention.add_module("prefix", Prefix(keys, values))
    ids = models.batch("llama-lm", length=12)["input_ids"][1:2]
    with torch.no_grad():
        at_once = model(ids).logits
        cache = DynamicCache(config=model.config)
        steps = [model(ids[:, i : i + 1], past_key_values=cache).logits for i in range(12)]
    assert cache.get_mask_sizes(1, 0)[0] <= 5
    torch.testing.assert_close(torch.cat(steps, dim=1), at_once, atol=1e-5, rtol=1e-5)
    for layer in parts.layers:
        layer.attention.prefix.values.data.zero_()
    with torch.no_grad():
        assert (model(ids).logits - at_once)[:, -1].abs().max() > 1e-3


@pytest.mark.parametrize("original", ["sdpa", "eager"])
def test_the_original_attention_comes_back_also_on_a_copy(original):
    model = models.build("bert")
    model.set_attn_implementation(original)
    use_prefix_attention(model)
    assert model.config._attn_implementation == f"prefix_{original}"
    twin = copy.deepcopy(model)
    for either in (model, twin):
        restore_attention(either)
        assert either.config._attn_implementation == original
    restore_attention(model)
    assert model.config._attn_implementation == original


def test_a_second_prefix_method_is_refused():
    model, _ = with_prefix("bert")
    with pytest.raises(ValueError, match="'sdpa' or 'eager' attention, not 'prefix_sdpa'"):
        use_prefix_attention(model)


@pytest.mark.parametrize("name", ["bert", "gpt2-lm", "llama-lm", "t5-lm"])
def test_another_model_of_the_same_configuration_keeps_its_attention(name):
    """Nothing is written into a configuration that others may have."""
    first = models.build(name)
    config = first.config
    second = type(first)(config)
    before = config.to_dict()
    for model in (first, second):
        use_prefix_attention(model)
        assert model.config._attn_implementation == "prefix_sdpa"
        used = {id(m.config) for m in model.modules() if hasattr(m, "config")}
        assert id(config) not in used
    assert (config.to_dict(), config._attn_implementation) == (before, "sdpa")
    restore_attention(first)
    assert second.config._attn_implementation == "prefix_sdpa"


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("name", ["bert", "gpt2-lm", "llama-lm", "t5-lm"])
def test_attentions_that_are_not_kept_are_refused(name, attention):
    model, method = models.build(name), PrefixTuning(length=3)
    model.set_attn_implementation(attention)
    method.setup(model)
    inputs = models.batch(name)
    with pytest.raises(ValueError, match="with a prefix no attentions are kept"):
        model(**inputs, output_attentions=True)
    model(**inputs, output_attentions=False)
    method.detach(model)
    if attention == "eager":
        model(**inputs, output_attentions=True)


@pytest.mark.parametrize(("softcap", "sinks"), [(2.0, False), (None, True), (2.0, True)])
@pytest.mark.parametrize("is_causal", [False, True])
def test_softcap_and_sinks_are_those_of_the_formula(softcap, sinks, is_causal):
    torch.manual_seed(0)
    query = 3 * torch.randn(2, 4, 5, 8, dtype=torch.float64)
    key, value = torch.randn(2, 2, 2, 5, 8, dtype=torch.float64)
    s_aux = torch.randn(4, dtype=torch.float64) if sinks else None
    module = Stub(is_causal=is_causal, groups=2)
    module.prefix = Prefix(*torch.randn(2, LENGTH, 2, 8, dtype=torch.float64))
    output, _ = prefix_attention(
        module, query, key, value, None, scaling=0.7, softcap=softcap, s_aux=s_aux
    )
    rows, values = module.prefix()
    for head in range(4):
        keys = torch.cat([rows[:, head // 2].expand(2, -1, -1), key[:, head // 2]], 1)
        scores = 0.7 * query[:, head] @ keys.transpose(-1, -2)
        scores = scores if softcap is None else softcap * torch.tanh(scores / softcap)
        if is_causal:
            later = torch.ones(5, 5, dtype=torch.bool).triu(1)
            scores[:, :, LENGTH:] = scores[:, :, LENGTH:].masked_fill(later, float("-inf"))
        shares = scores.exp()
        total = shares.sum(-1, keepdim=True) + (s_aux[head].exp() if sinks else 0)
        seen = torch.cat([values[:, head // 2].expand(2, -1, -1), value[:, head // 2]], 1)
        # the weights are rounded to float32
        torch.testing.assert_close(output[:, :, head], shares / total @ seen, atol=2e-6, rtol=0)
