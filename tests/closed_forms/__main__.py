"""Compare the committed closed forms with the code, or find them anew.

    python -m tests.closed_forms [NAME …] [--seed N | --write | --renew]

Without `--write`, every form is evaluated for fresh random models and compared with what is
measured of them. With it, `measured/forms.json` is made beside each method that is named, which
takes a core about ten seconds a method; of all methods, and with what they share, where none is.
With `--renew`, forms that hold are kept, and tied to the code that is here now.
"""

from __future__ import annotations

import argparse
import sys

from reference_impls.core.registry import load_method, method_files
from tests.closed_forms import written
from tests.closed_forms.solve import NoFormError


def main(arguments: list[str] | None = None) -> int:
    """Returns 0, or 1 where a form is wrong or there is none, or 2; then it says which."""
    parser = argparse.ArgumentParser(prog="python -m tests.closed_forms")
    parser.add_argument("methods", nargs="*", metavar="NAME", help="default: all with a forms.py")
    parser.add_argument("--write", action="store_true", help="find them: make measured/forms.json")
    parser.add_argument("--renew", action="store_true", help="find those that no longer hold")
    parser.add_argument("--seed", type=int, default=1, help="of the random models (default: 1)")
    options = parser.parse_args(arguments)
    declared = [n for n, path in method_files().items() if path.with_name("forms.py").exists()]
    try:
        methods = {name: load_method(name) for name in options.methods or declared}
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    for name in methods.keys() - set(declared):
        print(f"{name} has no forms.py, which declares what its forms are of", file=sys.stderr)
        return 2
    if options.write or options.renew:
        try:
            for method in methods.values():
                (written.renew if options.renew else written.write)(method)
        except NoFormError as error:
            print(f"{error}: its terms in forms.py do not suffice", file=sys.stderr)
            return 1
        if options.write and not options.methods:
            written.write_shared()
        return 0
    number = 0
    for which, said, measured in written.comparisons(methods, options.seed):
        number += len(measured)
        if said != measured:
            print(f"{which}: {said}, but measured is {measured}", file=sys.stderr)
            return 1
    print(f"{number} numbers are as the closed forms say")
    return 0


if __name__ == "__main__":
    sys.exit(main())
