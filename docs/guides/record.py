"""Run guides, and say where they no longer do what their recorded run did.

    python docs/guides/record.py [GUIDE ...] [--write]

`--write` records the runs instead. A repeated run must print the same words and whole numbers. Of
other numbers, fractions and percentages may differ by the guide's tolerance, and what is printed
as a power of ten, which is what rounding leaves, must stay as small as rounding.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import re
import sys
import time
from contextlib import redirect_stdout
from itertools import zip_longest
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import figures
import torch
import transformers
from fine_tuning_atlas.tools.data.guides import ORDER, Block, Recorded, Shown, digest, split

HERE = Path(__file__).resolve().parent
# As for the runs of methods: three times what other vector instructions were seen to change
TOLERANCE = 0.02
ROUNDING = 1e-4
_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e[-+]\d+)?%?")


def run(name: str) -> Recorded:
    """Execute a guide, piece by piece."""
    path = HERE / f"{name}.py"
    _, _, blocks = split(path.read_text(encoding="utf-8"), path.name)
    torch.set_num_threads(1)
    space: dict[str, object] = {"__name__": "__main__"}
    started = time.process_time()
    shown = [execute(block, path, space) for block in blocks]
    return Recorded(
        code=digest(blocks),
        seconds=round(time.process_time() - started, 1),
        tolerance=space.get("TOLERANCE", TOLERANCE),
        versions={
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
        shown=shown,
    )


def execute(block: Block, path: Path, space: dict[str, object]) -> Shown:
    """What a piece of a guide prints and draws; errors name the guide's own lines."""
    figures.DRAWN.clear()
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile("\n" * (block.line - 1) + block.code, path, "exec"), space)  # noqa: S102
    return Shown(output=printed.getvalue().rstrip(), figures=list(figures.DRAWN))


def differences(old: Recorded, new: Recorded) -> list[str]:
    """Where a repeated run differs by more than it may, a line each."""
    found = []
    if old.code != new.code:
        found.append("the code changed since the run was recorded")
    for number, (before, after) in enumerate(zip_longest(old.shown, new.shown, fillvalue=Shown())):
        for one, other in zip_longest(lines(before), lines(after), fillvalue=""):
            if not alike(one, other, old.tolerance):
                found.append(f"piece {number + 1}: '{other}' in place of '{one}'")
    return found


def lines(shown: Shown) -> list[str]:
    """What was shown as lines of text: one for each that was printed, one for each figure."""
    drawn = [json.dumps(figure.model_dump(mode="json")) for figure in shown.figures]
    return [*shown.output.split("\n"), *drawn]


def alike(one: str, other: str, tolerance: float) -> bool:
    """Whether two lines have the same words, and numbers as near as they must be."""
    words = [" ".join(_NUMBER.sub("0", line).split()) for line in (one, other)]
    pairs = zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=False)
    return words[0] == words[1] and all(near(*pair, tolerance) for pair in pairs)


def near(one: str, other: str, tolerance: float) -> bool:
    """Whether two numbers are as near as they must be: see above."""
    first, second = (float(text.rstrip("%").replace(",", "")) for text in (one, other))
    if "e" in one or "e" in other:
        return max(abs(first), abs(second)) < ROUNDING
    if "." not in one + other:
        return first == second
    return abs(first - second) <= tolerance * (100 if "%" in one else 1) + 1e-9


def main(arguments: list[str] | None = None) -> int:
    """The command line; exit status 1 where a run differs."""
    parser = argparse.ArgumentParser(prog="python docs/guides/record.py")
    parser.add_argument("guides", nargs="*", metavar="GUIDE", help=f"of {', '.join(ORDER)}")
    parser.add_argument("--write", action="store_true", help="record the runs")
    options = parser.parse_args(arguments)
    if unknown := set(options.guides) - set(ORDER):
        parser.error(f"no guide is called {', '.join(sorted(unknown))}")
    different = False
    for name in options.guides or ORDER:
        new, path = run(name), HERE / f"{name}.json"
        if options.write:
            path.write_text(new.model_dump_json(indent=1) + "\n", encoding="utf-8")
            print(f"{name}: {new.seconds} s")
            continue
        found = differences(Recorded.model_validate_json(path.read_text(encoding="utf-8")), new)
        different |= bool(found)
        print(*(f"{name}: {line}" for line in found or [f"as recorded, {new.seconds} s"]), sep="\n")
    return int(different)


if __name__ == "__main__":
    sys.exit(main())
