"""What is committed beside the catalog: results and records, read as data."""

from __future__ import annotations

from pydantic import ValidationError


class CommittedError(Exception):
    """A committed file does not hold what it should; the message is one line and names the file."""


def first_fault(error: ValidationError) -> str:
    """The place and the message of the first of the faults."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"])) or "the file"
    return f"{where}: {first['msg']}"
