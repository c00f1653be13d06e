"""A method under transformers' `Trainer`: what its paper changes of a training is done there too.

A plain `Trainer` takes its own optimizer and schedule, and calls nothing of a method. It needs
accelerate, as transformers does for its own.
"""

from __future__ import annotations

import copy
import inspect
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Trainer, TrainerCallback, TrainingArguments

from . import deltas
from .core.method import Method, trainable
from .core.training import optimizer_of, refuse_float16, train_mode

DELTA = "delta.safetensors"


class MethodTrainer(Trainer):
    """A `Trainer` of a model that a method is on; its arguments are those of `Trainer`.

    The method gives loss, optimizer and schedule, so that `learning_rate`, `lr_scheduler_type` and
    `optim` say nothing. Gradients are clipped to `max_grad_norm` after the method has changed them.
    Checkpoints hold the delta and the head of the task. Where weights are bfloat16, a training that
    is resumed begins its float32 copies from them.

    Raises:
        ValueError: no method is on the model, it takes its steps by itself or in several phases, or
            the model has float16 weights.
    """

    def __init__(self, model: nn.Module, args: TrainingArguments, **more: Any) -> None:
        self.method = deltas.method_on(model)
        refuse_own_steps(self.method)
        refuse_float16(self.method, model)
        args = copy.copy(args)
        norm, args.max_grad_norm = args.max_grad_norm, 0.0  # clipped by the callback
        super().__init__(model, args, **more)
        self.model_accepts_loss_kwargs = False  # a method's loss is a mean
        self.add_callback(_Hooks(self.method, norm))

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """The method's, with float32 copies of what is trained in 16 bits."""
        if self.optimizer is None:
            self.optimizer = optimizer_of(self.method, self.model)
            step = self.optimizer.step
            if "closure" not in inspect.signature(step).parameters:  # accelerate gives it one
                self.optimizer.step = lambda closure=None: step()
        return self.optimizer

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LambdaLR:
        """The method's schedule over all steps."""
        if self.lr_scheduler is None:
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
                optimizer or self.optimizer,
                lambda step: self.method.schedule(step / num_training_steps),
            )
        return self.lr_scheduler

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The method's loss; with outputs, which evaluation asks for, the model's own."""
        if return_outputs or not model.training:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        train_mode(model)
        return self.method.loss(model, inputs)

    def train(self, *args: Any, **more: Any) -> Any:
        """As `Trainer.train`."""
        found = super().train(*args, **more)
        self.method.begun = True
        return found

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        deltas.save(self.model, Path(output_dir or self.args.output_dir) / DELTA)

    def _load_from_checkpoint(
        self, resume_from_checkpoint: str, model: nn.Module | None = None
    ) -> None:
        deltas.put(self.model, Path(resume_from_checkpoint) / DELTA)

    def _load_best_model(self) -> None:
        deltas.put(self.model, Path(self.state.best_model_checkpoint) / DELTA)


class _Hooks(TrainerCallback):
    """Calls what a method does before a step, and with its gradients."""

    def __init__(self, method: Method, norm: float) -> None:
        self.method, self.norm = method, norm

    def on_step_begin(self, args, state, control, model=None, **_) -> None:
        self.method.before_step(model, state.global_step)

    def on_pre_optimizer_step(self, args, state, control, model=None, **_) -> None:
        self.method.on_grad(model, state.global_step)
        if self.norm:
            torch.nn.utils.clip_grad_norm_(trainable(model), self.norm)


def refuse_own_steps(method: Method) -> None:
    """Refuse a method that a trainer's steps would make another of.

    Raises:
        ValueError: saying what it does by itself.
    """
    own = {name for name in ("step", "fit") if getattr(type(method), name) != getattr(Method, name)}
    if own:
        what = "trains in phases of its own" if "fit" in own else "takes its steps by itself"
        raise ValueError(f"{method.title} {what}: train it with core.training.train")
