"""LoRA in peft, adapters and loralib."""

from __future__ import annotations

import copy

import loralib
import pytest
from peft import LoraConfig, get_peft_model
from transformers.pytorch_utils import Conv1D

from reference_impls.anatomy import anatomy
from reference_impls.reparameterized.lora.lora import LoRA
from tests.methods import models
from tests.parity import samples
from tests.parity.samples import Comparison, difference, logits, named

R, ALPHA = 3, 7
ATTENTION = ("query", "key", "value")
every_model = pytest.mark.parametrize("name", ["bert", "gpt2-lm", "llama-lm", "t5-lm"])
unfused = pytest.mark.parametrize("name", ["bert", "llama-lm", "t5-lm"])


def places(model, targets):
    """The name of the module of each adapted projection, and its target."""
    for layer in anatomy(model).layers:
        for target in targets:
            for projection in layer.projections(target):
                yield named(model, projection.module), target


def mapping_of(a: str, b: str, targets=ATTENTION):
    """A mapping from one pair a projection; `a` and `b` are patterns of their names."""

    def mapping(model, tensors):
        found = {}
        for name, target in places(model, targets):
            found[f"{name}.lora_{target}.a"] = tensors[a.format(name)]
            found[f"{name}.lora_{target}.b"] = tensors[b.format(name)]
        return found

    return mapping


def mapping_of_fused(a: str, b: str, targets=ATTENTION):
    """The same where a fused projection has all its A, and all its B, in one tensor."""

    def mapping(model, tensors):
        found = {}
        for name, target in places(model, targets):
            index = targets.index(target)
            found[f"{name}.lora_{target}.a"] = tensors[a.format(name)].chunk(len(targets))[index]
            found[f"{name}.lora_{target}.b"] = tensors[b.format(name)].chunk(len(targets))[index]
        return found

    return mapping


PEFT = tuple(f"base_model.model.{{}}.lora_{matrix}.default.weight" for matrix in "AB")
ADAPTERS = tuple(f"{{}}.loras.a0.lora_{matrix}" for matrix in "AB")
LORALIB = tuple(f"{{}}.lora_{matrix}" for matrix in "AB")


def peft_config(model, targets=ATTENTION, **more) -> LoraConfig:
    names = sorted({name for name, _ in places(model, targets)})
    return LoraConfig(r=R, lora_alpha=ALPHA, target_modules=names, **more)


@unfused
def test_peft(outcomes, name):
    targets = (*ATTENTION, "feed_forward_down")
    sample = samples.from_model(
        "peft",
        name,
        lambda model: get_peft_model(model, peft_config(model, targets)),
        merge=lambda model: model.merge_and_unload(),
    )
    method = LoRA(r=R, alpha=ALPHA, targets=targets)
    comparison = Comparison(outcomes, sample, method, mapping_of(*PEFT, targets))
    comparison.logits()
    comparison.gradients()
    comparison.counts()
    comparison.merged()


def test_peft_has_one_pair_for_a_fused_projection(outcomes):
    sample = samples.from_model(
        "peft", "gpt2-lm", lambda model: get_peft_model(model, peft_config(model))
    )

    def mapping(model, tensors):
        found = mapping_of(*PEFT)(model, tensors)
        for name in found:
            if name.endswith(".b"):
                slice_ = ATTENTION.index(name.split("_")[-1].removesuffix(".b"))
                found[name] = found[name].chunk(3)[slice_]
        return found

    comparison = Comparison(outcomes, sample, LoRA(r=R, alpha=ALPHA, targets=ATTENTION), mapping)
    comparison.logits(after="query, key and value share one A")
    note = "one pair for the whole of `c_attn`: query, key and value share A"
    comparison.counts(-2 * 2 * R * 32, note)


@unfused
def test_adapters(outcomes, name):
    sample = samples.from_adapters(f"lora-{name}")
    method = LoRA(r=R, alpha=ALPHA, targets=ATTENTION)
    comparison = Comparison(outcomes, sample, method, mapping_of(*ADAPTERS))
    comparison.logits()
    comparison.gradients()
    comparison.counts()
    comparison.merged()


def test_adapters_on_a_fused_projection(outcomes):
    sample = samples.from_adapters("lora-gpt2-lm")
    method = LoRA(r=R, alpha=ALPHA, targets=ATTENTION)
    comparison = Comparison(outcomes, sample, method, mapping_of_fused(*ADAPTERS))
    comparison.logits()
    comparison.gradients()
    comparison.counts()
    comparison.merged()


def test_adapters_swaps_the_feed_forward_maps_of_llama(outcomes):
    """`output_lora` is documented as the second map; on Llama it adapts one of the first."""
    sample = samples.from_adapters("lora-output-llama-lm")
    assert {name.split(".loras")[0].split(".")[-1] for name in sample.weights} == {"up_proj"}
    note = "`output_lora` adapts `up_proj` and `intermediate_lora` `down_proj`: they are swapped"
    place = (sample.library, "adapted modules", sample.model, None)
    outcomes.deviates("lora", *place, note=note, installed=sample.version)


def with_loralib(model, targets):
    """Replace every adapted module by loralib's."""
    for name in {name for name, _ in places(model, targets)}:
        old = model.get_submodule(name)
        settings = {"r": R, "lora_alpha": ALPHA, "merge_weights": False}
        if isinstance(old, Conv1D):
            enabled = [target in targets for target in ATTENTION]
            settings |= {"enable_lora": enabled, "fan_in_fan_out": True}
            new = loralib.MergedLinear(*old.weight.shape, **settings)
        else:
            bias = old.bias is not None
            new = loralib.Linear(old.in_features, old.out_features, **settings, bias=bias)
        new.weight, new.bias = old.weight, old.bias
        model.set_submodule(name, new)
    loralib.mark_only_lora_as_trainable(model)
    return model


def merge_loralib(model):
    for module in model.modules():
        if isinstance(module, loralib.LoRALayer):
            module.merge_weights = True
    return model.eval()


@every_model
def test_loralib(outcomes, name):
    targets = ("query", "value")
    sample = samples.from_model(
        "loralib", name, lambda model: with_loralib(model, targets), merge=merge_loralib
    )
    mapping = mapping_of_fused if name.startswith("gpt2") else mapping_of
    method = LoRA(r=R, alpha=ALPHA, targets=targets)
    comparison = Comparison(outcomes, sample, method, mapping(*LORALIB, targets))
    comparison.logits()
    comparison.gradients()
    comparison.counts()
    comparison.merged()


# peft's arithmetic of adapters


def two_adapters(**more):
    """A base model, and the same with two shaken adapters of peft's."""
    base = models.build("llama-lm")
    config = peft_config(base, **more)
    model = get_peft_model(copy.deepcopy(base), config)
    model.add_adapter("second", config)
    samples.shake({n: p for n, p in model.named_parameters() if "lora_" in n})
    return base, model.eval()


def sum_of_updates(base, model, weights):
    """Our model with every adapter's update, times its weight, merged into it."""
    for adapter, weight in weights.items():
        method = LoRA(r=R, alpha=weight * ALPHA, targets=ATTENTION)
        method.setup(base)
        tensors = {
            n.replace(f".{adapter}.", ".default."): p
            for n, p in model.named_parameters()
            if f".{adapter}." in n
        }
        samples.load(base, mapping_of(*PEFT)(base, tensors))
        method.merge(base)
    return logits(base, models.batch("llama-lm"))


def combined(model, weights, how):
    model.add_weighted_adapter(
        list(weights), list(weights.values()), adapter_name="sum", combination_type=how
    )
    model.set_adapter("sum")
    return logits(model, models.batch("llama-lm"))


WEIGHTS = {"default": 0.5, "second": 0.5}


def test_peft_adds_updates_by_concatenation(outcomes):
    base, model = two_adapters()
    found = difference(sum_of_updates(base, model, WEIGHTS), combined(model, WEIGHTS, "cat"))
    compared = "sum of two updates (`cat`)"
    outcomes.equal("lora", "peft", compared, "llama-lm", found)


def test_peft_adds_factors_where_it_says_linear(outcomes):
    base, model = two_adapters()
    found = difference(sum_of_updates(base, model, WEIGHTS), combined(model, WEIGHTS, "linear"))
    note = "sums the A and the B of two adapters, so that A of one meets B of the other"
    compared = "sum of two updates (`linear`)"
    outcomes.deviates("lora", "peft", compared, "llama-lm", found, note=note)


def test_peft_changes_a_single_rslora_adapter(outcomes):
    _, model = two_adapters(use_rslora=True)
    before = logits(model, models.batch("llama-lm"))
    found = difference(before, combined(model, {"default": 1.0}, "linear"))
    note = "the sum of one rsLoRA adapter with weight 1 is another adapter: it is rescaled"
    compared = "sum of one update (rsLoRA)"
    outcomes.deviates("lora", "peft", compared, "llama-lm", found, note=note)
