"""Kept runs are held against what is found now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reference_impls.real import again
from reference_impls.real import plan as plans
from reference_impls.real import sweep as sweeps
from reference_impls.real.again import TOLERANCE, kept, main, repeat
from reference_impls.real.results import Results
from reference_impls.real.training import AGREES, SHUFFLED, Run

from .small import PLAN, put
from .test_sweep import Here


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    put(monkeypatch)
    monkeypatch.setattr(plans, "read", lambda path: PLAN)
    for seed in range(6):
        run = Run("lora", "tiny", "words", 0.01, seed, "dev")
        base = {"lr": 0.01, "seed": seed, "split": "dev", "control": ""}
        Results(tmp_path).add(PLAN, run, {**base, "score": 0.5, "beginning": 0.7})
    memory = Run("lora", "tiny", "words", 0.01, 1, "memory")
    row = {"lr": 0.01, "seed": 1, "split": "memory", "control": "", "peak": 7}
    Results(tmp_path).add(PLAN, memory, row)
    return tmp_path


def now(monkeypatch: pytest.MonkeyPatch, score: float, loss: float = 0.7) -> None:
    found = {"score": score, "beginning": loss}
    monkeypatch.setattr(sweeps, "row", lambda run, budget: found)


def test_some_runs_are_drawn_by_a_seed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now(monkeypatch, 0.5)

    def drawn(number: int, seed: int) -> set[int]:
        found = list(repeat(Path("plan"), folder, Here(), number, seed))
        assert all(each.run.split == "dev" for each in found)
        return {each.run.seed for each in found}

    assert drawn(2, 0) == drawn(2, 0)
    assert len({frozenset(drawn(2, seed)) for seed in range(5)}) > 1
    assert drawn(99, 0) == {0, 1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    ("score", "loss", "status"),
    [
        (0.5, 0.7, 0),
        (0.5 + TOLERANCE * 0.9, 0.7, 0),
        (0.5 - TOLERANCE * 1.1, 0.7, 1),
        (0.5, 0.7 + AGREES * 0.9, 0),
        (0.5, 0.7 - AGREES * 1.1, 1),
    ],
)
def test_what_is_too_far_away_fails(
    score: float,
    loss: float,
    status: int,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    now(monkeypatch, score, loss)
    assert main(Path("plan"), folder, Here, 1, 0) == status
    line = capsys.readouterr().out
    assert line.startswith("lora tiny words 0.01 ")
    assert ("too far away" in line) == bool(status)


@pytest.mark.parametrize(
    ("split", "control", "expected"),
    [("test", "", 0.1), ("dev", "", TOLERANCE), ("test", SHUFFLED, TOLERANCE)],
)
def test_as_far_as_the_seeds_of_the_test_fall_apart(
    split: str, control: str, expected: float, folder: Path
) -> None:
    for seed, score in enumerate((0.4, 0.45, 0.5)):
        run = Run("lora", "tiny", "words", 0.1, seed, split, control)
        base = {"lr": 0.1, "seed": seed, "split": split, "control": control}
        Results(folder).add(PLAN, run, {**base, "score": score, "beginning": 0.7})
    assert {tolerance for *_, tolerance in kept(PLAN, Results(folder))} == {expected}


def test_so_does_one_that_fails(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(run: Run, budget: Any) -> dict[str, Any]:
        raise RuntimeError("broken")

    monkeypatch.setattr(sweeps, "row", fail)
    assert main(Path("plan"), folder, Here, 1, 0) == 1
    assert "RuntimeError: broken" in capsys.readouterr().out
    monkeypatch.setattr(sweeps, "row", lambda run, budget: {"diverged": "inf"})
    assert main(Path("plan"), folder, Here, 1, 0) == 1


def test_there_has_to_be_something_to_repeat(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no run of this plan is kept"):
        list(repeat(Path("plan"), tmp_path / "none", Here(), 1, 0))
    with pytest.raises(ValueError, match="--again 0"):
        main(Path("plan"), tmp_path, Here, 0, 0)
    assert again.TOLERANCE < 0.1
