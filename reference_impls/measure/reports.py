"""What is told of a method: counts, ledger, FLOPs, in the lab and on any architecture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice, repeat
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import PretrainedConfig, PreTrainedModel

from ..anatomy import anatomy, numel
from ..core.batches import Batch, rows, singles
from ..core.method import Method
from ..core.training import Loop
from .any_batch import batch_for
from .given import stand_ins
from .ledger import STEPS, Ledger, plain_kernels, step_ledger
from .runs import prepare
from .shapes import by_shapes, made


@dataclass
class Metered(Loop):
    """A loop that measures in place of training: each phase of `fit` leaves its ledger."""

    phases: list[Ledger] = field(default_factory=list)
    steps_measured: int = STEPS

    def run(self, method: Method, model: PreTrainedModel) -> None:
        batch = next(self.batches(self.seed))
        self.phases.append(step_ledger(method, model, batch, steps=self.steps_measured))


def inference(model: PreTrainedModel, batch: Batch) -> tuple[int, int]:
    """Floating-point operations of the matrix products of one forward pass, and the positions of
    the longest sequence that a layer works on."""
    lengths: list[int] = []

    def look(module: nn.Module, args: Any, output: Any) -> None:
        lengths.append((output if isinstance(output, Tensor) else output[0]).shape[1])

    handles = [layer.end.register_forward_hook(look) for layer in anatomy(model).layers]
    trained = [p for p in model.eval().parameters() if p.requires_grad]
    model.requires_grad_(False)  # the counter fails on a parameter that is given to a module
    with torch.no_grad(), plain_kernels(), FlopCounterMode(display=False) as counter:
        model(**batch)
    for parameter in trained:
        parameter.requires_grad_(True)
    for handle in handles:
        handle.remove()
    return counter.get_total_flops(), max(lengths)


def measure(
    method: Method, model: PreTrainedModel, loop: Metered, data: Iterator[Batch]
) -> dict[str, Any]:
    """Adapt and train a model, and report, ready for JSON; `data` is what `setup` may look at.

    rows, length: the batch's, in examples and in positions of the longest sequence.
    counts: trained, stored and base parameters; the head's apart.
    ledger: the bytes of the phase that takes most; phase: its number, from 1, and that of all.
    inference: FLOPs of a forward pass of the base, the adapted and the merged model (None where
        the method cannot be merged), and the positions that the adapted one adds to the input.
    """
    batch = next(loop.batches(loop.seed))
    parts = anatomy(model)
    counts = {
        "trained": method.trained(parts),
        "stored": method.stored(parts),
        "head": numel(parts.head_parameters()),
        "base": numel(parts.base_parameters()),
    }
    base, length = inference(model, batch)
    torch.manual_seed(loop.seed)
    method.setup(model, data)
    method.fit(model, loop)
    adapted, longer = inference(model, batch)
    merged = None
    if method.mergeable:
        method.merge(model)
        merged, _ = inference(model, batch)
    peak = max(loop.phases, key=lambda phase: phase.total)
    return {
        "rows": rows(batch),
        "length": length,
        "counts": counts,
        "ledger": asdict(peak),
        "phase": [loop.phases.index(peak) + 1, len(loop.phases)],
        "inference": {
            "base": base,
            "adapted": adapted,
            "merged": merged,
            "positions": longer - length,
        },
    }


def on_task(method_class: type[Method], task: str, **arguments: Any) -> dict[str, Any]:
    """What `measure` reports in the lab, on the first training batch of a task.

    Raises:
        ValueError: the method does not run on the task.
    """
    method, model, loop = prepare(method_class, task, steps=1, progress=False, **arguments)
    metered = Metered(loop.batches, steps=1, seed=loop.seed, progress=False)
    return measure(method, model, metered, loop.batches(loop.seed))


def on_config(
    method_class: type[Method],
    config: PretrainedConfig,
    rows: int,
    length: int,
    /,
    *,
    dtype: torch.dtype = torch.float32,
    **arguments: Any,
) -> dict[str, Any]:
    """What `measure` reports for any architecture, by its shapes alone.

    `arguments` are hyper-parameters; the paper's are the default.

    Raises:
        ValueError: the method does not run on the architecture, the architecture has fewer
            positions, or the method's course depends on what is in its data.
    """
    most = getattr(config, "max_position_embeddings", None) or length
    if length > most:
        raise ValueError(f"length {length}: this architecture has {most} positions")

    def work() -> dict[str, Any]:
        model = made(config, dtype)
        model.set_experts_implementation("eager")  # the only one for such tensors
        return on_model(method_class, model, rows, length, **arguments)

    return by_shapes(method_class.title, work)


def on_model(
    method_class: type[Method], model: PreTrainedModel, rows: int, length: int, /, **arguments: Any
) -> dict[str, Any]:
    """What `measure` reports for a model, on a batch whose tokens mean nothing."""
    batch = batch_for(model, rows, length)
    method = method_class(**{**stand_ins(method_class, model, batch), **arguments})
    loop = Metered(lambda seed: repeat(batch), steps=1, progress=False, steps_measured=1)
    return measure(method, model, loop, islice(singles(batch), 1))


def on_architecture(
    method_class: type[Method], config: PretrainedConfig, rows: int, length: int, /, **settings: Any
) -> dict[str, Any]:
    """What `on_config` reports, or why it cannot."""
    try:
        return on_config(method_class, config, rows, length, **settings)
    except ValueError as error:
        return {"refused": str(error)}
