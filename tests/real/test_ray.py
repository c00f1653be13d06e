"""A plan on a cluster of Ray's: a node dies, and nothing is lost but what it was at."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reference_impls.real.engines import Ray
from reference_impls.real.results import Results
from reference_impls.real.sweep import Sweep
from reference_impls.real.training import Budget, Run

from .small import PLAN, put

pytestmark = pytest.mark.night  # a cluster takes its time to start, and Ray 200 MB


def work(run: Run, budget: Budget) -> dict[str, Any]:
    """Leaves a mark as it begins, so that what was begun twice is seen."""
    (Path(os.environ["MARKS"]) / f"{run.name} {time.time_ns()}").touch()
    time.sleep(1)
    base = {"lr": run.lr, "seed": run.seed, "split": run.split, "control": run.control}
    return {**base, "score": 1 - abs(run.lr - 0.0032)}


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("MARKS", str(tmp_path))
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield made
    made.shutdown()


def test_a_node_that_dies_takes_no_result_along(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(monkeypatch)
    node = cluster.add_node(num_cpus=1)
    plan = replace(PLAN, methods=("lora",), seeds=(1, 2, 3, 4, 5, 6, 7, 8))
    results, engine = Results(tmp_path / "out"), Ray(cluster.address)
    assert engine.workers == 2

    class Killing(Sweep):
        """Kills the node when some results are there and its next run has begun."""

        left_alone = True

        def _keep(self, run: Run, result: Any) -> None:
            super()._keep(run, result)
            if self.made >= 5 and self.left_alone:
                time.sleep(0.5)
                cluster.remove_node(node, allow_graceful=False)
                self.left_alone = False

    sweep = Killing(plan, results, work)
    try:
        sweep.run(engine, progress=False)
    finally:
        engine.close()
    rows = results.rows(plan, "lora", "words")
    assert len(rows) == sweep.made == 3 + 8 + 1 + 2
    assert not sweep.failed
    begun = [path.name.rpartition(" ")[0] for path in tmp_path.iterdir() if path.is_file()]
    assert len(set(begun)) == len(rows)
    assert len(begun) - len(rows) <= 2  # what was in flight, and no more, is done again
