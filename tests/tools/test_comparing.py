"""An entry against a record of it: field by field, with reasons, and its names by one rule."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tools.records import BIBTEX, PAPER, RECORD, VENUES, evidence, without
from tools.data.schema import Paper
from tools.records.evidence import State, compared, judge, misspelled
from tools.records.evidence import state as state_of
from tools.records.store import Evidence, digest


def state(paper: Paper, records: list[Evidence]) -> State:
    return state_of(judge(paper, one, VENUES) for one in records)


def of(paper: Paper = PAPER, **changes: Any) -> Paper:
    """Another entry; a copy would keep what was derived from the first one's values."""
    return Paper.model_validate({**paper.model_dump(exclude_none=True), **changes})


def bibtex(authors: str = "Hu, Edward J. and Shen, Yelong", **fields: str) -> Evidence:
    raw = BIBTEX % (RECORD["title"], authors, 2022)
    lines = "".join(f", {name} = {{{value}}}" for name, value in fields.items())
    raw = raw.removesuffix("\n}") + f"{lines}\n}}"
    return evidence(source="o/n", kind="bibtex", raw=raw)


def told(paper: Paper, one: Evidence) -> list[str]:
    return [*map(str, judge(paper, one, VENUES).differences)]


def test_a_record_that_agrees_verifies() -> None:
    assert state(PAPER, [evidence()]) == "verified"
    assert state(PAPER, [evidence(source="o/n")]) == "seconded"
    assert state(PAPER, []) == "unverified"
    assert state(PAPER, [evidence({"title": "Low-Rank Adaptation"})]) == "verified"


def test_a_registrys_record_verifies_only_where_the_entry_leads_to_it() -> None:
    assert state(of(doi=None), [evidence({"DOI": ""})]) == "seconded"
    there = {"DOI": "", "URL": "https://a.org/b.html"}
    assert state(of(doi=None, url="http://a.org/b.html"), [evidence(there)]) == "verified"


def test_a_record_that_lacks_title_or_authors_is_not_enough() -> None:
    assert state(PAPER, [evidence({"author": []})]) == "unverified"
    assert state(PAPER, [bibtex("Hu, Edward J. and others")]) == "unverified"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"title": "Something Else"}, "title is 'Something Else' there"),
        (without(family="Wu"), "author 1 is 'Edward J. Wu' there"),
        ({"author": RECORD["author"][::-1]}, "author 1 is 'Yelong Shen' there"),
        ({"author": RECORD["author"][:1]}, "1 authors there, 2 here"),
        ({"issued": {"date-parts": [[2019]]}}, "year is 2019 there"),
        ({"DOI": "10.1000/abc"}, "doi is 10.1000/abc there, 10.1000/xyz here"),
        ({"container-title": "NeurIPS"}, "venue is NeurIPS there"),
        ({"page": "3–4"}, "pages is 3-4 there, none here"),
    ],
)
def test_a_record_that_says_otherwise_contradicts(change: dict[str, Any], said: str) -> None:
    other = evidence(change)
    assert state(PAPER, [evidence(), other]) == "contradicted"
    assert told(PAPER, other)[0].startswith(said)


def test_every_field_that_a_record_prints_is_compared() -> None:
    xml = """<paper><title>LoRA: Low-Rank Adaptation</title>
<author><first>Edward J.</first><last>Hu</last></author>
<author><first>Yelong</first><last>Shen</last></author>
<pages>1–2</pages><url>2022.findings-acl.1</url><doi>10.1000/xyz</doi>
<pwccode url="https://github.com/a/b/">a/b</pwccode></paper>"""
    one = evidence(source="acl-org/acl-anthology", kind="acl-xml", raw=xml)
    code = "https://github.com/A/B/tree/main/x"
    right = of(acl="2022.findings-acl.1", pages="1-2", venue="Findings", code=code)
    every = ("title", "authors", "year", "venue", "pages", "doi", "acl", "code")
    assert judge(right, one, VENUES).vouched == every
    assert compared(right, one, VENUES) == dict.fromkeys(every, "")
    assert state(right, [one]) == "verified"
    for name, value in {
        "pages": "1-3",
        "doi": None,
        "acl": "2022.acl-long.1",
        "code": "https://github.com/a/bc",
        "venue": "ICLR",
        "year": 2021,
    }.items():
        wrong = of(right, **{name: value})
        assert [found.field for found in judge(wrong, one, VENUES).differences] == [name]
        assert name not in judge(wrong, one, VENUES).vouched


def test_what_a_record_does_not_print_it_does_not_vouch_for() -> None:
    full = of(pages="1-2", code="https://github.com/a/b")
    assert judge(full, evidence(), VENUES).vouched == ("title", "authors", "year", "doi")
    assert judge(full, bibtex("Hu, Edward J. and others"), VENUES).vouched == ("title", "year")
    assert told(full, bibtex("Wu, Edward J. and others")) == ["author 1 is 'Edward J. Wu' there"]


@pytest.mark.parametrize(
    ("written", "venue"),
    [
        ("ICLR", "ICLR"),
        ("International Conference on Learning Representations", "ICLR"),
        ("The International Conference on Learning Representations (ICLR)", "ICLR"),
        ("Proceedings of the 36th International Conference on Learning Representations", "ICLR"),
        ("Advances in Neural Information Processing Systems 35, NeurIPS 2022, Rome", "NeurIPS"),
        ("Findings of ACL", "Findings"),
        # none of these is one of the catalog's
        ("Workshop on Efficient Systems, International Conference on Learning", ""),
        ("NeurIPS Workshop on Adapters", ""),
        ("NeurIPS Datasets and Benchmarks", ""),
        ("Journal of Something", ""),
    ],
)
def test_a_venue_is_known_by_its_whole_name(written: str, venue: str) -> None:
    one = evidence({"container-title": written})
    for name in VENUES:
        found = compared(of(venue=name), one, VENUES)
        if not venue:
            assert "venue" not in found
        else:
            assert found["venue"] == ("" if name == venue else f"venue is {venue} there")


def test_a_preprints_record_says_nothing_of_the_venue() -> None:
    preprints = VENUES["ICLR"].model_copy(
        update={"id": "arXiv", "name": "arXiv", "kind": "preprint"}
    )
    for known in (VENUES, VENUES | {"arXiv": preprints}):
        found = compared(PAPER, bibtex(journal="arXiv preprint arXiv:2106.09685"), known)
        assert "venue" not in found
        assert found["arxiv"] == ""


def test_the_year_of_a_preprint_is_explained_by_its_number_alone() -> None:
    def year(here: int, there: int, number: str, venue: str = "ICLR") -> list[str]:
        raw = BIBTEX % (RECORD["title"], "Hu, E. and Shen, Y.", there)
        raw = raw.removesuffix("\n}") + f", journal={{arXiv preprint arXiv:{number}}}}}"
        one = evidence(source="o/n", kind="bibtex", raw=raw)
        found = judge(of(year=here, arxiv=number, venue=venue), one, VENUES).differences
        return [difference.reason for difference in found]

    assert year(2022, 2021, "2106.09685") == ["the record is of the preprint"]
    assert year(2022, 2022, "2106.09685") == []
    assert year(2022, 2020, "2106.09685") == [""]
    assert year(2022, 2021, "2106.09685", "arXiv") == [""]


def test_a_reason_explains_its_own_field_and_no_other() -> None:
    change = {"issued": {"date-parts": [[2019]]}, "page": "1-2"}
    one = evidence(change, reasons={"year": "A slip."})
    assert told(PAPER, one) == ["year is 2019 there: A slip.", "pages is 1-2 there, none here"]
    assert state(PAPER, [one]) == "contradicted"
    both = evidence(change, reasons={"year": "A slip.", "pages": "Of the preprint."})
    assert state(PAPER, [both]) == "verified"
    assert judge(PAPER, both, VENUES).vouched == ("title", "authors", "doi")


def test_a_reason_for_nothing_is_a_fault() -> None:
    assert told(PAPER, evidence(reasons={"year": "A slip.", "names": "x"})) == [
        "the reason given for names explains nothing",
        "the reason given for year explains nothing",
    ]


def test_a_record_edited_by_hand_does_not_fit_its_digest() -> None:
    edited = evidence(raw=evidence().raw.replace("2022", "2023"), digest=evidence().digest)
    assert state(of(year=2023), [edited]) == "contradicted"
    assert told(of(year=2023), edited) == [f"the record's digest is {digest(edited.raw)}"]


def test_a_record_with_its_abstract_is_a_fault() -> None:
    (said,) = told(PAPER, evidence({"abstract": "We show."}))
    assert said.startswith("prose of others is not cut")


@pytest.mark.parametrize(
    ("ours", "publisher", "second", "right"),
    [
        ("Hu, Edward J.", "Hu, Edward J.", "", True),
        ("Hu, Edward J", "Hu, Edward J.", "", True),  # a dot is no letter
        ("Hu, Edward", "Hu, Edward J.", "", False),  # the publisher's record decides
        ("Hu, Edward J.", "Hu, E. J.", "", False),  # fuller, and nobody else says so
        ("Hu, Edward J.", "Hu, E. J.", "Hu, Edward J.", True),
        ("Hu, E.", "Hu, Edward", "Hu, E.", False),  # a second source makes it no shorter
        ("Hu, Edward J.", "", "Hu, Edward J.", True),
        ("Hu, Edward J.", "", "Hu, Edward", False),
        ("Hú, Edward", "Hu, Edward", "", False),  # accents are letters
        ("Hu, Edward-J.", "Hu, Edward J.", "", True),
        ("Hu, Edward Van", "Van Hu, Edward", "", False),  # the publisher says what is whose
    ],
)
def test_the_rule_for_names(ours: str, publisher: str, second: str, right: bool) -> None:
    kept = []
    if publisher:
        family, _, given = publisher.partition(", ")
        kept.append(evidence(without(family=family, given=given)))
    if second:
        kept.append(bibtex(f"{second} and Shen, Yelong"))
    found = misspelled(of(authors=(ours, "Shen, Yelong")), kept)
    there = publisher or second
    assert found == ([] if right else [f"author 1 is written '{there}' there"])


def test_a_reason_for_names_takes_the_record_out_of_the_rule() -> None:
    one = evidence(without(given="Ed"), reasons={"names": "A slip."})
    assert misspelled(PAPER, [one]) == []
    assert told(PAPER, one) == ["author 1 is written 'Hu, Ed' there: A slip."]
