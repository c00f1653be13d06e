"""What every method takes in time, beside the untouched model and beside peft, on a processor.

    .parity/a/bin/python -m benchmarks.times [NAME ...] [--size NAME ...]

`make parity` builds the environment, with peft in it. Two models with random weights, of the sizes
of MiniLM and SmolLM2. On one core the untouched model, ours and the library's (`twins.py`) do the
same with the same batch, in turn; kept are ratios of processor seconds within a round
(`paired.py`), of which the median carries over to other machines as well as any:

step: forward, backward, clipping and optimizer; of a method with several phases in the one that
    takes longest. Beside full fine-tuning's and the library's, with the same optimizer. What is
    done once in many steps (GaLore's projections) falls into the first step, which is not timed.
forward-1, forward-32: a forward pass of one row and of 32. Beside the untouched model's.
merged-1, merged-32: the same once the method is folded into the weights.
generation: 16 tokens with the cache, after one row.
kept: the bytes that autograd keeps for backward (`reference_impls/measure/ledger.py`), ours as a
    multiple of the library's.

A result is kept at once beside its method, in `measured/times.json`. What is there and is of this
code is not measured again, unless the method is named.
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import inspect
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count, islice, repeat
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn
from tqdm import tqdm
from transformers import PreTrainedModel, logging

from benchmarks.paired import Seconds, Work, ratio, timed
from benchmarks.sizes import SIZES, Size, batch_of
from benchmarks.twins import TWINS
from reference_impls.core import training
from reference_impls.core.batches import Batch, singles
from reference_impls.core.method import Method, trainable
from reference_impls.core.registry import load_methods
from reference_impls.core.training import Loop, optimizer_of, train_mode
from reference_impls.measure import files, ledger
from reference_impls.measure.digests import sources
from reference_impls.measure.given import files_of, stand_ins
from reference_impls.measure.ledger import Activations
from reference_impls.measure.processor import processor

BASELINE = "full_fine_tuning"
TOKENS = 16  # of a generation


def stepper(method: Method, model: nn.Module, batch: Batch) -> Work:
    """A training step of an adapted model, the method's own or that of any method."""
    train_mode(model)
    optimizer, numbers = optimizer_of(method, model), count()

    def step() -> None:
        number = next(numbers)
        method.before_step(model, number)
        method.step(model, batch, optimizer, number)

    return step


def passes(model: nn.Module, batch: Batch) -> Work:
    """A forward pass, as for an answer."""
    inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}

    def run() -> None:
        with torch.no_grad():
            model(**inputs)

    model.eval()
    return run


def writes(model: nn.Module, batch: Batch) -> Work:
    """A generation of so many tokens, greedy and with the cache."""
    inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
    length = {"max_new_tokens": TOKENS, "min_new_tokens": TOKENS}

    def run() -> None:
        with torch.no_grad():
            model.generate(**inputs, **length, do_sample=False, pad_token_id=0)

    model.eval()
    return run


def saved(step: Work, model: nn.Module) -> int:
    """The bytes that autograd keeps in a step."""
    activations = Activations([*model.parameters(), *model.buffers()])
    with activations:
        step()
    return activations.peak


@dataclass
class Timed(Loop):
    """A loop that times steps, in turn with those of others, in place of training.

    Each phase of `fit` leaves a row: seconds by whose they are, and the bytes kept by ours.
    """

    beside: dict[str, Work] = field(default_factory=dict)
    phases: list[tuple[Seconds, int]] = field(default_factory=list)

    def run(self, method: Method, model: PreTrainedModel) -> None:
        step = stepper(method, model, next(self.batches(self.seed)))
        seconds = timed({"ours": step, **self.beside})
        self.phases.append((seconds, saved(step, model)))


def against(seconds: Seconds, base: str) -> dict[str, Any]:
    """Ours as a multiple of the base's and of the twin's, where there is one."""
    others = {"base": base, "twin": "twin"}
    return {
        name: ratio(seconds["ours"], seconds[other])
        for name, other in others.items()
        if other in seconds
    }


def measured(name: str, size: Size, base: PreTrainedModel) -> dict[str, Any]:
    """What is kept of a method on a size; `base` is the untouched model, and stays so."""
    method_class, twin = load_methods()[name], TWINS.get(name)
    settings = twin.settings if twin else {}
    batch = batch_of(size, *size.step)
    torch.manual_seed(0)
    model, full, baseline = deepcopy(base), deepcopy(base), load_methods()[BASELINE]()
    try:
        method = method_class(**stand_ins(method_class, model, batch) | settings)
        method.setup(model, islice(singles(batch), 1))
    except ValueError as error:
        return {"refused": str(error)}
    baseline.setup(full)
    beside = {"full": stepper(baseline, full, batch)}
    theirs = twin and twin.adapt(method, deepcopy(base))
    if theirs:
        beside["twin"] = stepper(method, theirs, batch)
    own = sum(p.numel() for p in trainable(model))  # some are done without after training
    loop = Timed(lambda seed: repeat(batch), steps=1, progress=False, beside=beside)
    method.fit(model, loop)
    seconds, kept = max(loop.phases, key=lambda phase: median(phase[0]["ours"]))
    made: dict[str, Any] = {
        "settings": settings,
        "phases": len(loop.phases),
        "batches": {"step": size.step, "forward-1": size.one, "forward-32": size.many},
    }
    if size.generates:
        made["batches"]["generation"], made["tokens"] = size.one, TOKENS
    if theirs:
        made["twin"] = twin.library
        made["trained"] = [own, sum(p.numel() for p in trainable(theirs))]
        made["kept"] = round(kept / saved(beside["twin"], theirs), 4)
    times = {"step": against(seconds, "full")}
    del loop, beside, full, baseline
    for trained in (model, theirs):
        if trained:
            trained.zero_grad(set_to_none=True)
    return {**made, "times": times | inference(size, method, model, base, theirs)}


def inference(
    size: Size,
    method: Method,
    model: PreTrainedModel,
    base: PreTrainedModel,
    theirs: nn.Module | None,
) -> dict[str, Any]:
    """The ratios of forward passes, those of the merged model too, and of a generation."""
    models = {"ours": model, "base": base}
    if theirs:
        models["twin"] = theirs
    merged = None
    if method.mergeable:
        merged = deepcopy(model)  # with a copy of the method on it
        merged.adapted_by.merge(merged)
    found: dict[str, Any] = {}
    for name, shape in (("1", size.one), ("32", size.many)):
        batch = batch_of(size, *shape)
        works = {whose: passes(one, batch) for whose, one in models.items()}
        if merged:
            works["merged"] = passes(merged, batch)
        seconds = timed(works)
        found[f"forward-{name}"] = against(seconds, "base")
        if merged:
            found[f"merged-{name}"] = {"base": ratio(seconds["merged"], seconds["base"])}
    if size.generates:
        batch = batch_of(size, *size.one)
        seconds = timed({whose: writes(one, batch) for whose, one in models.items()})
        found["generation"] = against(seconds, "base")
    return found


def sources_of(name: str) -> dict[str, str]:
    """Digests of the code that a method's times depend on: its own, and that of the baseline."""
    method, baseline = load_methods()[name], load_methods()[BASELINE]
    own = (Path(inspect.getfile(one)) for one in (method, baseline))
    return sources(*own, Path(training.__file__), Path(ledger.__file__), *files_of(method))


def versions() -> dict[str, str]:
    """Of the libraries, and the processor."""
    peft = importlib.metadata.version("peft")
    return {**files.versions(), "peft": peft, "processor": processor()}


def path_of(name: str) -> Path:
    """Where a method's times are kept."""
    return Path(inspect.getfile(load_methods()[name])).parent / "measured" / "times.json"


def missing(names: list[str], sizes: list[str], *, again: bool) -> list[tuple[str, str]]:
    """Sizes and methods to measure: `again` all, or else those not there or of other code."""
    cases = [(size, name) for size in sizes for name in names]
    made = {name: files.read(path_of(name)) for name in names}
    now = {name: sources_of(name) for name in names}
    return [
        (size, name)
        for size, name in cases
        if again or made[name].get(size, {}).get("sources") != now[name]
    ]


def keep(name: str, size: str, made: dict[str, Any]) -> None:
    """Write a result beside its method, and leave what there is of other sizes."""
    row = {"sources": sources_of(name), "versions": versions(), **made}
    every = files.read(path_of(name)) | {size: row}
    files.write(path_of(name), dict(sorted(every.items())), depth=3)


def told(size: str, name: str, made: dict[str, Any]) -> str:
    """A row of the table: medians beside the base, and behind a slash beside the library."""
    if "refused" in made:
        return f"{size:8} {name:20} {made['refused']}"
    cells = []
    for what, row in made["times"].items():
        medians = "/".join(f"{row[one]['median']:.3f}" for one in ("base", "twin") if one in row)
        cells.append(f"{what} {medians}")
    return f"{size:8} {name:20} {', '.join(cells)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", nargs="*", choices=[[], *load_methods()])
    parser.add_argument("--size", nargs="*", choices=[*SIZES], default=[*SIZES])
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    names = options.name or [*load_methods()]
    bases: dict[str, PreTrainedModel] = {}  # one at a time
    for size, name in tqdm(missing(names, options.size, again=bool(options.name)), unit="case"):
        if size not in bases:
            bases.clear()
            torch.manual_seed(0)
            bases[size] = SIZES[size].model(SIZES[size].config)
        made = measured(name, SIZES[size], bases[size])
        gc.collect()
        keep(name, size, made)
        tqdm.write(told(size, name, made))


if __name__ == "__main__":
    main()
