"""Compare the committed closed forms with the code, or find them anew.

    python -m tests.closed_forms [--seed N | --write]

Without `--write`, every form is evaluated for fresh random models and compared with what is
measured of them. With it, `reference_impls/closed_forms.json` is made, which takes a core about a
quarter of an hour.
"""

from __future__ import annotations

import argparse
import sys

from reference_impls.core.registry import load_methods
from tests.closed_forms import fit


def main(arguments: list[str] | None = None) -> int:
    """Returns 0, or 1 where a form is wrong; then it says which."""
    parser = argparse.ArgumentParser(prog="python -m tests.closed_forms")
    parser.add_argument("--write", action="store_true", help="find them: make closed_forms.json")
    parser.add_argument("--seed", type=int, default=1, help="of the random models (default: 1)")
    options = parser.parse_args(arguments)
    methods = load_methods()
    if options.write:
        fit.write(methods)
        return 0
    number = 0
    for which, said, measured in fit.comparisons(methods, options.seed):
        number += len(measured)
        if said != measured:
            print(f"{which}: {said}, but measured is {measured}", file=sys.stderr)
            return 1
    print(f"{number} numbers are as the closed forms say")
    return 0


if __name__ == "__main__":
    sys.exit(main())
