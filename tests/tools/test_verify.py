"""Evidence: what is verified follows from records, and what is wrong is caught."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from tests.tools.records import BIBTEX, PAPER, RECORD, VENUES, evidence, without
from tests.tools.services import answer, fetcher, serve
from tests.tools.small_catalog import CATALOG
from tools.commands.verify import arguments, ask, main
from tools.data.files import ROOT
from tools.records import web
from tools.records.evidence import judge, misspelled, state
from tools.records.record import SourceError
from tools.records.registries import Registries
from tools.records.store import FOLDER, EvidenceError, read_evidence, save
from tools.rules.catalog import read


class Answers:
    """Registries that know one work: what each says of it differs from RECORD by some values."""

    def __init__(self, **changes: dict) -> None:
        self.changes = changes

    def raw(self, registry: str, identifier: str) -> str:
        values = {**RECORD, **self.changes[registry]}
        if registry == "doi":
            return json.dumps(values)
        names = [f"{name['family']}, {name['given']}" for name in values["author"]]
        year = values["issued"]["date-parts"][0][0]
        if registry == "acl":
            return BIBTEX % (values["title"], " and ".join(names), year)
        authors = "".join(f"<author><name>{name}</name></author>" for name in names)
        return (
            '<feed xmlns="http://www.w3.org/2005/Atom"><entry>'
            f"<id>http://arxiv.org/abs/{identifier}v1</id><published>{year}-06-17</published>"
            f"<title>{values['title']}</title><summary>We show.</summary>{authors}</entry></feed>"
        )


EVERYWHERE = PAPER.model_copy(update={"acl": "2022.acl-long.1"})


def test_every_registry_behind_an_identifier_is_asked_the_publishers_first() -> None:
    found, _ = ask(EVERYWHERE, Answers(doi={}, acl={}, arxiv={}), "2026-11-21")
    assert [(one.source, one.kind) for one in found] == [
        ("https://doi.org/10.1000/xyz", "csl"),
        ("https://aclanthology.org/2022.acl-long.1.bib", "bibtex"),
        ("https://export.arxiv.org/api/query?id_list=2106.09685", "atom"),
    ]
    assert all(one.registry and one.seen == "2026-11-21" for one in found)
    only = PAPER.model_copy(update={"doi": None})
    assert [one.kind for one in ask(only, Answers(arxiv={}), "")[0]] == ["atom"]


def test_an_answer_is_kept_to_the_letter_but_for_prose() -> None:
    said = Answers(doi={"abstract": "We show.", "reference": [{"key": "1"}], "x": " ü\u2028 "})
    (one,), _ = ask(PAPER.model_copy(update={"arxiv": None}), said, "")
    assert one.cut == ("abstract", "reference")
    kept = {**RECORD, "abstract": "[cut]", "reference": "[cut]", "x": " ü\u2028 "}
    assert one.raw == json.dumps(kept)
    (one,), _ = ask(PAPER.model_copy(update={"doi": None}), Answers(arxiv={}), "")
    assert one.cut == ("summary",)
    assert "We show" not in one.raw


def test_words_of_an_abstract_are_told(root, capsys) -> None:
    path = root / "papers.yaml"
    said = "Trains one, two, three, four, five, six or seven matrices."
    text = path.read_text(encoding="utf-8")
    few = read(path).paper["hu2021lora"].summary
    path.write_text(text.replace(few, said), encoding="utf-8")
    theirs = {**RECORD, "abstract": f"It {said.upper()}"}
    with serve({"/doi/10.1000/xyz": answer(json.dumps(theirs))}) as service:
        registries = Registries(fetcher(), doi=f"{service.url}/doi/")
        assert main(options(root, "--network", "--paper", "hu2021lora"), registries) == 1
    words = "trains one two three four five six or seven matrices"
    told = f" V204 hu2021lora: the summary has these words of the abstract: '{words}'"
    assert told in capsys.readouterr().out
    assert said.upper() not in read_evidence(root)["hu2021lora"][0].raw


def test_an_answer_that_holds_no_record_is_not_kept() -> None:
    class Page:
        def raw(self, registry: str, identifier: str) -> str:
            return "[1]"

    with pytest.raises(SourceError, match=r"doi\.org/10\.1000/xyz"):
        ask(PAPER, Page(), "")


EARLIER = {"issued": {"date-parts": [[2021]]}}


def test_a_preprints_year_is_not_held_against_the_publication() -> None:
    """arXiv's year is that of the first version; the entry's is that of the publication."""
    found, _ = ask(EVERYWHERE, Answers(doi={}, acl={}, arxiv=EARLIER), "")
    assert state(judge(EVERYWHERE, one, VENUES) for one in found) == "verified"


@pytest.mark.parametrize(
    "changes",
    [
        {"doi": EARLIER},
        {"acl": EARLIER},
        {"arxiv": {"issued": {"date-parts": [[2020]]}}},  # not the year of its own number
        {"arxiv": {**EARLIER, "title": "Something Else"}},
        {"arxiv": {**EARLIER, "author": [{"family": "Wu", "given": "E."}, RECORD["author"][1]]}},
    ],
)
def test_nothing_else_is_forgiven(changes: dict) -> None:
    found, _ = ask(EVERYWHERE, Answers(**{"doi": {}, "acl": {}, "arxiv": {}, **changes}), "")
    assert state(judge(EVERYWHERE, one, VENUES) for one in found) == "contradicted"


def test_the_committed_evidence_contradicts_nothing() -> None:
    catalog, known = read(ROOT / "papers.yaml"), read_evidence(ROOT)
    assert known.keys() <= catalog.paper.keys()
    for paper in catalog.papers:
        found = known.get(paper.id, ())
        assert [
            *map(str, (u for one in found for u in judge(paper, one, catalog.venue).unexplained))
        ] == []
        assert misspelled(paper, found) == [], paper.id
    states = [
        state(judge(p, one, catalog.venue) for one in known.get(p.id, ())) for p in catalog.papers
    ]
    assert states.count("verified") >= 60
    assert states.count("contradicted") == 0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A catalog of one paper with a DOI, and a folder for evidence."""
    head = CATALOG.partition("papers:\n")[0]
    entry = {**PAPER.model_dump(exclude_none=True, exclude_defaults=True), "arxiv": None}
    from tools.export.entry import text

    (tmp_path / "papers.yaml").write_text(f"{head}papers:\n{text(entry)}", encoding="utf-8")
    return tmp_path


def options(root: Path, *given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    arguments(parser)
    return parser.parse_args([*given, "--root", str(root)])


def verify(root: Path, handler, capsys: pytest.CaptureFixture) -> tuple[int, str, str]:
    """Run with a registry that answers like that for the paper's DOI."""
    with serve({"/doi/10.1000/xyz": handler}) as service:
        registries = Registries(fetcher(), doi=f"{service.url}/doi/")
        status = main(options(root, "--network"), registries)
    shown = capsys.readouterr()
    return status, shown.out, shown.err


def test_a_true_entry_is_verified_and_stays_so_without_a_network(root, capsys) -> None:
    assert verify(root, answer(json.dumps(RECORD)), capsys)[:2] == (0, "1 entry: 1 verified\n")
    assert main(options(root)) == 0
    assert capsys.readouterr().out == "1 entry: 1 verified\n"
    (kept,) = read_evidence(root)["hu2021lora"]
    assert (kept.source, kept.registry) == ("https://doi.org/10.1000/xyz", True)
    assert kept.raw == json.dumps(RECORD)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        # a swapped DOI: the record is another paper's
        ({"title": "QLoRA", "author": [{"family": "Dettmers", "given": "Tim"}]}, "is 'QLoRA'"),
        # a wrong first author
        ({"author": [{"family": "He", "given": "Edward"}, RECORD["author"][1]]}, "author 1"),
        # the right identifier, a wrong title
        ({"title": "LoRA: High-Rank Adaptation"}, "title is 'LoRA: High-Rank Adaptation'"),
        ({"issued": {"date-parts": [[2020]]}}, "year is 2020 there"),
        ({"page": "1-13"}, "pages is 1-13 there, none here"),
        ({"DOI": "10.1000/other"}, "doi is 10.1000/other there, 10.1000/xyz here"),
    ],
)
def test_false_entries_are_caught(root, capsys, change: dict, said: str) -> None:
    status, out, _ = verify(root, answer(json.dumps({**RECORD, **change})), capsys)
    assert status == 1
    assert said in out
    assert " V201 hu2021lora: " in out
    assert out.splitlines()[0].startswith("papers.yaml:")
    assert out.endswith("1 entry: 1 contradicted\n")


def test_an_invented_paper_is_not_verified(root, capsys) -> None:
    status, out, err = verify(root, answer("", 404), capsys)
    assert (status, out) == (0, "1 entry: 1 unverified\n")
    assert err == "hu2021lora: doi.org: knows no such work\n"


@pytest.mark.parametrize(("body", "status"), [("busy", 503), ("<html>", 200), (b"\xff", 200)])
def test_a_registry_that_does_not_answer_changes_nothing(
    root, capsys, monkeypatch, body: str | bytes, status: int
) -> None:
    monkeypatch.setattr(web.time, "sleep", lambda seconds: None)
    verify(root, answer(json.dumps(RECORD)), capsys)
    before = (root / FOLDER / "csl.txt").read_bytes()
    _, out, err = verify(root, answer(body, status), capsys)
    assert (root / FOLDER / "csl.txt").read_bytes() == before
    assert (out, err.count("\n")) == ("1 entry: 1 verified\n", 1)


def test_what_was_answered_is_kept_when_the_run_is_stopped(root) -> None:
    class Stopped:
        def raw(self, registry: str, identifier: str) -> str:
            if identifier != "10.1000/xyz":
                raise KeyboardInterrupt
            return json.dumps(RECORD)

    text = (root / "papers.yaml").read_text(encoding="utf-8")
    entry = text.partition("papers:\n")[2].replace("hu2021lora", "hu2021more")
    entry = entry.replace("10.1000/xyz", "10.1000/abc").replace("LoRA: Low", "Other")
    entry = entry.replace("Low-Rank Adaptation", "Further")
    (root / "papers.yaml").write_text(text + entry, encoding="utf-8")
    with pytest.raises(KeyboardInterrupt):
        main(options(root, "--network"), Stopped())
    assert list(read_evidence(root)) == ["hu2021lora"]


def test_an_answer_takes_the_place_of_what_the_same_address_said(root, capsys) -> None:
    doi = "https://doi.org/10.1000/xyz"
    old = evidence(source=doi, seen="2020-01-01", reasons={"year": "x"})
    save(root, {"hu2021lora": (old, evidence(source="o/n")), "b2020c": (evidence(paper="b2020c"),)})
    with serve({"/doi/10.1000/xyz": answer(json.dumps(RECORD))}) as service:
        registries = Registries(fetcher(), doi=f"{service.url}/doi/")
        main(options(root, "--network", "--paper", "hu2021lora"), registries)
    other, kept = sorted(read_evidence(root)["hu2021lora"], key=lambda one: one.seen)
    assert (other.source, kept.source) == ("o/n", doi)
    assert kept.seen > "2026"
    assert list(read_evidence(root)) == ["b2020c", "hu2021lora"]


def test_evidence_without_a_paper_is_told(root, capsys) -> None:
    save(root, {"nobody2020paper": (evidence(paper="nobody2020paper"),)})
    assert main(options(root)) == 1
    assert "V202 nobody2020paper: there is evidence, but no such paper" in capsys.readouterr().out


def test_a_paper_that_is_not_there_is_refused(root) -> None:
    with pytest.raises(EvidenceError, match="has no paper 'nobody2020paper'"):
        main(options(root, "--paper", "nobody2020paper"))


WRONG_YEAR = evidence({"issued": {"date-parts": [[2019]]}}, reasons={"year": "A slip."})


def test_a_disagreement_with_a_reason_is_shown_and_is_no_fault(root, capsys) -> None:
    save(root, {"hu2021lora": (WRONG_YEAR,)})
    assert main(options(root)) == 0
    first, last = capsys.readouterr().out.splitlines()
    assert " V200 hu2021lora: year is 2019 there: A slip. (https://doi.org/" in first
    assert last == "1 entry: 1 verified; 1 disagreements (V200) have a reason"
    assert main(options(root, "--format", "github")) == 0
    assert "V200 hu" not in capsys.readouterr().out


def test_a_name_that_no_record_allows_is_told(root, capsys) -> None:
    save(root, {"hu2021lora": (evidence(without(given="E."), source="o/n"),)})
    assert main(options(root)) == 1
    assert " V203 hu2021lora: author 1 is written 'Hu, E.' there" in capsys.readouterr().out
