"""The map, the matrix, the crosswalk and the timeline say what the catalog says."""

from __future__ import annotations

import re

import pytest

from tools import atlas as material
from tools.atlas import Atlas, counted
from tools.data.files import ROOT
from tools.data.papers import Date, first_seen
from tools.data.schema import Catalog, Node, Paper
from tools.site.all_pages import pages
from tools.site.pages.crosswalk import crosswalk
from tools.site.pages.taxonomy import taxonomy
from tools.site.shared.site import Site

ATLAS = material.load(ROOT)
SITE = Site(ATLAS, "# C")
PAPER = ATLAS.catalog.paper["hu2021lora"]


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return pages(ATLAS, "# C")


def paper(**changes: object) -> Paper:
    return PAPER.model_copy(update=changes)


def leaf(name: str, **elsewhere: str) -> Node:
    return Node(id=name, name=name.title(), description="A leaf.", elsewhere=elsewhere)


def test_the_map_names_every_node_with_its_papers_and_methods(made: dict[str, str]) -> None:
    text = made["taxonomy/index.md"]
    rows = re.findall(r'<a class="name" href="([\w-]+)\.html">', text)
    assert rows == list(ATLAS.catalog.nodes)
    for node in ATLAS.catalog.nodes.values():
        number = counted(ATLAS.papers(node))
        assert f'index.html?leaf={node.id}">{number}</a>' in text, node.id
    runs = set(re.findall(r'href="\.\./methods/(\w+)\.html"', text))
    assert runs == ATLAS.methods.keys()


def test_what_a_node_is_found_by_holds_its_methods() -> None:
    words = taxonomy.words(SITE, ATLAS.catalog.nodes["rescaling"])
    assert "(ia)³" in words
    assert "ia3" in words
    assert "t-few" in words  # as the method's card says


def test_the_area_of_a_disk_goes_with_the_papers() -> None:
    size = taxonomy.sizes(SITE)
    number = {node.id: len(ATLAS.papers(node)) for node in ATLAS.catalog.nodes.values()}
    most = max(number.values())
    assert size == {node: pytest.approx((n / most) ** 0.5, abs=1e-3) for node, n in number.items()}


def test_the_matrix_counts_and_shows_its_gaps(made: dict[str, str]) -> None:
    rows = taxonomy.matrix(SITE, ATLAS.catalog.taxonomy)
    for node, cells in rows:
        for cell, modality in zip(cells, ATLAS.catalog.modalities, strict=True):
            counted = [p for p in ATLAS.papers(node) if modality.id in p.modality]
            assert (cell.modality, cell.number) == (modality.id, len(counted))
            assert (cell.shade > 0) is (cell.number > 0)
    text = made["taxonomy/index.md"]
    cells = [cell for _, own in rows for cell in own]
    assert text.count('<td class="none">') == sum(not cell.number for cell in cells)
    assert max(cell.shade for cell in cells) == 1
    for node, own in rows:
        for cell in own:
            link = f"index.html?leaf={node.id}&amp;modality={cell.modality}"
            assert (link in text) is bool(cell.number)


def test_a_survey_has_a_category_of_its_own_a_wider_one_or_none() -> None:
    survey = PAPER
    one, two = leaf("one", **{survey.id: "A / b"}), leaf("two", **{survey.id: "A / b"})
    alone = leaf("alone", **{survey.id: "A / c"})
    refused = leaf("refused", **{survey.id: "Not a class; studied elsewhere"})
    other, nothing = leaf("other", **{survey.id: refused.elsewhere[survey.id]}), leaf("nothing")
    leaves = [one, two, alone, refused, other, nothing]
    found = [crosswalk.counterpart(node, survey, leaves) for node in leaves]
    assert [same.kind for same in found] == ["wider", "wider", "own", "none", "none", "none"]
    assert found[0].shared == (two,)
    assert found[3].category.startswith("Not a class")


def test_what_no_survey_has_is_told_by_branch_or_leaf() -> None:
    known, one, two = leaf("known", s="A"), leaf("one"), leaf("two")
    some = Node(id="some", name="Some", description="A branch.", children=(known, one))
    none = Node(id="none", name="None", description="A branch.", children=(one, two))
    assert crosswalk.left_out(some) == [one]
    assert crosswalk.left_out(none) == [none]


def test_each_survey_is_shown_from_its_own_side() -> None:
    survey = ATLAS.catalog.paper["han2024peft"]
    leaves = [leaf for leaf in ATLAS.catalog.leaves.values() if leaf.elsewhere]
    cut = crosswalk.cut(SITE, survey, leaves)
    assert cut.own + cut.wider + cut.none == len(leaves)
    shown = {leaf.id: name for name, tops in cut.classes for _, leaves in tops for leaf in leaves}
    assert shown == {
        leaf.id: leaf.elsewhere[survey.id].split(" / ")[0]
        for leaf in leaves
        if survey.id in leaf.elsewhere
    }
    for _, tops in cut.classes:
        for top, own in tops:
            assert {ATLAS.catalog.tops[leaf.id].id for leaf in own} == {top.id}


@pytest.mark.parametrize(
    ("changes", "date"),
    [
        ({"id": "hu2021lora", "arxiv": "2106.09685"}, Date(2021, 6)),
        ({"id": "chen2023hadamard", "arxiv": "2407.11033"}, Date(2023)),
        ({"id": "hu2021lora", "arxiv": None}, Date(2021)),
        ({"id": "old2007paper", "arxiv": "cs.CL/0711001"}, Date(2007, 11)),
        ({"id": "nobodyndpage", "arxiv": None}, None),
    ],
)
def test_a_paper_stands_where_it_first_appeared(changes: dict, date: Date | None) -> None:
    assert first_seen(paper(**changes)) == date


def test_a_catalog_without_surveys_still_has_a_crosswalk() -> None:
    undated = {"id": "nobodyndpage", "leaves": ("only",), "arxiv": None}
    catalog = Catalog.model_construct(
        modalities=ATLAS.catalog.modalities,
        venues=ATLAS.catalog.venues,
        taxonomy=(leaf("only"),),
        papers=(paper(**undated, related=()),),
    )
    site = Site(Atlas(catalog), "# C")
    assert "compares no survey yet" in dict(crosswalk.pages(site))["crosswalk.md"]
