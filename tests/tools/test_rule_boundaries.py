"""Where a rule begins to object: the last value that passes, and the first that does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.small_catalog import CATALOG, TEST_PATH, write_tree
from tools.commands.validate import validate

DROP, SURVEY = '"On Dropping Adapters"', '"A Survey"'
YEAR = "    year: 2022\n    venue: ICLR"
ARXIV = '    arxiv: "2106.09685"'
ACL_VENUE = "kind: conference\n    url: https://www.aclweb.org/"
ACL_ID = '"2022.acl-long.1"'
BUILDS_ON = '    arxiv: "2010.00001"\n'


def found(root: Path, code: str, *changes: tuple[str, str]) -> bool:
    """Whether that rule objects to the small catalog with these changes."""
    text = CATALOG
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return code in {finding.code for finding in validate(write_tree(root, text))[0]}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("One Good Model", "One Good Models", True),
        ("One Good Note", "One Good Notes", False),  # too short to tell a slip from a word
        ("One Good Adpters", "One Good Adapters", True),
        ("One Good Abduction", "One Good Adduction", True),
        ("One Good Adoption", "One Good Adaption", False),  # one of eight letters is too many
        ("One Good Adept", "One Good Adapt", False),
        ("Abcdefghijklmno", "Abcdefghijklm", True),
        ("Abcdefghijklmno", "Abcdefghijkl", False),  # three letters more are another word
        ("Good Model12345", "Good Model1234", False),  # a number is no slip
        ("Good Model", "Models Good", False),  # the others stand where they stood
        ("Good Modell Adapter", "Good Model Adapters", False),  # one word only
        ("Prefix-Tuning", "prefix tuning!", True),
        ("Adapté", "Adapte", True),
        ("The Prefix", "Prefix", False),
    ],
)
def test_which_titles_are_nearly_equal(tmp_path: Path, one: str, other: str, same: bool) -> None:
    changes = ((DROP, f'"{one}"'), (SURVEY, f'"{other}"'))
    assert found(tmp_path, "S306", *changes) is same


@pytest.mark.parametrize(
    ("year", "fits"), [(2019, False), (2020, True), (2021, True), (2026, True), (2027, False)]
)
def test_how_far_publication_is_from_the_preprint(tmp_path: Path, year: int, fits: bool) -> None:
    change = (YEAR, YEAR.replace("2022", str(year)))
    assert found(tmp_path, "S401", change) is not fits


@pytest.mark.parametrize(
    ("arxiv", "year", "fits"),
    [
        ("cmp-lg/9107001", 1991, True),  # the first year of arXiv
        ("cmp-lg/9007001", 1990, False),
        ("cs.CL/0001001", 2000, True),
        ("0704.0001", 2007, True),
    ],
)
def test_of_which_century_a_preprint_is(tmp_path: Path, arxiv: str, year: int, fits: bool) -> None:
    changes = ((ARXIV, f'    arxiv: "{arxiv}"'), (YEAR, YEAR.replace("2022", str(year))))
    assert found(tmp_path, "S401", *changes) is not fits


@pytest.mark.parametrize(
    ("acl", "year", "fits"),
    [("P51-1001", 1951, True), ("P50-1001", 2050, True), ("J79-1001", 1979, True)],
)
def test_of_which_century_the_anthology_is(tmp_path: Path, acl: str, year: int, fits: bool) -> None:
    old = "    year: 2022\n    venue: ACL\n    kind: analysis"
    changes = ((ACL_ID, f'"{acl}"'), (old, old.replace("2022", str(year))))
    assert found(tmp_path, "S403", *changes) is not fits


@pytest.mark.parametrize(
    ("kind", "acl", "fits"),
    [
        ("conference", "P22-1001", True),
        ("conference", "W22-1001", False),
        ("workshop", "W22-1001", True),
        ("workshop", "D22-4001", True),  # the high volumes were workshops
        ("workshop", "D22-3001", False),
        ("preprint", "D22-1001", True),
    ],
)
def test_which_volumes_are_of_workshops(tmp_path: Path, kind: str, acl: str, fits: bool) -> None:
    changes = ((ACL_VENUE, ACL_VENUE.replace("conference", kind)), (ACL_ID, f'"{acl}"'))
    assert found(tmp_path, "S404", *changes) is not fits


@pytest.mark.parametrize(("color", "fits"), [("#767676", True), ("#777777", False)])
def test_the_lightest_color_of_a_badge(tmp_path: Path, color: str, fits: bool) -> None:
    assert found(tmp_path, "S410", ("#8b1a1a", color)) is not fits


@pytest.mark.parametrize(
    ("year", "fits"), [(1949, False), (1950, True), (2100, True), (2101, False)]
)
def test_the_first_and_the_last_year(tmp_path: Path, year: int, fits: bool) -> None:
    assert found(tmp_path, "S107", ("year: 2020", f"year: {year}")) is not fits


@pytest.mark.parametrize(
    ("arxiv", "fits"), [("2009.00001", False), ("2010.00001", True), ("2011.00001", True)]
)
def test_a_paper_of_the_same_month_may_be_built_on(tmp_path: Path, arxiv: str, fits: bool) -> None:
    new = f'    arxiv: "{arxiv}"\n    builds_on: [ruckle2020drop]\n'
    assert found(tmp_path, "S412", (BUILDS_ON, new)) is not fits


@pytest.mark.parametrize(
    ("host", "public"),
    [
        ("example.com.", True),
        ("a.example.com:8080", True),
        ("1.1.1.1", True),
        ("localhost.", False),
        ("example.local", False),
        ("example.localx", True),
        ("example", False),
        ("example.1com", False),
        ("172.15.0.1", True),
        ("172.16.0.1", False),
        ("172.32.0.1", True),
    ],
)
def test_which_hosts_are_public(tmp_path: Path, host: str, public: bool) -> None:
    assert found(tmp_path, "S510", ("https://example.com/lora", f"http://{host}/")) is not public


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("A < b and c > d.", None),
        ("A <b.", "S501"),
        ("A & b; c.", None),
        ("A &b; c.", "S501"),
        ("A [b] (c).", "S502"),
        ("A [b] c (d).", None),
        ("A_b_c * d.", None),
        ("A**b.", "S502"),
        ("It is {a{b}c}.", None),
        ("It is {a{{b}c}}.", "S503"),
        ("A 5% {b}.", None),
        ("A {b%}.", "S503"),
        ("A 'b.", None),
        ("“A” and ‘b’.", None),
        ("“A” and ‘b.", "S508"),
        ("Aé b’s.", "S508"),
    ],
)
def test_what_is_plain_text(tmp_path: Path, text: str, code: str | None) -> None:
    path = write_tree(tmp_path, CATALOG.replace('note: "Plain text."', f'note: "{text}"'))
    codes = {finding.code for finding in validate(path)[0]} - {"S801", "S802"}  # not built here
    assert codes == ({code} if code else set())


@pytest.mark.parametrize(
    ("summary", "fits"),
    [
        ("8 bits are enough.", True),
        ("“Tuning” is a word.", True),
        ("Écoles are schools.", True),
        ("Is it?", False),
        ("It is so!", False),
        ("a word.", False),
        ("(A) word.", False),
    ],
)
def test_what_a_sentence_begins_and_ends_with(tmp_path: Path, summary: str, fits: bool) -> None:
    assert found(tmp_path, "S507", ("Counts what there is.", summary)) is not fits


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("- id: VFM", "- id: LLM"),
        ("- id: soft", "- id: low-rank"),
        ("- id: prompt", "- id: low-rank"),
        ("- id: Web", "- id: arXiv"),
        ("- id: ruckle2020survey", "- id: ruckle2020drop"),
    ],
)
def test_ids_are_given_once_in_every_section(tmp_path: Path, old: str, new: str) -> None:
    assert found(tmp_path, "S301", (old, new))


@pytest.mark.parametrize(
    ("acl", "fits"),
    [
        ("2022.findings-acl.1", True),
        ("2022.findings-emnlp.1", False),
        ("2022.acl-long.1", False),
    ],
)
def test_findings_are_no_volume_of_their_conference(tmp_path: Path, acl: str, fits: bool) -> None:
    changes = (
        ("- id: ACL", "- id: Findings of ACL"),
        ("venue: ACL\n    kind: analysis", "venue: Findings of ACL\n    kind: analysis"),
        (ACL_ID, f'"{acl}"'),
    )
    assert found(tmp_path, "S404", *changes) is not fits


@pytest.mark.parametrize(
    ("author", "name", "fits"),
    [
        ("Łoś, A.", "los", True),
        ("Groß, A.", "gross", True),
        ("Ørsted, A.", "orsted", True),
        ("Ben Zaken, Elad", "benzaken", True),
        ("Karimi Mahabadi, Rabeeh", "mahabadi", True),
        ("Logan IV, Robert", "logan", True),
        ("Łoś, A.", "os", False),
        ("Ben Zaken, Elad", "benz", False),
    ],
)
def test_which_names_an_id_begins_with(tmp_path: Path, author: str, name: str, fits: bool) -> None:
    old = '"Rücklé, Andreas"]\n    year: 2020'
    changes = (
        ("- id: ruckle2020survey", f"- id: {name}2020survey"),
        (old, old.replace("Rücklé, Andreas", author)),
    )
    assert found(tmp_path, "S407", *changes) is not fits


def test_links_of_venues_are_looked_at_and_those_that_nobody_can_read(tmp_path: Path) -> None:
    assert found(tmp_path, "S510", ("https://iclr.cc/", "http://localhost/"))
    for code in ("S509", "S510"):
        assert found(tmp_path, code, ("https://example.com/lora", "'http://[::1/'"))


def test_the_test_of_another_method_will_not_do(tmp_path: Path) -> None:
    path = write_tree(tmp_path)
    test = tmp_path / TEST_PATH
    test.rename(test.with_name("test_other.py"))
    assert [finding.code for finding in validate(path)[0]] == ["S707"]
