"""The base class of all methods, and what is counted of them."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from transformers import (
    BertConfig,
    LlamaConfig,
    PreTrainedModel,
)

from reference_impls import architectures
from reference_impls.anatomy import anatomy
from reference_impls.core.counting import count
from reference_impls.core.method import Method, trainable
from reference_impls.core.refusals import NothingTrainedError
from reference_impls.prompt.prefix_tuning.prefix_tuning import PrefixTuning
from reference_impls.reparameterized.lora.lora import LoRA
from reference_impls.selective.bitfit.bitfit import BitFit
from tests.methods import models

INPUTS = models.batch("bert")


class Plain(BitFit):
    """Plain gradient descent with rate 1 on a loss that is too small to be clipped."""

    def loss(self, model, batch):
        return 1e-4 * super().loss(model, batch)

    def optimizer(self, parameters):
        return torch.optim.SGD(parameters, lr=1.0)


def adapted(method: Method):
    model = models.build("bert")
    method.setup(model)
    return method, model


def flat(tensors) -> torch.Tensor:
    return torch.cat([t.detach().flatten() for t in tensors])


def test_a_step_is_one_gradient_not_the_sum_of_all_so_far():
    method, model = adapted(Plain())
    optimizer = method.optimizer(trainable(model))
    for step in range(3):
        before = flat(trainable(model))
        gradient = flat(torch.autograd.grad(method.loss(model, INPUTS), trainable(model)))
        assert 0 < gradient.norm() < 1
        method.step(model, INPUTS, optimizer, step)
        torch.testing.assert_close(before - flat(trainable(model)), gradient, atol=1e-7, rtol=0)


def test_gradients_are_clipped_to_norm_1_after_the_method_has_changed_them():
    class Changed(Plain):
        def on_grad(self, model, step):
            for parameter in trainable(model):
                parameter.grad.mul_(1e6)
                parameter.grad[0] = 0.0

    method, model = adapted(Changed())
    before = [p.detach().clone() for p in trainable(model)]
    loss = method.step(model, INPUTS, method.optimizer(trainable(model)), 0)
    after = trainable(model)
    assert (flat(before) - flat(after)).norm() == pytest.approx(1.0, rel=1e-4)
    assert all(torch.equal(ours[0], theirs[0]) for ours, theirs in zip(before, after))
    expected = method.loss(adapted(Changed())[1], INPUTS)
    assert loss == pytest.approx(expected.item())


def test_what_gets_no_gradient_does_not_decay():
    parameter = nn.Parameter(torch.ones(3))
    parameter.grad = torch.tensor([0.0, 0.0, 1.0])
    LoRA(lr=0.1).optimizer([parameter]).step()
    assert parameter.tolist() == pytest.approx([1.0, 1.0, 0.9])


def test_frozen_weights_stay_to_the_bit_under_an_optimizer_that_decays():
    class Decaying(LoRA):
        def optimizer(self, parameters):
            return torch.optim.AdamW(parameters, lr=0.1, weight_decay=0.5)

    method, model = adapted(Decaying())
    own = {id(p) for parent, name in method._attached for p in getattr(parent, name).parameters()}
    body = {n: p.clone() for n, p in model.bert.named_parameters() if id(p) not in own}
    optimizer = method.optimizer(model.parameters())  # of all, as a careless trainer makes it
    for step in range(3):
        method.step(model, INPUTS, optimizer, step)
    named = dict(model.bert.named_parameters())
    assert all(torch.equal(named[name], value) for name, value in body.items())
    assert len(body) == len(named) - len(own)


def test_a_delta_is_a_copy():
    method, model = adapted(LoRA())
    delta = method.delta(model)
    kept = {name: value.clone() for name, value in delta.items()}
    models.shake(model)
    assert all(torch.equal(delta[name], kept[name]) for name in kept)
    method.load_delta(model, delta)
    assert all(torch.equal(value, kept[name]) for name, value in method.delta(model).items())


class Lasting(LoRA):
    """Neither merged nor detached, as it says."""

    mergeable = False
    detachable = False


def unknown() -> PreTrainedModel:
    return architectures.build("mamba")


@pytest.mark.parametrize(
    ("method", "build", "complaint"),
    [
        (BitFit(), lambda: models.build("llama"), "has none"),
        (LoRA(), unknown, "no layers that were found"),
    ],
)
def test_a_method_that_refused_a_model_takes_the_next(method, build, complaint):
    with pytest.raises(ValueError, match=complaint):
        method.setup(build())
    model = models.build("bert")
    method.setup(model)
    assert method.delta(model)


@pytest.mark.parametrize(
    ("refused", "complaint"),
    [
        (lambda method, model: method.setup(model), "on a model already"),
        (lambda method, model: method.load_delta(model, {"x": torch.ones(1)}), "does not fit"),
        (lambda method, model: method.merge(model), "cannot be merged"),
        (lambda method, model: method.detach(model), "reload the model"),
    ],
)
def test_what_is_refused_changes_nothing(refused, complaint):
    method, model = adapted(Lasting())
    models.shake(model)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    logits = models.logits(model.eval(), INPUTS)
    with pytest.raises(ValueError, match=complaint):
        refused(method, model)
    assert model.state_dict().keys() == state.keys()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert {name for name, p in model.named_parameters() if p.requires_grad} == trained
    assert torch.equal(models.logits(model, INPUTS), logits)


@pytest.mark.parametrize("leave", ["detach", "merge"])
def test_afterwards_all_can_be_trained_and_the_method_set_up_again(leave):
    method, model = adapted(LoRA())
    getattr(method, leave)(model)
    assert all(p.requires_grad for p in model.parameters())
    method.setup(model)
    assert len(method.tensors(model)) == 2 * 2 * 2


def test_a_second_module_of_the_same_name_is_refused():
    method, model = adapted(LoRA())
    with pytest.raises(ValueError, match="has a 'classifier' already"):
        method.attach(model, "classifier", nn.Linear(1, 1))


@pytest.mark.parametrize("second", [LoRA, BitFit, PrefixTuning])
def test_a_second_method_is_refused_by_the_name_of_the_first(second):
    first, model = adapted(BitFit())
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    for copied in (model, copy.deepcopy(model)):
        with pytest.raises(ValueError, match="BitFit is on this model: detach or merge it"):
            second().setup(copied)
    assert {name for name, p in model.named_parameters() if p.requires_grad} == trained
    first.detach(model)
    last = second()
    last.setup(model)
    assert model.adapted_by is last


@pytest.mark.parametrize("leave", ["detach", "merge"])
def test_a_method_leaves_no_model_but_the_one_that_it_is_on(leave):
    method, model = adapted(LoRA())
    twin = copy.deepcopy(model)
    models.shake(twin, seed=1)
    for other in (twin, models.build("bert")):
        state = {name: value.clone() for name, value in other.state_dict().items()}
        with pytest.raises(ValueError, match="LoRA is not on this model"):
            getattr(method, leave)(other)
        assert all(torch.equal(value, state[name]) for name, value in other.state_dict().items())
    assert len(method.tensors(model)) == 2 * 2 * 2
    getattr(method, leave)(model)
    assert not hasattr(model, "adapted_by")
    with pytest.raises(ValueError, match="LoRA is not on this model"):
        getattr(method, leave)(model)


def test_counting_tells_apart_what_is_trained_stored_the_heads_and_the_bases(tmp_path):
    method = PrefixTuning(length=10, bottleneck=7)
    config = BertConfig(num_labels=3)
    perceptron = 10 * 768 + 769 * 7 + 8 * 2 * 12 * 768
    expected = {"trained": perceptron, "stored": 184_320, "head": 3 * 769, "base": 109_482_240}
    assert count(method, config) == expected
    config.save_pretrained(tmp_path)
    assert count(method, tmp_path) == expected


def test_what_a_method_refuses_is_not_counted(tmp_path):
    with pytest.raises(ValueError, match="has none"):
        count(BitFit(), LlamaConfig(hidden_size=64, num_attention_heads=4, num_hidden_layers=1))
    with pytest.raises(OSError, match="no such file"):
        count(BitFit(), tmp_path / "config.json")


@pytest.mark.parametrize("name", models.MODELS)
def test_head_and_base_together_are_the_model_and_share_nothing(name):
    model = models.build(name)
    parts = anatomy(model)
    head, base = [*parts.head_parameters()], [*parts.base_parameters()]
    ids = [id(p) for p in (*head, *base)]
    assert len(set(ids)) == len(ids)
    assert set(ids) == {id(p) for p in model.parameters()}


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        (nn.DataParallel(models.build("bert")), "a DataParallel: pass the transformers model"),
        (nn.Linear(1, 1), "a Linear: pass the transformers model"),
    ],
)
def test_what_is_no_whole_model_is_refused(model, complaint):
    with pytest.raises(ValueError, match=complaint):
        anatomy(model)


def test_a_model_that_gives_no_loss_is_refused():
    method, model = BitFit(), architectures.build("bert")
    method.setup(model)
    batch = architectures.batch("bert")
    unlabeled = {key: value for key, value in batch.items() if key != "labels"}
    with pytest.raises(ValueError, match="gives no loss to train on: it has no labels in this"):
        method.loss(model, unlabeled)
    model.forward = lambda **batch: {}
    with pytest.raises(ValueError, match=r"^BertForSequenceClassification .*: it computes none$"):
        method.loss(model, batch)


def test_a_batch_that_runs_through_nothing_that_is_trained_is_refused():
    method, model = BitFit(), architectures.build("llava")  # biases are in what reads images alone
    method.setup(model)
    optimizer, batch = method.optimizer(trainable(model)), architectures.batch("llava")
    method.step(model, batch, optimizer, 0)
    text = {key: value for key, value in batch.items() if key != "pixel_values"}
    text["input_ids"] = text["input_ids"].clamp(max=20)  # no image among the tokens
    with pytest.raises(NothingTrainedError, match="the loss of this batch depends on nothing that"):
        method.step(model, text, optimizer, 1)
