"""The committed ledgers, for what a method's own tests say of its memory."""

from __future__ import annotations

from reference_impls.core.method import METHODS
from reference_impls.core.registry import load_methods
from reference_impls.measure import files, ledgers
from reference_impls.measure.ledger import Ledger
from tests.methods.settings import BASELINES

load_methods()
FILES = {name: files.read(ledgers.path_of(method)) for name, method in METHODS.items()}
LAB = {name: file["lab"] for name, file in FILES.items()}
ARCHITECTURES = {
    architecture: {name: file["architectures"][architecture] for name, file in FILES.items()}
    for architecture in ledgers.ARCHITECTURES
}


def kept(report: dict) -> Ledger:
    """The bytes of a report."""
    return Ledger(**report["ledger"])


def beside_full(name: str) -> list[tuple[Ledger, Ledger]]:
    """The method's ledger and that of training all weights, by architecture that it runs on."""
    full = BASELINES["upper"]
    return [
        (kept(found[name]), kept(found[full]))
        for found in ARCHITECTURES.values()
        if "refused" not in found[name]
    ]
