"""LT-SFT: the composition of differences."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from transformers import BertForMaskedLM

from reference_impls.anatomy import anatomy
from reference_impls.core.training import Loop, train
from reference_impls.lab import backbones
from reference_impls.lab.languages import LANGUAGES, language_batches
from reference_impls.lab.tasks import TASKS
from reference_impls.selective.lt_sft.lt_sft import LTSFT, compose
from reference_impls.selective.lt_sft.test_lt_sft import SMALL, loop, state, trained
from reference_impls.shared.masks import names
from tests.methods import models
from tests.methods.settings import shake


def deltas(name: str, count: int = 2) -> list[dict[str, torch.Tensor]]:
    """Differences of masks that overlap, as `count` methods would leave them."""
    found = []
    for seed in range(count):
        model, method = models.build(name), LTSFT(density=0.4)
        torch.manual_seed(seed)
        method.setup(model)
        shake(method, model)
        for value in (p for p in model.parameters() if p.requires_grad):
            value.data.mul_(1.0 + 0.01 * seed)
        found.append(method.delta(model))
    return found


def dense_difference(model, delta: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    result = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    for name in names(delta, "differences"):
        positions = delta[f"{name}.positions"]
        result[name].view(-1)[positions] = delta[f"{name}.differences"].float()
    return result


@pytest.mark.parametrize("name", ["bert", "gpt2-lm", "t5-lm"])
def test_composition_adds_the_differences(name):
    task, language = deltas(name)
    model = models.build(name).requires_grad_(False)
    first, second = dense_difference(model, task), dense_difference(model, language)
    assert any((first[n].bool() & second[n].bool()).any() for n in first)  # they overlap
    before = state(model)
    compose(model, task, language)
    for tensor, parameter in model.named_parameters():
        expected = before[tensor] + first[tensor] + second[tensor]
        torch.testing.assert_close(parameter, expected, atol=1e-6, rtol=0)
        untouched = ~(first[tensor].bool() | second[tensor].bool())
        assert torch.equal(parameter[untouched], before[tensor][untouched])


def test_the_order_of_composition_does_not_matter():
    task, language = deltas("bert")
    results = []
    for order in ((task, language), (language, task)):
        model = models.build("bert")
        compose(model, *order)
        results.append(state(model))
    for name, value in results[0].items():
        torch.testing.assert_close(value, results[1][name], atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ["bert", "gpt2-lm"])
def test_one_difference_alone_is_the_trained_model_to_the_bit(name):
    method, model, _ = trained(name)
    fresh = models.build(name)
    compose(fresh, method.delta(model))
    for tensor in method.candidates(anatomy(model)):
        assert torch.equal(model.get_parameter(tensor), fresh.get_parameter(tensor)), tensor


def test_composing_and_taking_back_leaves_the_model():
    (task,) = deltas("bert", 1)
    back = {k: -v if k.endswith("differences") else v for k, v in task.items()}
    model = models.build("bert")
    before = state(model)
    compose(model, task)
    compose(model, back)
    for name, value in state(model).items():
        torch.testing.assert_close(value, before[name], atol=1e-6, rtol=0)


def test_a_language_learned_by_a_masked_language_model_fits_a_classifier():
    classifier, language_model = models.build("bert"), models.build("bert-mlm")
    language_model.bert.load_state_dict(classifier.bert.state_dict(), strict=False)
    method = LTSFT(density=0.4)
    method.setup(language_model)
    shake(method, language_model)
    before = state(classifier)
    compose(classifier, method.delta(language_model))
    for name, parameter in language_model.bert.named_parameters():
        torch.testing.assert_close(
            classifier.bert.get_parameter(name), parameter, atol=1e-6, rtol=0
        )
    for name in ("classifier.weight", "bert.pooler.dense.weight"):
        assert torch.equal(classifier.get_parameter(name), before[name])


def test_a_task_learned_on_one_language_is_used_on_another():
    """The difference of the task is that to the composed weights, so that languages can change."""
    own, other = deltas("bert")
    model = models.build("bert")
    compose(model, own)
    start, method = state(model), LTSFT(**SMALL)
    train(method, model, loop("bert"))
    task = method.delta(model)
    result, expected = models.build("bert"), models.build("bert")
    compose(result, other, task)
    compose(expected, other)
    for name in method.candidates(anatomy(model)):
        learned = model.get_parameter(name).detach() - start[name]
        sum_ = expected.get_parameter(name).detach() + learned
        torch.testing.assert_close(result.get_parameter(name).detach(), sum_, atol=1e-6, rtol=0)


@pytest.mark.night
def test_the_difference_of_a_language_carries_a_task_over_to_it():
    """The task is learned in the first language, the second one from text without labels."""
    task, source = TASKS["second-language"], TASKS["first-clause"]
    settings = {"lr": 3e-3, "density": 0.08}

    learner, method = task.model(seed=0), LTSFT(**settings)
    train(method, learner, Loop(task.batches, steps=100, progress=False))
    assert source.evaluate(learner) > 0.97
    of_task = method.delta(learner)

    text = partial(language_batches, LANGUAGES["second"])
    reader = backbones.load("encoder", BertForMaskedLM, 0)
    method = LTSFT(**settings, regularization=0.1)
    train(method, reader, Loop(text, steps=300, progress=False))
    of_language = method.delta(reader)

    scores = []
    for found in ([of_task], [of_language], [of_task, of_language]):
        model = task.model(seed=0)
        model.classifier.load_state_dict(learner.classifier.state_dict())
        compose(model, *found)
        scores.append(task.evaluate(model))
    assert max(scores[:2]) < 0.6  # measured: 0.48 and 0.50
    assert scores[2] > 0.7  # measured: 0.80


def test_differences_of_another_model_are_refused():
    delta = deltas("llama-lm", 1)[0]
    model = models.build("bert")
    before = state(model)
    with pytest.raises(ValueError, match="another base"):
        compose(model, delta)
    with pytest.raises(ValueError, match="pairs"):
        compose(model, {"bert.positions": torch.zeros(1, dtype=torch.long)})
    assert all(torch.equal(value, before[name]) for name, value in state(model).items())
