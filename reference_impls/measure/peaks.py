"""The most bytes that are alive in a step of training, for every batch, from shapes alone.

Two steps run on tensors that have only shapes (see `shapes`), with several rows and lengths. Each
tensor that is made in them has a size that is a polynomial in rows and length; what is alive after
one is made is the sum of those that were made before it and have not died. The peak is the largest
of these sums: for any batch, the maximum of a few polynomials.

It is that of the kernels of a CPU, and of tensors: what a kernel takes for itself while it runs,
and what an allocator rounds up or keeps, is not in it. Some text of a batch is shorter than others,
so that attention has a mask. `detach` needs the pretrained values of what is trained of the model
itself: they count, as they are there.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice, repeat
from typing import Any, NamedTuple

import torch
from transformers import PretrainedConfig, PreTrainedModel

from ..core.batches import Batch, singles
from ..core.method import Method
from ..core.training import Loop
from .any_batch import batch_for
from .given import stand_ins
from .ledger import size, tensors_in
from .live import Live
from .polynomials import LENGTHS, ROWS, Polynomial, largest, through
from .shapes import by_shapes, made

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
        number = len(self.sizes)
        self.sizes.append(storage.nbytes())
        self.log.append(number)
        weakref.finalize(storage, self.log.append, ~number)


def peaks(
    method_class: type[Method], config: PretrainedConfig, setting: Setting, **arguments: Any
) -> list[Polynomial]:
    """Polynomials in the batch's rows and length; their maximum is the peak of a step, in bytes.

    What sizes there are a model of two such layers tells, if the method runs on it: then one batch
    is enough for all of them.

    Raises:
        ValueError: the method does not run on the architecture, or what it does depends on its
            data.
    """

    def run(config: PretrainedConfig, rows: int, length: int) -> Traced:
        def work() -> Traced:
            model = set_to(made(config, setting.dtype), setting)
            return traced(method_class, model, batch_for(model, rows, length), **arguments)

        return by_shapes(method_class.title, work)

    first, *others = zip(ROWS, LENGTHS, strict=True)
    whole = run(config, *first)
    try:
        known = _by_size([run(_of_two_layers(config), *batch) for batch in (first, *others)])
        births = [_born(taken, known) for taken in whole.sizes]
    except ValueError:
        births = _polynomials([whole, *(run(config, *batch) for batch in others)])
    return largest(alive(whole.here, births, whole.log))


def _of_two_layers(config: PretrainedConfig) -> PretrainedConfig:
    """The architecture with two layers, or two in either stack."""
    small = deepcopy(config)
    for name in ("num_hidden_layers", "num_layers", "num_decoder_layers"):
        if hasattr(small, name):
            setattr(small, name, 2)
    return small


def _polynomials(traces: list[Traced]) -> list[Polynomial]:
    """The size of each birth, of traces at `ROWS` and `LENGTHS`.

    Raises:
        ValueError: they are not of the same births.
    """
    if any((each.here, each.log) != (traces[0].here, traces[0].log) for each in traces):
        raise ValueError("which tensors there are depends on the batch")
    return [through(sizes) for sizes in zip(*(each.sizes for each in traces), strict=True)]


def _by_size(traces: list[Traced]) -> dict[int, Polynomial]:
    """Polynomials by the size that they are at the first batch.

    Raises:
        ValueError: as `_polynomials`, or two have the same there.
    """
    known: dict[int, Polynomial] = {}
    for taken, polynomial in zip(traces[0].sizes, _polynomials(traces), strict=True):
        if known.setdefault(taken, polynomial) != polynomial:
            raise ValueError(f"{taken} bytes are {known[taken]} and {polynomial}")
    return known


def _born(taken: int, known: dict[int, Polynomial]) -> Polynomial:
    """A known polynomial, or a number for the layers that there are, whatever the batch is.

    Raises:
        ValueError: it is neither.
    """
    if taken not in known and (taken % ROWS[0] == 0 or taken % LENGTHS[0] == 0):
        raise ValueError(f"a tensor of {taken} bytes is in no layer")
    return known.get(taken, (taken, 0, 0, 0, 0, 0))


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
    here = size([*model.parameters(), *model.buffers(), *tensors_in(vars(method))])
    with Trace() as trace:
        batch = {key: tensor.clone() for key, tensor in batch.items()}
        method.fit(model, Loop(lambda seed: repeat(batch), STEPS, progress=False))
    return Traced(here, trace.sizes, list(trace.log))  # without the deaths of what is left now
