"""Where faults of code are shown: in a method's file, and in the files beside it."""

from __future__ import annotations

from pathlib import Path

from ..data.declared import line_of
from ..data.implementations import Implementation
from . import Context, Source


def source_of(implementation: Implementation) -> Source:
    return Source(implementation.path, implementation.line, implementation.name)


def file_beside(implementation: Implementation, name: str) -> str:
    return Path(implementation.path).with_name(name).as_posix()


def at(context: Context, path: str, *keys: str | int) -> Source:
    """The place of a key in a card, or in what else is declared."""
    text = (context.root / path).read_text(encoding="utf-8")
    return Source(path, line_of(text, keys), Path(path).parent.name)
