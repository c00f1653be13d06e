"""What was read of a catalog: plain data, the place of every key, and faults of the text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from .findings import Finding


class Mark(NamedTuple):
    """A place in a file, counted from 1."""

    line: int
    column: int


def mark_of(start: yaml.Mark) -> Mark:
    """What the parser counts from 0."""
    return Mark(start.line + 1, start.column + 1)


# Where findings point that no key or item has a place for.
TOP = yaml.Mark("", 0, 0, 0, None, None)


class Part(NamedTuple):
    """A further file: its path, where its entries begin among the papers, and its first line."""

    path: str
    start: int
    first_line: str


@dataclass
class Document:
    """What a file holds, or several that are read as one.

    `data` is None where the file could not be read at all. `marks` gives, for the identity of a
    container in `data` and a key or index in it, where the parser saw it. `parts` are the
    files beside the first one, in order.
    """

    path: str
    first_line: str = ""
    data: Any = None
    marks: dict[tuple[int, str | int], yaml.Mark] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    # Containers that are in `data` no more are kept, or the marks of what takes their place in
    # memory are mixed with theirs.
    dropped: list[Any] = field(default_factory=list)

    def at(self, path: tuple[str | int, ...]) -> Any:
        """The value at `path`. Raises LookupError where the document has no such path."""
        value = self.data
        for part in path:
            value = value[part]
        return value

    def mark(self, path: tuple[str | int, ...]) -> Mark:
        """The place of the deepest part of `path` that the document has."""
        value, deepest = self.data, TOP
        for part in path:
            found = self.marks.get((id(value), part))
            if found is None:
                break
            value, deepest = value[part], found
        return mark_of(deepest)

    def file(self, path: tuple[str | int, ...]) -> str:
        """The file in which `path` is."""
        section, index = (*path, None, None)[:2]
        if section != "papers" or not isinstance(index, int):
            return self.path
        return next((p.path for p in reversed(self.parts) if p.start <= index), self.path)

    def told(self, path: tuple[str | int, ...], reader: tuple[str | int, ...]) -> str:
        """Where `path` is, seen from `reader`: 'on line 5', 'at papers/2021.yaml:5'."""
        file, line = self.file(path), self.mark(path).line
        return f"on line {line}" if file == self.file(reader) else f"at {file}:{line}"
