"""The questions that pages ask of the catalog: which papers and methods, and in which order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.tools.small_catalog import write_tree
from tools import atlas as material
from tools.atlas import Atlas
from tools.data.papers import full_authors, newest_first, oldest_first, short_authors, years
from tools.data.schema import Paper


@pytest.fixture
def atlas(tmp_path: Path) -> Atlas:
    write_tree(tmp_path)
    return material.load(tmp_path)


def ids(papers: list[Paper] | tuple[Paper, ...]) -> list[str]:
    return [paper.id for paper in papers]


def changed(atlas: Atlas, changes: dict[str, dict]) -> Atlas:
    """With other values in some entries, by id."""
    old = atlas.catalog
    fields = {name: getattr(old, name) for name in ("modalities", "taxonomy", "venues")}
    papers = tuple(p.model_copy(update=changes.get(p.id, {})) for p in old.papers)
    return replace(atlas, catalog=type(old).model_construct(**fields, papers=papers))


def test_what_a_paper_builds_on_and_what_builds_on_it_are_oldest_first(atlas: Atlas) -> None:
    """By year, then by id, and undated ones last: not in the order of the file."""
    years_of = {
        "hu2021lora": 2022,
        "mao2021unipelt": 2020,
        "microsoftndtuning": None,
        "ruckle2020drop": 2022,
    }
    below = {name: {"builds_on": ("ruckle2020survey",)} for name in years_of}
    later = changed(atlas, {name: {**below[name], "year": years_of[name]} for name in years_of})
    order = ["mao2021unipelt", "hu2021lora", "ruckle2020drop", "microsoftndtuning"]
    assert ids(later.built_on_by["ruckle2020survey"]) == order
    assert later.built_on_by["hu2021lora"] == []
    dates = {name: {"year": year, "builds_on": ()} for name, year in years_of.items()}
    above = changed(atlas, {**dates, "ruckle2020survey": {"builds_on": tuple(years_of)}})
    assert ids(above.builds_on["ruckle2020survey"]) == order


def test_related_papers_name_each_other_whichever_entry_says_so(atlas: Atlas) -> None:
    both = changed(
        atlas,
        {
            "ruckle2020survey": {"related": ("mao2021unipelt",)},
            "hu2021lora": {"related": ("ruckle2020survey", "mao2021unipelt")},
        },
    )
    assert ids(both.related["mao2021unipelt"]) == ["hu2021lora", "ruckle2020survey"]
    assert ids(both.related["hu2021lora"]) == ["mao2021unipelt", "ruckle2020survey"]
    assert both.related["ruckle2020drop"] == []


def test_the_papers_of_a_branch_are_those_of_its_leaves_each_once(atlas: Atlas) -> None:
    branch, leaf = atlas.catalog.nodes["prompt"], atlas.catalog.nodes["soft"]
    expected = ["mao2021unipelt", "microsoftndtuning", "ruckle2020survey"]
    assert ids(atlas.papers(leaf)) == ids(atlas.papers(branch)) == expected
    twice = branch.model_copy(
        update={"children": (*branch.children, atlas.catalog.leaves["low-rank"])}
    )
    assert ids(atlas.papers(twice)) == ids(atlas.catalog.papers)


def test_a_line_leads_from_the_top_down_to_the_parent(atlas: Atlas) -> None:
    leaf, top = atlas.catalog.nodes["low-rank"], atlas.catalog.nodes["reparameterized"]
    assert atlas.line(leaf) == [top]
    assert atlas.line(top) == []
    deeper = replace(atlas)
    deeper.__dict__["parents"] = {"low-rank": atlas.catalog.nodes["soft"], "soft": top}
    assert [node.id for node in deeper.line(leaf)] == ["reparameterized", "soft"]


def test_gaps_are_the_leaves_without_implementation(atlas: Atlas) -> None:
    assert [leaf.id for leaf in atlas.gaps(atlas.catalog.taxonomy)] == ["soft"]
    assert atlas.gaps([atlas.catalog.nodes["low-rank"]]) == []


def test_methods_and_papers_know_each_other(atlas: Atlas) -> None:
    lora = atlas.methods["lora"]
    methods = {
        "zeta": replace(lora, name="zeta", paper="ruckle2020drop"),
        "lora": lora,
        "alpha": replace(lora, name="alpha", leaf="soft"),
    }
    known = replace(atlas, methods=methods)
    assert [m.name for m in known.methods_by_leaf] == ["lora", "zeta", "alpha"]
    found = {paper: [m.name for m in own] for paper, own in known.methods_of.items()}
    assert found == {"hu2021lora": ["alpha", "lora"], "ruckle2020drop": ["zeta"]}


def test_years_and_orders(atlas: Atlas) -> None:
    papers = atlas.catalog.papers
    assert years(papers) == (2020, 2022)
    assert years([atlas.catalog.paper["microsoftndtuning"]]) is None
    dated = ["hu2021lora", "mao2021unipelt", "ruckle2020drop"]
    assert ids(newest_first(papers[::-1])) == [*dated, "ruckle2020survey", "microsoftndtuning"]
    assert ids(oldest_first(papers[::-1])) == ["ruckle2020survey", *dated, "microsoftndtuning"]


@pytest.mark.parametrize(
    ("authors", "short", "full"),
    [
        (["Ruder, Sebastian"], "Ruder", ["Sebastian Ruder"]),
        (["Li, Xiang Lisa", "Liang, Percy"], "Li and Liang", ["Xiang Lisa Li", "Percy Liang"]),
        (["A, B", "C, D", "E, F"], "A et al.", ["B A", "D C", "F E"]),
    ],
)
def test_authors_in_short_and_in_full(
    atlas: Atlas, authors: list[str], short: str, full: list[str]
) -> None:
    paper = atlas.catalog.paper["hu2021lora"].model_copy(update={"authors": tuple(authors)})
    assert short_authors(paper) == short
    assert full_authors(paper) == full


def test_a_group_has_no_blank_before_its_name(atlas: Atlas) -> None:
    assert full_authors(atlas.catalog.paper["microsoftndtuning"]) == ["Microsoft Research"]
