"""The protocol that every method follows, and the table that its class enters itself in.

A method overrides only what its paper changes. The trainer (`training.py`) calls, in this order:
`setup`, then `fit`, which by default runs the loop `before_step`, `step` (= `loss`, backward,
`on_grad`, optimizer) once per batch. After `setup`, `model(**batch)` stays the only entry point.

What a method adds to a model goes through `attach` and `hook`, what it trains of the model's own
weights through `train_base`, so that `detach` can take all of it back. Hooks read their module
from their arguments, never from a closure: a deep copy of an adapted model is independent of it.

One method at a time: `model.adapted_by` is on a model, and another is refused until it is merged or
detached. A deep copy has a copy of it, which takes itself off: `copied.adapted_by.detach(copied)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ..anatomy import Anatomy, anatomy
from . import about
from .adamw import adamw
from .batches import Batch
from .options import NotNegative, check
from .refusals import demand_gradients, loss_in, refuse_to_save

if TYPE_CHECKING:
    from .training import Loop

METHODS: dict[str, type[Method]] = {}


def register(cls: type[Method]) -> type[Method]:
    """Class decorator: make a method a dataclass and list it under its name."""
    cls = dataclass(kw_only=True)(cls)
    cls.setup = _all_or_nothing(cls.setup)
    METHODS[cls.name] = cls
    return cls


def _all_or_nothing(setup: Callable) -> Callable:
    """A `setup` that leaves the model as it was where it fails."""

    @wraps(setup)
    def guarded(
        self: Method, model: PreTrainedModel, batches: Iterator[Batch] | None = None
    ) -> None:
        already = getattr(model, "adapted_by", None)
        try:
            setup(self, model, batches)
        except BaseException:
            if getattr(model, "adapted_by", None) is not already:
                self.restore(model)
            raise
        if self._attached:
            model.save_pretrained = refuse_to_save

    return guarded


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
    read_with: the options that a delta must be read with, though its names and shapes fit others.
    float32_copies: training moves float32 copies of 16-bit weights; else those themselves.
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
    read_with: ClassVar[tuple[str, ...]] = ()
    float32_copies: ClassVar[bool] = True
    warmup: ClassVar[float] = 0.0
    lab: ClassVar[dict[str, Any]] = {}
    tasks: ClassVar[tuple[str, ...]] = ("first-clause", "cue", "summary")

    lr: NotNegative = 1e-3

    def __post_init__(self) -> None:
        for option in fields(self):
            check(option.name, option.type, getattr(self, option.name))
        self._hooks: list[tuple[nn.Module, torch.utils.hooks.RemovableHandle]] = []
        self._attached: list[tuple[nn.Module, str]] = []
        self._originals: dict[nn.Parameter, Tensor] = {}
        self._head: dict[nn.Parameter, Tensor] = {}
        self._flags: dict[str, bool] = {}  # by name: a weight that was replaced is to go
        self._base: about.Base = {}
        self.begun = False  # this model was trained, or has a delta: `fit` goes on from there

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
        return adamw(parameters, lr=self.lr, weight_decay=0.0)

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
        """The scalar training loss of a batch.

        Raises:
            ValueError: the model gives none.
        """
        return loss_in(model(**batch), model, batch)

    def on_grad(self, model: PreTrainedModel, step: int) -> None:
        """Called between backward and the optimizer's step."""

    def step(
        self, model: PreTrainedModel, batch: Batch, optimizer: torch.optim.Optimizer, step: int
    ) -> float:
        """One update; returns the loss before it. Gradients are clipped to norm 1.

        Raises:
            NothingTrainedError: the loss depends on nothing that is trained.
        """
        optimizer.zero_grad(set_to_none=True)
        loss = self.loss(model, batch)
        demand_gradients(loss, self.title)
        loss.backward()
        self.on_grad(model, step)
        torch.nn.utils.clip_grad_norm_(trainable(model), 1.0)
        optimizer.step()
        return loss.item()

    def fit(self, model: PreTrainedModel, loop: Loop) -> None:
        """Train an adapted model; methods with several phases override this."""
        loop.run(self, model)

    def merge(self, model: PreTrainedModel) -> None:
        """Fold the method into the model's own weights and detach; the head stays as trained.

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
        """What to store: the method's tensors, and under "about" what they were made with."""
        entry = about.written(self.name, self._needed, self._base)
        return {**self.tensors(model), about.KEY: entry}

    def load_delta(self, model: PreTrainedModel, delta: dict[str, Tensor]) -> None:
        """Put a stored delta into a model on which `setup` was run.

        Raises:
            ValueError: the delta has other tensors than this method stores, or of other shapes, or
                was made with other options or on another base.
        """
        tensors = {name: tensor for name, tensor in delta.items() if name != about.KEY}
        self.check_fit(model, tensors)
        about.check(delta.get(about.KEY), self.title, self._needed, self._base, tensors)
        self.put(model, tensors)
        self.begun = True

    @property
    def _needed(self) -> dict[str, Any]:
        """The options that a delta must be read with."""
        return {name: getattr(self, name) for name in self.read_with}

    def tensors(self, model: PreTrainedModel) -> dict[str, Tensor]:
        """Every trained tensor but the head's, by parameter name."""
        head = {id(p) for p in anatomy(model).head_parameters()}
        return {
            name: parameter.detach().clone()
            for name, parameter in model.named_parameters()
            if parameter.requires_grad and id(parameter) not in head
        }

    def check_fit(self, model: PreTrainedModel, tensors: dict[str, Tensor]) -> None:
        """Refuse tensors that are not those of `tensors`; the model is not touched yet.

        Raises:
            ValueError: names differ, or shapes.
        """
        expected = {name: tensor.shape for name, tensor in self.tensors(model).items()}
        if odd := sorted(tensors.keys() ^ expected.keys()):
            raise ValueError(f"this delta does not fit {self.title}: {', '.join(odd[:5])}")
        for name, tensor in tensors.items():
            if tensor.shape != expected[name]:
                shapes = f"{tuple(tensor.shape)}, here {tuple(expected[name])}"
                raise ValueError(f"this delta does not fit {self.title}: {name} is {shapes}")

    def put(self, model: PreTrainedModel, tensors: dict[str, Tensor]) -> None:
        """Put stored tensors, which fit, into an adapted model."""
        model.load_state_dict(tensors, strict=False)

    # tools for setup

    def freeze(self, model: PreTrainedModel) -> Anatomy:
        """Freeze everything but the head; returns the model's parts.

        Raises:
            ValueError: this object is on a model already, another method is on this one, or the
                method does not run on such a model.
        """
        if self._flags:
            raise ValueError(f"{self.title} is on a model already; detach it first")
        if other := getattr(model, "adapted_by", None):
            raise ValueError(f"{other.title} is on this model: detach or merge it, or load another")
        parts = anatomy(model)
        self.check(parts)
        self._flags = {name: p.requires_grad for name, p in model.named_parameters()}
        self._head = {p: p.detach().clone() for p in parts.head_parameters()}
        self._base = about.base(parts)
        self._device = model.device
        model.adapted_by = self
        model.requires_grad_(False)
        for parameter in self._head:
            parameter.requires_grad_(True)
        return parts

    def attach(self, parent: nn.Module, name: str, child: nn.Module) -> nn.Module:
        """Give `parent` a new trained submodule in float32, on the model's device, in its mode."""
        if hasattr(parent, name):
            raise ValueError(f"{type(parent).__name__} has a '{name}' already")
        parent.add_module(name, child.to(self._device).train(parent.training))
        self._attached.append((parent, name))
        vars(parent).setdefault("_added", set()).add(name)  # no part of the model itself
        return child

    def hook(self, module: nn.Module, function: Callable, *, before: bool = False) -> None:
        """Run `function` before or after `module`'s forward, with keyword arguments."""
        add = module.register_forward_pre_hook if before else module.register_forward_hook
        self._hooks.append((module, add(function, with_kwargs=True)))

    def unhook(self, module: nn.Module) -> None:
        """Remove the hooks of a module that goes before the method does."""
        for owner, handle in self._hooks:
            if owner is module:
                handle.remove()
        self._hooks = [hook for hook in self._hooks if hook[0] is not module]

    def train_base(self, parameter: nn.Parameter) -> None:
        """Train one of the model's own parameters, and remember its value for `detach`."""
        self._originals[parameter] = parameter.detach().clone()
        parameter.requires_grad_(True)

    def detach(self, model: PreTrainedModel) -> None:
        """Take everything back that `setup` and training did: the model is as it was, to the bit.

        So is its head: keep a trained one by its `state_dict`.

        Raises:
            ValueError: the method overwrites the model's weights and keeps no copy of them, or this
                object is not on this model.
        """
        if not self.detachable:
            raise ValueError(f"{self.title} overwrites the model's weights; reload the model")
        self._must_be_on(model)
        self.restore(model)

    def restore(self, model: PreTrainedModel) -> None:
        """Give the weights their old values, as far as they are known, and release the model."""
        with torch.no_grad():
            for parameter, value in (self._originals | self._head).items():
                parameter.copy_(value)
        self.release(model)

    def release(self, model: PreTrainedModel) -> None:
        """Remove hooks and attached modules; the weights stay as they are."""
        for _, handle in self._hooks:
            handle.remove()
        for parent, name in self._attached:
            delattr(parent, name)
            parent._added.discard(name)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(self._flags.get(name, True))
        del model.adapted_by
        vars(model).pop("save_pretrained", None)
        self.__post_init__()

    def _must_be_on(self, model: PreTrainedModel) -> None:
        """Hooks and modules are those of one model: of a copy this object knows nothing."""
        if getattr(model, "adapted_by", None) is not self:
            raise ValueError(
                f"{self.title} is not on this model: merged already? a copy's is `adapted_by`"
            )


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that training changes, head included."""
    return [p for p in model.parameters() if p.requires_grad]
