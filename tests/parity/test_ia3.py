"""(IA)³ in peft and adapters."""

from __future__ import annotations

import pytest
from peft import IA3Config, get_peft_model

from reference_impls.additive.ia3.ia3 import IA3
from reference_impls.anatomy import anatomy
from tests.methods import models
from tests.parity import samples
from tests.parity.samples import Comparison, difference, named, real


def places(model):
    """Each vector: its name, the module that it is in, and its slice of what peft has there."""
    for layer in anatomy(model).layers:
        for block in layer.attentions:
            for name, projection in (("ia3_key", block.key), ("ia3_value", block.value)):
                yield name, named(model, projection.module), projection.columns
        yield "ia3_input", named(model, layer.feed_forward_down.module), slice(None)


def from_peft(model, tensors):
    pattern = "base_model.model.{}.ia3_l.default"
    return {
        f"{module}.{name}.factor": tensors[pattern.format(module)].flatten()[columns]
        for name, module, columns in places(model)
    }


def peft(name: str, change=None):
    config = models.build(name)
    modules = {module: name for name, module, _ in places(config)}
    feed_forward = [module for module, name in modules.items() if name == "ia3_input"]
    config = IA3Config(target_modules=list(modules), feedforward_modules=feed_forward)
    return samples.from_model(
        "peft",
        name,
        lambda model: get_peft_model(model, config),
        merge=lambda model: model.merge_and_unload(),
        change=change,
    )


@pytest.mark.parametrize("name", ["bert", "llama-lm", "t5-lm"])
def test_peft(outcomes, name):
    comparison = Comparison(outcomes, peft(name), IA3(), from_peft)
    comparison.logits()
    comparison.gradients()
    comparison.counts()
    comparison.merged()


def do_not_scale_queries(weights):
    for name, weight in weights.items():
        if "c_attn" in name:
            weight[:32] = 1.0


def test_peft_scales_the_queries_of_a_fused_projection(outcomes):
    comparison = Comparison(outcomes, peft("gpt2-lm"), IA3(), from_peft)
    note = "scales the whole of `c_attn`, so the queries too"
    comparison.deviates("logits", comparison.distance(), note)
    comparison.counts(2 * 32, note)
    comparison = Comparison(outcomes, peft("gpt2-lm", do_not_scale_queries), IA3(), from_peft)
    comparison.logits(after="the factors of the queries are 1")
    comparison.gradients(after="the factors of the queries are 1")
    comparison.merged()


@pytest.mark.parametrize(
    ("name", "more", "note"),
    [
        ("bert", 2 * 32, "`output.dense` names the attention's output too: four vectors a layer"),
        (
            "roberta",
            2 * 32,
            "`output.dense` names the attention's output too: four vectors a layer",
        ),
        ("qwen2", 2 * 16, "queries in place of keys"),
    ],
)
def test_peft_default_targets(outcomes, name, more, note):
    sample = samples.from_model(
        "peft", name, lambda model: get_peft_model(model, IA3Config(task_type="SEQ_CLS"))
    )
    model = models.build(name)
    IA3().setup(model)
    found = sample.trained - samples.count(model)
    if name == "qwen2":
        projections = {key.split(".")[-3] for key in sample.weights}
        assert projections == {"q_proj", "v_proj", "down_proj"}
    assert found == more
    outcomes.deviates("ia3", "peft", "number trained by default", name, found, note=note)


# adapters scales what comes out of the first feed-forward map


def scale_first_map(model, module, tensors):
    """Forward hooks of our own at the place of the library's."""
    for layer in anatomy(model).layers:
        place = module(layer)
        factor = tensors[f"{named(model, place)}.loras.a0.lora_B"].flatten()
        place.register_forward_hook(lambda m, args, output, factor=factor: output * factor)


def adapters(outcomes, name, feed_forward):
    """A comparison in which our feed-forward vectors are ones; and one where they are moved."""
    sample = samples.from_adapters(f"ia3-{name}")

    def mapping(model, tensors, moved=False):
        found = {}
        for layer in anatomy(model).layers:
            blocks = [(block, target) for block in layer.attentions for target in ("key", "value")]
            for block, target in blocks:
                projection = getattr(block, target)
                module = named(model, projection.module)
                factors = tensors[f"{module}.loras.a0.lora_B"].flatten()
                if len(factors) > projection.d_out:  # fused: keys, values
                    factors = factors.chunk(2)[target == "value"]
                found[f"{module}.ia3_{target}.factor"] = factors
            down = f"{named(model, layer.feed_forward_down.module)}.ia3_input.factor"
            first = tensors[f"{named(model, feed_forward(layer))}.loras.a0.lora_B"].flatten()
            if moved or len(first) != layer.feed_forward_down.d_in:
                first = first.new_ones(layer.feed_forward_down.d_in)
            found[down] = first
        return found

    as_ours = Comparison(outcomes, sample, IA3(), mapping)
    as_theirs = Comparison(
        outcomes, sample, IA3(), lambda model, tensors: mapping(model, tensors, moved=True)
    )
    scale_first_map(as_theirs.model, feed_forward, sample.weights)
    return as_ours, as_theirs


@pytest.mark.parametrize("name", ["bert", "gpt2-lm"])
def test_adapters_scales_before_the_activation(outcomes, name):
    as_ours, as_theirs = adapters(outcomes, name, lambda layer: layer.feed_forward_up[0].module)
    note = "scales before the activation of the feed-forward block"
    as_ours.deviates("logits", as_ours.distance(), note)
    as_ours.counts()
    as_theirs.logits(after="the feed-forward block is scaled before its activation")


def test_adapters_scales_one_factor_of_a_gated_block(outcomes):
    """In T5 it is the factor without activation, which is as good as scaling their product."""
    as_ours, _ = adapters(outcomes, "t5-lm", lambda layer: layer.feed_forward_up[1].module)
    as_ours.logits()
    as_ours.gradients()
    as_ours.counts()


def test_adapters_scales_the_output_of_a_gated_block(outcomes):
    as_ours, as_theirs = adapters(outcomes, "llama-lm", lambda x: x.feed_forward_down.module)
    note = "scales the output of the feed-forward block"
    as_ours.deviates("logits", as_ours.distance(), note)
    as_ours.counts(2 * (32 - 48), note)
    as_theirs.logits(after="the feed-forward block's output is scaled")


COMPARED = "merged and unmerged model"


@pytest.mark.parametrize("name", ["bert", "gpt2-lm"])
def test_adapters_merges_without_the_biases(outcomes, name):
    sample = samples.from_adapters(f"ia3-{name}")
    found = difference(real(sample.logits, sample.batch), real(sample.merged, sample.batch))
    about = {"note": "does not scale the biases", "installed": sample.version}
    outcomes.deviates("ia3", "adapters", COMPARED, name, found, **about)


@pytest.mark.parametrize("name", ["llama-lm", "t5-lm"])
def test_adapters_merges_where_there_are_no_biases(outcomes, name):
    sample = samples.from_adapters(f"ia3-{name}")
    found = difference(real(sample.logits, sample.batch), real(sample.merged, sample.batch))
    place = ("ia3", "adapters", COMPARED, name)
    outcomes.equal(*place, found, installed=sample.version)
