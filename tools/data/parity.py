"""Comparisons with other implementations, as `tests/parity` measured them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from .committed import measured


class Comparison(BaseModel):
    """One thing compared with one library, on models for which it came out alike.

    `difference` is the largest difference of two values or, where counts were compared, the
    library's minus ours; None where the two could not be subtracted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    library: str
    version: str
    compared: str
    models: Annotated[tuple[str, ...], Field(min_length=1)]
    outcome: Literal["equal", "equal-after", "deviates"]
    difference: int | Annotated[float, Field(allow_inf_nan=False)] | None
    note: str


_FILE = TypeAdapter(tuple[Comparison, ...])


def read_parity(root: Path) -> dict[str, tuple[Comparison, ...]]:
    """The comparisons of every method that has any, by its name. Raises CommittedError."""
    return measured(root, "parity", _FILE)


def verdicts(comparisons: tuple[Comparison, ...]) -> list[tuple[str, bool]]:
    """For each library, how its comparisons came out in a line, and whether it agrees in all."""
    found = []
    for library in dict.fromkeys((c.library, c.version) for c in comparisons):
        name = " ".join(library)
        own = [c for c in comparisons if (c.library, c.version) == library]
        apart = sum(c.outcome == "deviates" for c in own)
        found.append((f"{name}: {len(own) - apart} of {len(own)} equal", not apart))
    return found
