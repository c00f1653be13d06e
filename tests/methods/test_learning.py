"""Each committed run still holds, and what it shows is the method's own doing."""

from __future__ import annotations

import pytest
import torch

from reference_impls.anatomy import anatomy
from reference_impls.core.registry import load_methods
from reference_impls.core.training import train
from reference_impls.lab.tasks import TASKS
from reference_impls.measure import recorded, runs
from tests.methods.settings import BASELINES, CONTRACTS

METHODS = load_methods()
COMMITTED = {name: recorded.committed(method) for name, method in METHODS.items()}
RUNS = [(name, task) for name, method in METHODS.items() for task in method.tasks]
CHANCE = 0.6  # upper bound: twice chance's standard error of 1,000 tests, and some luck
LOWER, UPPER = BASELINES["lower"], BASELINES["upper"]


def scores(name: str, task: str, key: str = "score") -> list[float]:
    return [seed[key] for seed in COMMITTED[name][task]["seeds"]]


@pytest.mark.parametrize("name", METHODS)
def test_every_run_is_there_and_of_the_code_that_is_here(name):
    assert list(COMMITTED[name]) == list(METHODS[name].tasks)
    stale = recorded.stale(METHODS[name])
    assert not stale, f"run `python -m reference_impls measure {name} --stale`"


@pytest.mark.parametrize("name", METHODS)
def test_it_learns_from_the_pretrained_backbone_only(name):
    for task in METHODS[name].tasks:
        assert max(scores(name, task, "random_backbone_score")) < CHANCE
        if name != LOWER:
            least = CONTRACTS[name].reaches.get(task, TASKS[task].reaches)
            assert min(scores(name, task)) >= least


@pytest.mark.parametrize("task", METHODS[LOWER].tasks)
def test_a_probe_of_the_frozen_model_falls_clearly_short(task):
    assert max(scores(LOWER, task)) < 0.9
    assert min(scores(UPPER, task)) > max(scores(LOWER, task)) + 0.1


@pytest.mark.parametrize(
    ("name", "task"),
    [
        pytest.param(*run, marks=() if run[1] == METHODS[run[0]].tasks[0] else pytest.mark.night)
        for run in RUNS
    ],
)
def test_the_first_steps_repeat(name, task):
    """Their losses are sharper than a final score, which is near 1 for nearly all."""
    steps, losses = zip(*COMMITTED[name][task]["beginning"], strict=True)
    found_steps, found = zip(*recorded.beginning(METHODS[name], task), strict=True)
    assert found_steps == steps
    moves = CONTRACTS[name].moves.get(task, recorded.LOSSES)
    assert found == pytest.approx(losses, rel=moves, abs=moves)


@pytest.mark.night
@pytest.mark.parametrize(("name", "task"), RUNS)
def test_seed_0_repeats_and_without_its_own_tensors_the_model_falls_back(name, task):
    settings = {"seed": 0, "every": runs.STEPS, "progress": False}
    method, model, loop = runs.prepare(METHODS[name], task, **settings)
    history = train(method, model, loop)
    run = COMMITTED[name][task]
    tolerance = CONTRACTS[name].repeats.get(task, run["tolerance"])
    assert history.score == pytest.approx(run["seeds"][0]["score"], abs=tolerance)

    # knock-out: the trained head on an untouched base, without what the method trained
    bare = TASKS[task].model(seed=0)
    with torch.no_grad():
        for ours, theirs in zip(
            anatomy(bare).head_parameters(), anatomy(model).head_parameters(), strict=True
        ):
            ours.copy_(theirs)
    bound = max(scores(LOWER, task))
    assert TASKS[task].evaluate(bare) < bound + 0.05
