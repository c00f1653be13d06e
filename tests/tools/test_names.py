"""A name from any source: family and given name as they are, a group, or a refusal."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.data.schema import Name
from tools.records import csl
from tools.records.names import people, person, split_name, split_names
from tools.records.record import SourceError


@pytest.mark.parametrize(
    ("field", "names"),
    [
        (r"A and \'Abrego, J. and \c{S}en, C.", ["A", r"\'Abrego, J.", r"\c{S}en, C."]),
        ("A and\n  B AND C", ["A", "B", "C"]),
        ("{Barnes and Noble} and D {and} E", ["{Barnes and Noble}", "D {and} E"]),
        ("Alexandre Randall", ["Alexandre Randall"]),
        (r"a\{b and c", [r"a\{b", "c"]),
        ("", []),
    ],
)  # fmt: skip
def test_people_are_what_stands_between_ands(field, names):
    assert people(field) == names


@pytest.mark.parametrize(
    ("latex", "family", "given"),
    [
        ("Doe, Jane", "Doe", "Jane"),
        ("Jane Doe", "Doe", "Jane"),
        ("Jane van der Doe", "van der Doe", "Jane"),
        ("van der Doe, Jane", "van der Doe", "Jane"),
        ("{van Gogh}, {Vincent}", "van Gogh", "Vincent"),
        (r"Vincent {van\ Gogh}", "van Gogh", "Vincent"),
        ("Jane Doe 0001", "Doe", "Jane"),
        ("Doe 0001, Jane", "Doe", "Jane"),
        ("0001, Jane Doe", "Doe", "Jane"),
        ("Jane Doe Jr. 0001", "Doe Jr.", "Jane"),
        ("Jane Doe III", "Doe III", "Jane"),
        ("III, Jane Doe", "Doe III", "Jane"),
        ("Jr., Max Poe", "Poe Jr.", "Max"),
        ("Doe, Jane III", "Doe III", "Jane"),
        ("Poe, Jr., Max", "Poe Jr.", "Max"),
        ("Poe, Max, Jr.", "Poe Jr.", "Max"),
        ("Ii, Hideto", "Ii", "Hideto"),
        ("E, Weinan", "E", "Weinan"),
        ("family=Doe, given=Jane", "Doe", "Jane"),
        ("given=Jane, prefix=van der, useprefix=true, family=Doe", "van der Doe", "Jane"),
        ("family={van Poe}, given={Max A.}, suffix=Jr., given-i=M", "van Poe Jr.", "Max A."),
        ("family=ThinLab", "ThinLab", ""),
        (r"\=Ozer, {\c{C}}a\u{g}la", "Ōzer", "Çağla"),
        (r"Can \c{S}en", "Şen", "Can"),
        (r"Can Ali \c{S}en", "Şen", "Can Ali"),
        (r"\'{A}brego, Jos\'e", "Ábrego", "José"),
        (r"{\'A}brego", "Ábrego", ""),
        (r"{\L}uk, {\O}", "Łuk", "Ø"),
        ("D’Souza, Rahul", "D'Souza", "Rahul"),
        ("王, 小明", "王", "小明"),
        ("李四", "李四", ""),
        ("李 四", "四", "李"),
        ("Maria da Silva e Costa", "da Silva e Costa", "Maria"),
        ("الخطيب, أحمد", "الخطيب", "أحمد"),
        ("ユーザー, たろう", "ユーザー", "たろう"),
        ("Doe, Jane (Jay)", "Doe", "Jane (Jay)"),
        # groups
        ("{Doe and Roe, Inc. 7}", "Doe and Roe, Inc. 7", ""),
        ("OpenLab", "OpenLab", ""),
        ("Foo Team", "Foo Team", ""),
        ("Team, Foo", "Foo Team", ""),
        ("the Foo Upgrade team", "the Foo Upgrade team", ""),
        ("The Foo Collaboration", "The Foo Collaboration", ""),
        ("University of Foo Bar", "University of Foo Bar", ""),
        ("National Centre for Foo (UK)", "National Centre for Foo (UK)", ""),
        ("J. F. Labs", "Labs", "J. F."),
        ("Foo Research,", "Foo Research", ""),
        ("Foo Corp,", "Foo Corp", ""),
    ],
)
def test_names(latex, family, given):
    assert split_name(latex) == Name(family, given)


@pytest.mark.parametrize(
    ("latex", "complaint"),
    [
        ("Jane Doe2", "the name 'Jane Doe2' holds a digit; take it off"),
        ("given=Jane, Doe", "holds '='; write 'Family, Given'"),
        ("family=Poe, given={Max, A.}", "holds ','"),
        ("Garc´ıa, Jane", "holds a loose accent '´'"),
        (" \u0301Doe, Jane", "holds a loose accent"),
        ("Jr., Max", "has only a suffix for family name"),
        ("Doe J.", "the name 'Doe J.' ends with an initial; write 'Family, Given'"),
        ("Doe J A", "ends with an initial"),
        ("J., Doe", "has an initial for family name"),
        ("A. Doe, B. Roe", "has an initial for family name; write 'Family, Given'"),
        ("Jane Doe, Ann Roe, Max Poe", "has two commas; write 'and' between names"),
        ("A, B, C, D", "has too many commas"),
        ("Doe, Jane; Roe, Ann", "; write 'and' between names"),
        ("Jane Doe & Ann Roe", "holds '&'; write 'Family, Given', with 'and' between"),
        ("Jane Doe*", r"holds '*'"),
        ("jane mary doe", "has no given name"),
        (", Jane", "has no family name"),
        (r"\foo{Jane} Doe", r"'\foo' is no LaTeX command"),
        ("{--}", "is no name"),
        ("{Doe, Jane Ann}", "is a group's in braces; a person's stands without them"),
        ("{2015}", "is no name"),
        ("A. Itai abd C. H. Doe", "is several people's; write 'and' between names"),
        ("Ann B Doe adn C D Roe", "is several people's"),
        ("A-B Doe C-D Roe E-F Poe G-H Lee", "is several people's"),
        ("Jane d'Doe and, Ann Roe", "is no person's; put a group in braces"),
        ("Department of Foo, Research Service", "is no person's; put a group in braces"),
        (r"Ve{\v{c}}er{'\i}k, M.", "holds a loose accent"),
        (r"Garc\i\'a, Ana", "holds a loose accent 'á'"),
        (r"Ferm\ensuremath{\ddot{}}ler, Ann", "stands on no letter"),
        (r"{Foo\} and Roe, Ann}", "holds '}'"),
    ],
)  # fmt: skip
def test_what_no_name_holds_is_refused(latex, complaint):
    with pytest.raises(SourceError) as caught:
        split_name(latex)
    assert complaint in str(caught.value)


def test_two_people_with_a_comma_between_them():
    assert split_names(["García Paz, Ana Sol"]) == (Name("García Paz", "Ana Sol"),)
    assert len(split_names(["Di Doe, Jane", "van der Roe, Ann Lee", "Max Poe"])) == 3
    with pytest.raises(SourceError, match="'Jane Doe, Ann Roe' is two people or one; write every"):
        split_names(["Jane Doe, Ann Roe", "Max Poe"])


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ({"family": "Berg", "given": "Leo", "non-dropping-particle": "van"}, ("van Berg", "Leo")),
        ({"family": "Roe", "given": "Ann", "dropping-particle": "de"}, ("de Roe", "Ann")),
        ({"family": "Poe", "given": "Max", "suffix": "Jr."}, ("Poe Jr.", "Max")),
        ({"family": "Poe, Jr.", "given": "Max"}, ("Poe Jr.", "Max")),
        ({"family": "Poe", "given": "Max, Jr."}, ("Poe Jr.", "Max")),
        ({"family": "Doe 0002", "given": "Jane"}, ("Doe", "Jane")),
        ({"family": "Gar\u0301cia", "given": "Ana"}, ("Gaŕcia", "Ana")),
        ({"literal": "The Foo Collaboration"}, ("The Foo Collaboration", "")),
        ({"name": "Foo &amp; Bar 7"}, ("Foo & Bar 7", "")),
        ({"family": "OpenLab"}, ("OpenLab", "")),
    ],
)
def test_names_that_are_split_already(value, name):
    assert csl.record({"title": "T", "author": [value]}, "x").authors == (Name(*name),)


def test_a_bad_name_among_split_ones_is_told_with_its_item():
    item = {"title": "T", "author": [{"family": "Doe2", "given": "Jane"}]}
    with pytest.raises(SourceError, match=r"^x: author: the name 'Doe2, Jane' holds a digit"):
        csl.record(item, "x")


PIECES = [
    "Doe",
    "Jane",
    "J.",
    ",",
    " ",
    "and",
    "{",
    "}",
    "Jr.",
    "III",
    "0001",
    "=",
    "van",
    "´",
    "é",
]


@settings(max_examples=400)
@given(st.one_of(st.text(max_size=30), st.lists(st.sampled_from(PIECES), max_size=8).map("".join)))
@pytest.mark.parametrize("reader", [person, split_name])
def test_any_text_is_a_name_or_one_line(reader, text):
    try:
        name = reader(text)
    except SourceError as error:
        name, said = Name("none"), str(error)
        assert "\n" not in said
    assert name.family.strip()
    assert not name.given or not any(char.isdigit() and char.isascii() for char in "".join(name))
