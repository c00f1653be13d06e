"""One training of the real tier, on a model and a task of a few words."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from reference_impls.anatomy import anatomy
from reference_impls.real import training
from reference_impls.real.tasks import Classes
from reference_impls.real.training import Budget, Refused, Run, repeats

from .small import put, tokenizer

BUDGET = Budget(steps=40, rows=8, head_lr=0.05)


@pytest.fixture(autouse=True)
def task(monkeypatch: pytest.MonkeyPatch) -> Classes:
    return put(monkeypatch)


def run(method: str = "full_fine_tuning", lr: float = 0.01, **changed: Any) -> Run:
    return Run(method, "tiny", "words", lr, 1, "test")._replace(**changed)


def row(**changed: Any) -> dict[str, Any]:
    return training.row(run(**changed), BUDGET)


def test_training_teaches_and_controls_take_that_away() -> None:
    found = row()
    assert found["score"] > 0.95
    assert set(found) == {
        *("lr", "seed", "split", "control", "score", "beginning", "seconds", "trained", "stored"),
    }
    assert row(control="shuffled labels")["score"] < 0.75


def test_the_same_run_has_the_same_numbers() -> None:
    one, other = row(), row()
    assert one.pop("seconds") > 0
    assert other.pop("seconds") > 0
    assert one == other
    assert row(seed=2)["beginning"] != one["beginning"]
    assert row(control="random weights")["beginning"] != one["beginning"]


def test_early_steps_are_held_against_what_they_were() -> None:
    loss = row()["beginning"]
    assert repeats(run(), BUDGET, loss)
    assert not repeats(run(lr=0.02), BUDGET, loss)


def test_memory_is_measured_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = row(split="memory", method="bitfit")
    assert set(kept) == {"lr", "seed", "split", "control", "peak"}
    weights = sum(p.nbytes for p in training.prepared(run(), BUDGET)[1].parameters())
    assert row(split="memory")["peak"] > 4 * weights  # with gradients and two moments
    monkeypatch.setattr(training.Live, "_add", lambda self, storage: None)
    assert weights <= row(split="memory", method="bitfit")["peak"] < 1.5 * weights


def test_the_head_has_its_own_rate() -> None:
    method, model, _ = training.prepared(run("lora", 0.001), BUDGET)
    method.setup(model)
    optimizer = method.optimizer([p for p in model.parameters() if p.requires_grad])
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    head = {id(p) for p in anatomy(model).head_parameters()}
    assert {rates[key] for key in head} == {0.05}
    assert {rate for key, rate in rates.items() if key not in head} == {0.001}


@pytest.mark.parametrize("name", ["linear_probe", "mezo"])
def test_it_has_the_methods_where_there_is_one_rate(name: str) -> None:
    method, model, _ = training.prepared(run(name, 0.001), BUDGET)
    method.setup(model)
    optimizer = method.optimizer([p for p in model.parameters() if p.requires_grad])
    assert [group["lr"] for group in optimizer.param_groups] == [0.001]


def test_settings_reach_the_method() -> None:
    method, *_ = training.prepared(run("lora", settings=(("r", 3),)), BUDGET)
    assert method.r == 3


def test_the_task_gives_what_it_has_and_refuses_the_rest() -> None:
    method, *_ = training.prepared(run("pasta"), BUDGET)
    assert method.special_tokens == (1,)
    with pytest.raises(Refused, match="the task does not give: sources"):
        row(method="adapterfusion")


def test_a_refusal_is_told_from_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Any, parts: Any) -> None:
        raise ValueError("not on this one")

    monkeypatch.setattr(training.load_method("bitfit"), "check", refuse)
    with pytest.raises(Refused, match="not on this one"):
        row(method="bitfit")

    def fail(self: Any, model: Any, batch: Any) -> None:
        raise ValueError("something else")

    monkeypatch.setattr(training.load_method("lora"), "loss", fail)
    with pytest.raises(ValueError, match="something else"):
        row(method="lora")


def test_a_run_that_diverges_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        training.load_method("lora"), "loss", lambda *_: torch.tensor(math.nan, requires_grad=True)
    )
    found = row(method="lora")
    assert "score" not in found
    assert "the loss of step 1 is nan" in found["diverged"]


def test_splits_share_no_text_and_are_the_same_always(task: Classes) -> None:
    texts = [text for split in task.splits.values() for text, _ in split]
    assert len(texts) == len(set(texts)) == 290
    again = Classes(task.name, "", "", (), "", lambda paths: task.read(paths)[::-1], task.classes)
    assert again.digest == task.digest
    with pytest.raises(ValueError, match="too few texts: 1"):
        _ = Classes("few", "", "", (), "", lambda paths: [("a", 0)], ()).splits


def test_shuffled_labels_are_those_of_others_and_stay(task: Classes) -> None:
    def labels(**settings: Any) -> list[dict[bytes, int]]:
        batches = task.batches(tokenizer, 1, 200, **settings)
        return [
            {ids.numpy().tobytes(): int(label) for ids, label in zip(b["input_ids"], b["labels"])}
            for b in (next(batches), next(batches))
        ]

    first, second = labels(shuffled_labels=True)
    true, _ = labels()
    assert first == second
    assert first != true
    assert sorted(first.values()) == sorted(true.values())


def test_the_score_counts_every_text(task: Classes) -> None:
    class Always(torch.nn.Module):
        device = torch.device("cpu")

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
            logits = torch.stack([torch.zeros(len(input_ids)), torch.ones(len(input_ids))], 1)
            return type("Output", (), {"logits": logits})

    good = sum(label for _, label in task.splits["test"])
    assert task.right(Always(), tokenizer, "test") == good
    labels = [label for _, label in task.splits["train"]]
    most = max({0, 1}, key=labels.count)
    assert task.guessing == (good if most else 50 - good) / 50


def test_a_batch_is_padded_to_its_longest(task: Classes) -> None:
    batch = task.encoded(tokenizer, [("a", 0), ("a good b", 1)])
    assert batch["attention_mask"].tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert batch["labels"].tolist() == [0, 1]
