"""Runs on real weights: read, put together, and known to be stale when the code has changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools.data.committed import CommittedError
from tools.data.digests import digest
from tools.data.real import Group, read_real

CODE = "class LoRA:\n    r = 8\n"
PLACE = "reference_impls/reparameterized/lora/measured/real.json"


def row(lr: float, seed: int, split: str, **values: object) -> dict[str, Any]:
    return {"lr": lr, "seed": seed, "split": split, "control": "", **values}


RUNS = [
    row(0.001, 0, "dev", score=0.5),
    row(0.01, 0, "dev", score=0.8),
    row(0.1, 0, "dev", diverged="inf"),
    row(0.01, 1, "test", score=0.9, seconds=2.0),
    row(0.01, 2, "test", score=0.7),
    row(0.01, 3, "test", diverged="nan"),
    row(0.01, 1, "memory", peak=7),
    row(0.01, 1, "test", score=0.4) | {"control": "random weights"},
]


def write(root: Path, runs: list[dict[str, Any]], **changed: object) -> None:
    group = {
        "task": "trec",
        "settings": {},
        "weights": "a",
        "data": "b",
        "budget": {"steps": 100, "rows": 16, "head_lr": 0.01},
        "metric": "accuracy",
        "guessing": 0.2,
        "texts": 400,
        "runs": runs,
    }
    file = {"sources": {"lora.py": digest(CODE)}, "versions": {}, "models": {"m": {"trec": group}}}
    (root / PLACE).parent.mkdir(parents=True, exist_ok=True)
    (root / PLACE).write_text(json.dumps({**file, **changed}))
    (root / "reference_impls" / "lora.py").write_text(CODE)


def read(root: Path, runs: list[dict[str, Any]]) -> Group:
    write(root, runs)
    (found,) = read_real(root)
    return found


def test_what_the_runs_say(tmp_path: Path) -> None:
    found = read(tmp_path, RUNS)
    assert (found.method, found.model, found.task) == ("lora", "m", "trec")
    assert found.scores == [0.9, 0.7, 0.0]  # one that diverged counts
    assert found.score == pytest.approx(1.6 / 3)
    assert found.spread == (0.0, 0.9)
    assert found.margin == pytest.approx(1.96 * (found.score * (1 - found.score) / 400) ** 0.5)
    assert found.tried == {0.001: 0.5, 0.01: 0.8, 0.1: 0.0}
    assert (found.rate, found.at_the_end) == (0.01, False)
    assert found.controls == {"random weights": 0.4}
    assert found.current


def test_a_rate_at_the_end_of_the_grid_is_known(tmp_path: Path) -> None:
    assert read(tmp_path, [RUNS[0], RUNS[1], RUNS[3]]).at_the_end
    assert read(tmp_path, [RUNS[1], RUNS[2], RUNS[3]]).at_the_end


def test_other_code_makes_it_stale(tmp_path: Path) -> None:
    write(tmp_path, RUNS)
    (tmp_path / "reference_impls" / "lora.py").write_text("r = 9")
    assert not read_real(tmp_path)[0].current


def test_what_is_not_scored_yet_is_left_out_and_refusals_are_told(tmp_path: Path) -> None:
    write(tmp_path, RUNS[:3])
    assert read_real(tmp_path) == []
    assert read(tmp_path, [{"refused": "no such thing"}]).refused == "no such thing"


@pytest.mark.parametrize(
    ("runs", "changed", "where"),
    [
        ([row(0.1, 0, "dev", score=1.1)], {}, r"models\.m\.trec\.runs\.0\.score"),
        ([row(-1.0, 0, "dev", score=0.1)], {}, r"runs\.0\.lr"),
        ([row(0.1, 0, "dev", points=1)], {}, r"runs\.0\.points"),
        ([], {}, r"models\.m\.trec\.runs"),
        (RUNS, {"sources": 3}, "sources"),
        (RUNS, {"more": 3}, "more"),
    ],
)
def test_a_file_that_says_something_else_is_named(
    runs: list[dict[str, Any]], changed: dict[str, object], where: str, tmp_path: Path
) -> None:
    write(tmp_path, runs, **changed)
    with pytest.raises(CommittedError, match=rf"lora/measured/real\.json: .*{where}") as error:
        read_real(tmp_path)
    assert "\n" not in str(error.value)
