"""The command line: `python -m tools COMMAND`.

Exit status 0: clean; 1: there are findings (or, for checks, something is stale); 2: the command
itself failed. Only what a command needs is imported, so that it starts at once.
"""

from __future__ import annotations

import argparse
import importlib
import sys

from .commands import COMMANDS


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m tools", description="The catalog's commands.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(
            name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}."
        )
        if arguments[:1] == [name]:
            try:
                module = importlib.import_module(f"{__package__}.commands.{name}")
            except ModuleNotFoundError as error:
                if not error.name or error.name.startswith(__package__):
                    raise
                need = f"this needs {error.name}: pip install 'fine-tuning-atlas[catalog]'"
                print(f"tools {name}: {need}", file=sys.stderr)
                return 2
            module.arguments(command)
    options = parser.parse_args(arguments)
    try:
        return module.main(options)
    except Exception as error:  # the last resort: one line and exit status 2, never a traceback
        text = " ".join(str(error).split()) or "no message"
        print(f"tools {options.command}: {type(error).__name__}: {text}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
