"""What an engine costs beside the runs that it carries out.

    python benchmarks/engines.py [--runs 200]

prints a Markdown table: seconds until the first run is back, and milliseconds for each further one,
of runs that do nothing, on two workers. Ray has to be installed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from fine_tuning_atlas.real.engines import Local, Ray


def nothing(number: int) -> int:
    return number


def measured(make: Callable[[], Local | Ray], runs: int) -> tuple[float, float]:
    """Seconds of the start with its first run, and of each further run."""
    started = time.perf_counter()
    engine = make()
    carry_out(engine, 1)
    ready = time.perf_counter()
    carry_out(engine, runs)
    ended = time.perf_counter()
    engine.close()
    return ready - started, (ended - ready) / runs


def carry_out(engine: Local | Ray, runs: int) -> None:
    for number in range(runs):
        engine.submit(nothing, number)
    left = runs
    while left:
        left -= len(list(engine.finished(1)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    options = parser.parse_args()
    print("| engine | start | a run |\n| :----- | ----: | ----: |")
    for name, make in {"local": lambda: Local(2), "ray": lambda: Ray(None, 2)}.items():
        start, each = measured(make, options.runs)
        print(f"| {name} | {start:.1f} s | {1000 * each:.1f} ms |")


if __name__ == "__main__":
    main()
