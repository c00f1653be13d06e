"""The command line: `python -m tools validate` and `python -m tools build`.

Exit status 0: clean; 1: there are findings (or, for build --check, something is stale); 2: the
command itself failed. Only what a command needs is imported, so that it starts at once.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools", description="The catalog's commands.")
    commands = parser.add_subparsers(dest="command", required=True)
    validate = commands.add_parser("validate", help="check papers.yaml and what belongs to it")
    validate.add_argument(
        "path", nargs="?", type=Path, default=ROOT / "papers.yaml", help="default: papers.yaml"
    )
    validate.add_argument("--format", choices=("text", "json", "github"), default="text")
    build = commands.add_parser("build", help="write README.md, the schema and the site's pages")
    build.add_argument("--check", action="store_true", help="only say what is not current")
    options = parser.parse_args(arguments)
    try:
        if options.command == "build":
            from tools.build import main as run_build

            return run_build(check=options.check)
        from tools.validation import main as run_validate

        return run_validate(options.path, options.format)
    except Exception as error:  # the last resort: one line and exit status 2, never a traceback
        text = " ".join(str(error).split()) or "no message"
        print(f"tools {options.command}: {type(error).__name__}: {text}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
