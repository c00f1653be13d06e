"""What each command says of itself, for the site's page of commands."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator
from functools import partial

from . import COMMANDS


def manual() -> Iterator[tuple[str, str, str]]:
    """Each command of the catalog: its name, what its module says of it, and its own help."""
    for name, purpose in COMMANDS.items():
        module = importlib.import_module(f"{__package__}.{name}")
        parser = argparse.ArgumentParser(prog=f"python -m tools {name}", description=purpose)
        module.arguments(parser)
        # as wide on every machine, and without paths of this one
        parser.formatter_class = partial(argparse.HelpFormatter, width=90)
        text = (module.__doc__ or "").strip()
        yield name, text.partition("\n\n")[2], parser.format_help()
