"""Peaks of real steps beside the ledger's sums: the rows that benchmarks/device.py wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from pydantic import BaseModel, TypeAdapter, ValidationError

from .committed import CommittedError, first_fault
from .ledger import ARCHITECTURES, Bytes, Refused


class Peaks(NamedTuple):
    """The peaks of an architecture's steps, each as a multiple of the ledger's sum.

    `seconds`: what the methods' steps take with the attention that PyTorch chooses.
    """

    card: str
    architecture: str
    precision: str
    ratios: tuple[float, ...]
    seconds: tuple[float, ...] = ()

    @property
    def median(self) -> float:
        return median(self.ratios)


class Step(NamedTuple):
    """A step that was run on a card, with the attention that PyTorch chooses: its peak in bytes."""

    card: str
    architecture: str
    precision: str
    method: str
    peak: int


class _Step(BaseModel):
    peak: int
    seconds: float = 0.0


class _Row(BaseModel):
    """A method's step with attention by its formula, which the ledger counts, and by a kernel."""

    card: str
    architecture: str
    precision: str
    method: str
    ledger: Bytes | Refused
    plain: _Step | None = None
    fused: _Step | None = None


class _Rows(BaseModel):
    rows: tuple[_Row, ...]


_FILE = TypeAdapter(_Rows)


def read_peaks(root: Path) -> tuple[Peaks, ...]:
    """By card, architecture and precision; steps that could not be run or counted are left out.

    Raises CommittedError.
    """
    found: dict[tuple[str, str, str], list[float]] = {}
    seconds: dict[tuple[str, str, str], list[float]] = {}
    for row in _rows(root):
        if row.plain and isinstance(row.ledger, Bytes):
            title = ARCHITECTURES.get(row.architecture, row.architecture)
            place = (row.card, title, row.precision)
            found.setdefault(place, []).append(row.plain.peak / row.ledger.total)
            if row.fused:
                seconds.setdefault(place, []).append(row.fused.seconds)
    return tuple(
        Peaks(*place, tuple(ratios), tuple(seconds.get(place, ())))
        for place, ratios in sorted(found.items())
    )


def read_steps(root: Path) -> tuple[Step, ...]:
    """The steps that were run. Raises CommittedError."""
    return tuple(
        Step(row.card, row.architecture, row.precision, row.method, row.fused.peak)
        for row in _rows(root)
        if row.fused
    )


def _rows(root: Path) -> Iterator[_Row]:
    for path in sorted((root / "benchmarks").glob("*.json")):
        try:
            yield from _FILE.validate_json(path.read_bytes()).rows
        except ValidationError as error:
            where = path.relative_to(root).as_posix()
            raise CommittedError(f"{where}: {first_fault(error)}") from None
