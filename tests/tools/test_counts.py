"""Numbers on pages count what they say: papers, entries, gaps, runs, models."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tools.small_catalog import CATALOG, write_tree
from tests.tools.test_runs import run
from tools import atlas as material
from tools import readme
from tools.atlas import Atlas, counted, coverage
from tools.cards import Card
from tools.data.files import ROOT
from tools.data.papers import first_seen, last_seen_first
from tools.data.runs import Run
from tools.data.schema import RESOURCES
from tools.site.all_pages import pages
from tools.site.pages.compare import compare
from tools.site.pages.timeline import timeline
from tools.site.shared.figures import sizes_of

ATLAS = material.load(ROOT)
PAPERS = [paper for paper in ATLAS.catalog.papers if paper.kind not in RESOURCES]


@pytest.fixture
def small(tmp_path: Path) -> Atlas:
    write_tree(tmp_path)
    return material.load(tmp_path)


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return pages(ATLAS, "# C")


def test_papers_are_told_from_other_resources(small: Atlas) -> None:
    blog = small.catalog.paper["microsoftndtuning"]
    paper = small.catalog.paper["hu2021lora"]
    assert counted([]) == "0 papers"
    assert counted([paper]) == "1 paper"
    assert counted([blog]) == "1 other resource"
    assert counted([blog, blog]) == "2 other resources"
    assert counted(small.catalog.papers) == "4 papers and 1 other resource"


def test_every_page_that_counts_all_says_the_same(made: dict[str, str]) -> None:
    number, others = len(PAPERS), len(ATLAS.catalog.papers) - len(PAPERS)
    assert others > 0
    said = f"{number:,} papers and {others} other resources"
    assert counted(ATLAS.catalog.papers) == said
    for text in (made["papers/index.md"], made["taxonomy/timeline.md"], readme.render(ATLAS)):
        assert said in text
    assert (
        f"**{number:,}** papers and {others} other resources](papers/index.md)" in made["index.md"]
    )
    everything = len(ATLAS.catalog.papers)
    for name, text in {**made, "README.md": readme.render(ATLAS)}.items():
        if not name.startswith(("export/", "assets/")):
            assert f"{everything:,} papers" not in text, name


def test_a_branch_has_one_number_on_every_page(made: dict[str, str]) -> None:
    """A lane of the timeline lacks those without a date, and says so."""
    for node in ATLAS.catalog.taxonomy:
        entries = ATLAS.papers(node)
        assert f"{counted(entries)}; [filter" in made[f"taxonomy/{node.id}.md"]
        assert f'?leaf={node.id}">{counted(entries)}</a>' in made["taxonomy/index.md"]
        assert made["index.md"].count(counted(entries)) > 0
        lane = made["taxonomy/timeline.md"].partition(f'"{node.id}.html">{node.name}</a> ')[2]
        dated = sum(first_seen(entry) is not None for entry in entries)
        rest = len(entries) - dated
        note = f"<div>and {rest} without a date</div>" if rest else ""
        assert lane.startswith(f"<span>{dated}</span>{note}</div>"), node.id
    found = timeline.lanes(ATLAS, {}, timeline.axis_of([2020]))
    assert found == []


def test_the_numbers_of_a_matrix_are_those_of_its_rows(made: dict[str, str]) -> None:
    text = made["taxonomy/index.md"]
    assert "entries by branch and modality" in text.lower()
    assert not re.search(r'class="matrix".*aria-label="\d+ papers?"', text, re.DOTALL)


def test_a_leaf_that_cannot_have_code_is_no_gap(small: Atlas, tmp_path: Path) -> None:
    assert coverage(small) == "1 of 2 leaves have an implementation; 1 gap remains: Soft."
    described = "        description: What is written are vectors.\n"
    text = CATALOG.replace(described, f"{described}        no_code: It is words.\n")
    write_tree(tmp_path, text)
    told = material.load(tmp_path)
    assert told.gaps(told.catalog.taxonomy) == []
    assert coverage(told) == (
        "1 of 1 leaf has an implementation. Not counted, having nothing to implement: Soft."
    )
    text = pages(told, "# C")
    assert "There is nothing to implement here. It is words." in text["taxonomy/soft.md"]
    for name in ("taxonomy/index.md", "taxonomy/soft.md", "taxonomy/prompt.md", "index.md"):
        assert "mplementation yet" not in text[name], name
    assert "**2** taxonomy leaves, 0 of them still without code" in text["index.md"]
    assert 'class="leaf missing"' not in text["taxonomy/index.md"]
    assert "No reference implementation yet" not in readme.render(told)


def test_the_newest_papers_are_those_that_appeared_last(made: dict[str, str]) -> None:
    shown = re.findall(r"papers/(\w+)\.md", made["index.md"].partition("{ #newest }")[2])
    running = [paper for paper in ATLAS.catalog.papers if paper.id in ATLAS.methods_of]
    dates = {paper.id: first_seen(paper) for paper in running}
    oldest = min(dates[name].year for name in shown)
    later = [name for name, date in dates.items() if date and date.year > oldest]
    assert set(later) <= set(shown)


def test_papers_are_ordered_by_the_month_in_which_they_appeared(small: Atlas) -> None:
    paper = small.catalog.paper["hu2021lora"]

    def appeared(name: str, arxiv: str | None = None) -> object:
        return paper.model_copy(update={"id": name, "arxiv": arxiv, "year": 2030})

    july, june = appeared("a2021x", "2107.00001"), appeared("b2021x", "2106.00001")
    middle, later = appeared("c2021x"), appeared("d2022x")
    undated = appeared("endx")
    given = [undated, june, middle, later, july]
    assert [p.id for p in last_seen_first(given)] == [
        *("d2022x", "a2021x", "c2021x", "b2021x", "endx"),
    ]


@pytest.fixture
def ran(small: Atlas) -> Callable[..., Atlas]:
    """With runs of the probe and of LoRA, given the scores of their seeds."""

    def made(probe: list[float], lora: list[float]) -> Atlas:
        def with_scores(scores: list[float], base: int) -> Run:
            one = Run.model_validate(run())
            seeds = tuple(one.seeds[0].model_copy(update={"score": s}) for s in scores)
            counts = one.counts.model_copy(update={"base": base})
            return one.model_copy(update={"seeds": seeds, "counts": counts})

        runs = {"cue": {"probe": with_scores(probe, 7_000), "lora": with_scores(lora, 5_000)}}
        return replace(small, cards={"probe": Card(baseline="lower")}, runs=runs)

    return made


def test_that_the_code_learns_is_counted_seed_by_seed(ran: Callable[..., Atlas]) -> None:
    assert compare.learned(ran([0.5, 0.7], [0.71, 0.9])) == (1, 1)
    assert compare.learned(ran([0.5, 0.7], [0.7, 0.9])) == (0, 1)
    assert compare.learned(ran([0.5, 0.7], [0.6, 1.0])) == (0, 1)
    assert compare.learned(replace(ran([0.5], [0.6]), cards={})) is None


def test_what_is_said_of_all_runs_holds(made: dict[str, str]) -> None:
    above, every = compare.learned(ATLAS)
    assert f"in {above} of {every} runs" in made["methods/compare.md"]
    assert every > 80


def test_the_models_of_the_lab_are_as_large_as_is_said(
    ran: Callable[..., Atlas], made: dict[str, str]
) -> None:
    assert sizes_of({}) == ""
    assert sizes_of(ran([0.5], [0.5]).runs) == "5,000 to 7,000"
    assert sizes_of(ATLAS.runs) in made["index.md"]
    assert sizes_of(ATLAS.runs) in made["methods/lora.md"]
    reading = (ROOT / "docs/reading.md").read_text(encoding="utf-8")
    least, most = re.search(r"tiny models of ([\d,]+) to ([\d,]+) parameters", reading).groups()
    bases = {run.counts.base for runs in ATLAS.runs.values() for run in runs.values()}
    assert int(least.replace(",", "")) <= min(bases)
    assert max(bases) <= int(most.replace(",", ""))


def test_methods_with_a_dropout_of_their_own_are_named(made: dict[str, str]) -> None:
    assert "QLoRA" in compare.dropping(ATLAS)
    assert "LoRA" not in re.split(", | and ", compare.dropping(ATLAS))
    assert f"{compare.dropping(ATLAS)} have one of their own" in made["methods/compare.md"]
    assert "This method brings a dropout of 0&#46;1," in made["methods/qlora.md"]
    assert "brings a dropout" not in made["methods/lora.md"]


def test_no_page_promises_a_bound_or_takes_operations_for_time(made: dict[str, str]) -> None:
    for name in ("methods/compare.md", "methods/calculator.md", "methods/lora.md"):
        words = " ".join(made[name].split())
        assert not re.search(r"takes at most|[Nn]othing is estimated|not estimated", words), name
    for name in ("methods/compare.md", "methods/lora.md", "methods/choose.md"):
        words = " ".join(made[name].split()).lower()
        assert "not time" in words, name
        assert not re.search(r"(time|latency) (is|are) not measured", words), name
        assert re.search(r"#time\)|id=\"time\"", words), name
