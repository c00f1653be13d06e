"""The list of papers and a paper's page, before MkDocs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.tools.records import evidence
from tests.tools.small_catalog import comparison, write_tree
from tests.tools.test_runs import run
from tools import atlas as material
from tools.atlas import Atlas
from tools.cards import Card
from tools.data.runs import Run
from tools.data.schema import Node
from tools.export import formats as export
from tools.records.store import Evidence
from tools.site import all_pages
from tools.site.pages.papers import paper, paper_head, papers
from tools.site.shared.site import Site
from tools.text.markup import front


@pytest.fixture
def atlas(tmp_path: Path) -> Atlas:
    write_tree(tmp_path)
    return material.load(tmp_path)


@pytest.fixture
def pages(atlas: Atlas) -> dict[str, str]:
    return all_pages.pages(atlas, "# C")


def said(
    atlas: Atlas, paper_id: str, *, source: str = "https://doi.org/a", **changed: Any
) -> Evidence:
    """What a source says of the paper: what the entry says, but for what is changed."""
    entry = atlas.catalog.paper[paper_id]
    record = {
        "title": entry.title,
        "author": [{"family": name.family, "given": name.given} for name in entry.names],
        "issued": {"date-parts": [[entry.year]]},
        "DOI": entry.doi,
    }
    return evidence({**record, **changed}, source=source, paper=paper_id, seen="2026-11-01")


def test_a_row_shows_all_that_filters_look_at(atlas: Atlas) -> None:
    lora = papers.row(Site(atlas, ""), atlas.catalog.paper["hu2021lora"])
    assert lora == (
        '<tr><td><a href="hu2021lora.html">LoRA: Low-Rank Adaptation of Large Language Models</a>'
        "<p>Trains two small matrices beside each weight.</p></td>"
        "<td><p>Edward J. Hu, Yelong Shen</p></td><td>2021</td>"
        '<td><span class="venue" style="--venue:#1a6b3c">ICLR</span> 2022</td>'
        '<td><a href="../taxonomy/low-rank.html">Low rank</a></td>'
        "<td>method</td><td>LLM</td>"
        '<td><a href="../methods/lora.html">LoRA</a></td></tr>'
    )
    undated = papers.row(Site(atlas, ""), atlas.catalog.paper["microsoftndtuning"])
    assert "<p>Microsoft Research</p></td><td></td>" in undated
    assert undated.endswith("<td>blog</td><td>LLM</td><td></td></tr>")


def test_the_filter_knows_the_other_names_of_a_method(atlas: Atlas) -> None:
    named = replace(atlas, cards={"lora": Card(aliases=("low-rank adapter", 'a "b"'))})
    row = papers.row(Site(named, ""), atlas.catalog.paper["hu2021lora"])
    assert '<a href="../methods/lora.html" data-also="low-rank adapter, a &quot;b&quot;">' in row


NEWEST_FIRST = [
    "mao2021unipelt",
    "hu2021lora",
    "ruckle2020drop",
    "ruckle2020survey",
    "microsoftndtuning",
]


def ids(text: str) -> list[str]:
    return re.findall(r'<tr><td><a href=\\?"(\w+)\.html', text)


def test_a_short_list_is_newest_first_and_whole(pages: dict[str, str]) -> None:
    assert ids(pages["papers/index.md"]) == NEWEST_FIRST
    assert "data-rows" not in pages["papers/index.md"]
    assert not {"papers/all.md", "export/papers.rows.js"} & pages.keys()


def test_of_a_long_list_the_page_has_the_first_rows_and_names_where_the_others_are(
    atlas: Atlas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(papers, "FIRST", 2)
    pages = all_pages.pages(atlas, "# C")
    assert ids(pages["papers/index.md"]) == NEWEST_FIRST[:2]
    assert 'data-rows="../export/papers.rows.js"' in pages["papers/index.md"]
    assert "(all.md)" in pages["papers/index.md"]
    assert ids(pages["export/papers.rows.js"]) == NEWEST_FIRST[2:]
    assert ids(pages["papers/all.md"]) == NEWEST_FIRST


def test_a_branch_stands_for_its_leaves() -> None:
    leaves = [Node(id=name, name=name, description="x") for name in ("b", "c")]
    tree = Node(id="a", name="a", description="x", children=tuple(leaves))
    assert [(node.id, depth, ids) for node, depth, ids in papers.branches(tree)] == [
        ("a", 0, "b c"),
        ("b", 1, "b"),
        ("c", 1, "c"),
    ]


def test_the_script_holds_what_the_exporter_writes(atlas: Atlas, pages: dict[str, str]) -> None:
    script = pages["export/papers.bib.js"]
    start, end = "window.atlasBibtex = ", ";\n"
    assert script.startswith(start)
    assert script.endswith(end)
    entries = json.loads(script[len(start) : -len(end)])
    assert list(entries) == [entry.id for entry in atlas.catalog.papers]
    assert "\n".join(entries.values()) == export.bibtex(atlas.catalog, atlas.catalog.papers)


def test_front_matter_comes_back_from_yaml() -> None:
    text = str(front("𝕏 <a> 'b'", "é", entry="a2020b", line=7, linked_data={"name": "</s>𝕏"}))
    values = yaml.safe_load(text.strip("-\n"))
    assert values["title"] == "𝕏 &lt;a&gt; &#x27;b&#x27;"
    assert (values["entry"], values["line"]) == ("a2020b", 7)
    assert json.loads(values["linked_data"]) == {"name": "</s>𝕏"}
    assert "<" not in values["linked_data"]


def test_what_importers_read(atlas: Atlas) -> None:
    assert paper_head.meta(atlas.catalog, atlas.catalog.paper["hu2021lora"]) == [
        ("citation_title", "LoRA: Low-Rank Adaptation of Large Language Models"),
        ("citation_author", "Hu, Edward J."),
        ("citation_author", "Shen, Yelong"),
        ("citation_publication_date", "2022"),
        ("citation_conference_title", "International Conference on Learning Representations"),
        ("citation_firstpage", "1"),
        ("citation_lastpage", "13"),
        ("citation_doi", "10.1109/5.771073"),
        ("citation_arxiv_id", "2106.09685"),
        ("citation_pdf_url", "https://arxiv.org/pdf/2106.09685"),
        ("citation_public_url", "https://doi.org/10.1109/5.771073"),
        ("citation_keywords", "Low rank"),
        ("og:type", "article"),
        ("og:title", "LoRA: Low-Rank Adaptation of Large Language Models"),
        ("og:description", "Trains two small matrices beside each weight."),
    ]


def test_a_group_is_no_person_and_an_undated_work_has_no_date(atlas: Atlas) -> None:
    notes = atlas.catalog.paper["microsoftndtuning"]
    meta = paper_head.meta(atlas.catalog, notes)
    assert ("citation_author", "Microsoft Research,") in meta
    assert ("citation_publisher", "World Wide Web") in meta
    assert not [name for name, _ in meta if "date" in name or "page" in name or "pdf" in name]
    data = paper_head.linked_data(atlas.catalog, notes, [])
    assert data["@type"] == "BlogPosting"
    assert data["author"] == [{"@type": "Organization", "name": "Microsoft Research"}]
    assert "datePublished" not in data


def test_linked_data_names_what_the_paper_builds_on(atlas: Atlas) -> None:
    lora = atlas.catalog.paper["hu2021lora"]
    data = paper_head.linked_data(atlas.catalog, lora, atlas.builds_on["hu2021lora"])
    assert data["isBasedOn"] == [
        {
            "@type": "ScholarlyArticle",
            "name": "On Dropping Adapters",
            "url": "https://aclanthology.org/2022.acl-long.1/",
        }
    ]
    assert data["sameAs"] == ["https://arxiv.org/abs/2106.09685"]
    assert data["alternateName"] == ["Low-Rank Adaptation"]


def test_the_published_text_goes_before_the_preprint(atlas: Atlas) -> None:
    unipelt = atlas.catalog.paper["mao2021unipelt"]
    assert paper_head.pdf(unipelt) == "https://aclanthology.org/2022.acl-long.433.pdf"
    assert paper_head.pdf(atlas.catalog.paper["microsoftndtuning"]) is None


def test_identifiers_lead_to_their_registries(atlas: Atlas) -> None:
    assert paper.identifiers(atlas.catalog.paper["mao2021unipelt"]) == [
        (
            "DOI",
            "10.18653/v1/2022.acl-long.433",
            "https://doi.org/10.18653/v1/2022.acl-long.433",
        ),
        ("arXiv", "2110.07577", "https://arxiv.org/abs/2110.07577"),
        ("ACL Anthology", "2022.acl-long.433", "https://aclanthology.org/2022.acl-long.433"),
        ("OpenReview", "kBjlDJpGGwF", "https://openreview.net/forum?id=kBjlDJpGGwF"),
    ]


def test_the_mark_follows_from_the_evidence(atlas: Atlas) -> None:
    lora = atlas.catalog.paper["hu2021lora"]

    def mark(*evidence: Evidence) -> paper.Mark:
        return paper.mark(replace(atlas, evidence={lora.id: evidence}), lora)

    assert mark()[:2] == ("not verified yet", "unknown")
    listed = said(atlas, lora.id, source="o/n")
    assert mark(listed)[:2] == ("seconded", "agrees")
    assert mark(listed).sources == [
        (
            "o/n x.json",
            f"https://github.com/o/n/blob/{'0' * 40}/x.json",
            "kept by others, commit 00000000, seen 2026-11-01",
            "title, authors, year and DOI",
            [],
        ),
    ]
    assert mark(listed, said(atlas, lora.id))[:2] == ("verified", "agrees")
    wrong = mark(listed, said(atlas, lora.id, issued={"date-parts": [[2019]]}))
    assert wrong[:2] == ("contradicted", "differs")
    assert wrong.sources[1] == (
        "https://doi.org/a",
        "https://doi.org/a",
        "registry, seen 2026-11-01",
        "title, authors and DOI",
        ["year is 2019 there"],
    )


def test_what_no_record_prints_is_not_called_the_same(atlas: Atlas) -> None:
    """The entry has pages, code and further identifiers that this record does not print."""
    lora = atlas.catalog.paper["hu2021lora"]
    nothing = "venue, pages, arXiv, OpenReview and code"

    def mark(**changed: Any) -> paper.Mark:
        found = (said(atlas, lora.id, **changed),)
        return paper.mark(replace(atlas, evidence={lora.id: found}), lora)

    assert mark().unvouched == nothing
    assert mark(issued=None).sources[0].same == "title, authors and DOI"
    assert mark(issued=None).unvouched == f"year, {nothing}"
    assert mark(page="1-13").unvouched == "venue, arXiv, OpenReview and code"
    # what a record says otherwise it does not vouch for
    assert mark(page="1-12").unvouched == nothing


def test_evidence_stands_on_the_page_as_text(atlas: Atlas) -> None:
    def page(*found: Evidence) -> str:
        evidence = {"hu2021lora": found}
        return all_pages.pages(replace(atlas, evidence=evidence), "# C")["papers/hu2021lora.md"]

    text = page(said(atlas, "hu2021lora", source="https://doi.org/<b>"))
    assert '<a class="verdict agrees" href="#record">verified</a>' in text
    address = "https://doi.org/&#60;b&#62;"
    assert f'<span class="source"><a href="{address}">{address}</a></span> <span' in text
    assert "same title, authors, year and DOI</li>" in text
    assert "vouches for venue, pages, arXiv, OpenReview and code.\n" in text
    other = replace(said(atlas, "hu2021lora", page="1-2"), reasons={"pages": "Of the <preprint>."})
    shown = page(other)
    assert "; pages is 1-2 there, 1-13 here: Of the &#60;preprint&#62;.</li>" in shown
    assert "vouches for" not in page()


def test_the_state_of_an_implementations_tests(atlas: Atlas) -> None:
    lora = atlas.methods["lora"]
    current = Run.model_validate(run())
    old = current.model_copy(update={"current": False})

    def runs(*found: Run) -> str:
        tasks = {f"task-{i}": {"lora": one} for i, one in enumerate(found)}
        return paper.code(replace(atlas, runs=tasks), lora).runs

    assert runs() == "no committed run yet"
    assert runs(current) == "1 committed run, current with the code"
    assert runs(current, old, old) == "3 committed runs, 2 older than the code"
    compared = paper.code(replace(atlas, parity={"lora": (comparison("peft", "deviates"),)}), lora)
    assert compared.verdicts == [("peft 1.0: 0 of 1 equal", False)]


def test_papers_name_what_they_build_on_and_what_builds_on_them(
    atlas: Atlas, pages: dict[str, str]
) -> None:
    assert [p.id for p in atlas.builds_on["hu2021lora"]] == ["ruckle2020drop"]
    assert [p.id for p in atlas.built_on_by["ruckle2020drop"]] == ["hu2021lora"]
    above = pages["papers/hu2021lora.md"].partition("## Builds on {")[2].partition("\n## ")[0]
    assert "ruckle2020drop.md" in above
    below = pages["papers/ruckle2020drop.md"].partition("## What builds on it {")[2]
    assert "hu2021lora.md" in below
    assert "## Builds on" not in pages["papers/ruckle2020drop.md"]


def test_what_a_paper_builds_on_is_not_listed_again_as_related(atlas: Atlas) -> None:
    lora = atlas.catalog.paper["hu2021lora"].model_copy(
        update={"related": ("mao2021unipelt", "ruckle2020drop")}
    )
    rest = tuple(p for p in atlas.catalog.papers if p.id != lora.id)
    own = {name: getattr(atlas.catalog, name) for name in ("modalities", "taxonomy", "venues")}
    catalog = type(atlas.catalog).model_construct(**own, papers=(lora, *rest))
    made = all_pages.pages(replace(atlas, catalog=catalog), "# C")
    for name, other in (("hu2021lora", "ruckle2020drop"), ("ruckle2020drop", "hu2021lora")):
        assert made[f"papers/{name}.md"].count(f"papers/{other}.md") == 1, name


def test_the_page_knows_the_line_of_its_entry(atlas: Atlas, tmp_path: Path) -> None:
    lines = (tmp_path / "papers.yaml").read_text(encoding="utf-8").split("\n")
    text = all_pages.pages(atlas, "# C")["papers/ruckle2020drop.md"]
    [line] = [i for i, text in enumerate(lines, 1) if text == "  - id: ruckle2020drop"]
    assert f"\nline: {line}\n" in text
    assert f"line {line} of <code>papers.yaml</code>" in text
