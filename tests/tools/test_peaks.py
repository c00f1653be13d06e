"""Measured peaks beside the ledger's sums."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.data.committed import CommittedError
from tools.data.files import ROOT
from tools.data.peaks import read_peaks


def row(method: str, peak: int | None, *sums: int, card: str = "Card", **more: str) -> dict:
    kinds = ("weights", "gradients", "optimizer", "activations", "other")
    found = {"method": method, "architecture": "bert-base", "precision": "float32", "card": card}
    measured = {"plain": {"peak": peak}} if peak else {"error": "out of memory"}
    ledger = dict(zip(kinds, sums, strict=True)) if sums else {"refused": "it looks at its data"}
    return {**found, **measured, "ledger": ledger, **more}


def write(root: Path, text: str) -> Path:
    """A file of rows below a root."""
    (root / "benchmarks").mkdir()
    (root / "benchmarks" / "card.json").write_text(text)
    return root


def test_ratios_are_those_of_what_was_run_and_counted(tmp_path: Path) -> None:
    rows = [
        row("a", 50, 10, 10, 10, 10, 10),
        row("b", 30, 20, 0, 0, 0, 0),
        row("c", None, 20, 0, 0, 0, 0),
        row("d", 30),
        row("e", 30, 60, 0, 0, 0, 0, precision="bfloat16"),
    ]
    half, whole = read_peaks(write(tmp_path, json.dumps({"rows": rows})))
    assert half == ("Card", "BERT-base", "bfloat16", (0.5,), ())
    assert whole == ("Card", "BERT-base", "float32", (1.0, 1.5), ())
    assert whole.median == 1.25


def test_seconds_are_those_of_the_kernel_that_torch_chooses(tmp_path: Path) -> None:
    one = row("a", 50, 10, 10, 10, 10, 10) | {"fused": {"peak": 1, "seconds": 0.25}}
    one["plain"]["seconds"] = 9.0
    (found,) = read_peaks(write(tmp_path, json.dumps({"rows": [one]})))
    assert found.seconds == (0.25,)


def test_no_rows_are_no_peaks(tmp_path: Path) -> None:
    assert read_peaks(tmp_path) == ()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "benchmarks/card.json: the file: Invalid JSON"),
        (
            '{"rows": [{"card": "Card"}]}',
            "benchmarks/card.json: rows.0.architecture: Field required",
        ),
    ],
)
def test_a_spoiled_file_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(CommittedError, match=complaint):
        read_peaks(write(tmp_path, text))


def test_the_committed_rows_are_all_read() -> None:
    found = {(p.card, p.architecture, p.precision): len(p.ratios) for p in read_peaks(ROOT)}
    rows = json.loads((ROOT / "benchmarks/nvidia-h200.json").read_text(encoding="utf-8"))["rows"]
    counted = [r for r in rows if "plain" in r and "refused" not in r["ledger"]]
    assert sum(found.values()) == len(counted)
    assert len({(r["method"], r["architecture"], r["precision"]) for r in rows}) == len(rows)
