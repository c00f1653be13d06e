"""Peaks of real steps beside the ledger's sums: the rows that benchmarks/device.py wrote."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import NamedTuple

from .files import ROOT
from .ledger import ARCHITECTURES

FOLDER = ROOT / "benchmarks"


class Peaks(NamedTuple):
    """The peaks of an architecture's steps, each as a multiple of the ledger's sum."""

    card: str
    architecture: str
    precision: str
    ratios: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.ratios)


def read(folder: Path = FOLDER) -> list[Peaks]:
    """By card, architecture and precision; steps that could not be run or counted are left out."""
    found: dict[tuple[str, str, str], list[float]] = {}
    for path in sorted(folder.glob("*.json")):
        for row in json.loads(path.read_text(encoding="utf-8"))["rows"]:
            if "plain" in row and "refused" not in row["ledger"]:
                title = ARCHITECTURES.get(row["architecture"], row["architecture"])
                ratios = found.setdefault((row["card"], title, row["precision"]), [])
                ratios.append(row["plain"]["peak"] / sum(row["ledger"].values()))
    return [Peaks(*place, tuple(ratios)) for place, ratios in sorted(found.items())]
