"""BibTeX files: what is read of an entry, what does no harm, and what is refused."""

from __future__ import annotations

import pytest

from tools.records import bib
from tools.records.record import SourceError


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "f.bib: holds no BibTeX entry"),
        ("just words", "f.bib: holds no BibTeX entry"),
        (
            "@misc{a, title = {no end",
            "f.bib:1: a brace or a quotation mark is not closed (entry a)",
        ),
        ("@misc{a\ntitle={no comma}}", "f.bib:1: a comma is missing after the key (entry a)"),
        ("\n@misc{a, title}", "f.bib:2: a field has no '=' and value"),
        ("@a{x, title={A},\nauthor=doe}", "f.bib:2: author: no @string before defines 'doe'"),
        ("@a{x,\ntitle=b # {c}}", "f.bib:2: title: no @string before defines 'b'; write it out"),
        ("@a{x,\ntitle={1},\nTitle={2}}", "f.bib:2: title is given twice, again on line 3"),
        ("@a{x,\ntitle={A} b,\nyear=1}", "f.bib:2: title: 'b' stands outside of the value"),
        ("@a{x, year={2020}}", "f.bib:1: has no title (entry x)"),
        ("@a{x\ny, title={A $x_\n{B}$}}", "f.bib:2: title: the formula $x_ {B}$ has no plain form"),
        ("@a{x, title={A}, author={A B},\nsome words\nyear=2020}", "f.bib:3: 'some words year'"),
    ],
)
def test_no_bibtex_block_is_dropped_silently(text, complaint):
    with pytest.raises(SourceError) as caught:
        bib.records(text, "f.bib")
    assert str(caught.value).startswith(complaint)
    assert "\n" not in str(caught.value)


def test_what_nobody_reads_does_no_harm():
    """Fields, strings and entries that are not used may hold anything that is BibTeX."""
    (record,) = bib.records(
        r"""@string{bad = undefined # "x"}
        @preamble{"\newcommand{\x}{y}"}
        % @misc{commented, title = {No entry}}
        @misc{a, title = "A {"}B{"} C", month = jul # "~5", note = {\href{https://x.example}{y}},
          % a remark
          keywords = {a}, keywords = {b}, abstract = {50% \of it}, year = 2020}"""
    )
    assert (record.title, record.year, record.place) == ('A "B" C', 2020, "BibTeX:4")


def test_a_key_that_is_there_twice_makes_two_records():
    text = "@a{x, title={One}}\n@a{x, title={Two}}"
    assert [record.title for record in bib.records(text)] == ["One", "Two"]


def test_strings_are_joined_and_the_last_before_an_entry_counts():
    text = """@string{a = "Old"}@string{A = {New}}@string{b = a # " Hands"}
      @misc{x, title = "On " # b # { } # 12}@string{a = "Newest"}"""
    assert [record.title for record in bib.records(text)] == ["On New Hands 12"]


def test_an_entry_inherits_from_the_one_that_it_names():
    text = """@inproceedings{a, title={A}, crossref={P}}
      @proceedings{p, title={Some Proceedings}, year={2020}, author={Ed Itor}}"""
    record, _ = bib.records(text)
    assert (record.venue, record.year, record.authors) == ("Some Proceedings", 2020, ())


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (r"url={https://a.example/~doe/b_c%20d#e}", "https://a.example/~doe/b_c%20d#e"),
        (r"url={https://a.example/\textasciitilde{}doe/b{\_}c\%20d}", "https://a.example/~doe/b_c%20d"),
        (r"howpublished={\url{https://a.example/b_c}}", "https://a.example/b_c"),
        (r"howpublished={Blog post}", ""),
    ],
)  # fmt: skip
def test_an_address_is_no_text(field, expected):
    (record,) = bib.records(f"@misc{{a, title={{A}}, {field}}}")
    assert record.url == expected


def test_an_identifier_as_reference_managers_write_it():
    text = r"@a{a, title={A}, doi={10.1162/tacl{\_}a{\_}00577}, eprint={https://a.example/b.pdf}}"
    (record,) = bib.records(text)
    assert (record.doi, record.arxiv) == ("10.1162/tacl_a_00577", "")


@pytest.mark.parametrize("text", ["Doe, J. and others", "Doe, J. et al.", "Doe, J. and et al."])
def test_that_there_are_more_authors_is_kept(text):
    (record,) = bib.records(f"@a{{a, title={{A}}, author={{{text}}}}}")
    assert ([name.family for name in record.authors], record.truncated) == (["Doe"], True)


def test_a_venue_may_be_a_name_that_another_file_defines():
    (record,) = bib.records("@a{a, title={A}, booktitle=iclr # { 2020}, publisher=acm, month=x}")
    assert record.venue == "iclr 2020"


def test_an_entry_without_a_key_is_nobodys_parent():
    child, _ = bib.records("@article{, title={A}}\n@book{, title={B}, year=2000}")
    assert (child.venue, child.year) == ("", None)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("journal={Ar{X}iv:1803.03635}", ("1803.03635", None)),
        ("volume={abs/1803.03635}, year={c2001}", ("1803.03635", 2001)),
        ("year={1662}", ("", 1662)),
        ("year={20010}, date={2001-05/2002}", ("", 2001)),
        ("eprint={1803.03635}, eprinttype={jstor}", ("", None)),
    ],
)
def test_identifiers_and_years_of_odd_forms(fields, expected):
    (record,) = bib.records(f"@article{{a, title={{A}}, {fields}}}")
    assert (record.arxiv, record.year) == expected
