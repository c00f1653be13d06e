"""Full fine-tuning: what it trains, its optimizer and its schedule."""

import math

import pytest
import torch

from reference_impls.anatomy import anatomy
from reference_impls.core.method import trainable
from reference_impls.core.training import Loop, train
from reference_impls.full_fine_tuning.full_fine_tuning.full_fine_tuning import FullFineTuning
from tests.methods import models
from tests.methods.settings import adapt, batches


def test_tied_embeddings_count_and_are_stored_once():
    method, model = adapt("full_fine_tuning", "gpt2-lm")
    assert model.lm_head.weight is model.transformer.wte.weight
    tied = model.lm_head.weight.numel()
    assert sum(p.numel() for p in model.state_dict().values()) - tied == method.trained(
        anatomy(model)
    )
    assert "lm_head.weight" not in method.delta(model)


def test_schedule_rises_over_a_tenth_of_the_steps_and_falls_to_zero():
    shares = [FullFineTuning().schedule(step / 100) for step in range(101)]
    assert shares[:11] == pytest.approx([step / 10 for step in range(11)])
    assert shares[10:] == pytest.approx([(100 - step) / 90 for step in range(10, 101)])


def test_training_follows_the_schedule():
    rates = []

    class Watched(FullFineTuning):
        def step(self, model, batch, optimizer, step):
            rates.append(optimizer.param_groups[0]["lr"])
            return super().step(model, batch, optimizer, step)

    loop = Loop(lambda seed: batches("bert"), steps=20, progress=False)
    train(Watched(lr=0.5), models.build("bert"), loop)
    expected = [0.0, 0.25, *(0.5 * (20 - step) / 18 for step in range(2, 20))]
    assert rates == pytest.approx(expected)


def test_two_steps_are_adam_with_bias_correction_and_decay_of_matrices_only():
    method = FullFineTuning(lr=1e-2)
    matrix = torch.nn.Parameter(torch.full((2, 2), 3.0, dtype=torch.float64))
    bias = torch.nn.Parameter(torch.full((2,), 3.0, dtype=torch.float64))
    optimizer = method.optimizer(iter([matrix, bias]))
    for gradient in (0.5, -0.1):
        matrix.grad, bias.grad = torch.full_like(matrix, gradient), torch.full_like(bias, gradient)
        optimizer.step()

    def by_hand(decay: float) -> float:
        value, m, v = 3.0, 0.0, 0.0
        for t, gradient in enumerate((0.5, -0.1), start=1):
            m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
            value -= 1e-2 * decay * value
            value -= 1e-2 * (m / (1 - 0.9**t)) / (math.sqrt(v / (1 - 0.999**t)) + 1e-6)
        return value

    assert matrix.tolist() == [pytest.approx([by_hand(0.01)] * 2, abs=1e-12)] * 2
    assert bias.tolist() == pytest.approx([by_hand(0.0)] * 2, abs=1e-12)


def test_everything_moves():
    method, model = adapt("full_fine_tuning", "bert")
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    assert len(trainable(model)) == len(before)
    optimizer = method.optimizer(trainable(model))
    method.step(model, models.batch("bert"), optimizer, 0)
    still = [name for name, p in model.named_parameters() if torch.equal(p, before[name])]
    assert still == []
