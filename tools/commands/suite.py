"""Read the runs that a library publishes, and keep them beside those made here.

`FOLDER` is a checkout of https://github.com/huggingface/peft. Which runs are of a method that is
implemented here is said by `suite` in the method's `card.toml`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from ..data.files import ROOT, write
from ..data.scores import SUITES, Suite
from ..records.suites import SuiteError, read_peft


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a checkout of peft")


def main(options: argparse.Namespace) -> int:
    try:
        suite = read_peft(options.folder, commit(options.folder))
    except SuiteError as error:
        print(f"tools suite: {error}", file=sys.stderr)
        return 2
    path = ROOT / SUITES / "peft.json"
    write(path, as_json(suite))
    print(f"{path.relative_to(ROOT)}: {len(suite.runs)} runs at {suite.commit[:8]}")
    return 0


def commit(folder: Path) -> str:
    """What is checked out there. Raises SuiteError."""
    asked = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(asked, capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        raise SuiteError(f"{folder}: no commit is known: {' '.join(said.split())}") from None
    return found.stdout.strip()


def as_json(suite: Suite) -> str:
    """A line a run, so that a change of one is a change of its line."""
    head = suite.model_copy(update={"runs": ()}).model_dump_json(indent=1, exclude={"runs"})
    runs = ",\n".join(f"  {run.model_dump_json()}" for run in suite.runs)
    return f'{head.rstrip().removesuffix("}").rstrip()},\n "runs": [\n{runs}\n ]\n}}\n'
