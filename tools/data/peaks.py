"""Peaks of real steps beside the ledger's sums, and what is predicted of others.

The rows that benchmarks/device.py and benchmarks/real_peaks.py wrote.
"""

from __future__ import annotations

import csv
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


class Predicted(NamedTuple):
    """The predicted peak of the steps of a run on real weights, in bytes; None: `refused`, why."""

    method: str
    model: str
    group: str
    rows: int
    lengths: tuple[int, ...]
    peak: int | None
    refused: str


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


def read_predicted(root: Path) -> tuple[Predicted, ...]:
    """What is predicted of the runs on real weights. Raises CommittedError."""
    path = root / "benchmarks" / "real_peaks.csv"
    if not path.exists():
        return ()
    found = []
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            try:
                lengths = tuple(map(int, line["lengths"].split()))
                peak = int(line["predicted"]) if line["predicted"] else None
                where = line["method"], line["model"], line["group"], int(line["rows"])
                found.append(Predicted(*where, lengths, peak, line["refused"]))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                place = f"benchmarks/real_peaks.csv:{len(found) + 2}"
                raise CommittedError(f"{place}: not a predicted peak: {error}") from None
    return tuple(found)
