"""What a committed run is tied to, and how it is put together."""

from __future__ import annotations

import ast
import json
from dataclasses import fields
from pathlib import Path

import pytest

from reference_impls.core.method import METHODS
from reference_impls.core.registry import load_methods
from reference_impls.lab import backbones
from reference_impls.lab.tasks import TASKS
from reference_impls.measure import runs

ROOT = Path(runs.__file__).parents[1]
NAMES = list(load_methods())


def imported(path: str) -> set[str]:
    """The files of this repository that a file imports, by their paths from the root."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            files = [f"{name.replace('.', '/')}.py" for name in names]
            found |= {file for file in files if (ROOT / file).is_file()}
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_run_is_tied_to_every_file_that_takes_part_in_it(name):
    method = METHODS[name]
    needed = {f"{method.__module__.replace('.', '/')}.py", "reference_impls/measure/runs.py"}
    while more := set().union(*map(imported, needed)) - needed:
        needed |= more
    assert needed <= runs.sources(method).keys()


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Runs of three steps for one seed, kept in a folder of their own."""
    monkeypatch.setattr(runs, "STEPS", 3)
    monkeypatch.setattr(runs, "SEEDS", (4,))
    monkeypatch.setattr(runs, "RUNS", tmp_path)
    return tmp_path


def test_a_run_is_current_until_its_sources_or_its_backbone_change(quick):
    lora = METHODS["lora"]
    assert not runs.is_current(lora, "first-clause")
    path = runs.path_of("lora", "first-clause")
    path.parent.mkdir()
    run = runs.record(lora, "first-clause")
    path.write_text(json.dumps(run), encoding="utf-8")
    assert runs.is_current(lora, "first-clause")
    digests = run["sources"]
    for name in digests:
        changed = {**run, "sources": {**digests, name: "0" * 64}}
        path.write_text(json.dumps(changed), encoding="utf-8")
        assert not runs.is_current(lora, "first-clause")
    changed = {**run, "backbone": {**run["backbone"], "sha256": "0" * 64}}
    path.write_text(json.dumps(changed), encoding="utf-8")
    assert not runs.is_current(lora, "first-clause")


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
    monkeypatch.setattr(runs, "SEEDS", (4, 6))
    record = runs.record(METHODS["lora"], "first-clause")
    assert [call["seed"] for call in calls] == [4, 4, 6, 6]
    backbone = TASKS["first-clause"].backbone
    assert [call.get("backbone", backbone) for call in calls] == [
        backbone,
        f"{backbone}-random",
    ] * 2
    scores = [(seed["score"], seed["random_backbone_score"]) for seed in record["seeds"]]
    assert scores == [(0.75, 0.25)] * 2
    assert record["backbone"] == {"name": backbone, "sha256": backbones.digest(backbone)}


def test_a_given_value_goes_before_the_labs_and_the_labs_before_the_papers():
    lora = METHODS["lora"]
    papers = {field.name: field.default for field in fields(lora)}
    method, _, _ = runs.prepare(lora, "first-clause", progress=False)
    assert method.lr == lora.lab["lr"] != papers["lr"]
    assert method.r == papers["r"]
    method, _, loop = runs.prepare(lora, "first-clause", lr=0.5, r=2, steps=7, seed=3)
    assert (method.lr, method.r, loop.steps, loop.seed) == (0.5, 2, 7, 3)


def test_what_one_run_says_of_itself():
    result = runs.one(METHODS["lora"], "first-clause", steps=3, seed=1, every=2, progress=False)
    assert (result["method"], result["task"], result["seed"]) == ("lora", "first-clause", 1)
    assert [step for step, _ in result["curve"]] == [0, 2, 3]
    assert result["score"] == result["curve"][-1][1]
    assert result["counts"]["trained"] == result["counts"]["stored"] == 2 * 2 * 8 * (64 + 64)
    assert result["hyperparameters"]["lr"] == METHODS["lora"].lab["lr"]
    again = runs.one(METHODS["lora"], "first-clause", steps=3, seed=1, every=2, progress=False)
    assert again["losses"] == result["losses"]
    other = runs.one(METHODS["lora"], "first-clause", steps=3, seed=2, every=2, progress=False)
    assert other["losses"] != result["losses"]
