"""What runs left is kept once, and is what this code would leave."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from reference_impls.real import results as module
from reference_impls.real.results import Results
from reference_impls.real.training import Run

from .small import PLAN, put

RUN = Run("lora", "tiny", "words", 0.01, 0, "dev")


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    put(monkeypatch)
    return Results(tmp_path)


def row(lr: float = 0.01, score: float = 0.5) -> dict:
    base = {"lr": lr, "seed": 0, "split": "dev", "control": ""}
    return {**base, "score": score, "beginning": 0.7}


def test_a_run_is_kept_once(results: Results, tmp_path: Path) -> None:
    assert results.add(PLAN, RUN, row())
    assert not results.add(PLAN, RUN, row(score=0.9))
    assert results.rows(PLAN, "lora", "words") == [row()]
    assert [path.name for path in tmp_path.glob("*")] in (
        ["lora.json", ".sweep"],
        [".sweep", "lora.json"],
    )


def test_many_at_once_lose_none(results: Results) -> None:
    lrs = [0.001 * i for i in range(1, 30)]
    with ThreadPoolExecutor(8) as pool:
        added = pool.map(lambda lr: Results(results.folder).add(PLAN, RUN, row(lr)), lrs * 2)
    assert sum(added) == len(lrs)
    assert [each["lr"] for each in results.rows(PLAN, "lora", "words")] == lrs


def test_settings_have_a_group_of_their_own(results: Results) -> None:
    settings = (("rank", 2),)
    results.add(PLAN, RUN._replace(settings=settings), row())
    assert results.rows(PLAN, "lora", "words") == []
    assert results.rows(PLAN, "lora", "words", settings) == [row()]


@pytest.mark.parametrize("what", ["weights", "data", "budget", "sources"])
def test_what_was_made_with_something_else_does_not_count(
    what: str, results: Results, tmp_path: Path
) -> None:
    results.add(PLAN, RUN, row())
    results.add(PLAN, RUN._replace(task="words"), row(0.1))
    text = json.loads((tmp_path / "lora.json").read_text())
    holder = text if what == "sources" else text["models"]["tiny"]["words"]
    holder[what] = {}
    (tmp_path / "lora.json").write_text(json.dumps(text))
    assert results.rows(PLAN, "lora", "words") == []
    results.add(PLAN, RUN, row(0.2))
    assert results.rows(PLAN, "lora", "words") == [row(0.2)]


def test_another_budget_is_another_group(results: Results) -> None:
    results.add(PLAN, RUN, row())
    assert results.rows(replace(PLAN, rows=8), "lora", "words") == []


@pytest.mark.parametrize("same", [True, False])
def test_runs_of_other_code_stay_if_their_first_steps_repeat(
    same: bool, results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results.add(PLAN, RUN._replace(settings=(("rank", 2),)), row())
    before = (tmp_path / "lora.json").read_text()
    monkeypatch.setattr(module, "_sources", lambda method: {"x.py": "changed"})
    asked = []

    def repeats(run: Run, budget: object, loss: float) -> bool:
        asked.append((run, budget, loss))
        return same

    assert results.renew("lora", repeats, never) == same
    run = RUN._replace(settings=(("rank", 2),))
    assert asked == [(run, PLAN.budget("words"), 0.7)]
    assert (results.rows(PLAN, "lora", "words", run.settings) == [row()]) == same
    if not same:
        assert (tmp_path / "lora.json").read_text() == before
    asked.clear()
    assert results.renew("bitfit", repeats, never)
    assert not asked


def never(run: Run, budget: object) -> int:
    raise AssertionError(f"there is no memory of {run.name}")


def test_memory_is_measured_anew_by_other_code(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = RUN._replace(split="memory")
    results.add(PLAN, RUN, row())
    taken = {"lr": 0.01, "seed": 0, "split": "memory", "control": ""}
    results.add(PLAN, memory, {**taken, "peak": 100})
    results.add(PLAN, RUN._replace(settings=(("rank", 2),)), {"refused": "no"})
    monkeypatch.setattr(module, "_sources", lambda method: {"x.py": "changed"})
    asked = []

    def peak(run: Run, budget: object) -> int:
        asked.append((run, budget))
        return 90

    assert results.renew("lora", lambda *_: True, peak)
    assert asked == [(memory, PLAN.budget("words"))]
    assert results.rows(PLAN, "lora", "words") == [row(), {**taken, "peak": 90}]


def test_what_is_installed_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Results().path("lora").name == "real.json"
    monkeypatch.setattr(module, "PACKAGE", tmp_path / "fine_tuning_atlas")
    with pytest.raises(ValueError, match="--out"):
        Results()
    assert Results(tmp_path)


def test_a_claim_is_for_one_until_it_is_released(results: Results) -> None:
    claim = results.claim(RUN)
    assert claim
    assert Results(results.folder).claim(RUN) is None
    other = results.claim(RUN._replace(seed=1))
    assert other
    other.release()
    claim.release()
    again = results.claim(RUN)
    assert again
    again.release()
