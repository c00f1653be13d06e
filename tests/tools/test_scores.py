"""Scores of three kinds in one schema, and the boards that they make."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tools.fault_cases_of_scores import PRINTED, PRINTED_PATH
from tests.tools.small_catalog import CARD, CARD_PATH, SUITE, write_suite, write_tree
from tools.atlas import Atlas, load
from tools.data.committed import CommittedError
from tools.data.published import Source
from tools.data.real import Budget, Group, Row
from tools.data.scores import Score, disagreements, interval, read_score, read_suites, read_tables
from tools.data.times import Timed
from tools.site.shared.boards import Board, board_of, measured, printed, published


def group(method: str, *scores: float, settings: dict | None = None, **changed: object) -> Group:
    """Scored on the test at the rate 0.01, which is the best of three."""
    tests = [
        Row(lr=0.01, seed=i, split="test", score=s, seconds=2.0 + i, trained=7, stored=5)
        for i, s in enumerate(scores, 1)
    ]
    dev = [
        Row(lr=rate, seed=0, split="dev", score=score)
        for rate, score in ((0.001, 0.7), (0.01, 0.9), (0.1, 0.2))
    ]
    known = {
        "method": method,
        "model": "minilm",
        "task": "trec",
        "settings": settings or {},
        "weights": "",
        "data": "",
        "budget": Budget(steps=1, rows=1, head_lr=0.1),
        "metric": "accuracy",
        "guessing": 0.2,
        "texts": 400,
        "runs": (*dev, *tests, Row(lr=0.01, seed=1, split="memory", peak=9)),
    }
    return Group(**known | changed)


def timed(step: float, **changed: object) -> dict[str, Timed]:
    ratio = {"median": step, "low": step, "high": step, "rounds": 1}
    batches = {"step": (8, 32), "forward-32": (32, 32)}
    known = {"sources": {}, "versions": {}, "batches": batches, "times": {"step": {"base": ratio}}}
    return {"minilm": Timed.model_validate(known | changed)}


TIMES = {"lora": timed(0.25), "other": timed(0.97, twin="itself"), "fusion": timed(2.0)}


@pytest.fixture
def atlas(tmp_path: Path) -> Atlas:
    write_tree(tmp_path, card='suite = ["lora--rank8"]\n' + CARD)
    write_suite(tmp_path)
    (tmp_path / PRINTED_PATH).write_text(PRINTED)
    refused = Row(refused="the task does not give: sources")
    real = (
        group("lora", 0.8, 0.9),
        group("lora", 0.3, 0.8, settings={"r": 2}),
        group("other", 0.84, 0.83),
        group("fusion", runs=(refused,)),
        group("lora", 0.6, task="movies"),
    )
    return replace(load(tmp_path), real=real, times=TIMES)


def test_a_printed_score_is_read_with_its_spread() -> None:
    assert read_score("95.1 ± 0.2") == (95.1, 0.2)
    assert read_score("-3") == (-3, None)
    for text in ("95.1%", "95,1", "95.1 +- 0.2", "95.1 ±", ""):
        with pytest.raises(ValueError, match="is not a number"):
            read_score(text)


def test_a_printed_table_becomes_scores(atlas: Atlas) -> None:
    cola, mnli = printed(atlas)
    assert (mnli.method, mnli.data, mnli.metric, mnli.value) == ("lora", "MNLI", "accuracy", 87.5)
    assert (mnli.shown, mnli.low, mnli.seeds) == ("87.5", None, None)
    assert (cola.metric, cola.value) == ("Matthews correlation", 63.4)
    assert (cola.low, cola.high) == pytest.approx((62.2, 64.6))
    assert mnli.source == Source(paper="hu2021lora", where="Table 2")
    assert mnli.version == "https://example.org/paper"


def test_what_a_table_says_of_all_its_numbers(tmp_path: Path) -> None:
    write_tree(tmp_path)
    more = 'trained = "0.3M"\nseeds = 5\nsplit = "dev"\n[table.scores]'
    (tmp_path / PRINTED_PATH).write_text(PRINTED.replace("[table.scores]", more))
    (table,) = read_tables(tmp_path)["lora"]
    score = next(table.rows("lora"))
    assert (score.trained, score.seeds, score.data) == (300_000, 5, "MNLI, dev")
    (tmp_path / PRINTED_PATH).write_text(
        PRINTED.replace("[table.scores]", 'trained = "0.1%"\n[table.scores]')
    )
    assert next(read_tables(tmp_path)["lora"][0].rows("lora")).trained is None  # of what is unknown


def test_sources_that_disagree_stand_side_by_side() -> None:
    def score(method: str, data: str, value: float) -> Score:
        known = {"kind": "printed", "label": "x", "model": "m", "metric": "accuracy"}
        return Score(method=method, data=data, value=value, shown=str(value), **known)

    found = disagreements(
        [
            score("lora", "MNLI", 87.5),
            score("lora", "RTE", 80.0),
            score("lora", "MNLI", 87.9),
            score("lora", "RTE", 86.0),
            score("lora", "QQP", 90.0),
            score("lora", "QQP", 90.0),
            score("ia3", "CoLA", 1.0),
            score("", "CoLA", 2.0),
            score("", "CoLA", 3.0),
        ]
    )
    assert [sorted(s.value for s in group) for group in found] == [[80.0, 86.0], [87.5, 87.9]]


def test_a_suite_becomes_scores(atlas: Atlas) -> None:
    (suite,) = atlas.suites
    first, second, cats = suite.scores({"lora--rank8": "lora"})
    assert (first.method, first.value, first.shown) == ("lora", 50.0, "50.0")
    assert first.margin == pytest.approx(9.8)
    assert (second.method, second.label) == ("", "=other")
    assert (cats.value, cats.shown, cats.margin, cats.rate) == (0.682, "0.682", None, None)
    assert first.source.where == "sums"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"commit": "0', '"commit": "x', "commit"),
        ('"board": "cats"', '"board": "dogs"', "'dogs', which is not there"),
        ("0.682", "NaN", "runs.2.score"),
        ('"date"', '"day"', "runs.0.date"),
    ],
)
def test_a_suite_that_cannot_be_read_is_named(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    path = write_suite(tmp_path)
    path.write_text(SUITE.replace(old, new))
    with pytest.raises(
        CommittedError, match=r"^reference_impls/real/suites/library\.json: "
    ) as error:
        read_suites(tmp_path)
    assert says in str(error.value)


def test_an_interval_is_of_the_tests_size() -> None:
    assert interval(0.5, 100) == pytest.approx(9.8)
    assert interval(0.9, 1000) == pytest.approx(1.859, abs=1e-3)
    assert interval(1.0, 10) == 0


def board(atlas: Atlas) -> Board:
    return next(b for b in measured(atlas) if b.slug == "minilm-trec")


def test_what_was_measured_makes_a_board_a_task(atlas: Atlas) -> None:
    assert [b.slug for b in measured(atlas)] == ["minilm-trec", "minilm-movies"]
    found = board(atlas)
    assert (found.model, found.data, found.metric) == ("all-MiniLM-L6-v2", "TREC", "accuracy")
    assert [s.label for s in found.ranked] == ["LoRA", "other", "LoRA (r 2)"]
    first = found.ranked[0]
    assert (first.value, first.shown, first.seeds) == (pytest.approx(85), "85.0", 2)
    assert (first.low, first.high) == (pytest.approx(80), pytest.approx(90))
    assert (first.rate, first.trained, first.stored, first.peak) == (0.01, 7, 20, 9)
    assert (first.seconds, first.step) == (pytest.approx(3.5), 25)
    assert [g.method for g in found.refused] == ["fusion"]


def test_a_board_says_what_its_test_cannot_tell_apart(atlas: Atlas) -> None:
    assert board(atlas).level == {"LoRA", "other"}  # 3.5 points each way, and 1.5 between them
    assert [s.label for s in board(atlas).collapsed] == ["LoRA (r 2)"]
    assert board(atlas).collapsed_said == "LoRA (r 2) (30 to 80)"
    assert board(atlas).best.keys() == {"lora", "other"}
    assert board(atlas).best["lora"].label == "LoRA"


def test_a_step_is_that_of_the_defaults_on_the_same_model(atlas: Atlas) -> None:
    found = {score.label: score.step for score in board(atlas).scores}
    assert found == {"LoRA": 25, "other": 100, "LoRA (r 2)": None}  # full tuning is what it is of
    elsewhere = replace(atlas, times={"lora": {"smollm2": TIMES["lora"]["minilm"]}})
    assert all(score.step is None for score in board(elsewhere).scores)


def test_a_board_says_on_what_processors_its_seconds_were_taken(atlas: Atlas) -> None:
    assert board(atlas).processors == "6 trainings: processor not kept"
    rows = [Row(lr=0.01, seed=1, split="test", score=0.5, processor=name) for name in "bab"]
    known = replace(board(atlas), groups=[group("lora", runs=tuple(rows)), group("other", 0.1)])
    assert known.processors == "a; b; 1 training: processor not kept"


def test_a_score_is_placed_between_the_lowest_and_the_highest(atlas: Atlas) -> None:
    found = board(atlas)
    assert [round(found.height(s), 2) for s in found.ranked] == [1, 0.95, 0]
    assert replace(found, scores=found.scores[:1]).height(found.scores[0]) == 1


def test_rates_are_those_of_all_methods_and_a_neighbor_costs(atlas: Atlas) -> None:
    assert board(atlas).rates == [0.001, 0.01, 0.1]
    assert group("lora", 0.8).beside == pytest.approx(0.7)
    end = group("lora", 0.8, runs=group("lora", 0.8).runs[:2] + group("lora", 0.8).runs[3:])
    assert end.beside == pytest.approx(0.2)


def test_a_chart_is_drawn_for_each_cost_that_is_known(atlas: Atlas) -> None:
    found = {name: str(chart) for name, _, chart in board(atlas).charts()}
    assert list(found) == ["trained", "step", "peak", "stored"]  # seconds of whatever was at hand
    assert "LoRA: 20 bytes stored, 85.0%" in found["stored"]
    assert "LoRA: 25% of a full step, 85.0%" in found["step"]
    assert "other: 100% of a full step" in found["step"]
    assert "r 2" not in found["step"]
    sums = next(b for b in published(atlas) if b.slug == "a-library-sums")
    assert "12 min of training, 50.0%" in str(
        {name: chart for name, _, chart in sums.charts()}["seconds"]
    )
    cats = next(b for b in published(atlas) if b.slug == "a-library-cats")
    assert cats.charts() == []  # one point is no comparison


def test_boards_of_a_suite_are_never_those_of_another_board(atlas: Atlas) -> None:
    sums, cats = published(atlas)
    assert [s.label for s in sums.ranked] == ["lora, <rank8>", "=other"]
    assert (sums.level, cats.level) == ({"lora, <rank8>", "=other"}, {"cats"})
    assert sums.ranked[0].method == "lora"
    assert json.loads(SUITE)["boards"]["cats"]["data"] == cats.data


def test_the_name_of_a_boards_page() -> None:
    assert board_of("minilm", "trec") == "minilm-trec"
    assert board_of("peft", "MetaMathQA") == "peft-metamathqa"
    assert (CARD_PATH, board_of("…")) == (CARD_PATH, "board")
