"""Evidence: what is verified follows from records, and what is wrong is caught."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from tests.tools.services import answer, fetcher, serve
from tests.tools.small_catalog import CATALOG
from tools.commands.verify import arguments, ask, main
from tools.data.files import ROOT
from tools.data.schema import Name, Paper
from tools.records import web
from tools.records.evidence import (
    EVIDENCE,
    EvidenceError,
    as_file,
    disagreements,
    evidence_of,
    read_evidence,
    state,
)
from tools.records.record import Record
from tools.records.registries import Registries
from tools.rules.catalog import read

PAPER = Paper.model_validate(
    {
        "id": "hu2021lora",
        "title": "LoRA: Low-Rank Adaptation",
        "authors": ["Hu, Edward J.", "Shen, Yelong"],
        "year": 2022,
        "venue": "ICLR",
        "kind": "method",
        "leaves": ["low-rank"],
        "modality": ["LLM"],
        "arxiv": "2106.09685",
        "doi": "10.1000/xyz",
        "also_titled": ["Low-Rank Adaptation"],
        "summary": "Trains two matrices.",
    }
)
RECORD = Record(
    "crossref",
    "LoRA: low-rank adaptation.",
    (Name("Hu", "E."), Name("Shen", "Y.")),
    2022,
)
ITEM = {
    "title": "LoRA: Low-Rank Adaptation",
    "author": [{"family": "Hu", "given": "Edward J."}, {"family": "Shen", "given": "Yelong"}],
    "issued": {"date-parts": [[2022]]},
}


def evidence(record: Record = RECORD, *, registry: bool = True):
    return evidence_of(record, source="DOI 10.1000/xyz", registry=registry, seen="2026-11-21")


def test_a_record_that_agrees_verifies():
    assert state(PAPER, [evidence()]) == "verified"
    assert state(PAPER, [evidence(registry=False)]) == "seconded"
    assert state(PAPER, []) == "unverified"
    known_otherwise = evidence(Record(**{**vars(RECORD), "title": "Low-Rank Adaptation"}))
    assert state(PAPER, [known_otherwise]) == "verified"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"title": "Something Else"}, "title is 'Something Else' there"),
        ({"authors": (Name("Wu", "E."), Name("Shen", "Y."))}, "author 1 is 'E. Wu' there"),
        ({"authors": (Name("Shen", "Y."), Name("Hu", "E."))}, "author 1 is 'Y. Shen' there"),
        ({"authors": (Name("Hu", "E."),)}, "1 authors there, 2 here"),
        ({"year": 2019}, "year is 2019 there"),
    ],
)
def test_a_record_that_says_otherwise_contradicts(change, said):
    other = evidence(Record(**{**vars(RECORD), **change}))
    assert state(PAPER, [evidence(), other]) == "contradicted"
    assert disagreements(PAPER, other)[0] == f"{said} (DOI 10.1000/xyz, 2026-11-21)"


def test_a_record_edited_by_hand_does_not_fit_its_digest():
    edited = evidence().model_copy(update={"year": 2023})
    paper = PAPER.model_copy(update={"year": 2023})
    assert state(paper, [edited]) == "contradicted"
    assert "does not fit its digest" in disagreements(paper, edited)[0]


class Answers:
    """Registries that know one work: what each says of it differs from RECORD by some values."""

    def __init__(self, **changes: dict) -> None:
        self.changes = changes

    def __getattr__(self, key: str):
        return lambda identifier: Record(**{**vars(RECORD), **self.changes[key]})


EVERYWHERE = PAPER.model_copy(update={"acl": "2022.acl-long.1"})


def test_every_registry_behind_an_identifier_is_asked_the_publishers_first():
    found = ask(EVERYWHERE, Answers(doi={}, acl={}, arxiv={}), "2026-11-21")
    assert [one.source for one in found] == [
        "DOI 10.1000/xyz",
        "ACL Anthology 2022.acl-long.1",
        "arXiv 2106.09685",
    ]
    assert all(one.registry and one.seen == "2026-11-21" for one in found)
    only = PAPER.model_copy(update={"doi": None})
    assert [one.source for one in ask(only, Answers(arxiv={}), "")] == ["arXiv 2106.09685"]


def test_a_preprints_year_is_not_held_against_the_publication():
    """arXiv's year is that of the first version; the entry's is that of the publication."""
    earlier = {"year": 2021, "first_year": 2021}
    found = ask(EVERYWHERE, Answers(doi={}, acl={}, arxiv=earlier), "")
    assert [(one.year, one.first_year) for one in found] == [(2022, None)] * 2 + [(None, None)]
    assert state(EVERYWHERE, found) == "verified"
    preprint = PAPER.model_copy(update={"doi": None, "year": 2021})
    (same,) = ask(preprint, Answers(arxiv=earlier), "")
    assert (same.year, same.first_year) == (2021, 2021)


@pytest.mark.parametrize(
    "changes",
    [
        {"doi": {"year": 2021}},
        {"acl": {"year": 2021}},
        {"arxiv": {"year": 2021, "title": "Something Else"}},
        {"arxiv": {"year": 2021, "authors": (Name("Wu", "E."), Name("Shen", "Y."))}},
    ],
)
def test_nothing_else_is_forgiven(changes):
    found = ask(EVERYWHERE, Answers(**{"doi": {}, "acl": {}, "arxiv": {}, **changes}), "")
    assert state(EVERYWHERE, found) == "contradicted"


def test_the_committed_evidence_contradicts_nothing():
    catalog, known = read(ROOT / "papers.yaml"), read_evidence(ROOT)
    assert known.keys() <= catalog.paper.keys()
    for paper in catalog.papers:
        assert state(paper, known.get(paper.id, ())) != "contradicted", paper.id
    assert sum(state(p, known.get(p.id, ())) == "verified" for p in catalog.papers) >= 50


def test_the_file_is_written_as_it_is_read(tmp_path):
    text = (ROOT / EVIDENCE).read_text(encoding="utf-8")
    assert as_file(read_evidence(ROOT)) == text
    (tmp_path / "tools").mkdir()
    for bad in ("{", "[]", '{"a": [{"source": 1}]}', "\x00"):
        (tmp_path / EVIDENCE).write_text(bad)
        with pytest.raises(EvidenceError, match=r"^tools/evidence\.json: "):
            read_evidence(tmp_path)
    assert read_evidence(tmp_path / "nowhere") == {}


@pytest.fixture
def root(tmp_path) -> Path:
    """A catalog of one paper with a DOI, and a folder for evidence."""
    head = CATALOG.partition("papers:\n")[0]
    entry = {**PAPER.model_dump(exclude_none=True, exclude_defaults=True), "arxiv": None}
    from tools.export.entry import text

    (tmp_path / "papers.yaml").write_text(f"{head}papers:\n{text(entry)}", encoding="utf-8")
    (tmp_path / "tools").mkdir()
    return tmp_path


def options(root: Path, *given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    arguments(parser)
    return parser.parse_args([*given, "--root", str(root)])


def verify(root: Path, handler, capsys) -> tuple[int, str, str]:
    """Run with a registry that answers like that for the paper's DOI."""
    with serve({"/doi/10.1000/xyz": handler}) as service:
        registries = Registries(fetcher(), doi=f"{service.url}/doi/")
        status = main(options(root, "--network"), registries)
    shown = capsys.readouterr()
    return status, shown.out, shown.err


def test_a_true_entry_is_verified_and_stays_so_without_a_network(root, capsys):
    assert verify(root, answer(json.dumps(ITEM)), capsys)[:2] == (0, "1 entry: 1 verified\n")
    assert main(options(root)) == 0
    assert capsys.readouterr().out == "1 entry: 1 verified\n"
    (kept,) = read_evidence(root)["hu2021lora"]
    assert (kept.source, kept.registry) == ("DOI 10.1000/xyz", True)


@pytest.mark.parametrize(
    ("item", "said"),
    [
        # a swapped DOI: the record is another paper's
        (
            {"title": "QLoRA", "author": [{"family": "Dettmers", "given": "Tim"}]}
            | {"issued": {"date-parts": [[2023]]}},
            "title is 'QLoRA' there",
        ),
        # a wrong first author
        ({**ITEM, "author": [{"family": "He", "given": "Edward"}, ITEM["author"][1]]}, "author 1"),
        # the right identifier, a wrong title
        ({**ITEM, "title": "LoRA: High-Rank Adaptation"}, "title is 'LoRA: High-Rank Adaptation'"),
        ({**ITEM, "issued": {"date-parts": [[2020]]}}, "year is 2020 there"),
    ],
)
def test_false_entries_are_caught(root, capsys, item, said):
    status, out, _ = verify(root, answer(json.dumps(item)), capsys)
    assert status == 1
    assert said in out
    assert out.splitlines()[0].startswith("papers.yaml:")
    assert out.endswith("1 entry: 1 contradicted\n")


def test_an_invented_paper_is_not_verified(root, capsys):
    status, out, err = verify(root, answer("", 404), capsys)
    assert (status, out) == (0, "1 entry: 1 unverified\n")
    assert err == "hu2021lora: doi.org: knows no such work\n"


def test_a_registry_that_does_not_answer_changes_nothing(root, capsys, monkeypatch):
    monkeypatch.setattr(web.time, "sleep", lambda seconds: None)
    verify(root, answer(json.dumps(ITEM)), capsys)
    before = (root / EVIDENCE).read_bytes()
    verify(root, answer("busy", 503), capsys)
    assert (root / EVIDENCE).read_bytes() == before


def test_what_was_answered_is_kept_when_the_run_is_stopped(root):
    class Stopped:
        def doi(self, identifier):
            if identifier != "10.1000/xyz":
                raise KeyboardInterrupt
            return RECORD

    text = (root / "papers.yaml").read_text(encoding="utf-8")
    entry = text.partition("papers:\n")[2].replace("hu2021lora", "hu2021more")
    entry = entry.replace("10.1000/xyz", "10.1000/abc").replace("LoRA: Low", "Other")
    entry = entry.replace("Low-Rank Adaptation", "Further")
    (root / "papers.yaml").write_text(text + entry, encoding="utf-8")
    with pytest.raises(KeyboardInterrupt):
        main(options(root, "--network"), Stopped())
    assert list(read_evidence(root)) == ["hu2021lora"]


def test_only_the_named_paper_is_asked_for(root, capsys):
    old = evidence_of(RECORD, source="old", registry=True, seen="2020-01-01")
    (root / EVIDENCE).write_text(as_file({"hu2021lora": (old,)}), encoding="utf-8")
    with serve({"/doi/10.1000/xyz": answer(json.dumps(ITEM))}) as service:
        registries = Registries(fetcher(), doi=f"{service.url}/doi/")
        assert main(options(root, "--network", "--paper", "hu2021lora"), registries) == 0
    (kept,) = read_evidence(root)["hu2021lora"]  # in place of what was known
    assert kept.source == "DOI 10.1000/xyz"


def test_evidence_without_a_paper_is_told(root, capsys):
    (root / EVIDENCE).write_text(as_file({"nobody2020paper": (evidence(),)}), encoding="utf-8")
    assert main(options(root)) == 1
    assert "V202 nobody2020paper: there is evidence, but no such paper" in capsys.readouterr().out


def test_a_paper_that_is_not_there_is_refused(root):
    with pytest.raises(EvidenceError, match="has no paper 'nobody2020paper'"):
        main(options(root, "--paper", "nobody2020paper"))
