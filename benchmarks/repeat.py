"""How far a run moves on another processor, or one with other vector instructions.

The first steps of each committed run are repeated, with `--whole` all of it, and the differences
printed.

    python benchmarks/repeat.py [METHOD ...] [--whole]

`LOSSES` and `TOLERANCE` in `reference_impls/measure/recorded.py` rest on the largest differences.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

INSTRUCTIONS = {"none": ("default", "SSE4_2", "SSE41"), "AVX2": ("avx2", "AVX2", "AVX2")}
REPEAT = """
import json, sys, torch
from fine_tuning_atlas.core.registry import load_method
from fine_tuning_atlas.measure import recorded, runs
torch.set_num_threads(1)
whole, *names = sys.argv[1:]
for name in names:
    method = load_method(name)
    for task, run in recorded.committed(method).items():
        losses = recorded.beginning(method, task)
        moved = max(
            abs(new - old) / max(1, abs(old))
            for (_, new), (_, old) in zip(losses, run["beginning"], strict=True)
        )
        score = run["seeds"][0]["score"]
        again = score
        if whole == "whole":
            again = runs.one(method, task, every=runs.STEPS, progress=False)["score"]
        print(json.dumps([name, task, moved, abs(again - score)]), flush=True)
"""


def repeat(names: list[str], instructions: str, whole: bool) -> list[tuple[str, str, float, float]]:
    """(method, task, how far a loss moved, how far the score did) of each run."""
    aten, mkl, onednn = INSTRUCTIONS[instructions]
    settings = {
        "ATEN_CPU_CAPABILITY": aten,
        "MKL_ENABLE_INSTRUCTIONS": mkl,
        "ONEDNN_MAX_CPU_ISA": onednn,
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-c", REPEAT, "whole" if whole else "first steps", *names]
    done = subprocess.run(
        command, env={**os.environ, **settings}, stdout=subprocess.PIPE, text=True, check=True
    )
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def main() -> None:
    from fine_tuning_atlas.core.registry import method_files

    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("method", nargs="*", help="default: all")
    parser.add_argument("--whole", action="store_true", help="repeat the scores as well")
    options = parser.parse_args()
    names = options.method or list(method_files())
    print("| instructions | method | task | loss moves by | score moves by |")
    print("|---|---|---|--:|--:|")
    found = [(way, *row) for way in INSTRUCTIONS for row in repeat(names, way, options.whole)]
    for way, name, task, loss, score in found:
        print(f"| {way} | {name} | {task} | {loss:.1e} | {score:.3f} |")
    print(f"\nlargest: loss {max(f[3] for f in found):.1e}, score {max(f[4] for f in found):.3f}")


if __name__ == "__main__":
    main()
