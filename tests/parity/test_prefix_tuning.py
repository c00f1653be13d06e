"""Prefix tuning in peft and adapters, and P-tuning v2, which is a prefix without a perceptron."""

from __future__ import annotations

import pytest
import torch
from peft import PrefixTuningConfig, get_peft_model
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from reference_impls.anatomy import anatomy
from reference_impls.prompt.p_tuning_v2.p_tuning_v2 import PTuningV2
from reference_impls.prompt.prefix_tuning.prefix_tuning import PrefixTuning
from reference_impls.shared import prefix_attention
from tests.methods import models
from tests.parity import samples
from tests.parity.conftest import TOLERANCE
from tests.parity.prompts import DECODERS, LENGTH, task
from tests.parity.samples import Comparison, named

BOTTLENECK = 5
KINDS = pytest.mark.parametrize("kind", [PrefixTuning, PTuningV2])
FAMILIES = pytest.mark.parametrize("name", ["bert", "gpt2-lm", "llama-lm"])


def groups(model) -> dict[str, list]:
    """Attention blocks whose keys and values come from one tensor, by adapters' name of it."""
    parts = anatomy(model)
    if not parts.encoder_decoder:
        return {"self_prefix": list(parts.layers)}
    encoder, decoder = (list(stack.layers) for stack in parts.stacks)
    across = [layer.cross for layer in decoder]
    return {"encoder_prefix": encoder, "self_prefix": decoder, "cross_prefix": across}


def one(tensors, ending: str):
    """The tensor with this ending of its name."""
    (found,) = (tensor for name, tensor in tensors.items() if name.endswith(ending))
    return found


def prefix_mapping(pattern: str):
    """From a tensor for each group, (length, layers, 2, heads, width); `{}` is its name."""

    def mapping(model, tensors):
        parts, found = anatomy(model), {}
        for group, blocks in groups(model).items():
            shape = (LENGTH, len(blocks), 2, parts.kv_heads, parts.head_dim)
            theirs = one(tensors, pattern.format(group)).view(shape)
            for block, both in zip(blocks, theirs.unbind(1)):
                for part, rows in zip(("keys", "values"), both.unbind(1)):
                    found[f"{named(model, block.attention)}.prefix.{part}"] = rows
        return found

    return mapping


def mlp_mapping(rows: str, first: str, second: str):
    """From an MLP for each group, the last map of which has the keys and values of its layers."""

    def mapping(model, tensors):
        found = {}
        for group, blocks in groups(model).items():
            trunk = f"{named(model, blocks[0].attention)}.prefix.trunk"
            found[f"{trunk}.rows"] = one(tensors, f"{rows.format(group)}.weight")
            for part in ("weight", "bias"):
                down = one(tensors, f"{first.format(group)}.{part}")
                up = one(tensors, f"{second.format(group)}.{part}").chunk(len(blocks))
                found[f"{trunk}.down.{part}"] = down
                for block, chunk in zip(blocks, up):
                    found[f"{named(model, block.attention)}.prefix.up.{part}"] = chunk
        return found

    return mapping


def decoder_prefix(model, tensors):
    """From peft's tensor for an encoder-decoder, as it is read: every second layer's, twice."""
    layers, parts = groups(model)["self_prefix"], anatomy(model)
    shape = (LENGTH, len(layers), 2, parts.kv_heads, parts.head_dim)
    theirs = one(tensors, "prompt_encoder.default.embedding.weight").view(shape)
    return {
        f"{named(model, layer.attention)}.prefix.{part}": theirs[:, 2 * index % len(layers), which]
        for index, layer in enumerate(layers)
        for which, part in enumerate(("keys", "values"))
    }


PEFT_PREFIX = prefix_mapping("prompt_encoder.default.embedding.weight")
PEFT_MLP = mlp_mapping("default.embedding", "transform.0", "transform.2")
ADAPTERS_PREFIX = prefix_mapping("{}.control_trans")
ADAPTERS_MLP = mlp_mapping("{}.wte", "{}.control_trans.0", "{}.control_trans.2")


def our_prefix(kind: type = PrefixTuning, *, reparametrize: bool = False):
    return kind(length=LENGTH, bottleneck=BOTTLENECK, reparametrize=reparametrize)


def peft_prefix(name: str, base: dict | None = None, **more) -> samples.Sample:
    config = PrefixTuningConfig(task_type=task(name), num_virtual_tokens=LENGTH, **more)
    return samples.from_model(
        "peft", name, lambda model: get_peft_model(model, config), config=base
    )


def shifted(sample: samples.Sample) -> torch.Tensor:
    rows, length = sample.batch["input_ids"].shape
    return torch.arange(LENGTH, LENGTH + length).expand(rows, -1)


AFTER = "positions of the text start at the length of the prefix"


@FAMILIES
@KINDS
def test_peft_prefix(outcomes, kind, name):
    sample = peft_prefix(name)
    unshifted = Comparison(outcomes, sample, our_prefix(kind), PEFT_PREFIX)
    note = "shifts the positions of the text by the length of the prefix, as the official code does"
    unshifted.deviates("logits", unshifted.distance(), note)
    unshifted.counts()
    more = {"position_ids": shifted(sample)}
    comparison = Comparison(outcomes, sample, our_prefix(kind), PEFT_PREFIX, **more)
    comparison.logits(AFTER)
    comparison.gradients(AFTER)


RELATIVE = "counts the prefix in the relative positions of keys, but not in those of queries"
COUNTED = "the prefix counts in the relative positions of keys, not in those of queries"


def count_the_prefix(model, monkeypatch, *, in_queries: bool = False) -> None:
    """Let T5's position bias span the prefix, with the text's keys (and queries) behind it."""
    first = {}
    for stack in anatomy(model).stacks:
        for layer in stack.layers:
            first[layer.attention] = stack.layers[0].attention

    def attend(module, query, key, value, mask, position_bias=None, **kwargs):
        if module in first:
            texts, keys = query.shape[2], key.shape[2]
            position_bias = first[module].compute_bias(
                texts, keys, device=query.device, past_seen_tokens=in_queries * (keys - texts)
            )
        return sdpa_attention_forward(
            module, query, key, value, mask, position_bias=position_bias, **kwargs
        )

    monkeypatch.setattr(prefix_attention, "sdpa_attention_forward", attend)


@KINDS
def test_peft_prefix_of_an_encoder_decoder(outcomes, monkeypatch, kind):
    """Keys and values of the decoder's self-attention are all that the library has."""
    with pytest.raises(RuntimeError, match="Sizes of tensors"):
        peft_prefix("t5-lm")
    note = "raises an error where heads times their width is not the model's, as in T5 v1.1 small"
    outcomes.deviates(kind.name, "peft", "heads of any width", "t5-lm", None, note=note)
    sample = peft_prefix("t5-lm", {"d_kv": 8})
    model = sample.ours()
    our_prefix(kind).setup(model)
    found = sample.trained - samples.count(model)
    parts, blocks = anatomy(model), groups(model)
    assert found == -2 * LENGTH * 32 * sum(
        len(blocks[name]) for name in ("encoder_prefix", "cross_prefix")
    )
    note = "has a prefix in the decoder's self-attention only, none in the encoder or between both"
    outcomes.deviates(kind.name, "peft", "number trained", "t5-lm", found, note=note)
    gradient = next(iter(sample.gradients.values()))
    found = (gradient == 0).sum().item()
    assert found == sample.trained // 2
    note = "reads keys and values of every second layer, twice, and ignores the others"
    outcomes.deviates(kind.name, "peft", "numbers without gradient", "t5-lm", found, note=note)
    # ours, once the other prefixes are away
    with torch.no_grad():
        samples.load(model, samples.trained(model) | decoder_prefix(model, sample.weights))
    for name in ("encoder_prefix", "cross_prefix"):
        for block in blocks[name]:
            block.attention.prefix = prefix_attention.Prefix(*torch.empty(2, 0, parts.heads, 8))
    count_the_prefix(model, monkeypatch, in_queries=True)
    after = (
        "a prefix in the decoder's self-attention only, every second layer's twice, with the "
        "relative positions of tokens"
    )
    found = samples.distance(sample, model.eval())
    outcomes.equal(kind.name, "peft", "logits", "t5-lm", found, after=after)


@pytest.mark.parametrize("name", ["bert", "gpt2-lm"])
def test_peft_prefix_through_an_mlp(outcomes, name):
    sample = peft_prefix(name, prefix_projection=True, encoder_hidden_size=BOTTLENECK)
    method, more = our_prefix(reparametrize=True), {"position_ids": shifted(sample)}
    comparison = Comparison(outcomes, sample, method, PEFT_MLP, **more)
    comparison.logits(AFTER)
    comparison.gradients(AFTER)
    comparison.counts()


def test_peft_mlp_is_as_wide_as_the_keys(outcomes):
    """With grouped-query attention keys are narrower than the model."""
    sample = peft_prefix("llama-lm", prefix_projection=True, encoder_hidden_size=BOTTLENECK)
    model = sample.ours()
    our_prefix(reparametrize=True).setup(model)
    found = sample.trained - samples.count(model)
    assert found == -16 * (LENGTH + BOTTLENECK)
    note = "the input of the MLP is as wide as the keys of all key-value heads, not as the model"
    compared = "number trained (MLP)"
    outcomes.deviates("prefix_tuning", "peft", compared, "llama-lm", found, note=note)


@FAMILIES
@KINDS
def test_peft_prefix_fails_with_gradient_checkpointing(outcomes, kind, name):
    config = PrefixTuningConfig(task_type=task(name), num_virtual_tokens=LENGTH)
    model = get_peft_model(models.build(name), config).train()
    model.base_model.gradient_checkpointing_enable()
    batch = models.batch(name)
    with pytest.raises(RuntimeError, match="size of tensor"):
        model(**batch).loss.backward()
    place = (kind.name, "peft", "gradient checkpointing", name, None)
    outcomes.deviates(*place, note="raises an error: the prefix lives in the cache")


@pytest.mark.parametrize("case", ["prefix-bert", "prefix-eager-gpt2-lm", "prefix-eager-llama-lm"])
@KINDS
def test_adapters_prefix(outcomes, kind, case):
    sample = samples.from_adapters(case)
    comparison = Comparison(outcomes, sample, our_prefix(kind), ADAPTERS_PREFIX)
    comparison.logits()
    comparison.gradients()
    comparison.counts()


@FAMILIES
def test_adapters_prefix_through_an_mlp(outcomes, name):
    sample = samples.from_adapters(f"prefix-mlp-{name}")
    method = our_prefix(reparametrize=True)
    comparison = Comparison(outcomes, sample, method, ADAPTERS_MLP)
    comparison.logits()
    comparison.gradients()
    comparison.counts()


@DECODERS
@KINDS
def test_adapters_prefix_with_sdpa(outcomes, kind, name):
    sample = samples.from_adapters(f"prefix-unpadded-{name}")
    comparison = Comparison(outcomes, sample, our_prefix(kind), ADAPTERS_PREFIX)
    note = "with `sdpa`, the causal mask starts at the prefix: tokens do not see themselves"
    comparison.deviates("logits", comparison.distance(), note)
    sample = samples.from_adapters(f"prefix-{name}")
    comparison = Comparison(outcomes, sample, our_prefix(kind), ADAPTERS_PREFIX)
    assert comparison.effect < TOLERANCE
    note = "with `sdpa` and padding, the mask hides the prefix: it does nothing"
    comparison.deviates("logits", comparison.distance(), note)


@pytest.mark.parametrize("case", ["prefix", "prefix-mlp"])
@KINDS
def test_adapters_prefix_of_an_encoder_decoder(outcomes, monkeypatch, kind, case):
    mlp = case == "prefix-mlp"
    sample, mapping = (
        samples.from_adapters(f"{case}-t5-lm"),
        ADAPTERS_MLP if mlp else ADAPTERS_PREFIX,
    )
    comparison = Comparison(outcomes, sample, our_prefix(kind, reparametrize=mlp), mapping)
    if not mlp:
        comparison.deviates("logits", comparison.distance(), RELATIVE)
    comparison.counts()
    count_the_prefix(comparison.model, monkeypatch)
    comparison.logits(COUNTED)
    comparison.gradients(COUNTED)
