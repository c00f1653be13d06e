"""How far a run's score moves on another processor: repeat each committed run's seed 0 with other
vector instructions, in place of what the processor has, and print the differences.

    python benchmarks/repeat.py [METHOD ...]

`TOLERANCE` in `reference_impls/measure/runs.py` rests on the largest difference.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from reference_impls.core.registry import load_methods
from reference_impls.measure.runs import path_of

INSTRUCTIONS = {"none": ("default", "SSE4_2", "SSE41"), "AVX2": ("avx2", "AVX2", "AVX2")}


def repeat(method: str, task: str, instructions: str) -> float:
    aten, mkl, onednn = INSTRUCTIONS[instructions]
    settings = {
        "ATEN_CPU_CAPABILITY": aten,
        "MKL_ENABLE_INSTRUCTIONS": mkl,
        "ONEDNN_MAX_CPU_ISA": onednn,
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "reference_impls", "train", method, "--task", task, "--json"]
    done = subprocess.run(
        command, env={**os.environ, **settings}, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)["score"]


def main() -> None:
    methods = load_methods()
    largest = 0.0
    print("| method | task | committed | " + " | ".join(INSTRUCTIONS) + " |")
    print("|---|---|--:|" + "--:|" * len(INSTRUCTIONS))
    for name in sys.argv[1:] or methods:
        for task in methods[name].tasks:
            run = json.loads(path_of(name, task).read_text(encoding="utf-8"))
            score = run["seeds"][0]["score"]
            others = [repeat(name, task, instructions) for instructions in INSTRUCTIONS]
            largest = max(largest, *(abs(other - score) for other in others))
            cells = " | ".join(f"{value:.3f}" for value in others)
            print(f"| {name} | {task} | {score:.3f} | {cells} |", flush=True)
    print(f"\nlargest difference: {largest:.3f}")


if __name__ == "__main__":
    main()
