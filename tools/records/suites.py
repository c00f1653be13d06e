"""What libraries publish of their own runs, read into the schema that all scores have here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..data.scores import Board, Suite, SuiteRun

# By folder of peft's `method_comparison`: the board's text, and the key of its score.
PEFT = {
    "MetaMathQA": (
        "test accuracy",
        {
            "data": "GSM8K",
            "metric": "accuracy",
            "percent": True,
            "texts": 1319,
            "protocol": (
                "5,000 steps of 4 rows of MetaMathQA, the loss on prompt and answer; AdamW with a "
                "cosine schedule; greedy answers to the test of GSM8K; one seed"
            ),
        },
    ),
    "image-gen": (
        "test dino_similarity",
        {
            "data": "pictures of one cat",
            "metric": "similarity (DINO)",
            "percent": False,
            "protocol": (
                "750 steps of 2 pictures, 300 of full fine-tuning; AdamW; how alike four generated "
                "pictures and the real ones are to DINOv2; one seed"
            ),
        },
    ),
}


class SuiteError(Exception):
    """The folder does not hold the suite; the message is one line and says what is missing."""


def read_peft(folder: Path, commit: str) -> Suite:
    """The results in a checkout of peft. Raises SuiteError."""
    boards, runs = {}, []
    for board, (metric, known) in PEFT.items():
        place = folder / "method_comparison" / board / "results"
        files = sorted(place.glob("*.json"))
        if not files:
            raise SuiteError(f"{place}: no results are there; is {folder} a checkout of peft?")
        found = [(path.stem, _json(path)) for path in files]
        models = {run["run_info"]["train_config"]["model_id"] for _, run in found}
        cards = {run["meta_info"]["system_info"]["accelerator"] for _, run in found}
        boards[board] = Board(
            model=", ".join(sorted(name.rpartition("/")[2] for name in models)),
            card=", ".join(sorted(cards)),
            **known,
        )
        runs += _runs(board, metric, found)
    return Suite(
        title="peft, method comparison",
        url="https://github.com/huggingface/peft/tree/main/method_comparison",
        commit=commit,
        license="Apache-2.0",
        boards=boards,
        runs=tuple(runs),
    )


def _runs(board: str, metric: str, found: list[tuple[str, dict[str, Any]]]) -> Iterator[SuiteRun]:
    for name, run in found:
        info, trained = run["run_info"], run["train_info"]
        packages = run["meta_info"]["package_info"]
        if trained["status"] != "success":
            continue
        kind, variant = info["experiment_name"].split("/", 1)
        variant = variant.removeprefix("llama-3.2-3B-").removeprefix("flux2-klein-")
        yield SuiteRun(
            board=board,
            run=name,
            label=f"{kind}, {variant}",
            score=trained["metrics"][-1][metric],
            rate=info["train_config"]["optimizer_kwargs"].get("lr"),
            trained=trained["num_trainable_params"],
            stored=trained["file_size"],
            seconds=round(trained["train_time"], 1),
            peak=trained["accelerator_memory_max"],
            date=info["created_at"][:10],
            version=f"peft {packages['peft-version']} at {packages['peft-commit-hash'][:8]}",
        )


def _json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise SuiteError(f"{path}: {error}") from None
