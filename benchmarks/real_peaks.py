"""The predicted peaks of the real tier's steps, on the batches whose peaks were measured.

    python benchmarks/real_peaks.py [METHOD ...]

Each method that has a measured peak is told the peak of its first steps there: weights in 32 bits,
with the kernels of a processor. `real_peaks.csv` is written anew once all are told; rows of methods
that are not named stay.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
from fine_tuning_atlas.core.quiet import quiet
from fine_tuning_atlas.core.registry import load_method, method_files
from fine_tuning_atlas.measure import files, peaks
from fine_tuning_atlas.measure.polynomials import Polynomial, value
from fine_tuning_atlas.real.models import MODELS
from fine_tuning_atlas.real.results import Results
from fine_tuning_atlas.real.tasks import TASKS
from fine_tuning_atlas.real.training import MEASURED, MEMORY, Budget, Run, Settings, prepared
from tqdm import tqdm
from transformers import PretrainedConfig

FILE = Path(__file__).with_suffix(".csv")
TOLD: dict[tuple[str, Settings, str], list[Polynomial] | str] = {}
HEAD = ("method", "model", "group", "rows", "lengths", "predicted", "refused")


def measured(method: str) -> Iterator[tuple[Run, Budget]]:
    """The runs of a method whose peak is committed."""
    for model, groups in files.read(Results().path(method)).get("models", {}).items():
        for group in groups.values():
            settings = tuple(group["settings"].items())
            for row in (row for row in group["runs"] if row.get("split") == MEMORY):
                run = Run(
                    method, model, group["task"], row["lr"], row["seed"], MEMORY, "", settings
                )
                yield run, Budget(**group["budget"])


def told(run: Run) -> list[Polynomial] | str:
    """The peak of a step, or why none is told."""
    with quiet():
        config = TASKS[run.task].model(MODELS[run.model], 0).config
    return _told(run.method, run.settings, config)


def _told(method: str, settings: Settings, config: PretrainedConfig) -> list[Polynomial] | str:
    key = (method, settings, config.to_json_string())  # tasks of as many classes are the same
    if key not in TOLD:
        setting = peaks.Setting(torch.float32, config._attn_implementation)
        try:
            TOLD[key] = peaks.peaks(load_method(method), config, setting, **dict(settings))
        except ValueError as error:
            TOLD[key] = str(error)
    return TOLD[key]


def row(run: Run, budget: Budget) -> list[object]:
    """A line of the file."""
    _, _, loop = prepared(run, budget)
    batches = islice(loop.batches(loop.seed), MEASURED)
    lengths = [batch["input_ids"].shape[1] for batch in batches]
    found = told(run)
    start = [run.method, run.model, run.group, budget.rows, " ".join(map(str, lengths))]
    if isinstance(found, str):
        return [*start, "", found]
    return [*start, max(value(one, budget.rows, n) for one in found for n in lengths), ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("methods", metavar="METHOD", nargs="*", help="default: all")
    names = parser.parse_args().methods or [*method_files()]
    torch.set_num_threads(1)
    there = FILE.read_text(encoding="utf-8").splitlines() if FILE.exists() else []
    kept = [line for line in csv.reader(there) if line[0] not in {"method", *names}]
    runs = [case for name in names for case in measured(name)]
    lines = sorted([*kept, *(list(map(str, row(*case))) for case in tqdm(runs, unit="run"))])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEAD, *lines])
    files.replace(FILE, text.getvalue().rstrip("\n"))


if __name__ == "__main__":
    main()
