"""The one training loop: seeds, a learning-rate schedule, a progress bar, a learning curve.

What is trained is float32, or is bfloat16 and has a float32 copy, which the optimizer moves: most
of its small steps would round to nothing on the weights themselves (Micikevicius et al. 2018,
arXiv:1710.03740, §3.1). float16 is refused: its gradients would need their loss scaled (§3.2).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import nn
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


def train_mode(model: nn.Module) -> None:
    """Dropout on; statistics of batches stay as they are, since no delta holds them."""
    for module in model.train().modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


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
        """Train `model` with `method`'s hooks and schedule.

        Raises:
            ValueError: the model has float16 weights, the batches end, or a loss is not finite.
        """
        refuse_float16(method, model)
        train_mode(model)
        optimizer = optimizer_of(method, model)
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
            batch = next(batches, None)
            if batch is None:
                raise ValueError(f"the data ended after {step} of {last} steps: make it endless")
            method.before_step(model, step)
            loss = method.step(model, batch, optimizer, step)
            if not math.isfinite(loss):
                raise ValueError(f"{method.name}: the loss of step {step + 1} is {loss}")
            if schedule:
                schedule.step()
            if (step + 1) % self.every == 0 or step + 1 == last:
                self.history.losses.append((step + 1, loss))
                self._measure(model, step + 1)
                bar.set_postfix(loss=f"{loss:.3f}")

    def _measure(self, model: PreTrainedModel, step: int) -> None:
        if self.evaluate:
            self.history.curve.append((step, self.evaluate(model)))


def refuse_float16(method: Method, model: PreTrainedModel) -> None:
    """Refuse to train a model that computes in float16.

    Raises:
        ValueError: it does.
    """
    if any(p.dtype == torch.float16 for p in model.parameters()):
        raise ValueError(
            f"{method.name}: there is no loss scaling here for float16: load the model in "
            "bfloat16 or float32"
        )


def optimizer_of(method: Method, model: PreTrainedModel) -> torch.optim.Optimizer | None:
    """The method's optimizer of what is trained; None where that is nothing.

    In the place of each 16-bit parameter it moves a float32 copy, whose value the parameter then
    takes, unless the method says otherwise. It takes the parameter's gradient away meanwhile.
    """
    parameters = trainable(model)
    if not parameters:
        return None
    optimizer, copies = method.optimizer(parameters), {}
    if method.float32_copies:
        for group in optimizer.param_groups:
            for i, p in enumerate(group["params"]):
                if p.dtype == torch.bfloat16:
                    copies[p] = group["params"][i] = nn.Parameter(p.detach().float())
    if not copies:
        return optimizer

    def widen(*_) -> None:
        for p, copy in copies.items():
            copy.grad = None if p.grad is None else p.grad.float()
            p.grad = None

    @torch.no_grad()
    def narrow(*_) -> None:
        for p, copy in copies.items():
            p.copy_(copy)

    optimizer.register_step_pre_hook(widen)
    optimizer.register_step_post_hook(narrow)
    return optimizer


def train(method: Method, model: PreTrainedModel, loop: Loop) -> History:
    """Adapt `model` with `method` and train it; the seed fixes initial values and data order.

    A model that this method object is on already is trained on.

    Raises:
        ValueError: the method does not run on such a model, another one is on it, it has float16
            weights, the batches end, or a loss is not finite.
    """
    refuse_float16(method, model)
    torch.manual_seed(loop.seed)
    started = time.perf_counter()
    if getattr(model, "adapted_by", None) is not method:
        method.setup(model, loop.data(model))
    method.fit(model, loop)
    method.begun = True
    model.eval()
    loop.history.seconds = time.perf_counter() - started
    return loop.history
