"""What people's citation files really hold, through the command: read right, or refused clearly.

Each case is a kind of file that a public bug report showed to be read wrong somewhere; the works in
them are made up.
"""

from __future__ import annotations

import argparse
import json
import unicodedata
from pathlib import Path

import pytest
import yaml

from tests.tools.small_catalog import CATALOG
from tools.commands import add, issue
from tools.commands.fmt import formatted
from tools.rules.catalog import read

JOURNAL = """venues:
  - id: TMLR
    name: Transactions on Machine Learning Research
    kind: journal
    url: https://jmlr.org/tmlr/
    color: "#2e6f1e"
"""
ICLR = "International Conference on Learning Representations"
GIVEN = ("--leaf", "low-rank", "--summary", "Trains thin updates of frozen encoders.")


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    path = tmp_path / "papers.yaml"
    text = CATALOG.replace("venues:\n", JOURNAL)
    path.write_bytes(formatted(text.encode(), "papers.yaml", tmp_path))
    return path


def run(catalog: Path, text: str | bytes, *options: str, kind: str = "bibtex") -> int:
    path = catalog.with_name({"bibtex": "x.bib", "ris": "x.ris", "csl": "x.json"}[kind])
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    parser = argparse.ArgumentParser()
    add.arguments(parser)
    arguments = [kind, str(path), *GIVEN, "--catalog", str(catalog), *options]
    return add.main(parser.parse_args(arguments))


def bib(kind: str = "inproceedings", **fields: str) -> str:
    """An entry of a made-up work, with some fields changed, or left out where they are empty."""
    whole = {
        "author": "Doe, Jane and Roe, Richard",
        "title": "Thin Updates for Frozen Encoders",
        "booktitle": ICLR if kind == "inproceedings" else "",
        "year": "2023",
        "url": "https://openreview.net/forum?id=aBcDeFgHiJ",
        **fields,
    }
    rows = [f"  {key} = {{{value}}}" for key, value in whole.items() if value]
    return f"@{kind}{{doe2023thin,\n" + ",\n".join(rows) + "\n}\n"


def added(capsys) -> list[dict]:
    """The entries that were printed."""
    return yaml.safe_load(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            bib().replace("author", "Author").replace("title", "Title").replace("year", "YEAR"),
            {"title": "Thin Updates for Frozen Encoders", "authors": ["Doe, Jane", "Roe, Richard"]},
        ),
        (
            bib("article", author="", AUTHOR="ThinLab", journal="arXiv preprint arXiv:2303.99001"),
            {"authors": [{"literal": "ThinLab"}], "arxiv": "2303.99001", "venue": "arXiv"},
        ),
        (
            bib(author=r"Doe, Jane and \'{A}brego, Jos\'{e} and \c{S}en, Ana and {\L}uk, Adam"),
            {"authors": ["Doe, Jane", "Ábrego, José", "Şen, Ana", "Łuk, Adam"]},
        ),
        (
            bib(author=r"H\h{a}i, Th{\h u} and Tr{\uhorn}{\ohorn}ng, H{\uhorn}u and "
                r"Nguy{\~\^e}n, B{\'\i}"),
            {"authors": ["Hải, Thủ", "Trương, Hưu", "Nguyễn, Bí"]},
        ),
        (
            bib("misc", url="https://arxiv.org/abs/2301.99001", eprint="2301.99001",
                archivePrefix="arXiv", primaryClass="cs.CL"),
            {"venue": "arXiv", "arxiv": "2301.99001"},
        ),
        (
            bib("online", url="", year="", date="2023-05", eprint="2301.99001", eprinttype="arXiv"),
            {"venue": "arXiv", "arxiv": "2301.99001", "year": 2023},
        ),
        (
            bib("misc", url="https://arxiv.org/abs/2301.99001", publisher="arXiv",
                doi="10.48550/ARXIV.2301.99001"),
            {"venue": "arXiv", "arxiv": "2301.99001"},
        ),
        (
            bib("article", author="given=Jane, prefix=van der, useprefix=true, family=Doe",
                journaltitle="Transactions on Machine Learning Research"),
            {"authors": ["van der Doe, Jane"], "venue": "TMLR"},
        ),
        (
            bib("article", author="Jane Doe 0001 and Richard Roe 0002", journal="CoRR",
                volume="abs/2301.99001", url="https://doi.org/10.48550/arXiv.2301.99001"),
            {"authors": ["Doe, Jane", "Roe, Richard"], "id": "doe2023thin", "arxiv": "2301.99001"},
        ),
        (bib(title="Thin Updates --- A Study"), {"title": "Thin Updates — A Study"}),
        (bib(note=r"Code at \href{https://example.org}{this page}"), {"venue": "ICLR"}),
        (
            bib(title=r"Training with $\ell_1$ Penalties and {$\mathcal{O}(n \log n)$} Attention"),
            {"title": "Training with ℓ₁ Penalties and O(n log n) Attention"},
        ),
        (
            unicodedata.normalize("NFD", bib(author="Müller, Jörg", title="Naïve Façades")),
            {"authors": ["Müller, Jörg"], "title": "Naïve Façades"},
        ),
        (
            bib(title="Thin Updates", subtitle="A Study in Three Parts"),
            {"title": "Thin Updates: A Study in Three Parts"},
        ),
        (
            bib(title=r"{\LaTeX} Tables with \mbox{Llama-2} and \texttt{run\_glue}"),
            {"title": "LaTeX Tables with Llama-2 and run_glue"},
        ),
        (
            bib(title=r"A \$5 Study of {\textless}i{\textgreater}Yeast{\textless}/i{\textgreater}"),
            {"title": "A $5 Study of Yeast"},
        ),
        (
            bib(author="Ann Roe and Jane Doe III and Max Poe Jr. and III, Sam Lee"),
            {"authors": ["Roe, Ann", "Doe III, Jane", "Poe Jr., Max", "Lee III, Sam"]},
        ),
        (bib(month="@").replace("{@}", 'jul # "~5"'), {"year": 2023}),
        (
            '@string{iclr = "' + ICLR + '"}@string{proc = {Proceedings of the }}'
            + bib(booktitle="@").replace("{@}", "proc # iclr"),
            {"venue": "ICLR"},
        ),
        (bib(pages="101 -- 110"), {"pages": "101-110"}),
    ],
)  # fmt: skip
def test_bibtex_that_is_read(catalog, capsys, text, expected):
    assert run(catalog, text) == 0, capsys.readouterr().err
    (entry,) = added(capsys)
    assert {key: entry[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (bib().replace("Encoders},", "Encoders}"), "x.bib:3: a comma is missing after title"),
        (bib().replace("Richard},", "Richard}"), "x.bib:2: a comma is missing after author"),
        (bib(keywords="a", abstract="b").replace("{a},", "{a}"), "x.bib:7: a comma is missing"),
        (bib(URL="https://example.org/mirror"), "x.bib:6: url is given twice, again on line 7"),
        (bib(pages="1–20, 33"), "x.bib:1: doe2023thin: pages: '1-20, 33' is not a page or a range"),
        (bib(title=r"A \foo{b}"), r"x.bib:3: title: '\foo' is no LaTeX command that is known"),
        (bib(author="Doe, Jane and Roe2, Ann"), "x.bib:2: author: the name 'Roe2, Ann' holds"),
        (bib(booktitle="NeurIPS 2023 Workshop on Shifts"), "choose one with --venue"),
        (bib(booktitle=f"{ICLR} Workshop"), "choose one with --venue"),
        (bib(booktitle=f"2022 IEEE {ICLR} and Applications (ICLRA)"), "choose one with --venue"),
        (bib(author="王, 小明 and Doe, Jane"), "x.bib:1: id: none can be made of the"),
        (bib(title="A <mask> b"), "x.bib:1: doe2023mask: title: holds HTML: '<mask'"),
    ],
)  # fmt: skip
def test_bibtex_that_is_refused(catalog, capsys, text, complaint):
    before = catalog.read_bytes()
    assert run(catalog, text, "--write") == 1
    said = capsys.readouterr().err
    assert complaint in said
    assert "papers.yaml" not in said  # nobody wrote into that file
    assert catalog.read_bytes() == before


def test_a_refused_entry_is_shown_with_the_option_that_mends_it(catalog, capsys):
    assert run(catalog, bib(title="A <mask> b")) == 1
    shown = capsys.readouterr()
    assert 'title: "A <mask> b"' in shown.out
    assert "write plain text; give another with --title (S501)" in shown.err
    assert run(catalog, bib(title=r"A \foo b"), "--title", "A mask b") == 0
    assert added(capsys)[0]["title"] == "A mask b"


def test_an_id_is_given_where_none_can_be_made(catalog, capsys):
    text = bib(author="王, 小明 and D’Souza, Rahul")
    assert run(catalog, text, "--id", "wang2023thin") == 0
    assert added(capsys)[0]["authors"] == ["王, 小明", "D'Souza, Rahul"]
    assert run(catalog, bib(), "--id", "roe2023thin") == 1  # the rules know the author
    assert "id: 'roe2023thin' does not start with 'doe'" in capsys.readouterr().err
    assert run(catalog, bib(), "--id", "hu2021lora") == 1
    assert "id: 'hu2021lora' is taken; give another with --id" in capsys.readouterr().err
    assert run(catalog, bib() + bib(title="Two"), "--id", "doe2023other") == 1
    assert "--id is for one entry, and 2 are given" in capsys.readouterr().err


def test_the_others_of_a_file_are_written_and_the_exit_status_tells(catalog, capsys):
    links = (f"https://openreview.net/forum?id=aBcDeFgHi{n}" for n in range(9))
    titles = ("Thin Updates", r"A \foo{b}", "Good Updates", "A <mask> b", "Odd Updates")
    texts = [bib(title=title, url=next(links)) for title in titles]
    texts[4] = texts[4].replace(ICLR, "Odd")
    assert run(catalog, "".join([*texts, texts[0]]), "--write") == 1
    assert {"doe2023good", "doe2023thin"} < read(catalog).paper.keys()
    assert len(read(catalog).papers) == 7
    said = capsys.readouterr().err.splitlines()
    wanted = (r"'\foo' is no", "holds HTML", "choose one with", "'Thin Updates' is given twice")
    assert len(said) == 4
    assert all(word in line for word, line in zip(wanted, said, strict=True))


IEEE = f"TY  - CONF\nTI  - Thin Updates\nT2  - {ICLR} (ICLR)\nAU  - J. Doe\nAU  - R. Roe\n"
IEEE += "PY  - 2023\nSP  - 1\nEP  - 9\nDO  - 10.1109/XXX.2023.0000001\nVL  - \nER  - \n"


def test_ris_without_commas_and_with_a_mark(catalog, capsys):
    assert run(catalog, b"\xef\xbb\xbf" + IEEE.encode(), kind="ris") == 0
    (entry,) = added(capsys)
    assert (entry["authors"], entry["id"]) == (["Doe, J.", "Roe, R."], "doe2023thin")
    assert (entry["pages"], entry["venue"]) == ("1-9", "ICLR")
    assert run(catalog, IEEE.replace("J. Doe", "Doe J."), kind="ris") == 1
    assert "x.ris:1: AU: the name 'Doe J.' ends with an initial" in capsys.readouterr().err


def test_csl_with_markup(catalog, capsys):
    item = {
        "title": "Effects of <i>Thin</i> Updates on H<sub>2</sub>O &amp; CO<sub>2</sub>",
        "author": [{"family": "Doe", "given": "Jane"}, {"literal": "The Foo Collaboration"}],
        "issued": {"date-parts": [["2023", 5]]},
        "container-title": ICLR,
        "URL": "https://openreview.net/forum?id=aBcDeFgHiJ",
    }
    assert run(catalog, json.dumps([item]), kind="csl") == 0
    (entry,) = added(capsys)
    assert entry["title"] == "Effects of Thin Updates on H2O & CO2"
    assert entry["authors"] == ["Doe, Jane", {"literal": "The Foo Collaboration"}]


PREPRINT = bib("article", journal="arXiv preprint arXiv:2212.99001", year="2022", url="")
PUBLISHED = bib(author="Doe, Jane and Poe, Ann and Roe, Richard", eprint="2212.99001",
                title="Frozen Encoders Need Only Thin Updates", archiveprefix="arXiv")  # fmt: skip


def test_a_preprint_takes_the_authors_of_its_publication(catalog, capsys):
    assert run(catalog, PREPRINT, "--write") == 0
    assert run(catalog, PUBLISHED, "--write") == 0
    assert "the authors are now those of the publication" in capsys.readouterr().err
    paper = read(catalog).paper["doe2022thin"]
    assert paper.authors == ("Doe, Jane", "Poe, Ann", "Roe, Richard")
    assert (paper.year, paper.venue, paper.title[:6]) == (2023, "ICLR", "Frozen")
    assert paper.also_titled == ("Thin Updates for Frozen Encoders",)


def test_full_names_are_kept_where_the_publication_has_initials(catalog):
    assert run(catalog, PREPRINT, "--write") == 0
    assert run(catalog, bib(author="Doe, J. and Roe, R."), "--write") == 0
    assert read(catalog).paper["doe2022thin"].authors == ("Doe, Jane", "Roe, Richard")


def test_a_publication_takes_the_identifier_of_its_preprint(catalog, capsys):
    assert run(catalog, bib(), "--write", "--id", "doe2022thin") == 0
    assert run(catalog, PREPRINT, "--write") == 0
    paper = read(catalog).paper["doe2022thin"]
    assert (paper.arxiv, paper.venue, paper.year) == ("2212.99001", "ICLR", 2023)
    assert run(catalog, PREPRINT) == 1
    assert "is in the catalog already: doe2022thin" in capsys.readouterr().err


def test_a_work_of_the_same_title_by_others_changes_nothing(catalog, capsys):
    assert run(catalog, PREPRINT, "--write") == 0
    before = catalog.read_bytes()
    assert run(catalog, bib(author="Lee, Sam"), "--write") == 1
    assert "is in the catalog already: doe2022thin" in capsys.readouterr().err
    assert catalog.read_bytes() == before


def form(identifier: str, bibtex: str = "_No response_") -> str:
    answers = {"Identifier": identifier, "BibTeX": bibtex, "Where it belongs": "low-rank"}
    answers |= {"Kind": "method", "One sentence": GIVEN[-1], "Code": "_No response_"}
    return "".join(f"### {label}\n\n{answer}\n\n" for label, answer in answers.items())


def test_the_form_keeps_the_identifier_beside_the_bibtex(catalog, monkeypatch):
    monkeypatch.setenv("ISSUE_BODY", form("[2301.99001](https://arxiv.org/abs/2301.99001)", bib()))
    assert issue.main(argparse.Namespace(catalog=catalog)) == 0
    paper = read(catalog).paper["doe2023thin"]
    assert (paper.arxiv, paper.openreview) == ("2301.99001", "aBcDeFgHiJ")


def test_the_form_takes_a_page_without_identifier_where_bibtex_is_given(catalog, monkeypatch):
    monkeypatch.setenv("ISSUE_BODY", form("https://example.org/thin", bib(url="")))
    assert issue.main(argparse.Namespace(catalog=catalog)) == 0
    assert read(catalog).paper["doe2023thin"].url == "https://example.org/thin"


@pytest.mark.parametrize(
    ("identifier", "bibtex", "complaint"),
    [
        ("2301.99001", bib() + bib(title="Two"), "the BibTeX holds 2 entries; suggest one"),
        ("2301.99001", bib(eprint="2302.99001", archiveprefix="arXiv"), "BibTeX says 2302.99001"),
        ("no idea", bib(), "the identifier is no arXiv id, DOI or ACL id"),
        ("2301.99001", "@misc{a, title = {no end", "BibTeX:1: a brace or a quotation mark"),
    ],
)  # fmt: skip
def test_a_form_that_contradicts_itself(
    catalog, monkeypatch, capsys, identifier, bibtex, complaint
):
    before = catalog.read_bytes()
    monkeypatch.setenv("ISSUE_BODY", form(identifier, bibtex))
    assert issue.main(argparse.Namespace(catalog=catalog)) == 1
    assert complaint in capsys.readouterr().err
    assert catalog.read_bytes() == before
