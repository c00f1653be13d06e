"""A method's hyper-parameters as options of the command line."""

from __future__ import annotations

import argparse
import re
from functools import partial
from typing import Any

from .core.declarations import Declaration
from .core.options import KINDS, check

HYPER = "hyper:"


def add(parser: argparse.ArgumentParser, declaration: Declaration, lab: dict[str, Any]) -> None:
    """Add an option for each; `lab` has defaults that differ from the declared ones."""
    for name, (kind, default) in declaration.options.items():
        several = re.fullmatch(r"tuple\[(\w+), .*\]", kind)
        default = lab.get(name, default)
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            dest=HYPER + name,
            type=_TYPES[several[1]] if several else partial(_value, name, kind),
            nargs="+" if several else None,
            default=argparse.SUPPRESS,
            metavar=name.upper(),
            help=_help(kind, " ".join(map(str, default)) if several else default),
        )


def _help(kind: str, default: object) -> str:
    """What the option may be, and what it is by default."""
    words = f"{KINDS[kind].words}; " if kind in KINDS else ""
    return f"{words}default: {default}"


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"'{text}' is neither true nor false")
    return text == "true"


def _value(name: str, kind: str, text: str) -> Any:
    """An option's value, refused here and not after an import where it is none."""
    try:
        value = _TYPES[kind](text)
    except ValueError:
        value = text
    try:
        check(name, kind, value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return value


_TYPES = {name: kind.type for name, kind in KINDS.items()} | {
    "int": int,  # of several, as of tuple[int, ...]
    "float": float,
    "str": str,
    "bool": _boolean,
}


def given(options: argparse.Namespace) -> dict[str, Any]:
    """The hyper-parameters on the command line, with lists as the tuples that fields are."""
    return {
        name.removeprefix(HYPER): tuple(value) if isinstance(value, list) else value
        for name, value in vars(options).items()
        if name.startswith(HYPER)
    }
