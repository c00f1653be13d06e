"""A paper as BibTeX."""

from __future__ import annotations

import pytest

from tools.data.schema import Paper, Venue
from tools.export.bibtex import entry

PAPER = {
    "id": "rucklé2020drop".replace("é", "e"),
    "title": "AdapterDrop: 50% of {It}",
    "authors": ["Rücklé, Andreas", {"literal": "Barnes and Noble"}],
    "year": 2021,
    "venue": "EMNLP",
    "kind": "method",
    "leaves": ["low-rank"],
    "modality": ["LLM"],
    "arxiv": "2010.11918",
    "acl": "2021.emnlp-main.626",
    "doi": "10.1162/tacl_a_00413",
    "pages": "7930-7946",
    "summary": "Drops adapters.",
}


def venue(kind: str) -> Venue:
    data = {"id": "EMNLP", "name": "Methods & Words", "kind": kind, "url": "https://a.example/"}
    return Venue.model_validate({**data, "color": "#123456"})


def test_a_published_paper() -> None:
    assert entry(Paper.model_validate(PAPER), venue("conference")) == (
        "@inproceedings{ruckle2020drop,\n"
        "  title = {{AdapterDrop}: 50\\% of \\{It\\}},\n"
        "  author = {Rücklé, Andreas and {Barnes and Noble}},\n"
        "  year = {2021},\n"
        "  booktitle = {Methods \\& Words},\n"
        "  pages = {7930--7946},\n"
        "  eprint = {2010.11918},\n"
        "  archiveprefix = {arXiv},\n"
        "  doi = {10.1162/tacl_a_00413},\n"
        "  url = {https://aclanthology.org/2021.emnlp-main.626/},\n"
        "}\n"
    )


@pytest.mark.parametrize(
    ("kind", "entry_type", "field"),
    [
        ("journal", "@article", "journal = "),
        ("workshop", "@inproceedings", "booktitle = "),
        ("report", "@techreport", "institution = "),
        ("web", "@misc", "howpublished = "),
    ],
)
def test_the_venue_gives_type_and_field(kind: str, entry_type: str, field: str) -> None:
    text = entry(Paper.model_validate(PAPER), venue(kind))
    assert text.startswith(f"{entry_type}{{")
    assert f"  {field}{{Methods \\& Words}}" in text


def test_an_undated_resource_of_no_venue_to_name() -> None:
    data = {**PAPER, "kind": "blog", "url": "https://a.example/x_y"}
    for key in ("year", "acl", "doi", "pages", "arxiv"):
        del data[key]
    text = entry(Paper.model_validate(data), venue("preprint"))
    assert "year" not in text
    assert "Methods" not in text
    assert "url = {https://a.example/x_y}" in text


def test_braces_balance_whatever_the_text() -> None:
    text = entry(Paper.model_validate({**PAPER, "title": "}}{ \\ % {"}), venue("journal"))
    bare = text.replace("\\{", "").replace("\\}", "")
    assert bare.count("{") == bare.count("}")
