"""The home page: its facts are those of the catalog, the methods and the comparisons."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.tools.small_catalog import comparison, write_tree
from tools import atlas as material
from tools.atlas import Atlas
from tools.data.files import ROOT
from tools.site.pages.home.home import compared, home
from tools.site.shared.site import Site


@pytest.fixture
def atlas(tmp_path: Path) -> Atlas:
    write_tree(tmp_path)
    return material.load(tmp_path)


def page(atlas: Atlas) -> str:
    return home(Site(atlas, ""))[1]


def test_comparisons_are_counted_by_how_they_came_out(atlas: Atlas) -> None:
    outcomes = [
        comparison("peft", "equal"),
        comparison("peft", "equal"),
        comparison("adapters", "equal-after"),
        *(3 * [comparison("<b>", "deviates")]),
    ]
    atlas = replace(atlas, parity={"lora": tuple(outcomes), "other": ()})
    found = compared(atlas)
    assert [found[key] for key in ("total", "equal", "after", "deviates", "methods")] == [
        6,
        2,
        1,
        3,
        1,
    ]
    assert found["libraries"] == "&#60;b&#62;, adapters and peft"
    shown = page(atlas)
    assert "**6** comparisons with libraries" in shown
    assert "**2** equal" in shown
    assert "1 method of\n1 could be compared" in shown
    for share in ("equal", "after", "deviates"):
        assert f'class="{share}" style="flex-grow: {found[share]}"' in shown


def test_without_comparisons_nothing_is_said_of_any(atlas: Atlas) -> None:
    shown = page(replace(atlas, parity={}))
    assert "flex-grow" not in shown
    assert "(#verified)" not in shown
    assert "**Not verified:**" in shown


def test_every_branch_is_a_family_or_named_beside_them() -> None:
    atlas = material.load(ROOT)
    shown = page(atlas)
    families, _, others = shown.partition("**Around them:**")
    for node in atlas.catalog.taxonomy:
        is_family = node.main or bool(atlas.implementations(node))
        assert (f"### [{node.name}](taxonomy/{node.id}.md)" in families) == is_family
        assert (f"[{node.name}](taxonomy/{node.id}.md)" in others) != is_family


def test_every_method_is_shown_with_its_drawing_once() -> None:
    atlas = material.load(ROOT)
    shown = page(atlas)
    for method in atlas.methods.values():
        assert shown.count(f" {method.title}](methods/{method.name}.md)") == 1
    assert shown.count('class="thumb"') == len(atlas.methods)


def test_the_newest_papers_are_those_that_run(atlas: Atlas) -> None:
    newest = page(atlas).partition("Newest papers that run here")[2]
    running = [paper for paper in atlas.catalog.papers if paper.id in atlas.methods_of]
    assert running
    for paper in atlas.catalog.papers:
        assert (f"papers/{paper.id}.md" in newest) == (paper in running)
