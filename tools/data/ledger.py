"""The ledger: the bytes that a training step of each method keeps, as measured and committed.

Where a method does what its data say, no step can be measured on shapes: its closed form tells.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter

from . import closed_forms
from .closed_forms import FormError
from .committed import measured
from .runs import Counts

# Titles of the real architectures in the file
ARCHITECTURES = {"bert-base": "BERT-base", "llama-2-7b": "Llama 2 7B"}


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Bytes(_Model):
    """What a training step keeps."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    other: int

    @property
    def total(self) -> int:
        return sum(self.model_dump().values())


class Inference(_Model):
    """FLOPs of a forward pass, and the positions that the adapted model adds to the input."""

    base: int
    adapted: int
    merged: int | None
    positions: int


class Report(_Model):
    """One method on one task or architecture; `phase` is the costliest and the number of all.

    `inference` is None where the numbers are those of the closed form.
    """

    rows: int
    length: int
    counts: Counts
    ledger: Bytes
    phase: tuple[int, int]
    inference: Inference | None


class Refused(_Model):
    """Why a method has no ledger on an architecture."""

    refused: str


class Ledger(_Model):
    """Method -> task -> report, and architecture -> method -> report."""

    versions: dict[str, str] = {}
    lab: dict[str, dict[str, Report]] = {}
    architectures: dict[str, dict[str, Report | Refused]] = {}


def times(part: int, whole: int) -> str:
    """A ratio: '×1.06', '×1' where it is exact."""
    return "×1" if part == whole else f"×{part / whole:.2f}"


class _Reports(_Model):
    """measured/ledger.json of one method."""

    lab: dict[str, Report]
    architectures: dict[str, Report | Refused]
    versions: dict[str, str]


_FILE = TypeAdapter(_Reports)


def computed(method: str, architecture: str) -> Report | None:
    """What a method's closed form says with the paper's settings, if it has one that applies."""
    file = closed_forms.read()
    if method not in file["methods"] or architecture not in file["architectures"]:
        return None
    try:
        found = closed_forms.counts(method, architecture)
    except FormError:
        return None
    numbers = {name: getattr(found, name) for name in Counts.model_fields}
    return Report(
        rows=file["batch"]["B"],
        length=file["batch"]["S"],
        counts=Counts(**numbers),
        ledger=Bytes(**found.ledger),
        phase=found.phase,
        inference=None,
    )


def read_ledger(root: Path) -> Ledger:
    """The committed ledgers below `root`, with closed forms. Raises CommittedError."""
    found = measured(root, "ledger", _FILE)
    architectures: dict[str, dict[str, Report | Refused]] = {}
    for method, reports in found.items():
        for architecture, report in reports.architectures.items():
            told = computed(method, architecture) if isinstance(report, Refused) else None
            architectures.setdefault(architecture, {})[method] = told or report
    return Ledger(
        versions=next((reports.versions for reports in found.values()), {}),
        lab={method: reports.lab for method, reports in found.items()},
        architectures=architectures,
    )
