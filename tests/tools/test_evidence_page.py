"""The pages of scores: each number is computed from the rows, and what is hostile is text."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import fields, replace
from html import unescape
from pathlib import Path

import pytest

from tests.tools.fault_cases_of_scores import PRINTED, PRINTED_PATH
from tests.tools.small_catalog import CARD, write_suite, write_tree
from tests.tools.test_scores import TIMES, group
from tools.atlas import Atlas, load
from tools.data.peaks import Peaks
from tools.data.real import Row
from tools.data.scores import Score
from tools.site import all_pages
from tools.site.pages.evidence import evidence, scale
from tools.site.pages.methods.real_runs import real_runs
from tools.site.shared.boards import measured
from tools.text.escape import html

HOSTILE = '<img src=x onerror="alert(1)">'


@pytest.fixture
def atlas(tmp_path: Path) -> Atlas:
    write_tree(tmp_path, card='suite = ["lora--rank8"]\n' + CARD)
    write_suite(tmp_path)
    text = PRINTED.replace('label = "LoRA"', f"label = '{HOSTILE}'")
    second = PRINTED.replace("Table 2", "Table 9").replace("87.5", "86.1")
    (tmp_path / PRINTED_PATH).write_text(text + second)
    control = Row(lr=0.01, seed=1, split="test", control="random weights", score=0.25)
    lora = group("lora", 0.8, 0.9)
    here = lora.runs[3].model_copy(update={"processor": HOSTILE})
    real = (
        lora.model_copy(update={"runs": (*lora.runs[:3], here, *lora.runs[4:], control)}),
        group("other", 0.3, 0.8),
        group("third", 0.84, task="movies"),
        group("fusion", runs=(Row(refused=f"no {HOSTILE}"),)),
    )
    return replace(load(tmp_path), real=real, times=TIMES)


@pytest.fixture
def pages(atlas: Atlas) -> dict[str, str]:
    return all_pages.pages(atlas, "# C")


def rows(text: str, name: str) -> list[list[str]]:
    """The cells of a table by its class, as text."""
    table = text.split(f'<table class="compare {name}"')[1].split("</table>")[0]
    found = re.findall(r"<tr.*?</tr>", table, flags=re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, flags=re.DOTALL) for row in found]
    return [[unescape(re.sub("<[^>]+>", "", cell)).strip() for cell in row] for row in cells]


def test_a_leaderboard_has_every_number_of_its_rows(pages: dict[str, str]) -> None:
    text = pages["evidence/minilm-trec.md"]
    head, lora, other = rows(text, "leaderboard")
    assert head[:4] == ["Method", "Rank", "Accuracy", "Seeds, lowest to highest"]
    assert lora == ["LoRA", "1", "85.0 ± 3.5", "80.0 to 90.0", "0.01", "7", "20 bytes",
                    "25%", "3.5 s", "9 bytes"]  # fmt: skip
    assert f"({html(HOSTILE)}; 3 trainings: processor not kept)" in text
    assert other[:4] == ["other", "2", "55.0 ± 4.9", "30.0 to 80.0"]
    assert text.count('class="level"') == 1
    assert "other (30 to 80) ends far apart" in text
    assert "400 texts in the test" in text
    assert "gives 20.0." in unescape(text)


def test_the_sensitivity_marks_the_rate_that_was_chosen(pages: dict[str, str]) -> None:
    head, lora, _ = rows(pages["evidence/minilm-trec.md"], "rates")
    assert head == ["Method", "0.001", "0.01", "0.1", "Half a decade off"]
    assert lora == ["LoRA", "70", "90 (chosen)", "20", "−70.0"]


def test_controls_and_refusals_are_told(pages: dict[str, str]) -> None:
    text = pages["evidence/minilm-trec.md"]
    assert '<th scope="col">Random weights</th>' in text
    assert "LoRA</a></th><td>85.0</td><td>25.0</td>" in unescape(text)
    refused = unescape(text.split("## Not on this board")[1])
    assert f"fusion: no {HOSTILE}" in refused


def test_the_overview_has_a_column_a_board(pages: dict[str, str]) -> None:
    text = unescape(pages["evidence/index.md"])
    head, *found = rows(text, "boards")
    assert [cell.split()[0] for cell in head] == ["Method", "TREC", "Movie"]
    assert found == [["LoRA", "85.0", "–"], ["third", "–", "84.0"], ["other", "55.0", "–"]]
    assert "3 methods on 2 tasks, 18 runs" in text
    assert "best LoRA with 85.0; 0 of 1 others are level" in text
    assert "[4 printed scores](printed.md) of 1 method" in text
    assert "best lora, <rank8> with 50.0, with which 1 others are level" in text


def test_a_suites_board_says_whose_it_is(pages: dict[str, str]) -> None:
    text = pages["evidence/a-library-sums.md"]
    assert (
        "[a library, suite](https://example.org/suite) at commit `01234567` (MIT), on a card"
        in text
    )
    assert "1 of 2 runs have the learning rate 0.0001" in text
    _, lora, other = rows(text, "leaderboard")
    assert lora == ["lora, <rank8>", "1", "50.0 ± 9.8", "0.0001", "1,000", "4.00 kB", "12 min",
                    "2.00 GB"]  # fmt: skip
    assert other[0] == "=other"
    assert '<a href="../methods/lora.html">lora, &lt;rank8&gt;</a>' in text
    assert "## How much the learning rate matters" not in text
    _, cats = rows(pages["evidence/a-library-cats.md"], "leaderboard")
    assert cats[2:4] == ["0.682", "–"]


def test_printed_scores_stand_with_their_source(pages: dict[str, str]) -> None:
    text = pages["evidence/printed-lora.md"]
    assert HOSTILE not in text
    _, first, second = rows(text, "printed")
    assert first[:2] == [f"Hu and Shen 2022, Table 2 as read{HOSTILE}", "RoBERTa-base"]
    numbers = "MNLI accuracy 87.5 CoLA Matthews correlation 63.4 ± 1.2"
    assert [" ".join(first[2].split()), first[3]] == [numbers, "–"]
    assert "86.1" in second[2]
    apart = unescape(re.sub("<[^>]+>", "", text.split('<ul class="apart">')[1]))
    assert "RoBERTa-base, MNLI (accuracy): 2 numbers, 1.4 apart" in apart
    assert "CoLA" not in apart


def test_a_printed_row_with_several_metrics_is_one(atlas: Atlas) -> None:
    first, second = atlas.printed["lora"]
    again = first.model_copy(update={"metric": "F1", "scores": {"MNLI": "80.1"}})
    (one, scores), (other, _) = evidence.joined("lora", [first, again, second])
    assert (one.where, other.where) == ("Table 2", "Table 9")
    assert [(s.metric, s.shown) for s in scores] == [
        ("accuracy", "87.5"), ("Matthews correlation", "63.4 ± 1.2"), ("F1", "80.1")
    ]  # fmt: skip


def test_an_overview_leads_to_what_is_printed_of_each_method(pages: dict[str, str]) -> None:
    text = pages["evidence/printed.md"]
    assert "4 scores of 1 method, from 1 source." in text
    assert "| [LoRA](printed-lora.md) | 4 | 1 | 1 |" in text
    assert "[4 scores](../evidence/printed-lora.md)" in pages["methods/lora.md"]


def test_tables_are_there_as_csv(pages: dict[str, str], atlas: Atlas) -> None:
    trec, every = (
        list(csv.DictReader(io.StringIO(pages[f"evidence/{name}.csv"])))
        for name in ("minilm-trec", "scores")
    )
    assert [row["label"] for row in trec] == ["LoRA", "other"]
    assert trec[0] | {"kind": "measured", "value": "85", "peak": "9", "paper": ""} == trec[0]
    assert [row["kind"] for row in every] == 3 * ["measured"] + 3 * ["suite"] + 4 * ["printed"]
    assert {row["label"] for row in every} >= {"'=other", HOSTILE}  # no spreadsheet runs it
    assert every[-1]["paper"] == "hu2021lora"
    assert every[0].keys() >= {f.name for f in fields(Score)} - {"source"}


def test_without_any_score_there_is_a_page_that_says_so(tmp_path: Path) -> None:
    write_tree(tmp_path)
    pages = all_pages.pages(load(tmp_path), "# C")
    assert {p for p in pages if p.startswith("evidence/")} == {
        "evidence/index.md", "evidence/printed.md", "evidence/scores.csv"
    }  # fmt: skip
    assert "None has been collected yet" in pages["evidence/printed.md"]


def test_methods_on_more_boards_come_first(atlas: Atlas) -> None:
    both = (*atlas.real, group("third", 0.2))
    found = evidence.matrix(atlas, measured(replace(atlas, real=both)))
    assert [name for name, *_ in found] == ["third", "lora", "other"]


def test_a_methods_page_leads_to_the_board(atlas: Atlas, pages: dict[str, str]) -> None:
    assert "](../evidence/minilm-trec.md)" in str(real_runs(atlas, "lora"))
    assert "evidence/minilm-trec.md" in pages


def test_what_everything_would_cost_follows_from_measured_steps(atlas: Atlas) -> None:
    peaks = (Peaks("Card", "BERT-base", "float32", (1.0,), (0.1, 0.3, 0.2)),)
    (row,) = str(scale.table_of(replace(atlas, peaks=peaks))).splitlines()[2:]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:] == ["–", "3", "200 ms", "200 s", "13,333", "133"]  # 240,000 runs
    assert scale.table_of(replace(atlas, peaks=())) is None
