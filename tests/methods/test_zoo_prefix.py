"""Which attention asks transformers' table for its function is told by what a prefix does to it."""

from __future__ import annotations

import pytest
import torch

from reference_impls import architectures
from reference_impls.prompt.prefix_tuning.prefix_tuning import PrefixTuning
from reference_impls.shared.prefix_attention import (
    Prefix,
    restore_attention,
    use_prefix_attention,
)
from tests.methods.zoo import every, model_of

torch.set_num_threads(1)

SAME = 2e-6  # of the largest logit; the largest measured is 4.2e-7, of granite_swa
# these ask the table, but with keys that are not those of the layer's tokens alone
OTHER_KEYS = ("deepseek_v4", "segformer", "t5gemma2")
MOVED = 1e-4  # of the largest logit
# they ask the table, with keys that are not of their tokens: compressed, of both texts, pooled
OTHER_KEYS = ("deepseek_v4", "t5gemma2", "segformer")


def taken(parts) -> bool:
    """Whether prefix tuning takes a model."""
    try:
        PrefixTuning(length=3).check(parts)
    except ValueError:
        return False
    return True


@every()
def test_prefix_tuning_takes_a_model_all_of_whose_attention_asks_the_table(name):
    model, parts = model_of(name)
    blocks = [block for stack in parts.found_stacks for x in stack.layers for block in x.attentions]
    asks = bool(blocks) and all(block.registered and block.has("attention") for block in blocks)
    assert taken(parts) == asks
    assert model.config._attn_implementation in ("sdpa", "eager")


@every()
@torch.no_grad()
def test_a_prefix_of_random_rows_changes_the_outputs_and_the_switch_alone_does_not(name):
    model, parts = model_of(name)
    batch = architectures.batch(name)
    before = architectures.logits(model, batch)
    most = max(1.0, before.abs().max().item())
    use_prefix_attention(model)
    if taken_before(name):
        assert (architectures.logits(model, batch) - before).abs().max() <= SAME * most
    generator = torch.Generator().manual_seed(0)
    for block in [b for stack in parts.found_stacks for x in stack.layers for b in x.attentions]:
        if not (block.registered and block.has("attention")):
            continue
        plain = architectures.logits(model, batch)
        sizes = [(3, block.kv_heads, width) for width in (block.key_dim, block.value_dim)]
        prefix = Prefix(*(torch.randn(size, generator=generator) for size in sizes))
        block.attention.add_module("prefix", prefix)
        moved = (architectures.logits(model, batch) - plain).abs().max()
        assert moved > MOVED * most, f"{block.place} does not see a prefix"
        del block.attention.prefix
    restore_attention(model)
    assert (architectures.logits(model, batch) - before).abs().max() <= SAME * most


def taken_before(name: str) -> bool:
    """Whether prefix tuning takes a fresh model of this architecture."""
    return taken(model_of(name)[1])


@every(but=OTHER_KEYS)
@torch.no_grad()
def test_a_prefix_on_attention_that_asks_no_table_would_change_nothing(name):
    model, parts = model_of(name)
    batch = architectures.batch(name)
    use_prefix_attention(model)
    before = architectures.logits(model, batch)
    blocks = [block for stack in parts.found_stacks for x in stack.layers for block in x.attentions]
    silent = [block for block in blocks if not block.registered and block.has("attention")]
    if name in OTHER_KEYS:
        return
    for block in silent:
        # whoever asked for it would fail: it is no module
        vars(block.attention)["prefix"] = pytest.fail
    assert torch.equal(architectures.logits(model, batch), before)


@pytest.mark.parametrize("name", ["bert", "deepseek_v3", "gpt_oss", "gemma2", "t5"])
@pytest.mark.parametrize("reparametrize", [False, True])
@torch.no_grad()
def test_a_prefix_is_as_wide_as_keys_and_values_are(name, reparametrize):
    model, parts = model_of(name)
    batch = architectures.batch(name)
    method = PrefixTuning(length=3, bottleneck=5, reparametrize=reparametrize)
    method.setup(model)
    head = {id(p) for p in parts.head_parameters()}
    free = [p for p in model.parameters() if p.requires_grad and id(p) not in head]
    assert sum(p.numel() for p in free) == method.trained(parts)
    stored = method.tensors(model)
    assert sum(tensor.numel() for tensor in stored.values()) == method.stored(parts)
    blocks = [block for layer in parts.layers for block in layer.attentions]
    for block in blocks:
        keys, values = block.attention.prefix()
        assert keys.shape == (3, block.kv_heads, block.key_dim)
        assert values.shape == (3, block.kv_heads, block.value_dim)
    before = architectures.logits(model, batch)
    method.fold_prefixes(model)
    torch.testing.assert_close(architectures.logits(model, batch), before, atol=1e-6, rtol=1e-5)
