"""Numbers that a docstring has from official code, beside the lines they were read in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

from .implementations import Page
from .official import Number, Official
from .printed_numbers import matches

_ITEM = re.compile(r"^(?:- |\d+\. )", re.MULTILINE)
# a bracket names a source if it has a file or a name of the code in it, or a place in the paper
_SOURCE = re.compile(
    r"\[(?=[^\[\]]*(?:`|§|\b(?:appendix|abstract|figure|table|Alg|eq|arXiv)\b))"
    r"[^\[\]]+\]"
)
_FILE = re.compile(r"`([\w./*{},-]*(?:/|\.(?:py|sh|md|json|ya?ml|gin|ipynb)))`")
_SECTION = re.compile(r"§[\w.]*\w")
_OFFICIAL = re.compile(r"official|\bscripts?\b|\bnotebook\b", re.IGNORECASE)
_DIGIT_BEFORE = re.compile(r"[\d.]")
_DIGIT = re.compile(r"\d|\.\d")
_SENTENCE = re.compile(r"(?<=[.;:]) +(?=[A-Z$`])")


class Claim(NamedTuple):
    """Words up to a source or the end of a sentence, and the files that the source names.

    `setting` is the key of the checklist that they stand at, empty for the docstring's.
    """

    text: str
    files: tuple[str, ...]
    setting: str = ""


class Lack(NamedTuple):
    """A number that no entry covers, with the words around it, and where as for a claim."""

    number: str
    around: str
    setting: str


def claims(page: Page, official: Official) -> list[Claim]:
    """What is said of official code: in details, differences and the compared settings.

    That is what a source with code in it stands behind, and each sentence without a source that
    speaks of official code.
    """
    items = [
        " ".join(item.split())
        for part in (page.details, page.differences)
        for item in _ITEM.split(part)
    ]
    said = [claim for item in items for claim in _claims(item)]
    for key, setting in official.settings.items():
        said += [claim._replace(setting=key) for claim in _claims(setting.official)]
    return said


def _claims(item: str) -> Iterator[Claim]:
    at = 0
    for source in _SOURCE.finditer(item):
        if "`" in source[0]:
            yield Claim(item[at : source.end()], tuple(_FILE.findall(source[0])))
        else:
            yield from _of_official_code(item[at : source.end()])
        at = source.end()
    yield from _of_official_code(item[at:])


def _of_official_code(text: str) -> Iterator[Claim]:
    for sentence in _SENTENCE.split(text):
        if _OFFICIAL.search(sentence):
            yield Claim(sentence, ())


def without_twin(page: Page, official: Official) -> Iterator[Lack]:
    """Each number that no `says` covers."""
    for claim in claims(page, official):
        covered = [
            span
            for number in official.number
            if _is_of(number, claim)
            for says in number.says
            for span in _spans(says, claim.text)
        ]
        for match in matches(claim.text):
            if not any(a <= match.start() and match.end() <= b for a, b in covered):
                around = claim.text[max(0, match.start() - 30) : match.end() + 15]
                yield Lack(match[0].strip(), " ".join(around.split()), claim.setting)


def without_claim(page: Page, official: Official) -> Iterator[tuple[int, str]]:
    """Each entry whose words stand nowhere or beside another source: its index, and why."""
    said = claims(page, official)
    for index, number in enumerate(official.number):
        for says in number.says:
            found = [claim for claim in said if any(_spans(says, claim.text))]
            if not found:
                yield index, f"nothing said of official code has the words '{says}'"
            elif not any(_is_of(number, claim) for claim in found):
                yield index, f"where '{says}' stands, the source is not {number.file or number.of}"


def _spans(says: str, text: str) -> Iterator[tuple[int, int]]:
    """Where these words stand in a text, not in the middle of a number."""
    words = " ".join(says.split())
    start = text.find(words)
    while start >= 0:
        end = start + len(words)
        if not _DIGIT_BEFORE.search(text, max(0, start - 1), start) and not _DIGIT.match(text, end):
            yield start, end
        start = text.find(words, end)


def _is_of(number: Number, claim: Claim) -> bool:
    if number.of:
        return all(section in claim.text for section in _SECTION.findall(number.of))
    return not claim.files or any(_names(cited, number.file) for cited in claim.files)


def _names(cited: str, file: str) -> bool:
    """Whether a source names a file: by the end of its path, by a folder, or by a pattern."""
    if cited.endswith("/"):
        return f"/{cited}" in f"/{file}"
    return f"/{file}".endswith(f"/{cited}") or fnmatchcase(f"/{file}", f"*/{cited}")
