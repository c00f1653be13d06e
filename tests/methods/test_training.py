"""The training loop, by a method that watches it."""

from __future__ import annotations

import itertools

import pytest
import torch

from reference_impls.core import training as trainer
from reference_impls.core.method import Method, trainable
from reference_impls.core.training import Loop, train
from reference_impls.reparameterized.lora.lora import LoRA
from reference_impls.selective.bitfit.bitfit import BitFit
from tests.methods import models
from tests.methods.settings import batches


def flat(tensors) -> torch.Tensor:
    return torch.cat([t.detach().flatten() for t in tensors])


class Watched(BitFit):
    """Records each step: mode, rate, batch, and where the optimizer is."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.steps = []

    def optimizer(self, parameters):
        self.used = super().optimizer(parameters)
        return self.used

    def before_step(self, model, step):
        self.begun = step

    def loss(self, model, batch):
        rate = self.used.param_groups[0]["lr"]
        ids = {id(p) for group in self.used.param_groups for p in group["params"]}
        assert ids == {id(p) for p in trainable(model)}
        self.steps.append((self.begun, model.training, rate, batch["input_ids"]))
        return super().loss(model, batch)


def watch(method: Method, **settings):
    model = models.build("bert")
    loop = Loop(lambda seed: batches("bert"), progress=False, **settings)
    return model, train(method, model, loop)


def test_the_loop_trains_in_training_mode_on_batch_after_batch_by_the_schedule():
    method = Watched(lr=0.01)
    method.schedule = lambda progress: (1 + progress) ** 2
    model, history = watch(method, steps=5)
    begun, training, rates, seen = zip(*method.steps)
    assert begun == tuple(range(5))
    assert all(training)
    assert rates == pytest.approx([0.01 * (1 + step / 5) ** 2 for step in range(5)])
    expected = itertools.islice(batches("bert"), 5)
    assert all(torch.equal(x, batch["input_ids"]) for x, batch in zip(seen, expected, strict=True))
    assert not model.training
    assert history.seconds > 0


def test_the_methods_data_is_on_the_models_device(monkeypatch):
    seen = []

    class Placed(Watched):
        def setup(self, model, batches=None):
            super().setup(model)
            monkeypatch.setattr(type(model), "device", torch.device("meta"))
            seen.append(next(batches))

        def step(self, model, batch, optimizer, step):
            seen.append(batch)
            optimizer.step()
            return 0.0

    watch(Placed(), steps=1)
    assert [{t.device.type for t in batch.values()} for batch in seen] == [{"meta"}, {"meta"}]


def test_the_seconds_are_those_of_setup_and_of_all_training(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(trainer.time, "perf_counter", lambda: now[0])

    class Slow(Watched):
        def setup(self, model, batches=None):
            super().setup(model, batches)
            now[0] += 1

        def fit(self, model, loop):
            now[0] += 10  # a phase of its own
            super().fit(model, loop)

        def loss(self, model, batch):
            now[0] += 100
            return super().loss(model, batch)

    def evaluate(model):
        now[0] += 1000
        return 0.5

    _, history = watch(Slow(), steps=3, every=3, evaluate=evaluate)
    assert history.seconds == 1 + 10 + 3 * 100 + 2 * 1000


def test_the_curve_has_the_start_every_so_many_steps_and_the_end():
    scores = itertools.count(10)
    method = Watched()
    _, history = watch(method, steps=5, every=2, evaluate=lambda model: float(next(scores)))
    assert history.curve == [(0, 10.0), (2, 11.0), (4, 12.0), (5, 13.0)]
    assert history.score == 13.0
    assert [step for step, _ in history.losses] == [2, 4, 5]


def test_the_loss_recorded_is_that_of_its_step():
    losses = []

    class Recorded(Watched):
        def loss(self, model, batch):
            losses.append(super().loss(model, batch))
            return losses[-1]

    _, history = watch(Recorded(), steps=3, every=1)
    assert history.losses == [(i + 1, loss.item()) for i, loss in enumerate(losses)]


def test_the_seed_fixes_initial_values_and_the_order_of_the_data():
    def first(seed: int) -> tuple[torch.Tensor, list[int]]:
        model, seeds = models.build("bert"), []
        loop = Loop(
            lambda seed: seeds.append(seed) or batches("bert"), steps=1, seed=seed, progress=False
        )
        method = LoRA(lr=0.0)
        train(method, model, loop)
        return flat(method.tensors(model).values()), seeds

    values, seeds = first(3)
    assert set(seeds) == {3}
    torch.rand(7)  # whatever was drawn before
    assert torch.equal(first(3)[0], values)
    assert not torch.equal(first(4)[0], values)
