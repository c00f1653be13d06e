"""Files that are committed as data: what was measured of each method, and what people wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")


class CommittedError(Exception):
    """A file does not hold what it should; the message is one line and names it."""


def measured(root: Path, what: str, kind: TypeAdapter[T]) -> dict[str, T]:
    """What `measured/WHAT.json` beside each method holds, by the method's name.

    Raises CommittedError.
    """
    found = {}
    for path in sorted((root / "reference_impls").glob(f"*/*/measured/{what}.json")):
        try:
            found[path.parents[1].name] = kind.validate_json(path.read_bytes())
        except ValidationError as error:
            where = path.relative_to(root).as_posix()
            raise CommittedError(f"{where}: {first_fault(error)}") from None
    return dict(sorted(found.items()))


def first_fault(error: ValidationError) -> str:
    """The place and the message of the first of the faults."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"])) or "the file"
    return f"{where}: {first['msg']}"
