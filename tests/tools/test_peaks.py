"""Measured peaks beside the ledger's sums."""

from __future__ import annotations

import json
from pathlib import Path

from tools.data import peaks
from tools.data.files import ROOT


def row(method: str, peak: int | None, *sums: int, card: str = "Card", **more: str) -> dict:
    kinds = ("weights", "gradients", "optimizer", "activations", "other")
    found = {"method": method, "architecture": "bert-base", "precision": "float32", "card": card}
    measured = {"plain": {"peak": peak}} if peak else {"error": "out of memory"}
    ledger = dict(zip(kinds, sums, strict=True)) if sums else {"refused": "it looks at its data"}
    return {**found, **measured, "ledger": ledger, **more}


def test_ratios_are_those_of_what_was_run_and_counted(tmp_path: Path) -> None:
    rows = [
        row("a", 50, 10, 10, 10, 10, 10),
        row("b", 30, 20, 0, 0, 0, 0),
        row("c", None, 20, 0, 0, 0, 0),
        row("d", 30),
        row("e", 30, 60, 0, 0, 0, 0, precision="bfloat16"),
    ]
    (tmp_path / "card.json").write_text(json.dumps({"rows": rows}))
    half, whole = peaks.read(tmp_path)
    assert half == ("Card", "BERT-base", "bfloat16", (0.5,))
    assert whole == ("Card", "BERT-base", "float32", (1.0, 1.5))
    assert whole.median == 1.25


def test_no_rows_are_no_peaks(tmp_path: Path) -> None:
    assert peaks.read(tmp_path) == []


def test_the_compare_page_has_those_of_the_committed_rows() -> None:
    found = {(p.card, p.architecture, p.precision): len(p.ratios) for p in peaks.read()}
    rows = json.loads((ROOT / "benchmarks/nvidia-h200.json").read_text(encoding="utf-8"))["rows"]
    counted = [r for r in rows if "plain" in r and "refused" not in r["ledger"]]
    assert sum(found.values()) == len(counted)
    assert len({(r["method"], r["architecture"], r["precision"]) for r in rows}) == len(rows)
