"""What is told of a method: counts, ledger, FLOPs, in the lab and on real architectures.

The committed reports stand in `measured/ledger.json` beside each method.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from itertools import islice, repeat
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig, LlamaConfig, PretrainedConfig, PreTrainedModel

from ..anatomy import anatomy, built, numel
from ..anatomy.families import files_of as family_files
from ..anatomy.inputs import inputs as inputs_of
from ..core.batches import Batch, rows, singles
from ..core.method import Method
from ..core.training import Loop
from ..lab import backbones
from ..lab.tasks import TASKS as LAB
from ..lab.tasks import files_of
from . import files
from .digests import sources
from .given import files_of as given_files
from .given import stand_ins
from .ledger import STEPS, Ledger, plain_kernels, step_ledger
from .runs import prepare
from .shapes import by_shapes

TASKS = ("first-clause", "cue", "summary")  # one for each kind of backbone
# Transformers' default configurations, which are those of BERT-base and Llama-2-7B
ARCHITECTURES = {"bert-base": BertConfig, "llama-2-7b": LlamaConfig}
ROWS, LENGTH = 8, 256


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


def made(config: PretrainedConfig, dtype: torch.dtype) -> PreTrainedModel:
    """The architecture with random weights.

    Raises:
        ValueError: it cannot be made where tensors have shapes only.
    """
    try:
        # a copy, since making a model writes the dtype into it
        return built(deepcopy(config), dtype=dtype)
    except Exception as error:  # a stranger's code: it may count by what is in a tensor
        kind = config.model_type
        raise ValueError(f"a model of type {kind} is not made of shapes alone: {error}") from None


def on_model(
    method_class: type[Method], model: PreTrainedModel, rows: int, length: int, /, **arguments: Any
) -> dict[str, Any]:
    """What `measure` reports for a model, on a batch whose tokens mean nothing."""
    batch = batch_for(model, rows, length)
    method = method_class(**{**stand_ins(method_class, model, batch), **arguments})
    loop = Metered(lambda seed: repeat(batch), steps=1, progress=False, steps_measured=1)
    return measure(method, model, loop, islice(singles(batch), 1))


def batch_for(model: PreTrainedModel, rows: int, length: int) -> Batch:
    """Any batch of full length: labels for a classifier's rows, or else for each token."""
    inputs = inputs_of(model, rows, length)
    shape = (rows,) if anatomy(model).head else (rows, length)
    return {**inputs, "labels": torch.zeros(shape, dtype=torch.long)}


def tasks_of(method_class: type[Method]) -> list[str]:
    """The tasks of `TASKS` that a method runs on, or else its first one."""
    return [task for task in TASKS if task in method_class.tasks] or [method_class.tasks[0]]


def on_architecture(
    method_class: type[Method], config: PretrainedConfig, rows: int, length: int, /, **settings: Any
) -> dict[str, Any]:
    """What `on_config` reports, or why it cannot."""
    try:
        return on_config(method_class, config, rows, length, **settings)
    except ValueError as error:
        return {"refused": str(error)}


def path_of(method: type[Method]) -> Path:
    """Where a method's reports are kept."""
    return Path(inspect.getfile(method)).parent / "measured" / "ledger.json"


def sources_of(method: type[Method]) -> dict[str, str]:
    """Digests of the code that the reports depend on, by path below the package."""
    tasks = tasks_of(method)
    types = [backbones.model_type(LAB[task].backbone) for task in tasks]
    types += [config().model_type for config in ARCHITECTURES.values()]
    return sources(
        Path(inspect.getfile(method)),
        Path(__file__),
        *given_files(method),
        *(path for task in tasks for path in files_of(task)),
        *family_files(*types),
    )


def is_stale(method: type[Method]) -> bool:
    """Whether the reports are missing or were made by other code."""
    return files.read(path_of(method)).get("sources") != sources_of(method)


def record(method: type[Method]) -> dict[str, Any]:
    """What is committed of a method: its reports in the lab, and on the two architectures."""
    return {
        "lab": {task: on_task(method, task) for task in tasks_of(method)},
        "architectures": {
            name: on_architecture(method, config(), ROWS, LENGTH)
            for name, config in ARCHITECTURES.items()
        },
        "versions": files.versions(),
        "sources": sources_of(method),
    }


def write(method: type[Method], made: dict[str, Any]) -> None:
    """Replace a method's reports."""
    files.write(path_of(method), made, depth=2)
