"""The protocol that every method follows, and the table that its class enters itself in.

A method overrides only what its paper changes. The trainer (`training.py`) calls, in this order:
`setup`, then `fit`, which by default runs the loop `before_step`, `step` (= `loss`, backward,
`on_grad`, optimizer) once per batch. After `setup`, `model(**batch)` stays the only entry point.

What a method adds to a model goes through `attach` and `hook`, what it trains of the model's own
weights through `train_base`, so that `detach` can take all of it back. Hooks read their module
from their arguments, never from a closure: a deep copy of an adapted model is independent of it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ..anatomy import Anatomy, anatomy
from .batches import Batch
from .options import NotNegative, check

if TYPE_CHECKING:
    from .training import Loop

METHODS: dict[str, type[Method]] = {}
MARK = "adapted_by"  # the attribute of a model that names the method on it


def register(cls: type[Method]) -> type[Method]:
    """Class decorator: make a method a dataclass and list it under its name."""
    cls = dataclass(kw_only=True)(cls)
    METHODS[cls.name] = cls
    return cls


def from_task(default: Any = ()) -> Any:
    """A field that a task knows (label words, unlabeled data): no command-line option."""
    return field(default=default, repr=False, metadata={"from_task": True})


@dataclass(kw_only=True)
class Method:
    """Base class. Subclasses declare, as class attributes:

    name, title, paper, leaf: the method's slug, its name, its catalog entry, its taxonomy leaf.
    init_noop: after `setup` the model computes exactly what it computed before.
    mergeable: `merge` folds the method into the model's own weights, exactly.
    frozen_base: training leaves every weight the model came with (its head apart) untouched.
    detachable: `detach` can bring the model back without reloading it.
    warmup: the share of the steps over which the learning rate rises.
    tasks: the tasks of the lab that it runs on.
    lab: hyper-parameters that differ from the paper's on the tiny models of the lab.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    paper: ClassVar[str]
    leaf: ClassVar[str]
    init_noop: ClassVar[bool]
    mergeable: ClassVar[bool]
    frozen_base: ClassVar[bool]
    detachable: ClassVar[bool] = True
    warmup: ClassVar[float] = 0.0
    lab: ClassVar[dict[str, Any]] = {}
    tasks: ClassVar[tuple[str, ...]] = ("first-clause", "cue", "summary")

    lr: NotNegative = 1e-3

    def __post_init__(self) -> None:
        for option in fields(self):
            check(option.name, option.type, getattr(self, option.name))
        self._handles: list[torch.utils.hooks.RemovableHandle] = []
        self._attached: list[tuple[nn.Module, str]] = []
        self._originals: dict[nn.Parameter, Tensor] = {}
        self._model: weakref.ref[PreTrainedModel] | None = None

    # what a paper changes

    def check(self, parts: Anatomy) -> None:
        """Refuse a model that lacks what the method needs; the model is not touched yet.

        Raises:
            ValueError: saying what is missing.
        """

    def setup(self, model: PreTrainedModel, batches: Iterator[Batch] | None = None) -> None:
        """Freeze, attach and hook; `batches` is drawn from only by methods that look at data."""
        raise TypeError(f"{type(self).__name__} must say what it trains: override setup")

    def trained(self, parts: Anatomy) -> int:
        """Closed-form number of trained parameters, the task head not counted."""
        raise TypeError(f"{type(self).__name__} must give its count: override trained")

    def stored(self, parts: Anatomy) -> int:
        """Closed-form number of values that `delta` holds."""
        return self.trained(parts)

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """AdamW without weight decay: decay would move weights that a mask holds still."""
        return torch.optim.AdamW(parameters, lr=self.lr, weight_decay=0.0)

    def schedule(self, progress: float) -> float:
        """The share of `lr` when `progress` (0 to 1) of the steps are done.

        It rises linearly over the first `warmup` share of the steps, then falls linearly to zero.
        """
        if progress < self.warmup:
            return progress / self.warmup
        return (1 - progress) / (1 - self.warmup)

    def before_step(self, model: PreTrainedModel, step: int) -> None:
        """Called before each step with its number, from 0."""

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        """The scalar training loss of a batch."""
        return model(**batch).loss

    def on_grad(self, model: PreTrainedModel, step: int) -> None:
        """Called between backward and the optimizer's step."""

    def step(
        self, model: PreTrainedModel, batch: Batch, optimizer: torch.optim.Optimizer, step: int
    ) -> float:
        """One update; returns the loss before it. Gradients are clipped to norm 1."""
        optimizer.zero_grad(set_to_none=True)
        loss = self.loss(model, batch)
        loss.backward()
        self.on_grad(model, step)
        torch.nn.utils.clip_grad_norm_(trainable(model), 1.0)
        optimizer.step()
        return loss.item()

    def fit(self, model: PreTrainedModel, loop: Loop) -> None:
        """Train an adapted model; methods with several phases override this."""
        loop.run(self, model)

    def merge(self, model: PreTrainedModel) -> None:
        """Fold the method into the model's own weights and detach.

        Raises:
            ValueError: the method cannot be merged, or this object is not on this model (it was
                merged already, or the model is a copy).
        """
        if not self.mergeable:
            raise ValueError(f"{self.title} cannot be merged into the model's weights")
        self._must_be_on(model)
        self.fold(model)
        self.release(model)

    def fold(self, model: PreTrainedModel) -> None:
        """Add what is attached to the model's own weights, in place."""

    # what it ships

    def delta(self, model: PreTrainedModel) -> dict[str, Tensor]:
        """What to store: every trained tensor but the head's, by parameter name."""
        head = {id(p) for p in anatomy(model).head_parameters()}
        return {
            name: parameter.detach().clone()
            for name, parameter in model.named_parameters()
            if parameter.requires_grad and id(parameter) not in head
        }

    def load_delta(self, model: PreTrainedModel, delta: dict[str, Tensor]) -> None:
        """Put a stored delta into a model on which `setup` was run.

        Raises:
            ValueError: the delta's names are not those that this method stores.
        """
        expected = self.delta(model).keys()
        if delta.keys() != expected:
            odd = sorted(delta.keys() ^ expected)
            raise ValueError(f"this delta does not fit {self.title}: {', '.join(odd[:5])}")
        model.load_state_dict(delta, strict=False)

    # tools for setup

    def freeze(self, model: PreTrainedModel) -> Anatomy:
        """Freeze everything but the head; returns the model's parts.

        Raises:
            ValueError: this object is on a model already, another method is on this one, or the
                method does not run on such a model.
        """
        if self._model:
            raise ValueError(f"{self.title} is on a model already; detach it first")
        if other := getattr(model, MARK, None):
            raise ValueError(f"{other} is on this model: detach or merge it, or load another")
        parts = anatomy(model)
        self.check(parts)
        self._model = weakref.ref(model)
        setattr(model, MARK, self.title)
        self._device = model.device
        model.requires_grad_(False)
        for parameter in parts.head_parameters():
            parameter.requires_grad_(True)
        return parts

    def attach(self, parent: nn.Module, name: str, child: nn.Module) -> nn.Module:
        """Give `parent` a new trained submodule, on the model's device and in its mode.

        It is in float32 in any case.
        """
        if hasattr(parent, name):
            raise ValueError(f"{type(parent).__name__} has a '{name}' already")
        parent.add_module(name, child.to(self._device).train(parent.training))
        self._attached.append((parent, name))
        return child

    def hook(self, module: nn.Module, function: Callable, *, before: bool = False) -> None:
        """Run `function` before or after `module`'s forward, with keyword arguments."""
        add = module.register_forward_pre_hook if before else module.register_forward_hook
        self._handles.append(add(function, with_kwargs=True))

    def train_base(self, parameter: nn.Parameter) -> None:
        """Train one of the model's own parameters, and remember its value for `detach`."""
        self._originals[parameter] = parameter.detach().clone()
        parameter.requires_grad_(True)

    def detach(self, model: PreTrainedModel) -> None:
        """Take everything back that `setup` and training did: the model is as it was, to the bit.

        Raises:
            ValueError: the method overwrites the model's weights and keeps no copy of them, or this
                object is not on this model.
        """
        if not self.detachable:
            raise ValueError(f"{self.title} overwrites the model's weights; reload the model")
        self._must_be_on(model)
        with torch.no_grad():
            for parameter, value in self._originals.items():
                parameter.copy_(value)
        self.release(model)

    def release(self, model: PreTrainedModel) -> None:
        """Remove hooks and attached modules; the weights stay as they are."""
        for handle in self._handles:
            handle.remove()
        for parent, name in self._attached:
            delattr(parent, name)
        self.__post_init__()
        delattr(model, MARK)
        model.requires_grad_(True)

    def _must_be_on(self, model: PreTrainedModel) -> None:
        """Hooks and modules are those of one model: of a copy this object knows nothing."""
        if self._model is None or self._model() is not model:
            raise ValueError(f"{self.title} is not on this model: merged already, or a copy?")


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that training changes, head included."""
    return [p for p in model.parameters() if p.requires_grad]
