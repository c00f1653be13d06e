"""The most bytes that are alive in a step of training, for every batch, from shapes alone.

Two steps run on tensors that have only shapes (see `shapes`), three times, with other rows and
lengths. Each tensor that is made in them has a size that is a polynomial in rows and length; what
is alive after one is made is the sum of those that were made before it and have not died. The peak
is the largest of these sums: for any batch, the maximum of a few polynomials.

It is that of the kernels of a CPU, and of tensors: what a kernel takes for itself while it runs,
and what an allocator rounds up or keeps, is not in it. Some text of a batch is shorter than others,
so that attention has a mask. `detach` needs the pretrained values of what
is trained of the model itself: they count, as they are there.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice, repeat
from typing import Any, NamedTuple

import torch
from transformers import PretrainedConfig, PreTrainedModel

from ..core.batches import Batch, singles
from ..core.method import Method
from ..core.training import Loop
from .given import stand_ins
from .ledger import distinct, size, tensors_in
from .live import Live
from .polynomials import LENGTHS, ROWS, Polynomial, largest, through
from .reports import batch_for, made
from .shapes import by_shapes

STEPS = 2  # from the second one on, the optimizer has its state


@dataclass(frozen=True)
class Setting:
    """How a model is trained: what its weights are, how it attends, and whether it checkpoints."""

    dtype: torch.dtype = torch.bfloat16
    attention: str = "sdpa"
    checkpointing: bool = False


class Trace(Live):
    """While it is entered, keeps which tensors are made, of how many bytes, and when they die.

    log: the number of each that is made, in order; and its inverse (~) when it dies.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.log: list[int] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.namespace == "prim":  # such as a tensor's device, asked for at every turn
            return func(*args, **(kwargs or {}))
        return super().__torch_dispatch__(func, types, args, kwargs)

    def _add(self, storage: torch.UntypedStorage) -> None:
        self.born(storage)

    def born(self, storage: torch.UntypedStorage) -> None:
        """Note a tensor's memory."""
        number = len(self.sizes)
        self.sizes.append(storage.nbytes())
        self.log.append(number)
        weakref.finalize(storage, self.log.append, ~number)


def peaks(
    method_class: type[Method], config: PretrainedConfig, setting: Setting, **arguments: Any
) -> list[Polynomial]:
    """Polynomials in the batch's rows and length; their maximum is the peak of a step, in bytes.

    Raises:
        ValueError: the method does not run on the architecture, or what it does depends on its
            data.
    """

    def run(rows: int, length: int) -> Traced:
        model = set_to(made(config, setting.dtype), setting)
        return traced(method_class, model, batch_for(model, rows, length), **arguments)

    title = method_class.title
    found = [by_shapes(title, partial(run, *size)) for size in zip(ROWS, LENGTHS, strict=True)]
    here, _, log = found[0]
    if any((each.here, each.log) != (here, log) for each in found):
        raise ValueError(f"{title}: which tensors there are depends on the batch")
    sizes = zip(*(each.sizes for each in found), strict=True)
    return largest(alive(here, list(map(through, sizes)), log))


def alive(here: int, births: list[Polynomial], log: list[int]) -> Iterator[Polynomial]:
    """What is alive after each birth, with what was there before."""
    now = [here, 0, 0, 0, 0, 0]
    for number in log:
        sign, born = (1, births[number]) if number >= 0 else (-1, births[~number])
        now = [x + sign * y for x, y in zip(now, born, strict=True)]
        if number >= 0:
            yield tuple(now)


def set_to(model: PreTrainedModel, setting: Setting) -> PreTrainedModel:
    """Let a model attend and checkpoint as it should."""
    model.set_attn_implementation(setting.attention)
    if setting.checkpointing:
        model.activation_checkpointing_enable()
    return model


class Traced(NamedTuple):
    """Bytes of an adapted model, and what is made in training it: see `Trace`."""

    here: int
    sizes: list[int]
    log: list[int]


def traced(
    method_class: type[Method], model: PreTrainedModel, batch: Batch, **arguments: Any
) -> Traced:
    """Adapt a model and take some steps on a batch, which is the first thing made."""
    method = method_class(**{**stand_ins(method_class, model, batch), **arguments})
    method.setup(model, islice(singles(batch), 1))
    here = size(distinct([*model.parameters(), *model.buffers(), *tensors_in(vars(method))]))
    trace = Trace()
    for tensor in batch.values():
        trace.born(tensor.untyped_storage())
    with trace:
        method.fit(model, Loop(lambda seed: repeat(batch), STEPS, progress=False))
    return Traced(here, trace.sizes, list(trace.log))  # without the deaths of what is left now
