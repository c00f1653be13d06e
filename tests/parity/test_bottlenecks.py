"""Adapters in the library adapters: Houlsby, Pfeiffer, parallel, and what is made of them."""

from __future__ import annotations

import pytest

from reference_impls.additive.adapterdrop.adapterdrop import AdapterDrop
from reference_impls.additive.adapterfusion.adapterfusion import AdapterFusion
from reference_impls.additive.houlsby.houlsby import Houlsby
from reference_impls.additive.parallel_adapter.parallel_adapter import ScaledParallelAdapter
from reference_impls.additive.pfeiffer.pfeiffer import Pfeiffer
from reference_impls.anatomy import anatomy
from reference_impls.hybrid.compacter.compacter import Compacter
from reference_impls.hybrid.mam.mam import MAM
from tests.methods import models
from tests.parity import samples
from tests.parity.samples import Comparison, named
from tests.parity.test_prefix_tuning import ADAPTERS_MLP, COUNTED, RELATIVE, count_the_prefix

SIZE = 6
NORMS = "leaves the layer norms frozen"
every_model = pytest.mark.parametrize("name", ["bert", "gpt2-lm", "llama-lm", "t5-lm"])


def theirs(model, layer, after: str) -> str:
    """The module that holds the library's adapters after the attention or the feed-forward."""
    block = named(model, layer.block)
    if model.config.model_type == "t5":  # the library knows the sub-layers too
        return f"{block}.layer.0" if after == "attention" else named(model, layer.end)
    if layer.post_norm:
        return f"{block}.attention.output" if after == "attention" else f"{block}.output"
    return f"{block}.attention_adapters" if after == "attention" else f"{block}.output_adapters"


def maps(ours: str, library: str, tensors, adapter: str = "a0") -> dict:
    """The weights of one adapter."""
    return {
        f"{ours}.{our_map}.{part}": tensors[f"{library}.adapters.{adapter}.{their_map}.{part}"]
        for our_map, their_map in (("down", "adapter_down.0"), ("up", "adapter_up"))
        for part in ("weight", "bias")
    }


def norm_count(model) -> int:
    return sum(p.numel() for norm in anatomy(model).norms for p in norm.parameters())


def houlsby(model, tensors):
    found = {}
    for layer in anatomy(model).layers:
        ends = (("attention", layer.attention_end), ("feed-forward", layer.feed_forward_end))
        for after, end in ends:
            ours = f"{named(model, end)}.adapter"
            found |= maps(ours, theirs(model, layer, after), tensors)
    return found


@every_model
def test_houlsby(outcomes, name):
    method = Houlsby(size=SIZE)
    as_is = Comparison(outcomes, samples.from_adapters(f"houlsby-{name}"), method, houlsby)
    as_is.deviates("logits", as_is.distance(), "Swish in place of GELU")
    as_is.counts(-norm_count(as_is.model), NORMS)
    sample = samples.from_adapters(f"houlsby-gelu-{name}")
    comparison = Comparison(outcomes, sample, Houlsby(size=SIZE), houlsby)
    comparison.logits(after="GELU as activation")
    comparison.gradients(after="GELU as activation")


def pfeiffer(model, tensors):
    found = {}
    for layer in anatomy(model).layers:
        library = theirs(model, layer, "feed-forward")
        if f"{library}.adapters.a0.adapter_up.weight" in tensors:
            found |= maps(f"{named(model, layer.end)}.adapter", library, tensors)
    return found


@every_model
@pytest.mark.parametrize(
    ("case", "method"),
    [
        ("pfeiffer", lambda: Pfeiffer(size=SIZE)),
        ("drop", lambda: AdapterDrop(size=SIZE, dropped=1, robust=False)),
    ],
    ids=["pfeiffer", "adapterdrop"],
)
def test_pfeiffer_and_adapterdrop(outcomes, name, case, method):
    comparison = Comparison(outcomes, samples.from_adapters(f"{case}-{name}"), method(), pfeiffer)
    comparison.logits()
    comparison.gradients()
    comparison.counts()


# AdapterFusion


def fusion(model, tensors):
    found = {}
    for layer in anatomy(model).layers:
        ours, library = f"{named(model, layer.end)}.fusion", theirs(model, layer, "feed-forward")
        for part in ("query", "key", "value"):
            weight = tensors[f"{library}.adapter_fusion_layer.a0,a1.{part}.weight"]
            found[f"{ours}.{part}"] = weight
        for index in range(2):
            if (
                f"{library}.adapters.a{index}.adapter_up.weight" in tensors
            ):  # they have no gradients
                found |= maps(f"{ours}.adapters.{index}", library, tensors, f"a{index}")
    return found


def two_adapters() -> AdapterFusion:
    return AdapterFusion(size=SIZE, sources=(models.batch,))


@every_model
def test_adapterfusion(outcomes, name):
    sample = samples.from_adapters(f"fusion-{name}")
    comparison = Comparison(outcomes, sample, two_adapters(), fusion)
    note = "has biases in query and key"
    comparison.deviates("logits", comparison.distance(), note)
    comparison.counts(2 * 32 * len(anatomy(comparison.model).layers), note)
    sample = samples.from_adapters(f"fusion-unbiased-{name}")
    comparison = Comparison(outcomes, sample, two_adapters(), fusion)
    comparison.logits(after="query biases are 0 (those of the keys change nothing)")
    comparison.gradients(after="query biases are 0 (those of the keys change nothing)")


# parallel adapters


def parallel(model, tensors):
    found = {}
    for layer in anatomy(model).layers:
        ours = named(model, layer.feed_forward_input.parallel)
        library = theirs(model, layer, "feed-forward")
        found |= maps(ours, library, tensors)
        scale = tensors.get(f"{library}.adapters.a0.scaling")
        if scale is not None:
            found[f"{ours}.scale"] = scale.squeeze()
    return found


def read_the_residual_stream(model) -> None:
    """Let the adapters read what the layer norm in front of the feed-forward block reads."""
    for layer in anatomy(model).layers:
        adapter = layer.feed_forward_input.parallel

        def keep(module, args, adapter=adapter):
            adapter.stream = args[0]

        def branch(module, args, adapter=adapter):
            adapter.branch = adapter(adapter.stream)

        layer.norms[-1].register_forward_pre_hook(keep)
        layer.feed_forward_input.register_forward_pre_hook(branch)  # runs after our own


STREAM = "reads the residual stream in front of the layer norm, as the paper's code for mBART does"
AFTER = "the adapter reads the residual stream in front of the layer norm"


def compare_parallel(sample, name, comparison) -> None:
    after = ""
    if name != "bert":
        comparison.deviates("logits", comparison.distance(), STREAM)
        read_the_residual_stream(comparison.model)
        after = AFTER
    comparison.logits(after)
    comparison.gradients(after)
    comparison.counts()


@every_model
def test_parallel_adapter(outcomes, name):
    sample = samples.from_adapters(f"parallel-{name}")
    method = ScaledParallelAdapter(size=SIZE, dropout=0.0)
    compare_parallel(sample, name, Comparison(outcomes, sample, method, parallel))


def test_parallel_adapter_with_a_learned_scale(outcomes):
    sample = samples.from_adapters("parallel-learned-bert")
    method = ScaledParallelAdapter(size=SIZE, learned_scale=True, dropout=0.0)
    compare_parallel(sample, "bert", Comparison(outcomes, sample, method, parallel))


def mam(model, tensors):
    return parallel(model, tensors) | ADAPTERS_MLP(model, tensors)


def our_mam() -> MAM:
    return MAM(prefix_length=3, bottleneck=5, size=SIZE, dropout=0.0)


@pytest.mark.parametrize("name", ["bert", "gpt2-lm", "llama-lm"])
def test_mam(outcomes, name):
    sample = samples.from_adapters(f"mam-{name}")
    compare_parallel(sample, name, Comparison(outcomes, sample, our_mam(), mam))


def test_mam_of_an_encoder_decoder(outcomes, monkeypatch):
    sample = samples.from_adapters("mam-t5-lm")
    comparison = Comparison(outcomes, sample, our_mam(), mam)
    comparison.deviates("logits", comparison.distance(), f"{RELATIVE}; {STREAM}")
    comparison.counts()
    count_the_prefix(comparison.model, monkeypatch)
    read_the_residual_stream(comparison.model)
    comparison.logits(f"{AFTER}; {COUNTED}")
    comparison.gradients(f"{AFTER}; {COUNTED}")


# Compacter


def compacter(model, tensors):
    found, (rule,) = {}, (tensors[name] for name in tensors if name.endswith("phm_rule"))
    for layer in anatomy(model).layers:
        ends = (("attention", layer.attention_output), ("feed-forward", layer.feed_forward_down))
        for after, projection in ends:
            library = f"{theirs(model, layer, after)}.adapters.a0"
            if f"{library}.adapter_up.b" not in tensors:
                continue
            ours = f"{named(model, projection.module)}.adapter"
            for our_map, their_map in (("down", "adapter_down.0"), ("up", "adapter_up")):
                found[f"{ours}.{our_map}.s"] = tensors[f"{library}.{their_map}.W_left"].squeeze(2)
                found[f"{ours}.{our_map}.t"] = tensors[f"{library}.{their_map}.W_right"].squeeze(1)
                found[f"{ours}.{our_map}.bias"] = tensors[f"{library}.{their_map}.b"]
    first = next(name for name in found if name.endswith("down.s"))
    return {first.removesuffix("s") + "slow.matrices": rule} | found


@every_model
def test_compacter(outcomes, name):
    sample = samples.from_adapters(f"compacter-{name}")
    comparison = Comparison(outcomes, sample, Compacter(size=8), compacter)
    comparison.logits(after="GELU in its tanh form")
    comparison.gradients(after="GELU in its tanh form")
    comparison.counts(-norm_count(comparison.model), NORMS)


@every_model
def test_compacter_plus_plus(outcomes, name):
    sample = samples.from_adapters(f"compacter-plus-{name}")
    comparison = Comparison(outcomes, sample, Compacter(size=8, attention=False), compacter)
    note = "Compacter++: the adapter follows the residual connection, as Pfeiffer's does"
    comparison.deviates("logits", comparison.distance(), note)
