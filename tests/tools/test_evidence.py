"""Raw records: kept to the letter, parsed for what they print and for nothing else."""

from __future__ import annotations

import dataclasses
import html
import json
import re
from pathlib import Path

import pytest

from tools.data.files import ROOT
from tools.data.schema import Name
from tools.records.bib import decoded
from tools.records.cut import MARK, cut
from tools.records.parsers import PARSERS, parse
from tools.records.record import SourceError, letters
from tools.records.store import (
    FOLDER,
    Evidence,
    EvidenceError,
    as_files,
    digest,
    read_evidence,
    save,
)

KNOWN = read_evidence(ROOT)
ITEMS = [one for items in KNOWN.values() for one in items]

XML = """<paper id="433">
      <title><fixed-case>U</fixed-case>ni<fixed-case>PELT</fixed-case>: A Framework</title>
      <author id="y-mao"><first>Yuning</first><last>Mao</last><affiliation>X</affiliation></author>
      <author><first>Ivan</first><last>Le Vulić</last></author>
      <pages>6253–6264</pages>
      <abstract>[cut]</abstract>
      <url hash="4a80e35a">2022.findings-acl.433</url>
      <doi>10.18653/v1/2022.findings-acl.433</doi>
      <pwccode url="https://github.com/a/b" additional="false">a/b</pwccode>
    </paper>"""
BIBTEX = """@article{hu2021lora,
  title={Lo{RA}: Low-Rank Adaptation},
  author={Hu, Edward J. and {\\v{S}}najder, Jan and others},
  journal={arXiv preprint arXiv:2106.09685},
  year={2021}
}"""
PMLR = """---
title: 'GaLore: Memory-Efficient'
openreview: hYHsrKDiX7
abstract: '[cut]'
page: 61121-61143
author:
- given: Jiawei
  family: Zhao
container-title: Proceedings of the 41st International Conference on Machine Learning
issued:
  date-parts:
  - 2024
  - 7
url: http://proceedings.mlr.press/v235/zhao24s.html
extras:
- label: Supplementary PDF
  link: https://example.org/s.pdf
- label: Code
  link: https://github.com/a/b
---
"""
CSL = json.dumps(
    {
        "title": "LoRA",
        "author": [{"family": "Hu", "given": "Edward"}],
        "issued": {"date-parts": [[2022]]},
        "DOI": "10.1000/xyz",
        "page": "1-13",
    }
)
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><entry>
<id>http://arxiv.org/abs/2106.09685v2</id><published>2021-06-17T17:37:18Z</published>
<title>LoRA</title><summary>[cut]</summary><author><name>Edward J. Hu</name></author>
</entry></feed>"""


def printed(one: Evidence) -> str:
    """What the raw text holds, decoded without the parsers: letters and digits alone."""
    text = "".join(json.loads(one.raw)) if one.kind == "bibtex-lines" else one.raw
    if one.kind in ("acl-xml", "atom"):
        return letters(html.unescape(re.sub(r"<[^>]*>", "", text)) + " ".join(attributes(text)))
    if one.kind in ("arxiv-json", "mlanthology", "paperlists"):
        text = json.dumps(json.loads(text), ensure_ascii=False)
    return letters(decoded(text) if one.kind.startswith("bibtex") else text)


def attributes(text: str) -> list[str]:
    return re.findall(r'url="([^"]*)"', text)


# Words of a venue's name that a parser writes out: of a volume, or of a series of workshops.
WRITTEN_OUT = ("of", "findings", "workshops", "arxiv")


def made_up(one: Evidence) -> list[str]:
    """The words of the record's fields that the record does not print."""
    record, text = one.record, printed(one)
    values = [record.title, record.venue, record.pages, record.doi, record.arxiv, record.acl]
    values += [record.openreview, record.url, record.code, str(record.year or "")]
    values += [part for name in record.authors for part in name]
    words = (word for value in values for word in value.split())
    return [w for w in words if w.casefold() not in WRITTEN_OUT and letters(w) not in text]


def test_no_field_holds_what_the_record_does_not() -> None:
    assert {one.place: words for one in ITEMS if (words := made_up(one))} == {}
    for one in ITEMS:
        names = one.record.authors
        assert names, one.place
        assert one.record.title, one.place
        # two authors may have one name, and a parser that repeats them would repeat more
        assert len(names) - len(set(names)) <= 1, one.place


def test_what_is_kept_is_whole_and_without_prose() -> None:
    for one in ITEMS:
        assert digest(one.raw) == one.digest, one.place
        assert cut(one.raw, one.kind)[0] == one.raw, one.place
        assert bool(one.cut) == (MARK in one.raw), one.place
        assert one.commit or one.source.startswith("https://"), one.place


def test_nothing_stands_beside_a_record_that_it_prints_itself() -> None:
    """A store that repeats the entries would agree with them whatever the sources say."""
    said = {"paper", "from", "seen", "cut", "why", "sha256"}
    for path in (ROOT / FOLDER).iterdir():
        heads = re.findall(r"(?m)^(?!\|)(.+?): ", path.read_text(encoding="utf-8"))
        assert {head.split(" ")[0] for head in heads} <= said, path
    for fact in ("title", "authors", "year", "doi", "pages", "venue", "code", "record"):
        assert fact not in {field.name for field in dataclasses.fields(Evidence)}
    assert any(one.reasons for one in ITEMS)


def test_the_files_are_written_as_they_are_read(tmp_path: Path) -> None:
    for name, text in as_files(KNOWN).items():
        assert (ROOT / FOLDER / name).read_bytes() == text.encode()
    save(tmp_path, KNOWN)
    assert [*read_evidence(tmp_path)] == [*KNOWN]
    save(tmp_path, {})
    assert read_evidence(tmp_path) == {}


def test_1500_records_are_small() -> None:
    size = sum(path.stat().st_size for path in (ROOT / FOLDER).iterdir())
    assert size / len(ITEMS) * 1500 < 6_000_000


@pytest.mark.parametrize("raw", ["", "\n", "| a\n\n  b \n", "a\r\nb", "paper: x", "ü\t–"])
def test_a_record_comes_back_to_the_byte(tmp_path: Path, raw: str) -> None:
    one = Evidence("a2020b", "o/n", "bibtex", "2026-11-27", raw, digest(raw), "0" * 40, "x.bib")
    save(tmp_path, {"a2020b": (one, one)})
    assert [item.raw for item in read_evidence(tmp_path)["a2020b"]] == [raw, raw]


HEAD = f"paper: a2020b\nfrom: o/n@{'0' * 40} x.bib\nseen: 2026-11-27\nsha256: 0\n"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("bibtex.txt", HEAD.replace("seen: 2026-11-27\n", "") + "| x", ":1: has no 'seen'"),
        ("bibtex.txt", HEAD + "title: LoRA\n| x", ":5: 'title: LoRA' has no place here"),
        ("bibtex.txt", HEAD + "authors: Hu\n| x", ":5: 'authors: Hu' has no place here"),
        ("bibtex.txt", HEAD + "| x\nseen: y\n", ":6: 'seen: y' has no place here"),
        ("bibtex.txt", HEAD + "paper: c2020d\n| x", ":5: 'paper: c2020d' has no place here"),
        ("bibtex.txt", HEAD.replace("o/n@", "o/n ") + "| x", ":1: from: write OWNER/NAME@COMMIT"),
        ("bibtex.txt", HEAD + "why: because\n| x", ":5: 'why: because' has no place here"),
        ("bibtex.txt", "| x\n\n", ":2: a record has no head"),
        ("other.txt", "", ": there is no kind of record 'other'"),
    ],
)
def test_a_file_that_holds_anything_else_is_refused(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / name).write_text(text, encoding="utf-8")
    with pytest.raises(EvidenceError) as caught:
        read_evidence(tmp_path)
    assert str(caught.value).startswith(f"tools/evidence/{name}{said}")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / "bibtex.txt").write_bytes(b"\xff")
    with pytest.raises(EvidenceError, match=r"^tools/evidence/bibtex\.txt: "):
        read_evidence(tmp_path)


def test_an_element_of_the_acl_anthology() -> None:
    record = parse(XML, "acl-xml", "x")
    assert record.title == "UniPELT: A Framework"
    assert record.authors == (Name("Mao", "Yuning"), Name("Le Vulić", "Ivan"))
    assert (record.year, record.venue, record.pages) == (2022, "Findings of acl", "6253-6264")
    assert (record.acl, record.code) == ("2022.findings-acl.433", "https://github.com/a/b")
    assert record.splits
    old = parse(XML.replace("2022.findings-acl.433", "D19-1275"), "acl-xml", "x")
    assert (old.year, old.venue, old.acl) == (None, "", "D19-1275")
    other = XML.replace("pwccode", "other").replace("findings-acl", "acl-long")
    plain = parse(other, "acl-xml", "x")
    assert (plain.code, plain.venue) == ("", "acl")
    nameless = re.sub(r"<url.*</url>", "", XML).replace("2022.findings-acl", "2025.emnlp-main")
    named = parse(nameless, "acl-xml", "x")
    assert (named.acl, named.year, named.venue) == ("2025.emnlp-main.433", 2025, "emnlp")
    elsewhere = parse(nameless.replace("10.18653/v1/", "10.1162/"), "acl-xml", "x")
    assert (elsewhere.acl, elsewhere.year) == ("", None)


def test_a_bibtex_entry_and_its_lines() -> None:
    record = parse(BIBTEX, "bibtex", "x")
    assert record.authors == (Name("Hu", "Edward J."), Name("Šnajder", "Jan"))
    assert record.truncated
    assert (record.arxiv, record.year, record.doi, record.code) == ("2106.09685", 2021, "", "")
    assert not record.splits
    lines = json.dumps([line + "\n" for line in BIBTEX.split("\n")])
    assert parse(lines, "bibtex-lines", "x") == record


def test_a_page_of_the_proceedings_of_machine_learning_research() -> None:
    record = parse(PMLR, "pmlr", "x")
    assert (record.title, record.authors) == ("GaLore: Memory-Efficient", (Name("Zhao", "Jiawei"),))
    assert (record.year, record.pages, record.openreview) == (2024, "61121-61143", "hYHsrKDiX7")
    assert record.code == "https://github.com/a/b"
    assert parse(PMLR.replace("label: Code", "label: Video"), "pmlr", "x").code == ""


def test_the_answers_of_registries() -> None:
    found = parse(CSL, "csl", "x")
    assert (found.doi, found.year, found.splits) == ("10.1000/xyz", 2022, True)
    preprint = parse(ATOM, "atom", "x")
    assert (preprint.arxiv, preprint.year, preprint.venue) == ("2106.09685", 2021, "arXiv")


COLLECTED = {
    "title": "LoRA",
    "authors": [
        {"given": "Edward J.", "family": "Hu"},
        {"given": "Mart\u0131\u0301n", "family": "So"},
    ],
    "year": "2022",
    "venue": "iclr",
    "pages": "1-13",
    "openreview_url": "https://openreview.net/forum?id=nZeVKeeFYf9",
    "code_url": "",
}


def test_a_paper_of_ml_anthology() -> None:
    found = parse(json.dumps(COLLECTED), "mlanthology", "x")
    assert found.authors == (Name("Hu", "Edward J."), Name("So", "Mart\u00edn"))
    assert (found.year, found.venue, found.openreview) == (2022, "iclr", "nZeVKeeFYf9")
    beside = parse(json.dumps({**COLLECTED, "venue": "icmlw"}), "mlanthology", "x")
    assert beside.venue == "ICML Workshops"  # not the conference
    code = "https://github.com/microsoft/LoRA"
    named = parse(json.dumps({**COLLECTED, "code_url": code}), "mlanthology", "x")
    assert named.code == code
    gone = "https://paperswithcode.com/paper/?openreview=nZeVKeeFYf9"
    assert parse(json.dumps({**COLLECTED, "code_url": gone}), "mlanthology", "x").code == ""
    with pytest.raises(SourceError, match="x: is no paper of ML Anthology"):
        parse(json.dumps({**COLLECTED, "authors": ["Edward J. Hu"]}), "mlanthology", "x")


@pytest.mark.parametrize("people", ["Edward J. Hu;Yelong Shen", "Edward J. Hu, Yelong Shen"])
def test_a_paper_of_the_lists_of_conferences(people: str) -> None:
    item = {"title": "LoRA", "author": people, "site": "https://openreview.net/forum?id=q5Ft9ZJtHm"}
    found = parse(json.dumps(item), "paperlists", "x")
    assert found.authors == (Name("Hu", "Edward J."), Name("Shen", "Yelong"))
    assert (found.openreview, found.year, found.venue) == ("q5Ft9ZJtHm", None, "")
    elsewhere = {**item, "site": "https://asia.siggraph.org/1"}
    assert parse(json.dumps(elsewhere), "paperlists", "x").openreview == ""


def test_an_answer_of_arxiv_as_an_object() -> None:
    item = {"id": "2106.09685", "title": "LoRA", "authors": ["A Group", ":", "Edward J. Hu"]}
    found = parse(json.dumps(item), "arxiv-json", "x")
    assert found.authors == (Name("Group", "A"), Name("Hu", "Edward J."))
    assert (found.arxiv, found.venue) == ("2106.09685", "arXiv")
    with pytest.raises(SourceError, match="x: has no list of authors"):
        parse('{"id": "2106.09685"}', "arxiv-json", "x")


@pytest.mark.parametrize("kind", PARSERS)
@pytest.mark.parametrize("raw", ["", "<a>", "{", "[1]", "---\na: 1\n---", "\x00", "null"])
def test_what_is_no_record_is_refused_by_place(kind: str, raw: str) -> None:
    with pytest.raises(SourceError, match=r"^tools/evidence/x\.txt:7"):
        parse(raw, kind, "tools/evidence/x.txt:7")


def test_two_entries_are_not_one_record() -> None:
    with pytest.raises(SourceError, match="holds 2 BibTeX entries, not one"):
        parse(f"{BIBTEX}\n{BIBTEX.replace('hu2021lora', 'b')}", "bibtex", "x")


@pytest.mark.parametrize(
    ("kind", "raw", "left", "names"),
    [
        ("acl-xml", "<a><abstract>We <i>show</i>\n it</abstract> ü</a>", None, ("abstract",)),
        ("acl-xml", "<a><abstract/></a>", "<a><abstract/></a>", ()),
        ("mlanthology", '{"abstract": "We"}', '{"abstract": "[cut]"}', ("abstract",)),
        ("arxiv-json", '{"AI": {"a": "We"}, "b": 1}', '{"AI": "[cut]", "b": 1}', ("AI",)),
        (
            "paperlists",
            '{"title": "T", "gender": "F", "email": "a@b.c", "author": "A"}',
            '{"title": "T", "gender": "[cut]", "email": "[cut]", "author": "A"}',
            ("gender", "email"),
        ),
        ("atom", "<e><summary type='x'>We</summary></e>", None, ("summary",)),
        ("bibtex", "@a{k,\n  abstract = {We {show} it},\n year=1}", None, ("abstract",)),
        (
            "bibtex",
            '@a{k, Abstract="We {"}show", year=1}',
            "@a{k, Abstract={[cut]}, year=1}",
            ("abstract",),
        ),
        (
            "csl",
            '{"a": "abstract", "abstract" : "We \\" it", "reference":[{},2],"b":{"abstract":3}}',
            '{"a": "abstract", "abstract" : "[cut]", "reference":"[cut]","b":{"abstract":3}}',
            ("abstract", "reference"),
        ),
        ("pmlr", "title: x\nabstract: We\n  show\n\n  it\npage: 1\n", None, ("abstract",)),
    ],
)
def test_prose_is_cut_and_nothing_else(
    kind: str, raw: str, left: str | None, names: tuple[str, ...]
) -> None:
    found, gone = cut(raw, kind)
    assert gone == names
    assert cut(found, kind)[0] == found
    if left is not None:
        assert found == left
    else:
        assert "We" not in found
        assert MARK in found
        before, after = found.split(MARK, 1)
        assert raw.startswith(before.rstrip("{'\"")), before
        assert raw.endswith(after.lstrip("}'\"")), after


def test_a_record_that_cannot_be_read_is_told_by_place() -> None:
    one = Evidence("a2020b", "o/n", "csl", "", "{", "", place="tools/evidence/csl.txt:3")
    with pytest.raises(EvidenceError, match=r"^tools/evidence/csl\.txt:3: is not JSON"):
        assert one.record
