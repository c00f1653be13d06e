"""How a run is made and put together, when it is current, and how it is kept."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields

import pytest

from reference_impls.core.registry import load_methods
from reference_impls.lab import backbones
from reference_impls.lab.tasks import TASKS
from reference_impls.measure import (
    cells,
    closed_forms,
    command,
    files,
    ledgers,
    memory,
    recorded,
    runs,
)

METHODS = load_methods()
LORA = METHODS["lora"]


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Runs of eight steps for one seed, and what is measured kept in a folder of its own."""
    monkeypatch.setattr(runs, "STEPS", 8)
    monkeypatch.setattr(runs.prepare, "__kwdefaults__", runs.prepare.__kwdefaults__ | {"steps": 8})
    monkeypatch.setattr(recorded, "SEEDS", (4,))
    monkeypatch.setattr(recorded, "BEGINNING", 4)
    for module, name in ((recorded, "runs"), (ledgers, "ledger")):
        path = tmp_path / "measured" / f"{name}.json"
        monkeypatch.setattr(module, "path_of", lambda method, path=path: path)


def test_a_run_is_current_until_its_sources_or_its_backbone_change(quick):
    def current(run):
        return recorded.is_current(LORA, "first-clause", run)

    assert not current(None)
    run = recorded.record(LORA, "first-clause")
    recorded.write(LORA, {"first-clause": run})
    kept = recorded.committed(LORA)["first-clause"]
    assert current(kept)
    assert recorded.stale(LORA) == [task for task in LORA.tasks if task != "first-clause"]
    for name in run["sources"]:
        assert not current({**kept, "sources": {**run["sources"], name: "0" * 64}})
    assert not current({**kept, "backbone": {**kept["backbone"], "sha256": "0" * 64}})


def test_a_record_has_each_seed_from_the_pretrained_and_from_the_random_backbone(
    quick, monkeypatch
):
    calls = []

    def one(method, task, **settings):
        calls.append({"task": task, **settings})
        score = 0.25 if "backbone" in settings else 0.75
        result = dict.fromkeys(("curve", "losses", "seconds", "counts", "hyperparameters"))
        return {**result, "seed": settings["seed"], "score": score}

    monkeypatch.setattr(runs, "one", one)
    monkeypatch.setattr(recorded, "SEEDS", (4, 6))
    record = recorded.record(LORA, "first-clause")
    assert [call["seed"] for call in calls] == [4, 4, 6, 6]
    backbone = TASKS["first-clause"].backbone
    assert [call.get("backbone", backbone) for call in calls] == [
        backbone,
        f"{backbone}-random",
    ] * 2
    scores = [(seed["score"], seed["random_backbone_score"]) for seed in record["seeds"]]
    assert scores == [(0.75, 0.25)] * 2
    assert record["backbone"] == {"name": backbone, "sha256": backbones.digest(backbone)}


def test_a_beginning_is_that_of_the_whole_run(quick):
    (found,) = recorded.beginning(LORA, "first-clause")
    whole = runs.one(LORA, "first-clause", every=4, progress=False)["losses"]
    assert found == whole[0]
    short = runs.one(LORA, "first-clause", steps=4, progress=False)["losses"]
    assert found != short[0]  # the rates are those of the whole


def test_a_beginning_has_the_losses_of_every_phase(quick):
    found = recorded.beginning(METHODS["lt_sft"], "first-clause")
    assert [step for step, _ in found] == [4, 4]


def test_a_given_value_goes_before_the_labs_and_the_labs_before_the_papers():
    papers = {field.name: field.default for field in fields(LORA)}
    method, _, _ = runs.prepare(LORA, "first-clause", progress=False)
    assert method.lr == LORA.lab["lr"] != papers["lr"]
    assert method.r == papers["r"]
    method, _, loop = runs.prepare(LORA, "first-clause", lr=0.5, r=2, steps=7, seed=3)
    assert (method.lr, method.r, loop.steps, loop.seed) == (0.5, 2, 7, 3)


def test_what_one_run_says_of_itself():
    result = runs.one(LORA, "first-clause", steps=3, seed=1, every=2, progress=False)
    assert (result["method"], result["task"], result["seed"]) == ("lora", "first-clause", 1)
    assert [step for step, _ in result["curve"]] == [0, 2, 3]
    assert result["score"] == result["curve"][-1][1]
    assert result["counts"]["trained"] == result["counts"]["stored"] == 2 * 2 * 8 * (64 + 64)
    assert result["hyperparameters"]["lr"] == LORA.lab["lr"]
    again = runs.one(LORA, "first-clause", steps=3, seed=1, every=2, progress=False)
    assert again["losses"] == result["losses"]
    other = runs.one(LORA, "first-clause", steps=3, seed=2, every=2, progress=False)
    assert other["losses"] != result["losses"]


def test_what_is_written_reads_back_and_has_a_line_for_each_item(tmp_path):
    value = {"a": {"b": [1, [2, 3], {}], "é": 0.1}, "c": [], "d": {"e": {"f": 1}}}
    for depth in range(5):
        assert json.loads(files.text(value, depth)) == value
    assert files.text(value, 0).count("\n") == 0
    assert files.text(value, 2).splitlines() == [
        "{",
        ' "a": {',
        '  "b": [1, [2, 3], {}],',
        '  "é": 0.1',
        " },",
        ' "c": [],',
        ' "d": {',
        '  "e": {"f": 1}',
        " }",
        "}",
    ]
    path = tmp_path / "measured" / "runs.json"
    assert files.read(path) == {}
    files.write(path, value, 2)
    assert files.read(path) == value
    assert list(path.parent.iterdir()) == [path]


def test_runs_of_tasks_that_a_method_no_longer_has_go(quick):
    recorded.write(LORA, {"summary": {"made": 1}})
    recorded.write(LORA, {"gone": {"made": 2}, "first-clause": {"made": 3}})
    kept = recorded.committed(LORA)
    assert kept == {"first-clause": {"made": 3}, "summary": {"made": 1}}
    assert list(kept) == [task for task in LORA.tasks if task in kept]


def test_all_is_measured_or_only_what_is_stale(monkeypatch):
    monkeypatch.setattr(recorded, "stale", lambda method: ["cue"] if method is LORA else [])
    monkeypatch.setattr(ledgers, "is_stale", lambda method: method is not LORA)
    monkeypatch.setattr(closed_forms, "is_stale", lambda method: False)
    monkeypatch.setattr(cells, "is_stale", lambda method: method is LORA)
    monkeypatch.setattr(memory, "ARCHITECTURES", ("bert", "t5"))
    monkeypatch.setattr(memory, "of_other_code", lambda method: method is LORA)
    monkeypatch.setattr(memory, "missing", lambda method: ["bert", "t5"] if method is LORA else [])
    every = [*LORA.tasks, command.LEDGER, command.FORMS, command.ARCHITECTURES]
    every += ["memory on bert", "memory on t5"]
    assert command.jobs(["lora"], stale=False) == [command.Job("lora", task) for task in every]
    found = command.jobs(["lora", "ia3"], stale=True)
    others = ["lora cue", "lora architectures"]
    its = ["lora memory on bert", "lora memory on t5"]
    assert list(map(str, found)) == [*others, *its, "ia3 ledger"]
    found = command.jobs(["lora", "ia3"], stale=True, renew=True)
    assert list(map(str, found)) == [*others, "lora memory", "ia3 ledger"]


def test_what_was_measured_survives_a_kill(quick, monkeypatch):
    def measured(job, renew):
        if job.what == "cue":
            raise KeyboardInterrupt
        return {"made": job.what}

    monkeypatch.setattr(command, "measured", measured)
    monkeypatch.setattr(command, "ProcessPoolExecutor", lambda *_, **__: ThreadPoolExecutor(1))
    with pytest.raises(KeyboardInterrupt):
        command.make([command.Job("lora", task) for task in ("first-clause", "cue")])
    assert recorded.committed(LORA) == {"first-clause": {"made": "first-clause"}}
    command.make([command.Job("lora", command.LEDGER)])
    assert files.read(ledgers.path_of(LORA)) == {"made": command.LEDGER}
