"""`python -m tools add`: complete entries, put where they belong, and nothing else touched."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.services import answer, fetcher, serve
from tests.tools.small_catalog import CATALOG
from tests.tools.test_sources import ATOM, CSL
from tools.commands import add
from tools.commands.add import main, spliced
from tools.commands.entries import merged, new_id
from tools.commands.fmt import formatted
from tools.data.files import ROOT
from tools.data.schema import Name
from tools.export import entry
from tools.records.record import Record
from tools.records.registries import Registries
from tools.rules.catalog import read

BIB = r"""@inproceedings{wang2023multitask,
  title = {Multitask Prompt Tuning for {LLaMA}}, author = {Wang, Zhen and Feris, Rog{\'e}rio},
  booktitle = {The Eleventh International Conference on Learning Representations},
  year = {2023}, url = {https://openreview.net/forum?id=Nk2pDtuhTq}}"""
KNOWN = BIB.replace("Multitask Prompt Tuning for {LLaMA}", "On Dropping Adapters")
COMPLETE = ["--leaf", "soft", "--summary", "Shares one prompt among tasks."]


@pytest.fixture
def catalog(tmp_path) -> Path:
    path = tmp_path / "papers.yaml"
    path.write_bytes(formatted(CATALOG.encode(), "papers.yaml", tmp_path))
    return path


def options(catalog: Path, *arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add.arguments(parser)
    return parser.parse_args([*arguments, "--catalog", str(catalog)])


def bib(tmp_path: Path, text: str = BIB) -> str:
    path = tmp_path / "some.bib"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_complete_entry_is_printed_and_nothing_written(catalog, tmp_path, capsys):
    before = catalog.read_bytes()
    assert main(options(catalog, "bibtex", bib(tmp_path), *COMPLETE)) == 0
    printed = capsys.readouterr().out
    assert printed.startswith('  - id: wang2023multitask\n    title: "Multitask Prompt Tuning for')
    assert '      - "Feris, Rogério"\n    year: 2023\n    venue: ICLR\n' in printed
    assert '    openreview: "Nk2pDtuhTq"\n' in printed
    assert catalog.read_bytes() == before


def test_a_preprint_as_arxiv_exports_it_needs_no_venue(catalog, tmp_path, capsys):
    exported = """@misc{x, title={Some Norms}, author={Qi, Wang}, year={2022},
      eprint={2211.08682}, archivePrefix={arXiv}, primaryClass={cs.CL}}"""
    assert main(options(catalog, "bibtex", bib(tmp_path, exported), *COMPLETE)) == 0
    assert "    venue: arXiv\n" in capsys.readouterr().out
    published = exported.replace("@misc", "@inproceedings")
    assert main(options(catalog, "bibtex", bib(tmp_path, published), *COMPLETE)) == 1
    published = exported.replace("year=", "doi={10.1000/x}, year=")
    assert main(options(catalog, "bibtex", bib(tmp_path, published), *COMPLETE)) == 1


def test_written_entries_leave_every_other_byte(catalog, tmp_path, capsys):
    noted = catalog.read_text("utf-8").replace("  - id: mao", "  # keep me\n  - id: mao")
    catalog.write_text(noted + "# the end\n", "utf-8")
    before = catalog.read_bytes()
    assert main(options(catalog, "bibtex", bib(tmp_path), "--write", *COMPLETE)) == 0
    assert "wang2023multitask added" in capsys.readouterr().out
    after = catalog.read_bytes()
    (paper,) = [p for p in read(catalog).papers if p.id == "wang2023multitask"]
    text = entry.text(paper.model_dump(exclude_none=True, exclude_defaults=True)).encode()
    assert after.replace(text, b"") == before


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("paper_id", ["aaa2020first", "liu2021middle", "zzz2022last"])
def test_an_entry_goes_where_its_id_belongs(catalog, paper_id, ending):
    text = entry.text({"id": paper_id, "title": "T"})
    raw = catalog.read_bytes().replace(b"\n", ending.encode())
    after = spliced({"papers.yaml": raw}, {paper_id: text})["papers.yaml"]
    assert after.replace(text.replace("\n", ending).encode(), b"") == raw
    ids = [line.split(b": ")[1].strip() for line in after.splitlines() if b"  - id: " in line[:8]]
    papers = ids[ids.index(b"hu2021lora") - (paper_id[0] == "a") :]
    assert papers == sorted(papers)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_last_line_without_an_end_gets_one(catalog, ending):
    raw = catalog.read_bytes().replace(b"\n", ending.encode()).removesuffix(ending.encode())
    text = entry.text({"id": "zzz2022last", "title": "T"})
    after = spliced({"papers.yaml": raw}, {"zzz2022last": text})["papers.yaml"]
    assert after == raw + (ending + text.replace("\n", ending)).encode()


def test_what_is_missing_is_said_with_the_option_that_gives_it(catalog, tmp_path, capsys):
    assert main(options(catalog, "bibtex", bib(tmp_path), "--write")) == 1
    said = [line.removeprefix(f"{tmp_path}/") for line in capsys.readouterr().err.splitlines()]
    assert said == [
        "some.bib:1: wang2023multitask: leaves: is missing; give it with --leaf",
        "some.bib:1: wang2023multitask: summary: is missing; give it with --summary",
    ]


@pytest.mark.parametrize(
    ("text", "arguments", "complaint"),
    [
        (BIB.replace("Learning Rep", "Stamp Coll"), COMPLETE, "choose one with --venue"),
        (BIB.replace("booktitle", "note"), COMPLETE, "venue: the source has none; choose one with"),
        (BIB, [*COMPLETE, "--venue", "ICRL"], "venue: 'ICRL' is none of the catalog's"),
        (BIB, ["--leaf", "sfot", *COMPLETE[2:]], "leaves: 'sfot' is no leaf"),
        (BIB.replace("rio},", "rio and others},"), COMPLETE, "name them all"),
        (BIB, [*COMPLETE[:2], "--summary", "<b>bold</b>."], "holds HTML"),
        (BIB, [*COMPLETE[:2], "--summary", "No stop"], "S507"),
        (KNOWN, COMPLETE, "is in the catalog already: ruckle2020drop"),
        ("@misc{a", COMPLETE, "some.bib:1"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_written(
    catalog, tmp_path, capsys, text, arguments, complaint
):
    before = catalog.read_bytes()
    assert main(options(catalog, "bibtex", bib(tmp_path, text), "--write", *arguments)) == 1
    assert complaint in capsys.readouterr().err
    assert catalog.read_bytes() == before


def play(**paths):
    return serve({"/arxiv": answer(ATOM), **paths})


def registries(service) -> Registries:
    base = service.url
    return Registries(fetcher(), arxiv=f"{base}/arxiv", doi=f"{base}/doi/", acl=f"{base}/acl/")


def test_a_preprint_is_merged_with_its_publication(catalog, capsys):
    published = {**CSL, "title": "Prompting Large Models", "container-title": "ICLR", "page": "1-9"}
    atom = ATOM.replace("LoRA: Low-Rank Adaptation of\n      Large Language Models", "Prompting …")
    atom = atom.replace("2106.09685", "2106.09999")
    paths = {"/arxiv": answer(atom), "/doi/10.1000/xyz": answer(json.dumps(published))}
    with serve(paths) as service:
        arguments = options(catalog, "arxiv", "2106.09999v3", *COMPLETE)
        assert main(arguments, registries(service)) == 0
    printed = capsys.readouterr().out
    assert printed.startswith('  - id: hu2021prompting\n    title: "Prompting Large Models"\n')
    for line in ("year: 2022", "venue: ICLR", 'doi: "10.1000/xyz"', 'pages: "1-13"'[:6]):
        assert f"    {line}" in printed


def test_an_entry_that_was_a_preprint_gets_its_publication(catalog, capsys):
    text = catalog.read_text("utf-8")
    block = text[text.index("  - id: ruckle2020drop") :]
    preprint = block.replace("venue: ACL", "venue: arXiv").replace(
        '    acl: "2022.acl-long.1"\n', ""
    )
    catalog.write_text(text.replace(block, preprint), "utf-8")
    item = {**CSL, "title": "On Dropping Adapters", "container-title": "ACL", "DOI": "10.1000/x"}
    item |= {"author": [{"family": "Rücklé", "given": "Andreas"}]}
    with serve({"/doi/10.1000/x": answer(json.dumps(item))}) as service:
        assert main(options(catalog, "doi", "10.1000/x", "--write"), registries(service)) == 0
    assert "ruckle2020drop updated" in capsys.readouterr().out
    paper = read(catalog).paper["ruckle2020drop"]
    assert (paper.venue, paper.doi, paper.arxiv) == ("ACL", "10.1000/x", "2010.11918")


def test_the_network_is_asked_only_when_allowed(catalog, capsys):
    assert main(options(catalog, "arxiv", "2106.09685")) == 1
    assert "allow it with --network" in capsys.readouterr().err


def test_ids_are_family_first_year_and_a_word_that_is_free():
    record = Record("x", "The LoRA: a Story", (Name("O'Neil-Łoś", "A."),), 2022, 2021)
    assert new_id(record, ()) == "oneillos2021lora"
    assert new_id(record, ["oneillos2021lora"]) == "oneillos2021story"
    assert new_id(record, ["oneillos2021lora", "oneillos2021story"]) == "oneillos2021lorastory"
    taken = [f"oneillos2021{word}" for word in ("lora", "story", "lorastory")]
    assert new_id(record, taken) == ""
    assert new_id(Record("x", "T", (Name("Łoś III", "A."),), 2022), ()) == "los2022t"
    posted = Record("x", "T", (Name("Æbelø", "A."),), 2023, arxiv="2212.99001")
    assert new_id(posted, ()) == "aebelo2022t"
    assert new_id(Record("x", "T", (Name("王", "小明"),), 2022), ()) == ""


def test_merging_keeps_what_only_one_says():
    preprint = Record("arxiv", "T", (Name("A", "B"),), 2021, 2021, "arXiv", arxiv="2101.00001")
    published = Record("crossref", "T!", (), 2022, None, "ACL", doi="10.1000/x", pages="1-2")
    both = merged(preprint, published)
    assert (both.title, both.authors, both.year, both.first_year) == (
        "T!",
        (Name("A", "B"),),
        2022,
        2021,
    )
    assert (both.venue, both.arxiv, both.doi, both.pages) == (
        "ACL",
        "2101.00001",
        "10.1000/x",
        "1-2",
    )


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools", "add", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"\x00" * 100, b"@" * 6_000_000, b"{" * 100_000])
@pytest.mark.parametrize("kind", ["bibtex", "ris", "csl"])
def test_files_that_are_nothing_of_the_kind(catalog, tmp_path, capsys, kind, content):
    path = tmp_path / "odd"
    path.write_bytes(content)
    assert main(options(catalog, kind, str(path), "--write", *COMPLETE)) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_command(catalog, tmp_path):
    done = run("bibtex", bib(tmp_path), "--catalog", str(catalog), "--write", *COMPLETE)
    assert (done.returncode, done.stderr) == (0, "")
    assert run("bibtex", bib(tmp_path), "--catalog", str(catalog), *COMPLETE).returncode == 1
    assert run("bibtex", "no-such.bib").returncode == 2
    assert run("bogus", "x").returncode == 2
