"""UniPELT in the library adapters."""

from __future__ import annotations

from reference_impls.anatomy import anatomy
from reference_impls.hybrid.unipelt.unipelt import UniPELT
from tests.parity import samples
from tests.parity.samples import Comparison, named
from tests.parity.test_bottlenecks import SIZE, maps, theirs
from tests.parity.test_prefix_tuning import ADAPTERS_MLP

GATES = "one gate for each adapted matrix, so that queries and values have two"


def mapping(model, tensors):
    """The library's two gates of LoRA are one here: that of the queries."""
    found = {}
    prefixes = ADAPTERS_MLP(model, tensors)
    for name, weight in prefixes.items():  # inside the gated prefix
        found[name.replace(".prefix.", ".prefix.prefix.")] = weight
    for layer in anatomy(model).layers:
        attention, query = named(model, layer.attention), named(model, layer.query.module)
        library = theirs(model, layer, "feed-forward")
        found |= maps(f"{named(model, layer.end)}.adapter", library, tensors)
        gates = {
            f"{attention}.prefix.gate.linear": f"{attention}.prefix_tuning.prefix_gates.a0",
            f"{query}.low_rank.gate.linear": f"{query}.loras.a0.gate",
            f"{named(model, layer.end)}.adapter.gate.linear": f"{library}.adapters.a0.gate",
        }
        for ours, gate in gates.items():
            found[f"{ours}.weight"], found[f"{ours}.bias"] = (
                tensors[f"{gate}.{part}"] for part in ("weight", "bias")
            )
        for projection in (layer.query, layer.value):
            name = named(model, projection.module)
            for ours, matrix in (("a", "lora_A"), ("b", "lora_B")):
                found[f"{name}.low_rank.{ours}"] = tensors[f"{name}.loras.a0.{matrix}"]
    return found


def unipelt() -> UniPELT:
    return UniPELT(r=3, prefix_length=3, bottleneck=5, size=SIZE)


def test_adapters(outcomes):
    comparison = Comparison(outcomes, samples.from_adapters("unipelt-bert"), unipelt(), mapping)
    comparison.deviates("logits", comparison.distance(), f"{GATES}; gates average over padding too")
    comparison.counts(2 * (32 + 1), GATES)


def test_adapters_averages_over_padding(outcomes):
    sample = samples.from_adapters("unipelt-one-gate-bert")
    comparison = Comparison(outcomes, sample, unipelt(), mapping)
    comparison.deviates("logits", comparison.distance(), "gates average over padding too")


def test_adapters_without_padding_and_with_one_gate(outcomes):
    sample = samples.from_adapters("unipelt-unpadded-bert")
    comparison = Comparison(outcomes, sample, unipelt(), mapping)
    after = "queries and values share a gate, and no row is padded"
    comparison.logits(after)
    # two gates that happen to be equal: the gradient of ours is the sum of theirs
    gates = {name: g for name, g in sample.gradients.items() if ".loras.a0.gate." in name}
    for name, gradient in gates.items():
        if ".query." in name:
            sample.gradients[name] = gradient + gates[name.replace(".query.", ".value.")]
    comparison.gradients(after)
