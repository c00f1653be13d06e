"""What is exported says what the catalog says, also to programs that are not ours."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import feedparser
import jsonschema
import pytest
import rispy
from bibtexparser import parse_string as parse_bibtex
from citeproc.source.json import CiteProcJSON
from pybtex.database import parse_string as pybtex

from tools.commands.export import ExportError, chosen
from tools.data.files import ROOT
from tools.data.implementations import discover
from tools.data.papers import last_seen_first
from tools.data.schema import Catalog, Paper
from tools.export.formats import FORMATS, dump_schema, files
from tools.rules.catalog import read

CATALOG = read(ROOT / "papers.yaml")
METHODS = discover(ROOT)
HOSTILE = {
    "id": "doe2026hostile",
    "title": "50% of {It} & <b>LoRA</b> \\ $x_1$ ~ é",
    "authors": ["de la Tour, Þóra Ø.", "O'Neil-Łoś, J. R.", {"literal": "A & B {Group}"}],
    "year": 2026,
    "venue": "ACL",
    "kind": "method",
    "leaves": ["low-rank"],
    "modality": ["LLM"],
    "arxiv": "2601.00001",
    "pages": "12-34",
    "summary": "Ends a CDATA ]]> and a comment --> here.",
    "added": "2099-12-31",  # feeds hold what was added last
}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The catalog with one more paper that holds what formats trip over."""
    return CATALOG.model_copy(update={"papers": (*CATALOG.papers, Paper.model_validate(HOSTILE))})


def exported(catalog: Catalog, style: str) -> str:
    return FORMATS[style](catalog, list(catalog.papers), "", METHODS)


def names(paper: Paper) -> list[tuple[str, str]]:
    return [(name.family, name.given) for name in paper.names]


@pytest.mark.parametrize("style", ["bibtex", "bibtex-latex"])
def test_every_entry_is_read_back_by_two_bibtex_parsers(catalog, style):
    text = exported(catalog, style)
    library = parse_bibtex(text)
    assert library.failed_blocks == []
    assert [entry.key for entry in library.entries] == [paper.id for paper in catalog.papers]
    read_back = pybtex(text, "bibtex").entries
    assert list(read_back) == [paper.id for paper in catalog.papers]
    for paper in catalog.papers:
        entry = read_back[paper.id]
        assert len(entry.persons["author"]) == len(paper.authors)
        assert entry.fields.get("year", "") == str(paper.year or "")
        assert entry.fields.get("pages", "").replace("--", "-") == (paper.pages or "")
        assert entry.fields["title"].count("{") == entry.fields["title"].count("}")


def test_latex_is_ascii_and_means_the_same_letters(catalog):
    from pylatexenc.latex2text import LatexNodes2Text

    text = exported(catalog, "bibtex-latex")
    assert text.isascii()
    entries = {entry.key: entry for entry in parse_bibtex(text).entries}
    decode = LatexNodes2Text(keep_comments=True).latex_to_text
    for paper in catalog.papers:
        if paper.id == HOSTILE["id"]:
            continue
        title = decode(entries[paper.id]["title"])
        assert title.replace("’", "'") == paper.title.replace("’", "'")
        expected = [f"{family}, {given}" if given else family for family, given in names(paper)]
        assert [decode(part) for part in entries[paper.id]["author"].split(" and ")] == expected


def test_a_paper_is_offered_in_ascii_exactly_where_that_is_another_text(catalog):
    made = dict(files(catalog, {}))
    for paper in catalog.papers:
        own = {
            style: FORMATS[style](catalog, [paper], "", {}) for style in ("bibtex", "bibtex-latex")
        }
        assert made[f"export/{paper.id}.bib"] == own["bibtex"]
        other = own["bibtex-latex"] if own["bibtex-latex"] != own["bibtex"] else None
        assert made.get(f"export/{paper.id}.latex.bib") == other, paper.id


def test_a_capital_that_carries_meaning_is_protected_and_a_brace_is_text(catalog):
    entry = exported(catalog, "bibtex-latex").split("@inproceedings{doe2026hostile,")[1]
    assert r"title = {50\% of \{It\} \& <b>{LoRA}</b> \textbackslash{} \$x\_1\$ " in entry
    assert r"{\TH}{\'o}ra {\O}." in entry
    assert r"{A \& B \{Group\}}" in entry


def test_ris_is_read_back_whole(catalog):
    records = rispy.loads(exported(catalog, "ris"))
    assert len(records) == len(catalog.papers)
    for record, paper in zip(records, catalog.papers, strict=True):
        assert record["id"] == paper.id
        assert record["title"] == " ".join(paper.title.split())
        expected = [
            f"{family}, {given}" if given else f"{family}," for family, given in names(paper)
        ]
        assert record["authors"] == expected
        assert record.get("year", "") == str(paper.year or "")
        pages = "-".join(filter(None, (record.get("start_page"), record.get("end_page"))))
        assert pages == (paper.pages or "")
        assert record.get("doi") == paper.doi


@pytest.mark.filterwarnings("error")  # what citeproc does not know, it warns of
def test_csl_is_read_back_by_a_citation_processor(catalog):
    items = json.loads(exported(catalog, "csl"))
    read_back = CiteProcJSON(json.loads(json.dumps(items)))
    assert list(read_back) == [paper.id for paper in catalog.papers]
    for item, paper in zip(items, catalog.papers, strict=True):
        reference = read_back[paper.id]
        assert "".join(reference.title) == paper.title
        assert len(reference.author) == len(paper.authors)
        assert item["title"] == paper.title
        found = [(n.get("family", n.get("literal")), n.get("given", "")) for n in item["author"]]
        assert found == names(paper)
        assert item.get("issued", {}).get("date-parts") == ([[paper.year]] if paper.year else None)


@pytest.mark.parametrize("style", ["csl", "json"])
def test_json_has_a_paper_a_line_as_it_is_written(catalog, style):
    _, *lines, _ = exported(catalog, style).splitlines()
    titles = [json.loads(line.removesuffix(","))["title"] for line in lines]
    assert titles == [paper.title for paper in catalog.papers]
    assert any("Rücklé" in line for line in lines)


def test_the_dump_fits_its_own_schema_and_the_schema_can_refuse(catalog):
    data = json.loads(exported(catalog, "json"))
    schema = dump_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(data, schema)
    assert [paper["id"] for paper in data["papers"]] == [paper.id for paper in catalog.papers]
    said = {paper["id"]: paper.get("implementations") for paper in data["papers"]}
    assert (said["he2021unified"], said["doe2026hostile"]) == (["mam", "parallel_adapter"], None)
    for spoil in ({"title": 1}, {"venue": "ACL"}, {"implementations": []}, {"authors": []}):
        spoiled = {**data, "papers": [{**data["papers"][0], **spoil}]}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(spoiled, schema)
    for spoiled in ({**data, "unknown": 1}, {**data, "license": "MIT"}, {"papers": []}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(spoiled, schema)


def test_atom_and_json_feed_carry_the_newest_entries(catalog):
    feed = feedparser.parse(exported(catalog, "atom"))
    assert not feed.bozo
    assert feed.version == "atom10"
    other = json.loads(exported(catalog, "jsonfeed"))
    assert other["version"] == "https://jsonfeed.org/version/1.1"
    dated = [p for p in last_seen_first(catalog.papers) if p.added]
    dated = sorted(dated, key=lambda p: p.added, reverse=True)[:100]
    found = [entry.id.rsplit("/", 1)[1] for entry in feed.entries]
    assert found == [item["id"].rsplit("/", 1)[1] for item in other["items"]]
    assert found == [paper.id for paper in dated]
    by_id = {paper.id: paper for paper in catalog.papers}
    for entry, item in zip(feed.entries, other["items"], strict=True):
        paper = by_id[entry.id.rsplit("/", 1)[1]]
        assert entry.link == item["url"] == paper.link
        assert item["title"] == paper.title
        assert entry.updated == item["date_published"] == f"{paper.added}T00:00:00Z"
        assert len(entry.authors) == len(item["authors"]) == len(paper.authors)
    assert len({entry.id for entry in feed.entries}) == len(feed.entries)


def test_a_feed_was_updated_when_its_newest_entry_was(catalog):
    """Or readers would not fetch what is new."""
    papers = [
        paper.model_copy(update={"added": f"2026-0{month}-01"})
        for paper, month in zip(catalog.papers, (3, 7, 5), strict=False)
    ]
    for given, day in ((papers, "2026-07-01"), (papers[:1], "2026-03-01"), ([], "2026-01-01")):
        feed = feedparser.parse(FORMATS["atom"](catalog, given, "", METHODS))
        assert feed.feed.updated == f"{day}T00:00:00Z"


def test_the_feed_of_a_branch_is_another_than_that_of_all(catalog):
    all_of_it = feedparser.parse(FORMATS["atom"](catalog, [], "", METHODS)).feed
    branch = feedparser.parse(FORMATS["atom"](catalog, [], "Low-rank", METHODS)).feed
    assert (all_of_it.title, branch.title) == ("Fine-Tuning Atlas", "Fine-Tuning Atlas: Low-rank")
    assert all_of_it.id != branch.id


def test_what_no_line_may_hold_ends_none(catalog):
    """A schema lets it pass, so that formats must not trip over it."""
    odd = catalog.papers[-1].model_copy(
        update={"title": "A\nER  - \x02 B", "summary": "C\x02 D\r\nTY  - E."}
    )
    lines = FORMATS["ris"](catalog, [odd], "", METHODS).splitlines()
    assert [line[:2] for line in lines].count("ER") == 1
    assert all(re.match(r"[A-Z][A-Z0-9]  - ", line) for line in lines)
    feed = feedparser.parse(FORMATS["atom"](catalog, [odd], "", METHODS))
    assert not feed.bozo
    assert feed.entries[0].title == "A ER - B"


def test_an_address_with_a_query_stays_whole(catalog):
    address = "https://example.org/paper?a=1&b=2"
    keys = dict.fromkeys(("acl", "doi", "arxiv", "openreview"))
    odd = catalog.papers[-1].model_copy(update={**keys, "url": address})
    feed = feedparser.parse(FORMATS["atom"](catalog, [odd], "", METHODS))
    assert not feed.bozo
    assert feed.entries[0].link == address


def test_a_bracket_in_a_title_does_not_end_its_link(catalog):
    leaf = catalog.papers[-1].leaves[0]
    odd = catalog.papers[-1].model_copy(update={"title": "A [b](c) d"})
    changed = catalog.model_copy(update={"papers": (odd,)})
    changed.__dict__.pop("papers_in", None)
    text = FORMATS["llms"](changed, [odd], "", METHODS)
    assert leaf in changed.leaves
    assert f"- [A (b)(c) d]({odd.link}): " in text


def test_text_that_looks_like_markup_stays_text(catalog):
    entry = next(
        entry
        for entry in feedparser.parse(exported(catalog, "atom"), sanitize_html=False).entries
        if entry.id.endswith(HOSTILE["id"])
    )
    assert entry.title == HOSTILE["title"]
    assert entry.summary == HOSTILE["summary"]


def test_plain_text_names_every_paper_under_its_leaves(catalog):
    text = exported(catalog, "llms")
    assert text.startswith("# Fine-Tuning Atlas\n")
    links = text.count("\n- [")
    assert links == sum(len(catalog.papers_in[leaf]) for leaf in catalog.leaves)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"leaf": "low-rank"}, lambda p: "low-rank" in p.leaves),
        (
            {"leaf": "prompt"},
            lambda p: {*p.leaves} & {n.id for n in CATALOG.nodes["prompt"].leaves()},
        ),
        ({"venue": "ACL", "year": 2022}, lambda p: (p.venue, p.year) == ("ACL", 2022)),
        ({"paper": "hu2021lora"}, lambda p: p.id == "hu2021lora"),
    ],
)
def test_filters(wanted, expected):
    found = chosen(CATALOG, **wanted)
    assert found
    assert found == [paper for paper in CATALOG.papers if expected(paper)]


def test_a_slip_in_a_filter_is_told():
    with pytest.raises(
        ExportError, match="'low-rnk' is no leaf or branch; did you mean 'low-rank'"
    ):
        chosen(CATALOG, leaf="low-rnk")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools", "export", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)


def test_the_command_prints_what_was_asked_for():
    done = run("csl", "--paper", "hu2021lora")
    assert (done.returncode, [item["id"] for item in json.loads(done.stdout)]) == (
        0,
        ["hu2021lora"],
    )
    assert json.loads(run("json-schema").stdout)["title"] == "Fine-Tuning Atlas: exported papers"


def test_the_command_refuses_in_one_line():
    done = run("ris", "--venue", "ICRL")
    assert done.returncode == 2
    assert done.stderr == "tools export: ExportError: 'ICRL' is no venue; did you mean 'ICLR'?\n"
