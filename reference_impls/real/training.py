"""One training of the real tier, and what is kept of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from typing import Any, NamedTuple

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ..anatomy import anatomy
from ..core.batches import Batch
from ..core.method import Method
from ..core.quiet import quiet
from ..core.registry import load_method
from ..core.training import Loop, train
from ..measure.ledger import distinct, size, tensors_in
from ..measure.live import Live
from .models import MODELS
from .tasks import TASKS

CONTROLS = RANDOM, SHUFFLED = "random weights", "shuffled labels"
MEMORY = "memory"
BEGINNING = 10  # steps: the loss there tells whether other code takes the same ones
AGREES = 1e-3  # as of the lab's losses
MEASURED = 2  # steps whose memory is looked at: from the second one on, the optimizer has its state


class Budget(NamedTuple):
    """What every method gets. head_lr: the head's own learning rate, the same for all."""

    steps: int
    rows: int
    head_lr: float


Settings = tuple[tuple[str, Any], ...]


class Run(NamedTuple):
    """One training. split: where it is scored, or that its memory is measured in place of it.

    control: what is taken from the training, or nothing. settings: the method's options that are
    not its own default.
    """

    method: str
    model: str
    task: str
    lr: float
    seed: int
    split: str
    control: str = ""
    settings: Settings = ()

    @property
    def group(self) -> str:
        """What its runs stand under: the task, and the settings where there are any."""
        return " ".join([self.task, *(f"{name}={value}" for name, value in self.settings)])

    @property
    def name(self) -> str:
        parts = (self.method, self.model, self.group, f"{self.lr:g}", self.seed, self.split)
        return " ".join(map(str, (*parts, self.control))).strip()


def row(run: Run, budget: Budget) -> dict[str, Any]:
    """Train and score; ready for JSON.

    score: the share of the split that is right. beginning: the loss of an early step. seconds: of
    the processor, for training alone. A run that diverges has its reason in place of a score, and
    one for memory the peak of the bytes that are alive in a step.

    Raises:
        Refused: the method does not run on such a model.
        ValueError: a package is not there.
    """
    base = {"lr": run.lr, "seed": run.seed, "split": run.split, "control": run.control}
    if run.split == MEMORY:
        return {**base, "peak": peak(run, budget)}
    method, model, loop = prepared(run, budget)
    parts = anatomy(model)
    counts = {"trained": method.trained(parts), "stored": method.stored(parts)}
    started = time.process_time()
    try:
        history = train(method, model, loop)
    except FloatingPointError as error:
        return {**base, **counts, "diverged": str(error)}
    except ValueError as error:
        if getattr(model, "adapted_by", None) is None:  # it was not even set up
            raise Refused(str(error)) from None
        raise
    seconds = time.process_time() - started
    right = TASKS[run.task].right(model, tokenizer(run.model), run.split)
    found = {**base, "score": right / len(TASKS[run.task].splits[run.split])}
    beginning = history.rounded_losses[0][1]
    return {**found, "beginning": beginning, "seconds": round(seconds, 2), **counts}


class Refused(Exception):  # noqa: N818
    """Why a method does not run on a model."""


class Finite(Loop):
    """A loop whose divergence is told from all other errors."""

    def run(self, method: Method, model: PreTrainedModel) -> None:
        try:
            super().run(method, model)
        except ValueError as error:
            if "the loss of step" in str(error):
                raise FloatingPointError(str(error)) from None
            raise


def prepared(run: Run, budget: Budget) -> tuple[Method, PreTrainedModel, Loop]:
    """The method, the model and the loop of a run, ready for `train`."""
    task, words = TASKS[run.task], tokenizer(run.model)
    with quiet():
        model = task.model(MODELS[run.model], run.seed, random=run.control == RANDOM)
    method = load_method(run.method)(lr=run.lr, **dict(run.settings), **given(run))
    head_rate(method, model, budget.head_lr)

    def batches(seed: int) -> Iterator[Batch]:
        return task.batches(words, seed, budget.rows, shuffled_labels=run.control == SHUFFLED)

    loop = Finite(batches, budget.steps, seed=run.seed, every=BEGINNING, progress=False)
    return method, model, loop


def given(run: Run) -> dict[str, Any]:
    """What the method wants of the task.

    Raises:
        Refused: it is not to be had.
    """
    wanted = {f.name for f in fields(load_method(run.method)) if f.metadata.get("from_task")}
    there = TASKS[run.task].gives(tokenizer(run.model)) if wanted else {}
    if missing := sorted(wanted - there.keys()):
        raise Refused(f"the task does not give: {', '.join(missing)}")
    return {name: there[name] for name in wanted}


def head_rate(method: Method, model: PreTrainedModel, lr: float) -> None:
    """Let the head have its own learning rate.

    It has the method's where it is all that the method trains, or the optimizer has one rate.
    """
    head, own = {id(p) for p in anatomy(model).head_parameters()}, method.optimizer

    def optimizer(parameters: Any) -> torch.optim.Optimizer:
        parameters = list(parameters)
        rest = [p for p in parameters if id(p) not in head]
        if not rest or len(rest) == len(parameters):
            return own(parameters)
        made = own(rest)
        try:
            made.add_param_group({"params": [p for p in parameters if id(p) in head], "lr": lr})
        except ValueError:
            return own(parameters)
        return made

    method.optimizer = optimizer  # type: ignore[method-assign]


def repeats(run: Run, budget: Budget, loss: float) -> bool:
    """Whether the early step has the loss that it had, as far as machines agree.

    Raises:
        ValueError: as `row`.
    """
    method, model, loop = prepared(run, budget)
    loop.stop = BEGINNING
    return abs(train(method, model, loop).rounded_losses[0][1] - loss) <= AGREES


def peak(run: Run, budget: Budget) -> int:
    """The most bytes alive in the first steps of a run, what was there before them included."""
    method, model, loop = prepared(run, budget)
    method.setup(model, loop.data(model))
    here = size(distinct([*model.parameters(), *model.buffers(), *tensors_in(vars(method))]))
    loop.stop = MEASURED
    with Live() as live:
        method.fit(model, loop)
    return here + live.peak


@cache
def tokenizer(model: str) -> PreTrainedTokenizerBase:
    return MODELS[model].tokenizer()
