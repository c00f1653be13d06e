"""What the lab shows of a method: that it learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.tools.small_catalog import write_tree
from tools.atlas import Atlas, load
from tools.cards import Card
from tools.data.runs import Run
from tools.site.shared.lab import learns


def run(*scores: float) -> Run:
    seeds = [
        {"seed": i, "score": score, "random_backbone_score": 0.5, "curve": [[0, 0.5]],
         "losses": [], "seconds": 1.0}
        for i, score in enumerate(scores)
    ]  # fmt: skip
    return Run.model_validate(
        {
            "method": "lora",
            "task": "cue",
            "backbone": {"name": "b", "sha256": "0"},
            "hyperparameters": {},
            "steps": 10,
            "batch_size": 4,
            "command": "c",
            "counts": {"trained": 1, "stored": 1, "head": 0, "base": 9},
            "seeds": seeds,
            "versions": {},
            "sources": {},
            "tolerance": 0.1,
        }
    )


@pytest.fixture
def atlas(tmp_path: Path) -> Atlas:
    write_tree(tmp_path)
    runs = {
        "one": {"lora": run(0.8, 0.9), "probe": run(0.6, 0.7)},
        "two": {"lora": run(0.6, 0.9), "probe": run(0.6, 0.7)},  # one seed is no better
        "three": {"lora": run(1.0)},  # nothing to compare with
    }
    found = replace(load(tmp_path), runs=runs)
    object.__setattr__(found, "cards", {"probe": Card(baseline="lower"), **found.cards})
    return found


def test_it_learns_where_every_seed_beats_every_seed_of_the_probe(atlas: Atlas) -> None:
    assert learns(atlas, "lora") == (1, 2)
    assert learns(atlas, "probe") is None
    assert learns(replace(atlas, runs={}), "lora") is None
