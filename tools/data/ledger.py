"""The committed ledger: the bytes that a training step of each method keeps."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from .committed import first_fault
from .runs import Counts, RunError

# Titles of the real architectures in the file
ARCHITECTURES = {"bert-base": "BERT-base", "llama-2-7b": "Llama 2 7B"}
LEDGER = Path("reference_impls") / "ledger.json"


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
    """One method on one task or architecture; `phase` is the costliest and the number of all."""

    rows: int
    length: int
    counts: Counts
    ledger: Bytes
    phase: tuple[int, int]
    inference: Inference


class Refused(_Model):
    """Why a method has no ledger on an architecture."""

    refused: str


class Ledger(_Model):
    """ledger.json: method -> task -> report, and architecture -> method -> report."""

    versions: dict[str, str] = {}
    lab: dict[str, dict[str, Report]] = {}
    architectures: dict[str, dict[str, Report | Refused]] = {}


def times(part: int, whole: int) -> str:
    """A ratio: '×1.06', '×1' where it is exact."""
    return "×1" if part == whole else f"×{part / whole:.2f}"


def read_ledger(root: Path) -> Ledger:
    """The committed ledger below `root`, an empty one where there is none. Raises RunError."""
    path = root / LEDGER
    if not path.is_file():
        return Ledger()
    try:
        return Ledger.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise RunError(f"{LEDGER.as_posix()}: {first_fault(error)}") from None
    except ValueError as error:
        raise RunError(f"{LEDGER.as_posix()}: is not JSON: {error}") from None
