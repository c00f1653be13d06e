"""Committed runs: read, averaged, and known to be stale when the code has changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.data.committed import CommittedError
from tools.data.digests import digest
from tools.data.runs import read_runs

CODE = "class LoRA:\n    r = 8\n"
MEASURED = "reference_impls/reparameterized/lora/measured"


def run(seeds: list[dict] | None = None, **changes: object) -> dict:
    default = [
        {
            "seed": seed,
            "score": score,
            "random_backbone_score": 0.5,
            "curve": [[0, 0.5], [300, score]],
            "losses": [[0, 0.7]],
            "seconds": 2.0,
        }
        for seed, score in enumerate((0.9, 1.0, 0.8))
    ]
    return {
        "backbone": {"name": "decoder", "sha256": "ab" * 32},
        "hyperparameters": {"r": 8},
        "steps": 300,
        "batch_size": 32,
        "counts": {"trained": 1, "stored": 1, "head": 2, "base": 3},
        "seeds": default if seeds is None else seeds,
        "tolerance": 0.02,
        "versions": {"torch": "2"},
        "sources": {"lora.py": digest(CODE)},
        **changes,
    }


def write(root: Path, content: object) -> Path:
    """LoRA's run on one task, or the text of its file."""
    path = root / MEASURED / "runs.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps({"cue": content}))
    (root / "reference_impls" / "lora.py").write_text(CODE)
    return path


def test_scores_are_averaged_over_the_seeds(tmp_path: Path) -> None:
    write(tmp_path, run())
    found = read_runs(tmp_path)["cue"]["lora"]
    assert found.score == pytest.approx(0.9)
    assert found.spread == (0.8, 1.0)
    assert found.random_score == 0.5
    assert found.curve == [(0, 0.5, 0.5, 0.5), (300, pytest.approx(0.9), 0.8, 1.0)]
    assert found.current


def test_a_step_that_a_seed_lacks_is_not_drawn(tmp_path: Path) -> None:
    content = run()
    content["seeds"][1]["curve"] = [[0, 0.5], [150, 0.7]]
    write(tmp_path, content)
    assert [point[0] for point in read_runs(tmp_path)["cue"]["lora"].curve] == [0]


def test_a_run_is_current_until_its_code_changes_or_goes(tmp_path: Path) -> None:
    write(tmp_path, run())
    code = tmp_path / "reference_impls" / "lora.py"
    code.write_text(f'"""A page."""\n\n{CODE}# a comment\n')
    assert read_runs(tmp_path)["cue"]["lora"].current
    code.write_text(CODE.replace("8", "9"))
    assert not read_runs(tmp_path)["cue"]["lora"].current
    code.write_text("class LoRA(:")
    assert not read_runs(tmp_path)["cue"]["lora"].current
    code.unlink()
    assert not read_runs(tmp_path)["cue"]["lora"].current


def test_one_changed_file_of_several_is_enough(tmp_path: Path) -> None:
    content = run()
    content["sources"]["core/method.py"] = "0" * 64
    write(tmp_path, content)
    assert not read_runs(tmp_path)["cue"]["lora"].current


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "lora/measured/runs.json: the file: Invalid JSON"),
        (run(seeds=[]), "lora/measured/runs.json: cue.seeds: "),
        (run(tolerance=2), "lora/measured/runs.json: cue.tolerance: "),
    ],
)
def test_a_file_that_holds_no_run_is_named(tmp_path: Path, content: object, message: str) -> None:
    write(tmp_path, content)
    with pytest.raises(CommittedError, match=message) as caught:
        read_runs(tmp_path)
    assert "\n" not in str(caught.value)


def test_no_runs_at_all(tmp_path: Path) -> None:
    assert read_runs(tmp_path) == {}
