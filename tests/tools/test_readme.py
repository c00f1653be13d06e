"""The README: whole, readable on GitHub, and within the rules of awesome lists."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.tools.small_catalog import write_tree
from tools import atlas as material
from tools import readme
from tools.atlas import Atlas, BuildError
from tools.data.files import ROOT
from tools.text.escape import plain

ITEM = re.compile(r"- (?:<a id=\"\w+\"></a>)?\[(.+?)(?<!\\)\]\(([^)\s]+)\) - (.+)")


@pytest.fixture(params=["small", "real"])
def atlas(request: pytest.FixtureRequest, tmp_path: Path) -> Atlas:
    if request.param == "real":
        return material.load(ROOT)
    write_tree(tmp_path)
    return material.load(tmp_path)


@pytest.fixture
def text(atlas: Atlas) -> str:
    return readme.render(atlas)


def items(text: str) -> list[tuple[str, str, str]]:
    return [ITEM.fullmatch(line).groups() for line in text.split("\n") if ITEM.fullmatch(line)]


def headings(text: str) -> list[tuple[int, str]]:
    found = re.findall(r"^(#+) (.+)$", text, flags=re.MULTILINE)
    return [(len(marks), heading) for marks, heading in found]


def test_the_same_on_every_run(atlas: Atlas, text: str) -> None:
    again = Atlas(atlas.catalog, dict(reversed(atlas.methods.items())), atlas.source, atlas.runs)
    assert readme.render(again) == text


def test_github_shows_all_of_it(text: str) -> None:
    assert len(text.encode()) < readme.MAX_BYTES
    assert text.endswith("\n")
    assert "\n\n\n" not in text
    assert not re.search(r"[ \t]+$", text, flags=re.MULTILINE)


def test_one_item_a_paper(atlas: Atlas, text: str) -> None:
    links = [link for _, link, _ in items(text)]
    assert sorted(links) == sorted(p.link.replace("&", "&amp;") for p in atlas.catalog.papers)
    assert len(set(links)) == len(links)


def test_a_leaf_says_how_many_of_its_papers_stand_elsewhere(atlas: Atlas, text: str) -> None:
    leaves, slugs = atlas.catalog.leaves, readme.heading_slugs(atlas)
    sections = re.split(r"^#{2,} ", text, flags=re.MULTILINE)
    for leaf in leaves.values():
        homes = Counter(p.leaves[0] for p in atlas.catalog.papers if leaf.id in p.leaves[1:])
        [section] = [part for part in sections if part.startswith(f"{leaf.name}\n")]
        told = re.findall(r"(\d+) under <a href=\"#([\w-]+)\">", section)
        most = sorted(homes.values(), reverse=True)
        assert [int(n) for n, _ in told] == most[: readme.SHOWN]
        assert {(slug, int(n)) for n, slug in told} <= {(slugs[k], n) for k, n in homes.items()}
        rest = re.search(r", (\d+) elsewhere\.", section)
        assert int(rest[1] if rest else 0) == sum(most[readme.SHOWN :])


def test_items_are_written_as_awesome_lists_are(text: str) -> None:
    for title, link, description in items(text):
        assert link.startswith(("https://", "http://"))
        assert re.match(r"[A-Z0-9\"'“‘(]", description), description
        assert not description.casefold().startswith(title.casefold())
        assert re.search(r"[.!?…]", description.split(" ![")[0])


def test_contents_come_first_and_match_the_headings(atlas: Atlas, text: str) -> None:
    found = headings(text)
    assert found[0] == (
        1,
        "Fine-Tuning Atlas [![Awesome](https://awesome.re/badge.svg)](https://awesome.re)",
    )
    assert found[1] == (2, "Contents")
    assert [level for level, _ in found].count(1) == 1
    wanted = [pair for pair in found[2:] if pair[0] in (2, 3)]
    assert wanted.pop() == (2, "Contributing")
    contents = text.split("## Contents\n")[1].split("\n## ")[0]
    listed = re.findall(r"^( *)- \[(.+)\]\(#(.+)\)$", contents, flags=re.MULTILINE)
    assert [(2 + len(margin) // 2, name) for margin, name, _ in listed] == wanted
    anchors = [anchor for *_, anchor in listed]
    assert anchors[1:] == [readme.heading_slugs(atlas)[node] for node in atlas.catalog.nodes]
    assert len(set(anchors)) == len(anchors)


def test_jumps_inside_lead_somewhere(text: str) -> None:
    anchors = set(re.findall(r'<a id="([^"]+)">', text)) | set(re.findall(r"\]\(#([^)]+)\)", text))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= anchors


def test_links_to_files_lead_to_files(text: str, atlas: Atlas) -> None:
    files = set(re.findall(r"\]\((?!https?:|#)([^)]+)\)", text))
    assert {method.path for method in atlas.methods.values()} <= files
    for file in files - {method.path for method in atlas.methods.values()}:
        assert (ROOT / file).is_file(), file


def test_main_links_are_unique(text: str) -> None:
    outside_items = "\n".join(line for line in text.split("\n") if not ITEM.fullmatch(line))
    links = re.findall(r"(?<!!)(?<!\\)\]\(([^)\s]+)\)", outside_items)
    assert sorted(links) == sorted(set(links))


def test_tables_are_aligned(text: str) -> None:
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        ends = {tuple(m.start() for m in re.finditer(r"\|", row)) for row in table.splitlines()}
        assert len(ends) == 1, table


def test_wide_letters_take_two_columns() -> None:
    assert readme.aligned([("a", "b"), ("日本", "c")]) == "| a    | b |\n| ---- | - |\n| 日本 | c |"


def test_one_is_not_many() -> None:
    assert [readme.count(n, "paper") for n in (0, 1, 2)] == ["0 papers", "1 paper", "2 papers"]
    assert [readme.count(n, "leaf", "leaves") for n in (1, 1000)] == ["1 leaf", "1,000 leaves"]


def test_a_line_names_venue_and_year_and_to_start_with_it_has_sentence_and_badge(
    atlas: Atlas, text: str
) -> None:
    lines = {link: line for line in text.split("\n") for _, link, _ in items(line)}
    for paper in atlas.catalog.papers:
        label = f"{paper.venue} {paper.year}" if paper.year else paper.venue
        line = lines[paper.link.replace("&", "&amp;")]
        if not paper.start_here:
            assert f", {label}." in line
            assert "![" not in line
            continue
        color = atlas.catalog.venue[paper.venue].color[1:]
        badge = rf"!\[{re.escape(label)}\]\(https://img\.shields\.io/badge/\S+-{color}\)"
        assert re.search(badge, line)
        assert plain(paper.summary)[:20] in line


def test_badge_text_survives_the_service(atlas: Atlas) -> None:
    paper = atlas.catalog.papers[0]
    venue = atlas.catalog.venue[paper.venue].model_copy(update={"id": "A-B_c d?/"})
    odd = SimpleNamespace(catalog=SimpleNamespace(venue={venue.id: venue}))
    image = readme.badge(odd, paper.model_copy(update={"venue": venue.id, "year": 2022}))
    assert f"/badge/A--B__c_d%3F%2F_2022-{venue.color[1:]})" in image


def test_gaps_are_shown_and_counted(atlas: Atlas, text: str) -> None:
    gaps = atlas.gaps(atlas.catalog.taxonomy)
    assert text.count("No reference implementation yet.") == len(gaps)
    able = sum(not leaf.no_code for leaf in atlas.catalog.leaves.values())
    assert f"{able - len(gaps)} of {able} leaves" in text
    if gaps:
        assert f"{len(gaps)} gap" in text


def test_no_heading_about_licenses_and_no_badge_of_a_build(text: str) -> None:
    assert not {"license", "licence"} & {heading.lower() for _, heading in headings(text)}
    assert not re.search(r"travis|circleci|build status", text, flags=re.IGNORECASE)
    assert "$ make" not in text


def test_a_list_that_github_would_cut_is_an_error(
    atlas: Atlas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readme, "MAX_BYTES", 1000)
    with pytest.raises(BuildError, match=r"README\.md would have"):
        readme.render(atlas)


def test_leaf_and_paper_have_the_methods_that_declare_them_by_name(atlas: Atlas) -> None:
    lora = atlas.methods["lora"]
    again = {name: dataclasses.replace(lora, name=name) for name in ("z", "a")}
    both = Atlas(atlas.catalog, {"z": again["z"], "a": again["a"]})
    assert [m.name for m in both.implementations(both.catalog.leaves[lora.leaf])] == ["a", "z"]
    assert [m.name for m in both.methods_of[lora.paper]] == ["a", "z"]
    gaps = both.gaps(both.catalog.taxonomy)
    able = {leaf.id for leaf in both.catalog.leaves.values() if not leaf.no_code}
    assert {leaf.id for leaf in gaps} == able - {lora.leaf}


def test_a_method_of_an_unknown_paper_or_leaf_is_an_error(atlas: Atlas) -> None:
    for key in ("paper", "leaf"):
        odd = dataclasses.replace(atlas.methods["lora"], **{key: "nothing"})
        with pytest.raises(BuildError, match=rf"lora.py:\d+: the catalog has no {key} 'nothing'"):
            Atlas(atlas.catalog, {**atlas.methods, "lora": odd})


def test_headings_of_one_name_get_the_anchors_that_github_gives(atlas: Atlas) -> None:
    names = iter(["Contents", "A & B (x)", "Contents", "A & B (x)", *["Contents-1"] * 999])
    nodes = {
        node_id: node.model_copy(update={"name": next(names)})
        for node_id, node in atlas.catalog.nodes.items()
    }
    slugs = readme.heading_slugs(SimpleNamespace(catalog=SimpleNamespace(nodes=nodes)))
    assert list(slugs.values())[:4] == ["contents-1", "a--b-x", "contents-2", "a--b-x-1"]
    assert len(set(slugs.values())) == len(nodes)
