"""Slips that make a file no YAML: told in our words, and read past where they can be mended."""

from __future__ import annotations

import pytest

from tools.data.document import Document
from tools.data.loader import MAX_SLIPS, parse

AFTER = "z: 1.5\n"  # a finding behind the slip


def said(document: Document) -> list[tuple[int, str]]:
    return [(finding.line, f"{finding.code} {finding.message}") for finding in document.findings]


@pytest.mark.parametrize(
    ("text", "line", "message", "value"),
    [
        ("a: Thin Updates: A Study\n", 1, "a colon in a text without quotes; write a: "
         '"Thin Updates: A Study"', "Thin Updates: A Study"),
        ("a: “Thin Updates: A Study”\n", 1, 'write a: "Thin Updates: A Study"',
         "Thin Updates: A Study"),
        ("a: “Thin”\n", 1, "“ is no quotation mark to YAML; write the text in straight", "“Thin”"),
        ("a: @b\n", 1, "cannot begin with '@'; write it in quotes", "@b"),
        ('a: `b "c"\n', 1, "cannot begin with '`'", '`b "c"'),
        ("a: - b\n", 1, "a list cannot begin behind its key", "- b"),
        ("<<<<<<< HEAD\na: b\n=======\na: c\n>>>>>>> other\n", 1, "a merge conflict is not "
         "resolved: keep one of its two sides", "b"),
        ("<<<<<<< HEAD\na: b\n||||||| base\na: x\n=======\na: c\n>>>>>>> other\n", 1, "a merge "
         "conflict", "b"),
    ],
)  # fmt: skip
def test_what_was_meant_is_read_and_what_follows_is_checked(text, line, message, value):
    document = parse((text + AFTER).encode(), "file.yaml")
    first, second = said(document)
    assert first[0] == line
    assert first[1].startswith("S002 ")
    assert message in first[1]
    assert second == (text.count("\n") + 1, said(parse(AFTER.encode(), "x"))[0][1])
    assert document.data == {"a": value, "z": "1.5"}


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ('a: b\nc: "d\n\n', (2, 4), "a quotation mark opens and is never closed"),
        ("a: [b\nc: d\n", (2, 2), "a list or mapping in brackets is not closed"),
        ("a: {b: c\n", (2, 1), "a list or mapping in brackets is not closed"),
        ("a: 'it's'\n", (1, 8), "text stands behind a closing quotation mark"),
        ('a: "b" c\n', (1, 8), "text stands behind a closing quotation mark"),
        ("key\nb: c\n", (2, 2), "does the line above lack its colon or its indentation?"),
        ("a:\n  - b\nc\n", (3, 1), "this is neither 'key: value' nor an item of a list"),
        ("a:\n    - b\n   - c\n", (3, 4), "the indentation does not line up"),
        ("- a\nb: c\n", (2, 1), "the indentation does not line up"),
        ('a: "\\q"\n', (1, 5), "begins an escape that does not exist"),
        ("a: |x\n", (1, 5), "this cannot be read; write the text in quotes"),
    ],
)
def test_what_cannot_be_guessed_is_told(text, place, message):
    document = parse(text.encode(), "file.yaml")
    (finding,) = document.findings
    assert (finding.code, (finding.line, finding.column)) == ("S002", place)
    assert message in finding.message
    assert document.data is None


def test_no_word_of_the_parser_reaches_the_reader():
    for text in (
        "a: b: c",
        "a: [b",
        "- a\nb",
        "a: }",
        "a: |x",
        "a: &",
        "? [",
        "a:\n\tb: c",
        "%x\n",
    ):
        for _, message in said(parse(text.encode(), "x")):
            for word in ("mapping values", "while", "token", "scalar", "could not", "did not"):
                assert word not in message


def test_several_conflicts_and_slips_are_all_told():
    conflict = "<<<<<<< HEAD\n{0}: 1\n=======\n{0}: 2\n>>>>>>> other\n"
    text = conflict.format("a") + "b: c: d\n" + conflict.format("e") + "f: g: h\n"
    document = parse(text.encode(), "x")
    assert sorted(line for line, _ in said(document)) == [1, 6, 7, 12]
    assert document.data == {"a": 1, "b": "c: d", "e": 1, "f": "g: h"}


def test_after_many_slips_reading_ends():
    text = "".join(f"a{i}: b: c\n" for i in range(MAX_SLIPS + 5))
    document = parse(text.encode(), "x")
    assert len(document.findings) == MAX_SLIPS
    assert document.data is None


def test_a_line_of_equal_signs_in_a_folded_text_is_text():
    assert parse(b"a: >-\n  b\n  =======\n", "x").data == {"a": "b ======="}
