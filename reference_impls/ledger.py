"""The ledger of a training step: how many bytes each method keeps, and what for.

What is counted, at its peak within a step, in exact bytes:

weights: the parameters and buffers of the adapted model, and whatever else the optimizer trains.
gradients: what is in `grad`, looked at whenever one arrives.
optimizer: all tensors of the optimizer's state after the first steps.
activations: what autograd keeps for the backward pass (`saved_tensors_hooks`), each storage once,
    and without the weights among it.
other: all other tensors that the method object holds, such as masks. Not the copy of the
    pretrained values that `detach` needs: training does without it.

The four peaks need not fall together: backward frees activations while gradients arrive. So their
sum is what a step takes at most. Not counted are temporary results that no one keeps, what `setup`
needs for itself, and what a memory allocator rounds up or caches.

The numbers depend on shapes alone, hence on no machine: attention runs by its formula (the "math"
kernel, which keeps the probabilities), whatever fused kernels a processor has. A dropout mask takes
as much as the values that it masks, as it does on a CPU. A method with several phases is measured
in each, and the phase that takes most counts. Where a method draws what it leaves out, the largest
of several steps counts.

Nothing is read from the tensors, so they need no values: of a real architecture the same step runs
on tensors that have only shapes (`FakeTensorMode`), and gives its exact bytes without taking them.
Where code asks such a tensor for a value the answer is yes, 0 or 1.0 (where yes is an error, no); a
method whose mask depends on data thus counts as if it trained some entry of every tensor.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, astuple, dataclass, field, fields
from itertools import repeat
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
import transformers
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
    UnsupportedFakeTensorException,
)
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm
from transformers import (
    AutoModelForMaskedLM,
    BertConfig,
    LlamaConfig,
    PretrainedConfig,
    PreTrainedModel,
)

from reference_impls.anatomy import anatomy, model_on_meta, numel
from reference_impls.lab.backbones import quiet
from reference_impls.method import Batch, Method, trainable
from reference_impls.runs import prepare
from reference_impls.training import Loop, seed_everything

COMMITTED = Path(__file__).with_name("ledger.json")
TASKS = ("first-clause", "cue", "summary")  # one for each kind of backbone
STEPS = 8
# Transformers' default configurations, which are those of BERT-base and Llama-2-7B
ARCHITECTURES = {"bert-base": BertConfig, "llama-2-7b": LlamaConfig}
ROWS, LENGTH = 8, 256


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
        """What a step takes at most."""
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
    model.train()
    parameters = trainable(model)
    optimizer = method.optimizer(parameters) if parameters else None
    groups = optimizer.param_groups if optimizer else []
    trained = distinct([*parameters, *(p for group in groups for p in group["params"])])
    weights = distinct([*model.parameters(), *model.buffers(), *trained])
    saved, gradients = Activations(weights), Gradients(trained)
    with plain_kernels():
        for step in range(steps):
            with saved:
                method.before_step(model, step)
                method.step(model, batch, optimizer, step)
    gradients.stop()
    known = {storage(t) for t in (*weights, *(p.grad for p in trained if p.grad is not None))}
    states = [t for t in tensors_in(optimizer) if storage(t) not in known]
    known |= {storage(t) for t in states}
    held = {name: value for name, value in vars(method).items() if name != "_originals"}
    return Ledger(
        weights=size(weights),
        gradients=gradients.peak,
        optimizer=size(states),
        activations=saved.peak,
        other=size(t for t in tensors_in(held) if storage(t) not in known),
    )


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

    def look(module: nn.Module, args: Any, output: Tensor) -> None:
        lengths.append(output.shape[1])

    handles = [layer.end.register_forward_hook(look) for layer in anatomy(model).layers]
    model.eval()
    with torch.no_grad(), plain_kernels(), FlopCounterMode(display=False) as counter:
        model(**batch)
    for handle in handles:
        handle.remove()
    return counter.get_total_flops(), max(lengths)


def measure(
    method: Method, model: PreTrainedModel, loop: Metered, data: Iterator[Batch]
) -> dict[str, Any]:
    """Adapt and train a model, and report, ready for JSON; `data` is what `setup` may look at.

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
    seed_everything(loop.seed)
    method.setup(model, data)
    method.fit(model, loop)
    adapted, longer = inference(model, batch)
    merged = None
    if method.mergeable:
        method.merge(model)
        merged, _ = inference(model, batch)
    peak = max(loop.phases, key=lambda phase: phase.total)
    return {
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
    rows, length = next(loop.batches(loop.seed))["input_ids"].shape
    metered = Metered(loop.batches, steps=1, seed=loop.seed, progress=False)
    return {
        "rows": rows,
        "length": length,
        **measure(method, model, metered, loop.batches(loop.seed)),
    }


class ShapesOnly(FakeTensorMode):
    """Tensors without values; where code asks for one, the answer is yes (or no), 0 or 1.0."""

    def __init__(self, answer: bool) -> None:
        super().__init__(allow_non_fake_inputs=True)
        self._answer = answer

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        try:
            return super().__torch_dispatch__(function, types, args, kwargs)
        except DataDependentOutputException:
            dtype = args[0].dtype
            if dtype == torch.bool:
                return self._answer
            return 1.0 if dtype.is_floating_point else 0


@contextmanager
def shapes_only(answer: bool = True) -> Iterator[None]:
    """All tensors made meanwhile have shapes only."""
    with (
        # all are on one device, and modules of such tensors cannot be moved
        patch.object(nn.Module, "to", lambda module, device: module),
        # draws again until no value is outside
        patch.object(nn.init, "trunc_normal_", lambda tensor, *_, **__: tensor),
        ShapesOnly(answer),
    ):
        yield


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
    model_class = type(model_on_meta(config))
    errors: list[ValueError] = []
    unknown = f"what {method_class.title} does depends on its data, which shapes do not tell"
    for answer in (True, False):
        try:
            with quiet(), shapes_only(answer):
                # a copy, since a method may note in it what it did
                model = model_class._from_config(deepcopy(config), dtype=dtype)
                return on_model(method_class, model, rows, length, **arguments)
        except ValueError as error:
            errors.append(error)
        except (DynamicOutputShapeException, UnsupportedFakeTensorException):
            raise ValueError(unknown) from None
    if str(errors[0]) == str(errors[1]):
        raise errors[0]
    raise ValueError(unknown)


def on_model(
    method_class: type[Method], model: PreTrainedModel, rows: int, length: int, /, **arguments: Any
) -> dict[str, Any]:
    """What `measure` reports for a model, on a batch whose tokens mean nothing."""
    batch = batch_for(model, rows, length)
    method = method_class(**{**stand_ins(method_class, model, batch), **arguments})
    loop = Metered(lambda seed: repeat(batch), steps=1, progress=False, steps_measured=1)
    data = iter([{key: value[:1] for key, value in batch.items()}])
    return {"rows": rows, "length": length, **measure(method, model, loop, data)}


def batch_for(model: PreTrainedModel, rows: int, length: int) -> Batch:
    """Any batch of full length: labels for a classifier's rows, or else for each token."""
    parts = anatomy(model)
    ids = torch.zeros(rows, length, dtype=torch.long)
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    batch["labels"] = torch.zeros(rows, dtype=torch.long) if parts.head else ids.clone()
    return {**batch, "decoder_input_ids": ids.clone()} if parts.encoder_decoder else batch


def stand_ins(method_class: type[Method], model: PreTrainedModel, batch: Batch) -> dict[str, Any]:
    """Something of the right shape for what a method gets from its task: one other task or domain,
    one word a class, texts as long as the batch's."""
    row = (0,) * batch["input_ids"].shape[1]
    known = {
        "verbalizer": ((0,),) * getattr(model.config, "num_labels", 1),
        "sources": (lambda seed: repeat(batch),),
        "domains": (lambda seed: repeat(batch),),
        "masked_lm": lambda: AutoModelForMaskedLM.from_config(model.config),
        "patterns": (((), (0,)),),
        "mask_token": 0,
        "unlabeled": (row,) * len(batch["input_ids"]),
        "special_tokens": (0,),
    }
    wanted = [f.name for f in fields(method_class) if f.metadata.get("from_task")]
    return {name: known[name] for name in wanted if name in known}


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


def committed(methods: dict[str, type[Method]]) -> dict[str, Any]:
    """What ledger.json holds: every method in the lab, and on the two architectures."""
    lab, shapes = {}, {name: {} for name in ARCHITECTURES}
    for name, method in tqdm(methods.items(), desc="ledger", unit="method"):
        lab[name] = {task: on_task(method, task) for task in tasks_of(method)}
        for architecture, config in ARCHITECTURES.items():
            shapes[architecture][name] = on_architecture(method, config(), ROWS, LENGTH)
    return {
        "versions": {
            "torch": torch.__version__.partition("+")[0],
            "transformers": transformers.__version__,
        },
        "lab": lab,
        "architectures": shapes,
    }


def write(methods: dict[str, type[Method]]) -> None:
    """Replace ledger.json."""
    text = json.dumps(committed(methods), indent=1) + "\n"
    draft = COMMITTED.with_suffix(".new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(COMMITTED)


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
