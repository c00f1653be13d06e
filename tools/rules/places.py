"""Where faults of code are shown: in a method's file, and in the files beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ..data.declared import DeclaredError, line_of
from ..data.implementations import Implementation
from . import Context, Fault, Source


def source_of(implementation: Implementation) -> Source:
    return Source(implementation.path, implementation.line, implementation.name)


def file_beside(implementation: Implementation, name: str) -> str:
    return Path(implementation.path).with_name(name).as_posix()


def in_file(path: str, line: int) -> Source:
    """A line of a file in a method's folder."""
    return Source(path, line, Path(path).parent.name)


def at(context: Context, path: str, *keys: str | int) -> Source:
    """The place of a key in a card, or in what else is declared."""
    text = (context.root / path).read_text(encoding="utf-8")
    return in_file(path, line_of(text, keys))


def unread(errors: Mapping[str, DeclaredError]) -> Iterator[Fault]:
    """What is wrong with files that declare something and cannot be read."""
    for error in errors.values():
        yield Fault(in_file(error.path, error.line), error.message)
