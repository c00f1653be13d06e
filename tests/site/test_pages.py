"""The built site: true to the catalog, whole, and with nothing from elsewhere."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from tests.site.html_pages import HtmlPage, is_external, target
from tools import rules
from tools.atlas import Atlas
from tools.data.annotated import segments

Pages = dict[str, HtmlPage]


def test_every_link_inside_leads_somewhere(pages: Pages, built: Path) -> None:
    anchors = {path: page.anchors for path, page in pages.items()}
    broken = []
    for page in pages.values():
        for link in page.links:
            # The server shows the 404 page at any depth; its links start at the site's root.
            if is_external(link) or page.path == "404.html":
                continue
            file, anchor = target(page, link)
            known = file in pages and (not anchor or anchor in anchors[file])
            if not known and not (built / file).is_file():
                broken.append(f"{page.path}: {link}")
    assert broken == []


def test_a_path_stands_over_the_title_and_leads_up(pages: Pages) -> None:
    leaf = pages["taxonomy/low-rank.html"]
    crumbs = next(e for e in leaf.elements if e.attributes.get("class") == "crumbs")
    assert crumbs.text == "Home / Taxonomy / Reparameterized"
    start = leaf.elements.index(crumbs)
    assert [e.attributes.get("href") for e in leaf.elements[start + 1 : start + 4]] == [
        "../index.html",
        "index.html",
        "reparameterized.html",
    ]
    assert leaf.elements[start + 4].tag == "h1"


def test_no_page_fetches_anything_from_elsewhere(pages: Pages) -> None:
    outside = [
        f"{page.path}: {address}"
        for page in pages.values()
        for address in page.fetched
        if is_external(address) and not address.startswith("data:")
    ]
    assert outside == []


def test_no_style_sheet_imports_from_elsewhere(built: Path) -> None:
    for sheet in [*built.rglob("*.css")]:
        text = sheet.read_text(encoding="utf-8")
        assert not re.search(r"@import|url\(\s*[\"']?(https?:)?//", text), sheet


def test_inline_styles_fetch_nothing(pages: Pages) -> None:
    for page in pages.values():
        for element in page.elements:
            assert "url(" not in element.attributes.get("style", ""), page.path
        for style in page.all("style"):
            assert "url(" not in style.text, page.path


def test_one_main_heading_a_page(pages: Pages) -> None:
    assert {page.path: len(page.all("h1")) for page in pages.values()} == dict.fromkeys(pages, 1)


def test_headings_skip_no_level(pages: Pages) -> None:
    for page in pages.values():
        article = [int(h.tag[1]) for h in page.all("h1", "h2", "h3", "h4", "h5", "h6")]
        for above, below in pairwise(article):
            assert below <= above + 1, page.path


def test_every_image_has_an_alternative(pages: Pages) -> None:
    for page in pages.values():
        for image in page.all("img"):
            assert image.attributes.get("alt"), f"{page.path}: {image.attributes}"


def test_every_chart_says_what_it_shows(pages: Pages) -> None:
    charts = [
        svg
        for page in pages.values()
        for svg in page.all("svg")
        if svg.attributes.get("role") == "img"
    ]
    assert all("ends at" in svg.text or "One of L equal layers" in svg.text for svg in charts)


def test_ids_are_unique(pages: Pages) -> None:
    for page in pages.values():
        ids = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
        assert sorted(ids) == sorted(set(ids)), page.path


def test_everything_in_the_catalog_has_a_page_that_others_lead_to(
    pages: Pages, atlas: Atlas
) -> None:
    wanted = {f"papers/{paper.id}.html" for paper in atlas.catalog.papers}
    wanted |= {f"taxonomy/{node}.html" for node in atlas.catalog.nodes}
    wanted |= {f"methods/{name}.html" for name in atlas.methods}
    wanted |= {"crosswalk.html", "venues.html", "rules.html", "contributing.html", "reading.html"}
    assert wanted <= set(pages)
    reached = {"index.html"}
    todo = ["index.html"]
    while todo:
        page = pages[todo.pop()]
        for link in page.links:
            file, _ = target(page, link)
            if not is_external(link) and file in pages and file not in reached:
                reached.add(file)
                todo.append(file)
    assert wanted <= reached


def test_papers_show_their_words_unchanged(pages: Pages, atlas: Atlas) -> None:
    for paper in atlas.catalog.papers:
        page = pages[f"papers/{paper.id}.html"]
        text = " ".join(page.text.split())
        for words in (
            paper.title,
            paper.summary,
            paper.note or "",
            atlas.catalog.venue[paper.venue].name,
        ):
            assert " ".join(words.split()) in text, paper.id
        for name in paper.names:
            assert f"{name.given} {name.family}".strip() in text, paper.id
        assert paper.link in page.links
        assert f"{{{paper.id}," in text


def test_related_papers_name_each_other(pages: Pages, atlas: Atlas) -> None:
    for paper in atlas.catalog.papers:
        for other in paper.related:
            assert f"{other}.html" in {
                Path(link).name for link in pages[f"papers/{paper.id}.html"].links
            }
            assert f"{paper.id}.html" in {
                Path(link).name for link in pages[f"papers/{other}.html"].links
            }


def test_leaves_list_their_papers_or_say_that_there_is_none(pages: Pages, atlas: Atlas) -> None:
    for leaf in atlas.catalog.leaves.values():
        page = pages[f"taxonomy/{leaf.id}.html"]
        listed = {target(page, link)[0] for link in page.links if not is_external(link)}
        assert {f"papers/{paper.id}.html" for paper in atlas.papers(leaf)} <= listed
        own = {f"methods/{method.name}.html" for method in atlas.implementations(leaf)}
        assert own <= listed
        gap = not own and not leaf.no_code
        assert ("No reference implementation yet." in page.text) is gap
        assert ("There is nothing to implement here." in page.text) is bool(leaf.no_code)


def test_methods_have_formulas_as_mathml_and_their_source(pages: Pages, atlas: Atlas) -> None:
    for name in atlas.methods:
        page = pages[f"methods/{name}.html"]
        assert page.all("math"), name
        assert not re.search(r"\$[^$\n]+\$|\\frac|\\mathbb", page.prose), name
        shown = {block.text.strip() for block in page.all("pre")}
        pieces = [piece for segment in segments(atlas.source[name]) for piece in segment.code]
        assert {piece.text.strip() for piece in pieces} <= shown, name


def test_methods_show_their_options_as_the_command_line_has_them(
    pages: Pages, atlas: Atlas
) -> None:
    for name, method in atlas.methods.items():
        shown = {code.text for code in pages[f"methods/{name}.html"].all("code")}
        assert {f"--{h.name.replace('_', '-')}" for h in method.hyperparameters} <= shown


def test_no_markup_is_left_over(pages: Pages) -> None:
    leftover = re.compile(r"\{:|\{%|\{\{|#[\w-]+\s*\}|<span|markdown=|\]\(|\*\*|&#")
    found = {page.path: leftover.findall(page.prose) for page in pages.values()}
    assert {path: marks for path, marks in found.items() if marks} == {}


def test_papers_are_not_in_the_navigation(pages: Pages) -> None:
    # This page links to no paper itself, so that every such link is the navigation's.
    page = pages["commands.html"]
    papers = {target(page, link)[0] for link in page.links if "papers/" in link}
    assert papers == {"papers/index.html"}


def test_every_rule_is_explained_where_its_code_leads(pages: Pages) -> None:
    page = pages["rules.html"]
    assert {code.lower() for code in rules.load()} <= page.anchors
    for rule in rules.load().values():
        assert " ".join(rule.explanation.replace("`", "").split()) in " ".join(page.text.split())
