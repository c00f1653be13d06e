"""What is run next, and what a plan may say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reference_impls.real import plan as plans
from reference_impls.real.plan import chosen, rate
from reference_impls.real.training import Run

from .small import PLAN, put

HERE = Path(plans.__file__).parent


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch)


def row(lr: float, score: float, seed: int = 0, split: str = "dev", control: str = "") -> dict:
    return {"lr": lr, "seed": seed, "split": split, "control": control, "score": score}


def dev(**scores: float) -> list[dict[str, Any]]:
    """Scores by exponent: `e6=0.5` is that of 10 ** (-6 / 2)."""
    return [row(rate(-int(name[1:])), score) for name, score in scores.items()]


def wanted(rows: list[dict[str, Any]]) -> list[tuple[float, int, str, str]]:
    return [run[3:7] for run in PLAN.wanted("lora", "words", rows)]


def test_first_the_whole_grid_with_one_seed() -> None:
    assert wanted([]) == [(lr, 0, "dev", "") for lr in (0.001, 0.0032, 0.01)]
    assert wanted(dev(e5=0.9)) == [(0.001, 0, "dev", ""), (0.01, 0, "dev", "")]


@pytest.mark.parametrize(
    ("scores", "further"),
    [
        ({"e6": 0.9, "e5": 0.8, "e4": 0.7}, 0.00032),
        ({"e6": 0.7, "e5": 0.8, "e4": 0.9}, 0.032),
        ({"e6": 0.7, "e5": 0.8, "e4": 0.9, "e3": 0.95}, 0.1),
    ],
)
def test_the_grid_grows_where_the_best_rate_is_its_last(
    scores: dict[str, float], further: float
) -> None:
    assert wanted(dev(**scores)) == [(further, 0, "dev", "")]


def test_it_grows_at_both_ends_while_no_rate_is_better_than_guessing() -> None:
    chance = plans.chance("words")
    rows = dev(e6=chance, e5=chance, e4=chance - 0.1)
    assert wanted(rows) == [(0.00032, 0, "dev", ""), (0.032, 0, "dev", "")]
    rows += dev(e7=chance, e3=chance, e8=chance, e2=chance)
    assert {split for _, _, split, _ in wanted(rows)} == {"test", "memory"}
    rows = dev(e6=chance, e5=chance + 0.01, e4=chance)
    assert {split for _, _, split, _ in wanted(rows)} == {"test", "memory"}


def test_it_grows_no_further_than_it_may() -> None:
    rows = dev(e6=0.6, e5=0.65, e4=0.7, e3=0.8, e2=0.9)
    assert {lr for lr, *_ in wanted(rows)} == {0.1}
    assert {split for _, _, split, _ in wanted(rows)} == {"test", "memory"}


def test_then_the_best_rate_with_fresh_seeds_and_controls() -> None:
    rows = dev(e6=0.7, e5=0.8, e4=0.7)
    assert wanted(rows) == [
        (0.0032, 1, "test", ""),
        (0.0032, 2, "test", ""),
        (0.0032, 1, "memory", ""),
        (0.0032, 1, "test", "random weights"),
        (0.0032, 1, "test", "shuffled labels"),
    ]
    rows.append(row(0.0032, 0.1, 1, "test"))  # a low score on the test changes nothing
    assert wanted(rows)[0] == (0.0032, 2, "test", "")


def test_nothing_is_left_where_all_is_there_or_refused() -> None:
    rows = dev(e6=0.7, e5=0.8, e4=0.7)
    rows += [row(*run[:1], 0.5, *run[1:]) for run in wanted(rows)]
    assert wanted(rows) == []
    assert wanted([{"refused": "no"}]) == []


def test_controls_are_where_the_plan_has_them() -> None:
    plain = replace(PLAN, controls=())
    runs = plain.wanted("lora", "words", dev(e6=0.7, e5=0.8, e4=0.7))
    assert {run.control for run in runs} == {""}


def test_a_run_that_diverged_is_the_worst() -> None:
    rows = [*dev(e6=0.7, e5=0.8), row(0.01, 0) | {"diverged": "inf"}]
    del rows[-1]["score"]
    assert wanted(rows)[0] == (0.0032, 1, "test", "")


def test_of_equal_scores_the_one_inside_is_chosen_then_the_lower() -> None:
    assert chosen({1.0: 0.5, 2.0: 0.5, 3.0: 0.5, 4.0: 0.5}) == 2.0
    assert chosen({1.0: 0.6, 2.0: 0.5, 3.0: 0.5}) == 1.0


def test_a_variant_is_a_contender_of_its_own() -> None:
    plan = replace(PLAN, variants=({"method": "linear_probe", "pooling": "mean"},))
    assert plan.contenders[-1] == ("linear_probe", (("pooling", "mean"),))
    run = plan.wanted("linear_probe", "words", [], plan.contenders[-1][1])[0]
    assert run.group == "words pooling=mean"
    assert run.name == "linear_probe tiny words pooling=mean 0.001 0 dev"
    assert Run("lora", "tiny", "words", 0.1, 1, "test", "random weights").name == (
        "lora tiny words 0.1 1 test random weights"
    )


@pytest.mark.parametrize("path", sorted(HERE.glob("*.toml")), ids=lambda path: path.stem)
def test_the_plans_that_are_here_can_be_read(path: Path) -> None:
    plan = plans.read(path)
    assert len(list(plan.groups())) == len(plan.contenders) * len(plan.steps)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('model = "minilm"', 'model = "maxilm"', "there is no 'maxilm', but"),
        ("rows = 16", "", "rows: missing"),
        ("rows = 16", "rows = 16\nrow = 1", "row: no such key"),
        ('methods = "all"', 'methods = ["lara"]', "did you mean 'lora'"),
        ('method = "linear_probe"', 'method = "probe"', "no method is called 'probe'"),
        ("trec = 100", "treck = 100", "there is no task 'treck', but"),
        ("trec = 100", "trec = 0", "trec = 0, at least one"),
        ('controls = ["trec"]', 'controls = ["tree"]', "'tree' is no task of this plan"),
        ("rates = [-7, -3]", "rates = [-3, -3]", "rates: [lowest, highest]"),
        ("seeds = [1, 2, 3]", "seeds = [0, 1]", "not that of tuning"),
        ("tuning = 0", "tuning = ", "Invalid value"),
    ],
)
def test_what_a_plan_must_not_say(old: str, new: str, complaint: str, tmp_path: Path) -> None:
    text = (HERE / "minilm.toml").read_text()
    assert old in text
    (tmp_path / "plan.toml").write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=r"plan\.toml|method") as error:
        plans.read(tmp_path / "plan.toml")
    assert complaint in str(error.value)
