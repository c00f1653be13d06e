"""AdapterFusion: the mixture, its start and penalty, and what each phase trains."""

import copy

import pytest
import torch
from torch import nn
from transformers import BertConfig

from reference_impls import architectures
from reference_impls.additive.adapterfusion.adapterfusion import AdapterFusion, Fusion
from reference_impls.anatomy import anatomy, model_on_meta
from reference_impls.core.method import trainable
from reference_impls.core.training import Loop, train
from reference_impls.measure.runs import prepare
from tests.methods import models
from tests.methods.ledgers import LAB
from tests.methods.settings import adapt, batches


@torch.no_grad()
def shaken(count: int, seed: int = 0) -> Fusion:
    """A fusion of `count` adapters in double precision, every tensor away from its start."""
    torch.manual_seed(seed)
    return models.shake(Fusion(16, 5, count).requires_grad_(True), seed).double()


def outputs(fusion: Fusion, y: torch.Tensor) -> torch.Tensor:
    """z of all adapters, by hand: (N, …, d)."""
    return torch.stack(
        [
            (y @ a.down.weight.T + a.down.bias).clamp(min=0) @ a.up.weight.T + a.up.bias
            for a in fusion.adapters
        ]
    )


@torch.no_grad()
def test_mixture_by_hand():
    fusion, y = shaken(3), torch.randn(2, 4, 16).double()
    z = outputs(fusion, y)
    for row in range(2):
        for t in range(4):
            query = fusion.query @ y[row, t]
            weights = torch.stack([query @ (fusion.key @ z[n, row, t]) for n in range(3)])
            weights = weights.exp() / weights.exp().sum()
            expected = sum(weights[n] * (fusion.value @ z[n, row, t]) for n in range(3))
            torch.testing.assert_close(fusion(y)[row, t], expected, atol=1e-12, rtol=0)


@torch.no_grad()
def test_one_adapter_gives_its_value_whatever_query_and_key_are():
    fusion, y = shaken(1), torch.randn(3, 16).double()
    expected = outputs(fusion, y)[0] @ fusion.value.T
    torch.testing.assert_close(fusion(y), expected, atol=1e-12, rtol=0)
    fusion.query.normal_()
    fusion.key.normal_()
    torch.testing.assert_close(fusion(y), expected, atol=1e-12, rtol=0)


@torch.no_grad()
def test_equal_adapters_give_the_value_of_one():
    fusion, y = shaken(3), torch.randn(3, 16).double()
    for adapter in fusion.adapters[1:]:
        adapter.load_state_dict(fusion.adapters[0].state_dict())
    expected = outputs(fusion, y)[0] @ fusion.value.T
    torch.testing.assert_close(fusion(y), expected, atol=1e-12, rtol=0)


@torch.no_grad()
def test_the_order_of_the_adapters_does_not_matter_and_weights_sum_to_one():
    fusion, y = shaken(3), torch.randn(3, 16).double()
    mixed = fusion(y)
    fusion.adapters = nn.ModuleList(fusion.adapters[i] for i in (2, 0, 1))
    torch.testing.assert_close(fusion(y), mixed, atol=1e-12, rtol=0)
    # with outputs that share a component, the mixture has it in full
    for adapter in fusion.adapters:
        adapter.up.weight[0], adapter.up.bias[0] = 0.0, 7.0
    fusion.value.copy_(torch.eye(16))
    torch.testing.assert_close(fusion(y)[:, 0], torch.full((3,), 7.0).double())


@torch.no_grad()
def test_value_starts_near_the_identity():
    torch.manual_seed(0)
    fusion = Fusion(64, 5, 2)
    assert torch.equal(fusion.value.diagonal(), torch.ones(64))
    noise = fusion.value[~torch.eye(64, dtype=torch.bool)]
    assert noise.std() == pytest.approx(1e-6, rel=0.05)
    y = torch.randn(10, 64)
    z = torch.stack([adapter(y) for adapter in fusion.adapters])
    fusion.query.zero_()  # all adapters get the same weight
    assert (fusion(y) - z.mean(0)).abs().max() <= 1e-4 * z.abs().sum(-1).max()


@torch.no_grad()
def test_a_bert_layer_computes_the_equation():
    _, model = adapt("adapterfusion", "bert")
    block = model.eval().bert.encoder.layer[1]
    x = torch.randn(2, 5, 32)
    read = block.attention(x)[0]
    s = read + block.output.dense(block.intermediate(read))
    norm = block.output.LayerNorm

    def normalize(t: torch.Tensor) -> torch.Tensor:
        return nn.functional.layer_norm(t, (32,), norm.weight, norm.bias, norm.eps)

    expected = normalize(s + norm.fusion(normalize(s)))
    torch.testing.assert_close(block(x), expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_a_pre_norm_layer_adds_the_mixture_to_its_output(name):
    _, model = adapt("adapterfusion", name)
    layer = anatomy(model.eval()).layers[0]
    seen = []
    layer.block.register_forward_hook(lambda module, args, output: seen.append(output))
    model(**models.batch(name))
    for handle in list(layer.block._forward_hooks)[:1]:
        del layer.block._forward_hooks[handle]
    model(**models.batch(name))
    with_fusion, s = seen
    torch.testing.assert_close(with_fusion, s + layer.block.fusion(s), atol=1e-5, rtol=1e-5)


def test_penalty_is_the_distance_of_every_value_from_the_identity():
    inputs = models.batch("bert")
    method, model = adapt("adapterfusion", "bert")
    distance = sum(
        (layer.end.fusion.value - torch.eye(32)).square().sum() for layer in anatomy(model).layers
    )
    expected = model(**inputs).loss + 0.01 * distance
    torch.testing.assert_close(method.loss(model, inputs), expected)
    method.train_only(model, 0, [p.clone() for p in anatomy(model).head_parameters()])
    torch.testing.assert_close(method.loss(model, inputs), model(**inputs).loss)


class Watched(AdapterFusion):
    """Records each phase: what is trained, at which rate, on which batches, from which head."""

    def optimizer(self, parameters):
        parameters = list(parameters)
        optimizer = super().optimizer(parameters)
        ids = {id(p) for p in parameters}
        head = [p.detach().clone() for p in anatomy(self.model).head_parameters()]
        names = {n for n, p in self.model.named_parameters() if id(p) in ids}
        self.phases.append(
            {"names": names, "lr": optimizer.defaults["lr"], "head": head, "seen": []}
        )
        self.phases[-1]["before"] = copy.deepcopy(self.model.state_dict())
        return optimizer

    def loss(self, model, batch):
        self.phases[-1]["seen"].append(int(batch["mark"]))
        return super().loss(model, {k: v for k, v in batch.items() if k != "mark"})


def marked(mark: int):
    """A task whose batches carry its number."""

    def task(seed: int):
        for batch in batches("bert"):
            yield {**batch, "mark": torch.tensor(mark)}

    return task


def test_phases_train_one_adapter_each_and_then_the_fusion():
    model = models.build("bert")
    method = Watched(sources=(marked(0), marked(1)), size=5, lr=1e-3, adapter_lr=1e-2)
    method.model, method.phases = model, []
    train(method, model, Loop(marked(2), steps=3, progress=False))
    states = [phase["before"] for phase in method.phases] + [model.state_dict()]
    head = {"classifier.weight", "classifier.bias"}
    parts = ("adapters.0.", "adapters.1.", "adapters.2.", ("query", "key", "value"))
    for i, (phase, part) in enumerate(zip(method.phases, parts, strict=True)):
        fusion = {n for n in phase["names"] if "fusion." in n}
        assert phase["names"] - fusion == head
        expected = {
            n
            for n, _ in model.named_parameters()
            if "fusion." in n and n.split("fusion.")[1].startswith(part)
        }
        assert fusion == expected
        assert phase["seen"] == [min(i, 2)] * 3
        assert phase["lr"] == (1e-3 if i == 3 else 1e-2)
        changed = {n for n in states[i] if not torch.equal(states[i][n], states[i + 1][n])}
        # a phase's training changes its part; the head is put back before the next one
        assert changed - head == fusion
        for ours, first in zip(phase["head"], method.phases[0]["head"], strict=True):
            assert torch.equal(ours, first)
    assert len(method.phases) == 4


def test_only_the_last_phase_is_recorded():
    model = models.build("bert")
    loop = Loop(
        lambda seed: batches("bert"),
        steps=2,
        every=1,
        progress=False,
        evaluate=lambda model: float(anatomy(model).layers[0].end.fusion.only is None),
    )
    method = AdapterFusion(sources=(lambda seed: batches("bert"),), size=5)
    assert train(method, model, loop).curve == [(0, 1.0), (1, 1.0), (2, 1.0)]


@torch.no_grad()
def test_while_an_adapter_is_trained_no_other_and_no_fusion_acts():
    fusion, y = shaken(3), torch.randn(3, 16).double()
    fusion.train_only(1)
    assert torch.equal(fusion(y), fusion.adapters[1](y))
    torch.testing.assert_close(fusion(y), outputs(fusion, y)[1], atol=1e-12, rtol=0)
    fusion.train_only(None)
    assert not torch.allclose(fusion(y), outputs(fusion, y)[1])


def test_adapters_are_stored_though_frozen():
    method, model = adapt("adapterfusion", "bert")
    names = {name.split("fusion.")[1] for name in method.tensors(model)}
    assert {"query", "key", "value"} < names
    assert {"adapters.0.down.weight", "adapters.2.up.bias"} < names
    assert not any("adapters" in n for n, p in model.named_parameters() if p.requires_grad)
    assert len(trainable(model)) == 2 * 3 + 2


def test_counts():
    parts = anatomy(model_on_meta(BertConfig()))
    adapter = 12 * (2 * 48 * 768 + 768 + 48)
    method = AdapterFusion(sources=(batches,) * 15)
    assert method.trained(parts) == 12 * 3 * 768**2
    assert method.stored(parts) == 12 * 3 * 768**2 + 16 * adapter
    assert AdapterFusion().stored(parts) == 12 * 3 * 768**2 + adapter


def test_the_lab_offers_a_source_task_with_the_same_classes():
    method, _, loop = prepare(AdapterFusion, "first-clause", progress=False)
    (source,) = method.sources
    ours, theirs = next(source(0)), next(loop.batches(0))
    assert ours.keys() == theirs.keys()
    assert not torch.equal(ours["labels"], theirs["labels"])
    assert set(ours["labels"].tolist()) == {0, 1}


def test_the_fusion_is_the_costliest_phase():
    assert LAB["adapterfusion"]["first-clause"]["phase"] == [3, 3]


def test_a_layer_may_return_more_than_states():
    """That of GPT-J returns a tuple."""
    model, batch = architectures.build("gptj"), architectures.batch("gptj")
    before = architectures.logits(model, batch)
    AdapterFusion(size=4).setup(model)
    assert not torch.equal(architectures.logits(model, batch), before)
