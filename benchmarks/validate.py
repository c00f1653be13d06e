"""How long a whole run of the validator takes, beside check-jsonschema on the same catalogs.

    python benchmarks/validate.py [--sizes 1200 10000] [--repeats 3]

prints a Markdown table: the processor time of whole processes (each keeps to one core), started in
turn, the median of the repeats. Only the ratio means something on another machine.
check-jsonschema checks the schema alone and names no lines; the validator checks its other rules
and the README as well.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from synthetic import write

ROOT = Path(__file__).resolve().parent.parent


def seconds(command: list[str | Path], statuses: set[int]) -> float:
    """The processor time of a command. Raises RuntimeError where it ends with another status."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    taken = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    if done.returncode not in statuses:
        raise RuntimeError(f"{command[2]}: status {done.returncode}: {done.stdout}{done.stderr}")
    return taken


def measure(size: int, repeats: int) -> tuple[float, float]:
    """Median seconds of the validator and of check-jsonschema on `size` entries."""
    with tempfile.TemporaryDirectory() as folder:
        catalog = write(Path(folder), size)
        schema = catalog.with_name("papers.schema.json")
        ours: list[str | Path] = [sys.executable, "-m", "tools", "validate", catalog]
        theirs: list[str | Path] = [sys.executable, "-m", "check_jsonschema"]
        theirs += ["--schemafile", schema, catalog]
        # A README of more than 500,000 bytes is itself a finding: status 1.
        clean = {0} if catalog.with_name("README.md").exists() else {1}
        runs = [(seconds(ours, clean), seconds(theirs, {0})) for _ in range(repeats)]
    return median(run[0] for run in runs), median(run[1] for run in runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_200, 10_000])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print("| entries | validate | check-jsonschema | ratio |")
    print("| ------: | -------: | ---------------: | ----: |")
    for size in options.sizes:
        ours, theirs = measure(size, options.repeats)
        print(f"| {size:,} | {ours:.2f} s | {theirs:.2f} s | {theirs / ours:.1f} |", flush=True)


if __name__ == "__main__":
    main()
