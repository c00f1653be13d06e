"""Identifiers are read from all that people give for them, and nothing else is."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tools.data.schema import ACL, ARXIV, DOI, OPENREVIEW
from tools.records.identifiers import KINDS, find
from tools.records.record import Record


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"doi": "https://doi.org/10.48550/arXiv.2106.09685"}, {"arxiv": "2106.09685"}),
        ({"url": "http://arxiv.org/pdf/2106.09685v3.pdf"}, {"arxiv": "2106.09685"}),
        ({"arxiv": "arXiv:2106.09685v1"}, {"arxiv": "2106.09685"}),
        ({"arxiv": "cs.CL/0101001"}, {"arxiv": "cs.CL/0101001"}),
        (
            {"doi": "10.18653/v1/2022.acl-long.1"},
            {"doi": "10.18653/v1/2022.acl-long.1", "acl": "2022.acl-long.1"},
        ),
        ({"url": "https://aclanthology.org/P19-1001/"}, {"acl": "P19-1001"}),
        ({"url": "https://openreview.net/pdf?id=a-b_Cde"}, {"openreview": "a-b_Cde"}),
        ({"url": "javascript:alert(1)"}, {}),
        ({"pages": "12 – 34"}, {"pages": "12-34"}),  # an en dash
        ({"pages": "12—34"}, {"pages": "12-34"}),  # an em dash
        ({"pages": "12--34"}, {"pages": "12-34"}),
        ({"pages": "12\u201034"}, {"pages": "12-34"}),  # Unicode's own hyphen, as Wiley has it
        ({"pages": "12 \u2212 34"}, {"pages": "12-34"}),  # a minus
        ({"pages": " e12 "}, {"pages": "e12"}),
        ({"doi": "doi:10.1000/x"}, {"doi": "10.1000/x"}),
        ({"doi": "http://dx.doi.org/10.1000/x"}, {"doi": "10.1000/x"}),
        ({"url": "https://doi.org/10.1000/x"}, {"doi": "10.1000/x"}),
        ({"url": "https://aclanthology.org/P19-1001.pdf"}, {"acl": "P19-1001"}),
        (
            {"doi": "10.1000/x", "url": "https://doi.org/10.1000/other"},
            {"doi": "10.1000/x"},
        ),
        (
            {"title": " A\n title. ", "venue": " ICLR\n 2022 "},
            {"title": "A title", "venue": "ICLR 2022"},
        ),
    ],
)
def test_identifiers_in_the_catalogs_form(given, expected):
    assert Record(source="x", **given).tidy() == Record(source="x", **expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://arxiv.org/abs/2301.99001v3?context=cs", {"arxiv": "2301.99001"}),
        ("https://www.arxiv.org/abs/2301.99001#x", {"arxiv": "2301.99001"}),
        ("https://arxiv.org/html/2301.99001v1", {"arxiv": "2301.99001"}),
        ("https://export.arxiv.org/pdf/2301.99001", {"arxiv": "2301.99001"}),
        ("arxiv.org/abs/cs/0101001v2", {"arxiv": "cs/0101001"}),
        ("arXiv:2301.99001v3 [cs.CL]", {"arxiv": "2301.99001"}),
        ("arXiv: 2301.99001", {"arxiv": "2301.99001"}),
        ("<https://arxiv.org/abs/2301.99001>.", {"arxiv": "2301.99001"}),
        ("[2301.99001](https://arxiv.org/abs/2301.99001v1)", {"arxiv": "2301.99001"}),
        ("10.48550/arXiv.2301.99001", {"arxiv": "2301.99001"}),
        ("https://doi.org/10.48550/ARXIV.2301.99001", {"arxiv": "2301.99001"}),
        ("doi: 10.1016/0009-2614(84)85645-6", {"doi": "10.1016/0009-2614(84)85645-6"}),
        ("(https://doi.org/10.1162/tacl_a_00577).", {"doi": "10.1162/tacl_a_00577"}),
        ("https://www.doi.org/10.1162/tacl_a_00577", {"doi": "10.1162/tacl_a_00577"}),
        ("https://doi.org/10.1016%2F0009-2614", {"doi": "10.1016/0009-2614"}),
        ("10.1000/x 10.1000/y", {"doi": "10.1000/x"}),
        ("http://doi.acm.org/10.1145/267580", {"doi": "10.1145/267580"}),
        ("10.1002/(SICI)1521(199910)5:5<237::AID-CVDE237>3.0.CO;2-U", {}),  # not cut in two
        ("10.1000/x, 10.1000/y;", {"doi": "10.1000/x"}),
        (
            "10.18653/V1/2021.ACL-LONG.353",
            {"doi": "10.18653/v1/2021.acl-long.353", "acl": "2021.acl-long.353"},
        ),
        ("10.18653/v1/p18-1031", {"doi": "10.18653/v1/P18-1031", "acl": "P18-1031"}),
        ("https://www.aclweb.org/anthology/P18-1031/", {"acl": "P18-1031"}),
        ("https://aclanthology.org/2021.emnlp-main.468v2.pdf", {"acl": "2021.emnlp-main.468"}),
        ("https://openreview.net/forum?noteId=zz&id=aBcDeFgHiJ#x", {"openreview": "aBcDeFgHiJ"}),
        ("openreview.net/pdf?id=aBcDeFgHiJ", {"openreview": "aBcDeFgHiJ"}),
        # no identifiers, though they look like some
        ("https://openreview.net/group?id=ICLR.cc", {}),
        ("https://openreview.net.evil.example/forum?id=aBcDeFgHiJ", {}),
        ("https://evil.example/arxiv.org/abs/2301.99001", {}),
        ("https://arxiv.org/list/cs.CL", {}),
        ("https://aclanthology.org/2021.acl-long/", {}),
        ("https://evil.example/?10.1", {}),
        ("see page 2301.9", {}),
        ("http://[::1", {}),
        ("--help", {}),
    ],
)
def test_what_people_give(text, expected):
    assert find(text) == expected
    assert find(f"see {text}") == expected


@pytest.mark.parametrize("key", KINDS)
def test_what_is_no_identifier_stays_to_be_told(key):
    assert getattr(Record(source="", **{key: " foo "}).tidy(), key) == "foo"


def test_a_link_that_holds_no_identifier_stays():
    record = Record(source="", url=" <https://example.org/paper?id=1> ").tidy()
    assert record == Record(source="", url="https://example.org/paper?id=1")


PATTERNS = {"arxiv": ARXIV, "doi": DOI, "acl": ACL, "openreview": OPENREVIEW}
PARTS = ["arXiv:", "2301.99001", "v2", "https://", "doi.org/", "arxiv.org/abs/", "10.1000/", "?id="]
PARTS += ["openreview.net/forum", "10.18653/v1/", "2021.acl-long.3", " ", "<", ">", "](", "[", "."]


@settings(max_examples=300)
@example("10.0000/0:>")
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PARTS)).map("".join)))
def test_what_is_found_has_the_schemas_form(text):
    for kind, value in find(text).items():
        assert re.search(PATTERNS[kind], value)
    record = Record(source="", doi=text, url=text).tidy()
    assert record.tidy() == record
