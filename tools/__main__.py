"""The command line: `python -m tools COMMAND`.

Exit status 0: clean; 1: there are findings (or, for checks, something is stale); 2: the command
itself failed. Only what a command needs is imported, so that it starts at once.
"""

from __future__ import annotations

import argparse
import importlib
import sys

# Command -> its module below `tools`, which has `arguments` and `main`, and what it does.
COMMANDS = {
    "validate": ("validation", "check papers.yaml and what belongs to it"),
    "build": ("build", "write README.md, the schema and the site's pages"),
    "preview": ("preview", "show the site in a browser while it is edited"),
    "add": ("add", "make an entry from an identifier or a citation file"),
    "fmt": ("fmt", "bring the entries of papers.yaml into their canonical form"),
    "issue": ("issue", "make an entry from the form 'Suggest a paper'"),
    "verify": ("verify", "compare entries with the records behind their identifiers"),
    "links": ("links", "check the links and identifiers of papers.yaml"),
    "export": ("export", "print papers as BibTeX, RIS, CSL, JSON, a feed or plain text"),
}


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m tools", description="The catalog's commands.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (module_name, purpose) in COMMANDS.items():
        command = commands.add_parser(
            name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}."
        )
        if arguments[:1] == [name]:
            module = importlib.import_module(f"tools.{module_name}")
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
