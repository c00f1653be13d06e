"""The ledger of a training step: how many bytes each method keeps, and what for.

What is counted, at its peak within a step, in exact bytes:

weights: the parameters and buffers of the adapted model, and whatever else the optimizer trains,
    such as float32 copies of 16-bit weights.
gradients: what is in `grad`, looked at whenever one arrives.
optimizer: all tensors of the optimizer's state after the first steps.
activations: what autograd keeps for the backward pass (`saved_tensors_hooks`), each storage once,
    and without the weights among it.
other: all other tensors that the method object holds, such as masks. Not the copy of the
    pretrained values that `detach` needs: training does without it.

The four peaks need not fall together: backward frees activations while gradients arrive. Not
counted are temporary results that no one keeps, what `setup` needs for itself, and what a memory
allocator rounds up or caches. So the sum is neither the peak of a step nor a bound of it.

The numbers depend on shapes alone, hence on no machine: attention runs by its formula (the "math"
kernel, which keeps the probabilities), whatever fused kernels a processor has. A dropout mask takes
as much as the values that it masks, as it does on a CPU. A method with several phases is measured
in each, and the phase that takes most counts. Where a method draws what it leaves out, the largest
of several steps counts.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import PreTrainedModel

from ..core.method import Batch, Method, trainable
from ..core.training import optimizer_of, train_mode

STEPS = 8
KEPT = ("_originals", "_head")  # pretrained values, for `detach`


@dataclass(frozen=True)
class Ledger:
    """Bytes of a training step, see above."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    other: int

    @property
    def total(self) -> int:
        """The sum, which is no peak: see above."""
        return sum(astuple(self))


class Saved:
    """A tensor that autograd saved; it dies with the last node of the graph that needs it."""

    __slots__ = ("__weakref__", "tensor")

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


class Activations(torch.autograd.graph.saved_tensors_hooks):
    """While it is entered, `peak` is the most bytes that were saved for backward at a time."""

    def __init__(self, weights: Iterable[Tensor]) -> None:
        super().__init__(self._pack, lambda saved: saved.tensor)
        self._weights = {storage(tensor) for tensor in weights}
        self._uses: dict[int, int] = {}
        self._now = self.peak = 0

    def _pack(self, tensor: Tensor) -> Saved:
        saved, key = Saved(tensor), storage(tensor)
        if key not in self._weights:
            size = tensor.untyped_storage().nbytes()
            if not self._uses.get(key):
                self._now += size
                self.peak = max(self.peak, self._now)
            self._uses[key] = self._uses.get(key, 0) + 1
            weakref.finalize(saved, self._free, key, size)
        return saved

    def _free(self, key: int, size: int) -> None:
        self._uses[key] -= 1
        if not self._uses[key]:
            self._now -= size


class Gradients:
    """`peak` is the most bytes of gradients that the parameters held at a time."""

    def __init__(self, parameters: list[Tensor]) -> None:
        self.peak, self._parameters = 0, parameters
        self._handles = [p.register_post_accumulate_grad_hook(self._look) for p in parameters]

    def stop(self) -> None:
        """Look no more."""
        for handle in self._handles:
            handle.remove()

    def _look(self, arrived: Tensor) -> None:
        # another hook may have dropped the one that has just arrived, but there it was
        others = (p.grad for p in self._parameters if p is not arrived and p.grad is not None)
        self.peak = max(self.peak, arrived.nbytes + sum(grad.nbytes for grad in others))


@contextmanager
def plain_kernels() -> Iterator[None]:
    """Attention and recurrent layers run by their formulas, as on every machine."""
    enabled, *_ = torch.backends.mkldnn.set_flags(_enabled=False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mkldnn.set_flags(_enabled=enabled)


def step_ledger(
    method: Method, model: PreTrainedModel, batch: Batch, *, steps: int = STEPS
) -> Ledger:
    """The ledger of training an adapted model on a batch; the largest of several steps."""
    train_mode(model)
    parameters = trainable(model)
    optimizer = optimizer_of(method, model)
    groups = optimizer.param_groups if optimizer else []
    trained = distinct([*parameters, *(p for group in groups for p in group["params"])])
    weights = distinct([*model.parameters(), *model.buffers(), *trained])
    saved, gradients = Activations(weights), Gradients(trained)
    with plain_kernels():
        for step in range(steps):
            with saved:
                method.before_step(model, step)
                method.step(model, batch, optimizer, step)
        # those of float32 copies come when they are widened, by no backward pass
        held = (p.grad for p in trained if p.grad is not None)
        gradients.peak = max(gradients.peak, size(held))
    gradients.stop()
    known = {storage(t) for t in (*weights, *(p.grad for p in trained if p.grad is not None))}
    states = [t for t in tensors_in(optimizer) if storage(t) not in known]
    known |= {storage(t) for t in states}
    held = {name: value for name, value in vars(method).items() if name not in KEPT}
    return Ledger(
        weights=size(weights),
        gradients=gradients.peak,
        optimizer=size(states),
        activations=saved.peak,
        other=size(t for t in tensors_in(held) if storage(t) not in known),
    )


def storage(tensor: Tensor) -> int:
    """What tells a tensor's memory from that of all others alive."""
    return tensor.untyped_storage()._cdata


def size(tensors: Iterable[Tensor]) -> int:
    """Bytes of the memory that tensors are in, shared memory once."""
    return sum({storage(t): t.untyped_storage().nbytes() for t in tensors}.values())


def distinct(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Each tensor once, in its order."""
    return list({id(tensor): tensor for tensor in tensors}.values())


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Every tensor in nested containers, modules and optimizers."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, nn.Module):
        yield from (*value.parameters(), *value.buffers())
    elif isinstance(value, torch.optim.Optimizer):
        yield from tensors_in(vars(value))
    elif isinstance(value, dict):
        yield from tensors_in([*value.keys(), *value.values()])
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from tensors_in(item)
