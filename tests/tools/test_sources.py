"""Records from citation files and registries."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.services import answer, fetcher, serve
from tools.data.schema import Name
from tools.records import bib, csl, ris, web
from tools.records.record import Record, SourceError
from tools.records.registries import Registries

BIB = r"""
@string{iclr = "International Conference on Learning Representations"}
@comment{jabref-meta: databaseType:bibtex;}
@inproceedings{hu2022lora,
  title = {{LoRA}: Low-Rank {A}daptation of {\"U}ber Models for {$k$} \& More},
  author = {Hu, Edward J. and van der Maaten, Laurens and {Google Research} and Vuli\'{c}, Ivan
            and Smith, Jr., John and {\L}o{\'s}, A.},
  booktitle = iclr, year = 2022, month = apr, pages = {1--13},
  url = {https://openreview.net/forum?id=nZeVKeeFYf9}
}
@article{first, title = "A", author = "Charles de la Vall{\'e}e Poussin and others",
  journal = "arXiv preprint arXiv:2106.09685v2", year = {2020}}
"""
RIS = """TY  - CONF
AU  - Hu, Edward J.
AU  - Google Research,
TI  - LoRA: Low-Rank Adaptation
T2  - International Conference on Learning Representations
PY  - 2022/04/25
SP  - 1
EP  - 13
DO  - 10.1000/xyz
AN  - arXiv:2106.09685
ER  -
"""
CSL = {
    "type": "paper-conference",
    "title": "LoRA: Low-Rank\nAdaptation",
    "author": [
        {"family": "Hu", "given": "Edward J."},
        {"family": "Maaten", "given": "Laurens", "non-dropping-particle": "van der"},
        {"name": "Google Research"},
    ],
    "issued": {"date-parts": [[2022, 4]]},
    "container-title": ["ICLR"],
    "page": "1-13",
    "DOI": "10.1000/xyz",
    "source": "Crossref",
}
ATOM = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
  <entry>
    <id>http://arxiv.org/abs/2106.09685v2</id>
    <updated>2023-10-16T18:40:34Z</updated>
    <published>2021-06-17T17:37:18Z</published>
    <title>LoRA: Low-Rank Adaptation of
      Large Language Models</title>
    <author><name>Edward J. Hu</name></author>
    <author><name>Laurens van der Maaten</name></author>
    <arxiv:doi xmlns:arxiv="http://arxiv.org/schemas/atom">10.1000/xyz</arxiv:doi>
  </entry>
</feed>"""


def test_bibtex():
    lora, first = bib.records(BIB)
    assert lora == Record(
        source="bibtex",
        title="LoRA: Low-Rank Adaptation of Über Models for k & More",
        authors=(
            Name("Hu", "Edward J."),
            Name("van der Maaten", "Laurens"),
            Name("Google Research"),
            Name("Vulić", "Ivan"),
            Name("Smith Jr.", "John"),
            Name("Łoś", "A."),
        ),
        year=2022,
        venue="International Conference on Learning Representations",
        openreview="nZeVKeeFYf9",
        pages="1-13",
    )
    assert first.authors == (Name("de la Vallée Poussin", "Charles"),)
    assert (first.truncated, first.arxiv) == (True, "2106.09685")


@pytest.mark.parametrize(
    ("text", "reader", "titles"),
    [
        ("@a{x, title={One}}\n@a{y, title={\\no{}}}\n@a{z, title={Two}}", bib, ["One", "Two"]),
        ("@a{x, title={One}}\n@a{y, title={open}\n@a{z, title={Two}}", bib, ["One", "Two"]),
        ("TY  - A\nTI  - One\nER  - \nTY  - A\nER  - \nTY  - A\nTI  - Two\nER  - ", ris,
         ["One", "Two"]),
        ("TY  - A\nTI  - One\nTY  - A\nTI  - Two\nER  - ", ris, ["Two"]),
        ('[{"title": "One"}, 3, {"title": "Two"}]', csl, ["One", "Two"]),
    ],
)  # fmt: skip
def test_one_bad_record_does_not_lose_the_others(text, reader, titles):
    found = list(reader.read(text, "f"))
    assert [one.title for one in found if isinstance(one, Record)] == titles
    assert sum(isinstance(one, SourceError) for one in found) == 1


def test_as_many_entries_out_as_in():
    text = "\n".join(f"@misc{{k{i}, title = {{T{i}}}, author = {{A, B}}}}" for i in range(300))
    assert [record.title for record in bib.records(text)] == [f"T{i}" for i in range(300)]


def test_ris():
    (record,) = ris.records(RIS)
    assert record.authors == (Name("Hu", "Edward J."), Name("Google Research"))
    assert (record.year, record.pages, record.doi) == (2022, "1-13", "10.1000/xyz")
    assert (record.arxiv, record.venue[:13]) == ("2106.09685", "International")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no ris",
        "TY  - CONF\nTI  - never ends",
        "TY  - CONF\nER  - ",
        f"{RIS}TY  - CONF\nTI  - a",
        "\ufeffTY  - CONF\nAU  - Roe 7\nTI  - a\nER  - ",
    ],
)
def test_what_is_no_ris(text):
    with pytest.raises(SourceError, match=r"^f\.ris"):
        ris.records(text, "f.ris")


def test_a_record_without_an_end_is_told_with_its_line():
    text = "TY  - CONF\nTI  - never ends\n\n" + RIS
    error, record = ris.read(text, "f.ris")
    assert str(error) == "f.ris:1: the record has no end; write 'ER  - ' behind it"
    assert record.place == "f.ris:4"


def test_csl():
    (record,) = csl.records(json.dumps([CSL]))
    assert record.title == "LoRA: Low-Rank Adaptation"
    assert record.authors[1:] == (Name("van der Maaten", "Laurens"), Name("Google Research"))
    assert (record.year, record.venue, record.pages) == (2022, "ICLR", "1-13")


def test_a_ris_file_of_windows_with_a_mark_and_one_blank():
    text = RIS.replace("  -", " -").replace("\n", "\r\n")
    assert ris.records("\ufeff" + text) == ris.records(RIS)


@pytest.mark.parametrize(
    ("subtitle", "title"),
    [
        (["A Study"], "LoRA: A Study"),
        ("", "LoRA"),
        (["LoRA"], "LoRA"),
        (["Why?"], "LoRA: Why?"),
    ],
)
def test_a_subtitle_is_a_part_of_the_title(subtitle, title):
    item = {**CSL, "title": ["LoRA"], "subtitle": subtitle}
    assert csl.record(item, "x").title == title
    text = subtitle if isinstance(subtitle, str) else subtitle[0]
    (record,) = bib.records(f"@a{{x, title={{LoRA}}, subtitle={{{text}}}}}")
    assert record.title == title


@pytest.mark.parametrize("reader", [bib, ris, csl])
def test_what_is_given_is_not_read(reader):
    text = {
        bib: r"@a{x, title={\no}, journal={\no}, year=2020}",
        ris: "TY  - A\nPY  - 2020\nER  - ",
        csl: '{"issued": {"date-parts": [[2020]]}}',
    }[reader]
    (record,) = reader.read(text, "f", ("title", "venue"))
    assert (record.title, record.venue, record.year) == ("", "", 2020)


NO_CSL = ["", "{", "[]", "[1]", "{}", '{"title": 1}', '{"title": "a", "author": 1}', "NaN"]
NO_CSL += ["[" * 100_000, '{"title": "a", "author": [1]}', '{"title": "a", "author": [{}]}']


@pytest.mark.parametrize("text", NO_CSL)
def test_what_is_no_csl(text):
    with pytest.raises(SourceError, match=r"^f\.json"):
        csl.records(text, "f.json")


def test_the_year_of_publication_is_the_first_of_the_dates():
    dates = {"published-online": {"date-parts": [[2021]]}, "published-print": {"date-parts": [[]]}}
    assert csl.record({**CSL, **dates}, "x").year == 2022
    assert csl.record({**CSL, **dates, "issued": None}, "x").year == 2021


def registries(service) -> Registries:
    base = service.url
    return Registries(
        fetcher(), arxiv=f"{base}/arxiv", doi=f"{base}/doi/", acl=f"{base}/acl/", openreview=base
    )


def test_arxiv():
    with serve({"/arxiv": answer(ATOM)}) as service:
        record = registries(service).arxiv("2106.09685")
        assert service.asked[0][1] == "/arxiv?id_list=2106.09685&max_results=1"
    assert record.title == "LoRA: Low-Rank Adaptation of Large Language Models"
    assert record.authors == (Name("Hu", "Edward J."), Name("van der Maaten", "Laurens"))
    assert (record.arxiv, record.first_year, record.doi) == ("2106.09685", 2021, "10.1000/xyz")


def test_doi_says_which_agency_answered():
    with serve({"/doi/10.1000/xyz": answer(json.dumps(CSL))}) as service:
        record = registries(service).doi("10.1000/xyz")
        assert service.asked[0][2]["Accept"] == "application/vnd.citationstyles.csl+json"
    assert (record.source, record.doi) == ("crossref", "10.1000/xyz")


def test_acl():
    with serve({"/acl/P19-1001.bib": answer(BIB)}) as service:
        record = registries(service).acl("P19-1001")
    assert (record.source, record.acl, record.year) == ("acl", "P19-1001", 2022)


def test_openreview():
    note = {"title": {"value": "LoRA"}, "authors": {"value": ["Edward J. Hu"]}}
    with serve({"": answer(json.dumps({"notes": [{"content": note}]}))}) as service:
        service.paths["/"] = service.paths[""]
        record = registries(service).openreview("nZeVKeeFYf9")
    assert (record.title, record.openreview) == ("LoRA", "nZeVKeeFYf9")


EMPTY = '<feed xmlns="http://www.w3.org/2005/Atom"></feed>'


@pytest.mark.parametrize(
    ("handler", "complaint"),
    [
        (answer("<html>are you human?</html>"), "knows no such work"),
        (answer("<feed", 200), "is not Atom"),
        (answer(EMPTY), "knows no such work"),
        (answer("", 404), "arXiv: knows no such work"),
        (answer("", 403), "refuses programs"),
        (answer("busy", 503), "answers with status 503; try again later"),
        (answer("busy", 429, Retry_After="9999"), "answers with status 429"),
        (answer(b"x" * 200_000), "larger than 100,000 bytes"),
        (answer(ATOM, Content_Length="99999"), "arXiv: "),
        (answer("", 302, Location="http://169.254.169.254/"), "which is not public"),
    ],
)
def test_a_registry_that_misbehaves_is_one_clear_line(handler, complaint, monkeypatch):
    monkeypatch.setattr(web.time, "sleep", lambda seconds: None)
    with serve({"/arxiv": handler}) as service, pytest.raises(SourceError) as caught:
        registries(service).arxiv("2106.09685")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_html_in_place_of_json_is_told():
    page = answer("<html>", 200, Content_Type="text/html")
    with serve({"/doi/10.1000/xyz": page}) as service, pytest.raises(SourceError) as caught:
        registries(service).doi("10.1000/xyz")
    assert str(caught.value) == "DOI 10.1000/xyz: the answer is text/html, not CSL-JSON"


TEXTS = st.one_of(
    st.text(max_size=300),
    st.text(alphabet='@{}",=#\\ab12\n', max_size=300),
    st.lists(st.sampled_from(BIB.split()), max_size=60).map(" ".join),
    st.lists(st.sampled_from(RIS.split("\n")), max_size=20).map("\n".join),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from([*CSL, "family", "date-parts"]), inner, max_size=5)
        ),
    ).map(json.dumps),
)


@settings(max_examples=150)
@given(TEXTS)
@pytest.mark.parametrize("reader", [bib.records, ris.records, csl.records])
def test_any_text_is_records_or_one_line(reader, text):
    said = None
    try:
        found = reader(text, "file")
    except SourceError as error:
        said, found = str(error), []
    assert bool(found) != bool(said)
    assert "\n" not in (said or "")
    assert all(isinstance(record.tidy(), Record) for record in found)
