"""Every guide still prints and draws what its page shows; and what counts as the same."""

from __future__ import annotations

import importlib.util
import math
import os
import subprocess
import sys
from functools import partial
from types import ModuleType

import pytest
import torch
from fine_tuning_atlas.core.method import Method
from fine_tuning_atlas.lab import tasks

from tools.data.files import ROOT
from tools.data.guides import GUIDES, ORDER, Recorded, Shown


@pytest.fixture(scope="module")
def record() -> ModuleType:
    """The recorder, which lies in no package."""
    sys.path.insert(0, str(ROOT / GUIDES))
    try:
        spec = importlib.util.spec_from_file_location("record", ROOT / GUIDES / "record.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module


@pytest.fixture
def losses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Trainings make their first step only, and scores are of one batch; a loss a training."""
    first_step, batches, losses = Method.step, tasks._test_batches, []

    def step(self, model, batch, optimizer, step: int) -> float:
        if step == 0:
            losses.append(first_step(self, model, batch, optimizer, step))
        else:
            self.on_grad(model, step)
        return losses[-1]

    monkeypatch.setattr(Method, "step", step)
    monkeypatch.setattr(tasks, "_test_batches", lambda name: batches(name)[:1])
    return losses


@pytest.mark.parametrize("name", ORDER)
def test_a_guide_with_its_trainings_cut_short_says_what_its_page_says(
    record: ModuleType, losses: list[float], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Until it trains a guide repeats its run; after that it has the same words and counts."""
    execute, before = record.execute, []

    def until_it_trains(*arguments) -> Shown:
        shown = execute(*arguments)
        before.append(not losses)
        return shown

    monkeypatch.setattr(record, "execute", until_it_trains)
    monkeypatch.setattr(record, "compile", partial(compile, optimize=1), raising=False)
    path = ROOT / GUIDES / f"{name}.json"
    recorded = Recorded.model_validate_json(path.read_text(encoding="utf-8"))
    with torch.random.fork_rng():
        new = record.run(name)
    untrained = before.index(False)
    assert any(shown.output or shown.figures for shown in new.shown[untrained:])
    for part, tolerance in ((slice(untrained), recorded.tolerance), (slice(None), math.inf)):
        old, again = (
            run.model_copy(update={"shown": run.shown[part], "tolerance": tolerance})
            for run in (recorded, new)
        )
        assert record.differences(old, again) == []


@pytest.mark.night
@pytest.mark.parametrize("name", ORDER)
def test_a_guide_does_what_its_page_shows(name: str) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / GUIDES / "record.py", name],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("LoRA 4,096 of 35,520", "LoRA 4,096 of 35,520"),
        ("score: 98.2%", "score: 100.0%"),
        ("moved by 1.37", "moved by 1.36"),
        ("largest difference 3e-16", "largest difference 0e+00"),
        ("largest difference 3e-16", "largest difference 2e-07"),
        ('"rows": [0.98, 0.5]', '"rows": [0.99, 0.5]'),
        ("score   9.5%", "score  10.5%"),
    ],
)
def test_alike(record: ModuleType, one: str, other: str) -> None:
    assert record.alike(one, other, 0.02)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("LoRA 4,096 of 35,520", "LoRA 4,097 of 35,520"),
        ("score: 98.2%", "score: 95.9%"),
        ("moved by 1.37", "moved by 1.40"),
        ("largest difference 3e-16", "largest difference 1e-02"),
        ("same weights: True", "same weights: False"),
        ('"rows": [0.98, 0.5]', '"rows": [0.98]'),
        ("12 rows", ""),
    ],
)
def test_not_alike(record: ModuleType, one: str, other: str) -> None:
    assert not record.alike(one, other, 0.02)


def run_of(*outputs: str, code: str = "") -> Recorded:
    shown = tuple(Shown(output=output) for output in outputs)
    return Recorded(code=code, seconds=1, tolerance=0.02, versions={}, shown=shown)


def test_differences_name_the_piece(record: ModuleType) -> None:
    assert record.differences(run_of("a 1", "b 2"), run_of("a 1", "b 2")) == []
    found = record.differences(run_of("a 1", "b 2"), run_of("a 1", "b 3"))
    assert found == ["piece 2: 'b 3' in place of 'b 2'"]
    assert record.differences(run_of("a"), run_of("a", "b")) == ["piece 2: 'b' in place of ''"]
    assert "code changed" in record.differences(run_of(code="x"), run_of(code="y"))[0]
