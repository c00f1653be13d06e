"""What `make parity` measured: the committed files are well formed and are written as they are."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parity import conftest
from tests.parity.conftest import differing, place, read, write

ROWS = [(method, row) for method, rows in read().items() for row in rows]
KEYS = ["library", "version", "compared", "models", "outcome", "difference", "note"]
# a lock file for each environment
LOCKED = {
    line.split("==")[0].lower(): line.split("==")[1].strip()
    for lock in (Path(__file__).parents[1] / "parity").glob("*.txt")
    for line in lock.read_text().splitlines()
    if "==" in line
}


def test_each_method_has_its_rows_beside_it_one_a_line(tmp_path, monkeypatch):
    assert len(ROWS) > 100
    files = {name: tmp_path / name / f"{name}.py" for name in (*read(), "gone")}
    for path in files.values():
        path.parent.mkdir()
    committed = read()
    texts = {name: place(name).read_text() for name in committed}
    monkeypatch.setattr(conftest, "method_files", lambda: files)
    write({"gone": ROWS[:1], **committed})
    write(committed)
    assert read() == committed
    assert {name: place(name).read_text() for name in committed} == texts
    assert not place("gone").exists()


@pytest.mark.parametrize("some", ["tests/parity -k none", "tests/parity/conftest.py"])
def test_only_a_run_of_all_tests_may_write_what_was_measured(some):
    command = [sys.executable, "-m", "pytest", "--record", "-n0", *some.split()]
    root = Path(conftest.__file__).parents[2]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert ended.returncode == pytest.ExitCode.USAGE_ERROR, ended.stdout
    assert "--record would drop what is not measured" in ended.stderr


def test_a_row_of_another_processor_stands():
    outcomes = conftest.Outcomes()
    outcomes.stands("qlora", "matrix with rows of 32")
    (row,) = outcomes.rows["qlora"]
    assert row in read()["qlora"]
    assert row["compared"] == "matrix with rows of 32"


@pytest.mark.parametrize(("method", "row"), ROWS)
def test_rows(method, row):
    assert list(row) == KEYS
    assert row["version"] == LOCKED[row["library"]]
    assert row["compared"]
    assert row["models"] == sorted(set(row["models"])) != []
    deviates = row["outcome"] == "deviates"
    if deviates or row["outcome"] == "equal-after":
        assert row["note"], "what is different, or was changed, is to be said"
    else:
        assert (row["outcome"], row["note"]) == ("equal", "")
    if row["difference"] is None:
        assert deviates
    else:
        assert math.isfinite(row["difference"])
        assert (abs(row["difference"]) > 1e-4) == deviates


def test_no_claim_is_made_twice():
    claims = [json.dumps([method, row]) for method, row in ROWS]
    assert len(set(claims)) == len(claims)


ROW = {**ROWS[0][1], "outcome": "deviates", "difference": 0.05}


@pytest.mark.parametrize(
    ("change", "signs"),
    [
        ({}, ""),
        ({"difference": 0.052}, ""),
        ({"difference": 0.06}, "+-"),
        ({"difference": None}, "+-"),
        ({"version": "9"}, "+-"),
        ({"outcome": "equal"}, "+-"),
        ({"models": ["T5"]}, "+-"),
    ],
)
def test_what_is_measured_anew_must_be_what_is_committed(change, signs):
    found = differing({"any": [ROW]}, {"any": [{**ROW, **change}]})
    assert "".join(sign for sign, _, _ in found) == signs


def test_digits_of_rounding_may_differ_and_counts_may_not():
    equal, count = {**ROW, "outcome": "equal", "difference": 0.0}, {**ROW, "difference": 128}
    assert not differing({"any": [equal]}, {"any": [{**equal, "difference": 2e-7}]})
    assert differing({"any": [count]}, {"any": [{**count, "difference": 129}]})


def test_rows_may_not_come_or_go():
    assert [sign for sign, _, _ in differing({}, {"any": [ROW]})] == ["+"]
    assert [sign for sign, _, _ in differing({"any": [ROW]}, {})] == ["-"]
