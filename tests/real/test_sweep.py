"""A plan is carried out once, whatever is killed meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest

from reference_impls.core.registry import PACKAGE
from reference_impls.measure.processor import processor
from reference_impls.real import sweep as module
from reference_impls.real.engines import Local, LostError
from reference_impls.real.results import Results
from reference_impls.real.sweep import Sweep
from reference_impls.real.training import Budget, Refused, Run

from .small import PLAN, put

ROOT = PACKAGE.parent
MINILM = PACKAGE / "real" / "minilm.toml"


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    put(monkeypatch)
    return Results(tmp_path / "out")


class Here:
    """An engine that does one run at a time, here."""

    workers = 1

    def __init__(self) -> None:
        self.done: list[Run] = []
        self.given: list[tuple[Any, Run]] = []

    def close(self) -> None:
        pass

    def submit(self, function: Any, argument: Run) -> None:
        assert len(self.done) < 50, "it goes on without end"
        self.given.append((function, argument))

    def finished(self, seconds: float) -> Any:
        for function, argument in self.given[:1]:
            self.given.pop(0)
            self.done.append(argument)
            try:
                yield argument, function(argument)
            except Exception as error:
                yield argument, error


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    def row(run: Run, budget: Any) -> dict[str, Any]:
        if run.method == "bitfit":
            raise Refused("not here")
        if run.split == "memory":
            raise RuntimeError("broken")
        score = 1 - abs(run.lr - 0.0032)
        base = {"lr": run.lr, "seed": run.seed, "split": run.split, "control": run.control}
        return {**base, "score": score, "seconds": 1.0}

    monkeypatch.setattr(module, "row", row)


@pytest.mark.usefixtures("fake")
def test_all_is_done_once_and_what_follows_from_it(results: Results) -> None:
    sweep, engine = Sweep(PLAN, results), Here()
    sweep.run(engine, progress=False)
    rows = results.rows(PLAN, "lora", "words")
    assert [row["split"] for row in rows].count("dev") == 3
    assert {row["lr"] for row in rows if row["split"] == "test"} == {0.0032}
    assert {row["processor"] for row in rows} == {processor()}
    assert results.rows(PLAN, "bitfit", "words") == [{"refused": "not here"}]
    assert len(engine.done) == len(set(engine.done))
    assert [str(error) for error in sweep.failed.values()] == ["broken"]
    assert sweep.made == len(rows) + 1
    again = Here()
    Sweep(PLAN, results).run(again, progress=False)
    assert [run.split for run in again.done] == ["memory"]  # what failed is tried by the next


@pytest.mark.usefixtures("fake")
def test_two_drivers_share_the_work(results: Results) -> None:
    engines = [Here(), Here()]
    sweeps = [Sweep(PLAN, Results(results.folder)) for _ in engines]
    threads = [
        threading.Thread(target=sweep.run, args=(engine,), kwargs={"progress": False})
        for sweep, engine in zip(sweeps, engines, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = results.rows(PLAN, "lora", "words")
    assert sum(sweep.made for sweep in sweeps) == len(rows) + 1
    done = [run for engine in engines for run in engine.done if run.split != "memory"]
    assert len(done) == len(set(done))


def test_what_another_did_between_the_look_and_the_claim_is_not_done(results: Results) -> None:
    sweep, engine = Sweep(PLAN, results), Here()
    first, *others = sweep.left()
    Results(results.folder).add(PLAN, first, {"refused": "by another"})
    sweep._submit([first, *others], engine)
    assert engine.given
    assert first not in [run for _, run in engine.given]
    assert first not in sweep.claims


def test_progress_counts_what_is_there_and_what_will_be(results: Results) -> None:
    sweep = Sweep(PLAN, results)
    each = 3 + 2 + 1 + 2  # rates, seeds, memory, controls
    assert sweep.progress() == (0, 2 * each)
    run = sweep.left()[0]
    results.add(PLAN, run, {"refused": "no"})
    assert sweep.progress() == (1, 1 + each)


def test_that_runs_are_made_anew_is_said_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module.plans, "read", lambda path: PLAN)
    monkeypatch.setattr(Results, "renew", lambda self, method, *_: method != "lora")
    monkeypatch.setattr(Sweep, "run", lambda self, engine: None)
    module.carry_out(MINILM, tmp_path, Here)
    said = "first steps are not what they were: lora: made anew"
    assert capsys.readouterr().err.strip() == said


def die_once(folder: str) -> str:
    """Kill this worker the first time, and answer the second."""
    mark = Path(folder) / "mark"
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def die(folder: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def answer(value: str) -> str:
    return f"{value}!"


def collected(engine: Local, number: int) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for _ in range(600):  # on a machine with other work a worker starts late
        found |= dict(engine.finished(1))
        if len(found) == number:
            break
    return found


def test_runs_of_a_dead_worker_are_done_again(tmp_path: Path) -> None:
    engine = Local(2)
    try:
        engine.submit(die_once, str(tmp_path))
        engine.submit(answer, "a")
        assert collected(engine, 2) == {str(tmp_path): "done", "a": "a!"}
    finally:
        engine.close()


def test_one_that_kills_each_worker_is_given_up(tmp_path: Path) -> None:
    engine = Local(1)
    try:
        engine.submit(die, "x")
        assert isinstance(collected(engine, 1).get("x"), LostError)
        engine.submit(answer, "b")
        assert collected(engine, 1) == {"b": "b!"}
    finally:
        engine.close()


def test_the_command_says_what_is_wrong_with_a_plan(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text("rows = 1")
    command = [sys.executable, "-m", "reference_impls", "sweep"]
    for arguments, complaint in (
        ([str(tmp_path / "plan.toml")], "plan.toml: controls: missing"),
        ([str(tmp_path / "gone.toml")], "No such file"),
        ([str(MINILM), "--out", str(tmp_path), "--workers", "0"], "--workers 0: at least one"),
    ):
        found = subprocess.run([*command, *arguments], capture_output=True, text=True, cwd=ROOT)
        assert found.returncode == 2
        assert complaint in found.stderr
        assert "Traceback" not in found.stderr


def test_a_worker_keeps_nothing_of_a_run_that_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    class Model:
        def __init__(self) -> None:
            self.hook = self.__init__  # as hooks do, it leads back to the model

    models: list[weakref.ref[Model]] = []

    def row(run: Run, budget: Budget) -> dict[str, Any]:
        models.append(weakref.ref(model := Model()))
        return {"score": float(model.hook is None)}

    monkeypatch.setattr(module, "row", row)
    run = Run("lora", "tiny", "words", 0.1, 0, "dev", "", ())
    assert module.outcome(run, PLAN.budget("words")) == {"score": 0.0}
    assert models[0]() is None
