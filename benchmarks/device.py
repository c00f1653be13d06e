"""What a training step takes on the accelerator at hand, beside what the ledger says of it.

    python benchmarks/device.py [NAME ...] [--architecture NAME ...] [--precision NAME ...]
                                [--json FILE]

Every method trains models of the ledger's two architectures, with random weights, on its batch.
Memory is what the allocator has given out (`torch.cuda.max_memory_allocated`), so it has what the
ledger leaves out: temporary results and rounding. The copy of the pretrained values that only
`detach` needs is taken off. `plain` attention is the formula that the ledger counts, `fused` what
PyTorch chooses by itself. A method with several phases has the one that takes most.
"""

from __future__ import annotations

import argparse
import gc
import os
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import islice, product, repeat
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import torch
import transformers
from fine_tuning_atlas.anatomy import model_on_meta
from fine_tuning_atlas.core.batches import moved, singles
from fine_tuning_atlas.core.method import Method
from fine_tuning_atlas.core.registry import load_methods
from fine_tuning_atlas.core.training import Loop, optimizer_of
from fine_tuning_atlas.lab.backbones import quiet
from fine_tuning_atlas.measure import files, ledgers, reports
from fine_tuning_atlas.measure.any_batch import batch_for
from fine_tuning_atlas.measure.given import stand_ins
from fine_tuning_atlas.measure.ledger import plain_kernels, size
from tqdm import tqdm
from transformers import PreTrainedModel

KEYS = ("method", "architecture", "precision")
WARM, STEPS = 2, 3
KERNELS = {"plain": plain_kernels, "fused": nullcontext}
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
DEVICE = torch.device("cuda")


@dataclass
class Measured(Loop):
    """A loop of a few steps: each phase of `fit` leaves its peak, its seconds and its loss."""

    phases: list[dict[str, dict[str, float]]] = field(default_factory=list)

    def run(self, method: Method, model: PreTrainedModel) -> None:
        model.train()
        optimizer = optimizer_of(method, model)
        batches, found = self.batches(self.seed), {}
        for name, kernels in KERNELS.items():
            seconds = []
            with kernels():
                for step in range(WARM + STEPS):
                    torch.cuda.synchronize()
                    if step == WARM:
                        torch.cuda.reset_peak_memory_stats()
                    started = time.perf_counter()
                    method.before_step(model, step)
                    loss = method.step(model, next(batches), optimizer, step)
                    torch.cuda.synchronize()
                    seconds.append(time.perf_counter() - started)
            kept = size([*method._originals.values(), *method._head.values()])
            peak = torch.cuda.max_memory_allocated() - kept
            spent = round(median(seconds[WARM:]), 5)
            found[name] = {"peak": peak, "seconds": spent, "loss": round(loss, 4)}
        self.phases.append(found)


def build(architecture: str, dtype: torch.dtype) -> PreTrainedModel:
    """A model with random weights, made on the device."""
    config = ledgers.ARCHITECTURES[architecture]()
    with quiet(), DEVICE:
        return type(model_on_meta(config))._from_config(deepcopy(config), dtype=dtype)


def measured(name: str, architecture: str, precision: str) -> dict[str, Any]:
    """What a method's steps took, or in `error` why there are none."""
    gc.collect()
    torch.cuda.empty_cache()
    try:
        torch.manual_seed(0)
        model = build(architecture, PRECISIONS[precision])
        batch = moved(batch_for(model, ledgers.ROWS, ledgers.LENGTH), DEVICE)
        method_class = load_methods()[name]
        method = method_class(**stand_ins(method_class, model, batch))
        loop = Measured(lambda seed: repeat(batch), steps=1, progress=False)
        method.setup(model, islice(singles(batch), 1))
        method.fit(model, loop)
        return max(loop.phases, key=lambda phase: phase["plain"]["peak"])
    except (ValueError, RuntimeError) as error:  # refused, or more than the card holds
        return {"error": str(error).partition("\n")[0][:200]}


def predicted(name: str, architecture: str, precision: str) -> dict[str, Any]:
    """What the ledger says."""
    config = ledgers.ARCHITECTURES[architecture]()
    found = reports.on_architecture(
        load_methods()[name], config, ledgers.ROWS, ledgers.LENGTH, dtype=PRECISIONS[precision]
    )
    return found.get("ledger", found)


def rows(cases: list[tuple[str, str, str]]) -> Iterator[dict[str, Any]]:
    """A row for each case; the ledger's side is made by other processes meanwhile."""
    spawn = get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), spawn) as pool:
        asked: list[Future] = [pool.submit(predicted, *case) for case in cases]
        worker = ProcessPoolExecutor(1, spawn)
        for case, ledger in zip(tqdm(cases, unit="case"), asked, strict=True):
            found = worker.submit(measured, *case).result()
            if "CUDA error" in found.get("error", ""):  # after one, a process has no device
                worker.shutdown()
                worker = ProcessPoolExecutor(1, spawn)
            row = dict(zip(KEYS, case, strict=True))
            yield {**row, **found, "ledger": ledger.result()}
        worker.shutdown()


def told(row: dict[str, Any]) -> str:
    """A row as a line of the table."""
    start = f"{row['method']:20} {row['architecture']:10} {row['precision']:8}"
    if "error" in row:
        return f"{start} {row['error']}"
    total = sum(v for v in row["ledger"].values() if isinstance(v, int))
    numbers = (total / 2**20, *(row[k]["peak"] / 2**20 for k in KERNELS))
    ratio = row["plain"]["peak"] / total if total else float("nan")
    return (
        f"{start} {numbers[0]:9.0f} {numbers[1]:9.0f} {numbers[2]:9.0f} {ratio:6.2f} "
        f"{1000 * row['plain']['seconds']:8.1f} {1000 * row['fused']['seconds']:8.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", nargs="*", choices=[[], *load_methods()])
    parser.add_argument("--architecture", nargs="*", default=[*ledgers.ARCHITECTURES])
    parser.add_argument("--precision", nargs="*", default=[*PRECISIONS])
    parser.add_argument("--json", type=Path, help="add the rows to these, and skip what is there")
    options = parser.parse_args()
    methods = options.name or [*load_methods()]
    found = files.read(options.json).get("rows", []) if options.json else []
    there = {tuple(row[key] for key in KEYS) for row in found}
    cases = [*product(methods, options.architecture, options.precision)]
    made_on = {
        "card": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    print(f"{made_on}; MiB: ledger, plain, fused, plain / ledger; ms: plain, fused")
    for row in rows([case for case in cases if case not in there]):
        found.append(row | made_on)
        print(told(row), flush=True)
        if options.json:
            files.write(options.json, {"rows": found}, depth=2)


if __name__ == "__main__":
    main()
