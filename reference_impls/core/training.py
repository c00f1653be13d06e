"""The one training loop: seeds, a learning-rate schedule, a progress bar, a learning curve."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from tqdm import tqdm
from transformers import PreTrainedModel

from .batches import Batch, moved
from .method import Method, trainable


@dataclass
class History:
    """What a run leaves: (step, score) and (step, loss) pairs; step 0 is before training."""

    curve: list[tuple[int, float]] = field(default_factory=list)
    losses: list[tuple[int, float]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rounded_losses(self) -> list[tuple[int, float]]:
        """The losses to the four digits that are kept of them."""
        return [(step, round(loss, 4)) for step, loss in self.losses]

    @property
    def score(self) -> float:
        """The last score measured."""
        return self.curve[-1][1]


@dataclass
class Loop:
    """A number of steps over endless batches.

    batches: from a seed to an endless iterator of batches.
    stop: run only so many of the steps, at the rates that they have in the whole.
    evaluate: from a model to its score; measured before, every `every` steps and at the end.
    """

    batches: Callable[[int], Iterator[Batch]]
    steps: int
    seed: int = 0
    evaluate: Callable[[PreTrainedModel], float] | None = None
    every: int = 20
    progress: bool = True
    stop: int | None = None
    history: History = field(default_factory=History)

    def data(self, model: PreTrainedModel) -> Iterator[Batch]:
        """The batches of the loop's seed, on the model's device."""
        return (moved(batch, model.device) for batch in self.batches(self.seed))

    def run(self, method: Method, model: PreTrainedModel) -> None:
        """Train `model` with `method`'s hooks and schedule."""
        model.train()
        parameters = trainable(model)
        optimizer = method.optimizer(parameters) if parameters else None
        schedule = optimizer and torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: method.schedule(step / self.steps)
        )
        batches = self.data(model)
        self._measure(model, 0)
        last = self.stop or self.steps
        bar = tqdm(
            range(last), desc=method.name, unit="step", disable=not self.progress, leave=False
        )
        for step in bar:
            method.before_step(model, step)
            loss = method.step(model, next(batches), optimizer, step)
            if schedule:
                schedule.step()
            if (step + 1) % self.every == 0 or step + 1 == last:
                self.history.losses.append((step + 1, loss))
                self._measure(model, step + 1)
                bar.set_postfix(loss=f"{loss:.3f}")

    def _measure(self, model: PreTrainedModel, step: int) -> None:
        if self.evaluate:
            self.history.curve.append((step, self.evaluate(model)))


def train(method: Method, model: PreTrainedModel, loop: Loop) -> History:
    """Adapt `model` with `method` and train it; the seed fixes initial values and data order."""
    torch.manual_seed(loop.seed)
    started = time.perf_counter()
    method.setup(model, loop.data(model))
    method.fit(model, loop)
    model.eval()
    loop.history.seconds = time.perf_counter() - started
    return loop.history
