"""When two records, their titles and their people are the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.data.schema import Name
from tools.records.record import Record, differences, letters, same_person, same_title


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("LoRA: Low-Rank", "{LoRA}: low-rank.", True),
        ("Über naïve", "Uber naive", True),
        ("LoRA", "QLoRA", False),
        ("", "", False),
    ],
)
def test_titles(one, other, same):
    assert same_title(one, other) == same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("Hu", "Edward J."), ("Hu", "E."), True),
        (("Hu", "Edward J."), ("Hu", "Edward"), True),
        (("Hu", "Edward"), ("Hu", "Anna"), False),
        (("Hu", "Edward"), ("Wu", "Edward"), False),
        (("Rücklé", "Andreas"), ("Ruckle", "Andreas"), True),
        (("van der Maaten", "Laurens"), ("Maaten", "Laurens van der"), True),
        (("Google Research", ""), ("Google Research", ""), True),
        (("Google Research", ""), ("Meta", ""), False),
        (("Łoś", "A."), ("Los", "Anna"), True),
        # later given names are not compared
        (("Rossi", "Anna Maria"), ("Rossi", "Anna Beth"), True),
        (("Rossi", "Anna Maria"), ("Rossi", "Anna M."), True),
        (("Rossi", "Juan Carlos P."), ("Rossi", "Juan P."), True),
        (("Rossi", "Maria Anna"), ("Rossi", "Anna"), False),
        (("Rossi", "Beth Maria"), ("Rossi", "Anna Maria"), False),
        (("Lin", "Xiaodong"), ("Lin", "Xiao Dong"), True),
        (("Lin", "Xiao-Dong"), ("Lin", "X.-D."), True),
        (("Lin", "Xiaodong"), ("Lin", "D."), False),
        # a name without given ones is a group's
        (("Lin", ""), ("Lin", "D."), False),
    ],
)
def test_people(one, other, same):
    assert same_person(Name(*one), Name(*other)) == same
    assert same_person(Name(*other), Name(*one)) == same


def test_differences_are_told_in_words():
    record = Record("arxiv", "LoRA", (Name("Hu", "E."), Name("Shen", "Y.")), 2021, 2021)
    agreed = ("LoRA", [Name("Hu", "Edward"), Name("Shen", "Yelong")], 2021)
    assert differences(record, *agreed) == []
    assert differences(record, "QLoRA", [Name("Wu", "E.")], 2020) == [
        "title is 'LoRA' there",
        "2 authors there, 1 here",
        "author 1 is 'E. Hu' there",
        "year is 2021 there",
    ]


def test_a_year_may_be_that_of_the_work_or_of_its_first_version():
    record = Record("crossref", year=2022, first_year=2021)
    assert [differences(record, "", (), year) for year in (2021, 2022)] == [[], []]
    assert differences(record, "", (), 2020) == ["year is 2021 or 2022 there"]
    assert differences(record, "", (), None) == ["year is 2021 or 2022 there"]


def test_a_source_that_names_the_first_authors_only_agrees():
    three = [Name("Hu", "Edward"), Name("Shen", "Yelong"), Name("Wallis", "Phillip")]
    record = Record("bibtex", authors=tuple(three[:2]), truncated=True)
    assert differences(record, "", three, None) == []
    other = Record("bibtex", authors=(three[1],), truncated=True)
    assert differences(other, "", three, None) == ["author 1 is 'Yelong Shen' there"]


@settings(max_examples=200)
@given(st.text(max_size=40))
def test_letters_are_stable(text):
    assert letters(letters(text)) == letters(text)
