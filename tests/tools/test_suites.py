"""What a library publishes of its runs is read from a checkout, and kept a line a run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools.commands import suite as command
from tools.data.files import ROOT
from tools.data.scores import read_suites
from tools.records.suites import SuiteError, read_peft

COMMIT = "0123456789" * 4


def result(name: str, metric: str, score: float, model: str, **changed: object) -> dict:
    info = {
        "experiment_name": name,
        "created_at": "2026-07-14T13:26:19+00:00",
        "train_config": {"model_id": f"org/{model}", "optimizer_kwargs": {"lr": 0.0001}},
    }
    trained = {
        "status": "success",
        "metrics": [{metric: 0.1}, {metric: score}],
        "num_trainable_params": 7,
        "file_size": 28,
        "train_time": 12.345,
        "accelerator_memory_max": 99,
    }
    packages = {"peft-version": "0.19", "peft-commit-hash": "d787f51bbaa"}
    meta = {"package_info": packages, "system_info": {"accelerator": "L40S"}}
    return {"run_info": info, "train_info": trained | changed, "meta_info": meta}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of peft with three results, of which one failed."""
    accuracy, likeness = "test accuracy", "test dino_similarity"
    for board, name, content in (
        ("MetaMathQA", "a", result("lora/llama-3.2-3B-rank32", accuracy, 0.5, "Llama")),
        ("MetaMathQA", "b", result("x/llama-3.2-3B-y", accuracy, 0.4, "Llama", status="failed")),
        ("image-gen", "c", result("oft/flux2-klein-default", likeness, 0.7, "FLUX")),
    ):
        path = tmp_path / "peft" / "method_comparison" / board / "results" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    return tmp_path / "peft"


def test_a_checkout_is_read(checkout: Path) -> None:
    suite = read_peft(checkout, COMMIT)
    lora, oft = suite.runs
    assert (lora.run, lora.label, lora.board, lora.score) == (
        "a",
        "lora, rank32",
        "MetaMathQA",
        0.5,
    )
    assert (lora.rate, lora.trained, lora.stored, lora.seconds, lora.peak) == (
        1e-4,
        7,
        28,
        12.3,
        99,
    )
    assert (lora.date, lora.version) == ("2026-07-14", "peft 0.19 at d787f51b")
    assert (oft.label, oft.board, oft.score) == ("oft, default", "image-gen", 0.7)
    assert (suite.boards["MetaMathQA"].model, suite.boards["image-gen"].card) == ("Llama", "L40S")


def test_what_is_kept_is_read_again(checkout: Path, tmp_path: Path) -> None:
    suite = read_peft(checkout, COMMIT)
    path = tmp_path / "reference_impls" / "real" / "suites" / "peft.json"
    path.parent.mkdir(parents=True)
    path.write_text(command.as_json(suite))
    assert read_suites(tmp_path) == (suite,)
    assert sum('"run":' in line for line in path.read_text().splitlines()) == 2


def test_a_folder_that_is_no_checkout_is_named(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="MetaMathQA/results: no results are there"):
        read_peft(tmp_path, COMMIT)
    with pytest.raises(SuiteError, match=r"no commit is known: .*not a git repository"):
        command.commit(tmp_path)


def test_a_result_that_is_no_json_is_named(checkout: Path) -> None:
    (checkout / "method_comparison" / "image-gen" / "results" / "d.json").write_text("{")
    with pytest.raises(SuiteError, match=r"d\.json: Expecting"):
        read_peft(checkout, COMMIT)


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    asked = [sys.executable, "-m", "tools", "suite", str(tmp_path / "gone")]
    done = subprocess.run(asked, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("tools suite: ")
    assert "gone: no commit is known" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_kept_suite_is_as_the_command_writes_it() -> None:
    (suite,) = read_suites(ROOT)
    kept = ROOT / "reference_impls" / "real" / "suites" / "peft.json"
    assert kept.read_text() == command.as_json(suite)
