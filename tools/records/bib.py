"""BibTeX and biblatex files."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from bibtexparser import parse_string
from bibtexparser.model import (
    Block,
    DuplicateBlockKeyBlock,
    DuplicateFieldKeyBlock,
    Entry,
    ParsingFailedBlock,
    String,
)

from .identifiers import find
from .latex import decoded
from .names import OTHERS, people, split_names
from .record import Record, SourceError, all_of

logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)  # what fails is said here

PREPRINTS = ("misc", "online", "unpublished", "article", "report")  # without a venue, if on arXiv
VENUES = ("booktitle", "journal", "journaltitle", "school", "institution", "howpublished")
IDENTIFIERS = ("eprint", "archiveprefix", "eprinttype", "arxivid", "doi", "url", "volume")
READ = ("author", "title", "subtitle", "year", "date", "pages", *IDENTIFIERS, *VENUES, "publisher")
INHERITED = ("booktitle", "year", "date")  # from the entry that `crossref` names
_VALUE = re.compile(r'\s*(?:(?P<number>\d+(?![^\s#]))|(?P<name>[^\s"#%\'(),={}]+)|(?P<open>["{]))')
_ARXIV = re.compile(r"(?i:arxiv[:\s]*|abs/)(\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})")
_JOIN = re.compile(r"\s*#")
_MARK = re.compile(r'\\.|[{}"]', re.DOTALL)


class Value(NamedTuple):
    """A field's text as the file has it, and the line of its name."""

    text: str
    line: int


def records(text: str, name: str = "BibTeX") -> list[Record]:
    """Every entry of a file that errors call `name`. Raises SourceError for the first bad one."""
    return all_of(read(text, name))


def read(
    text: str, name: str = "BibTeX", given: Collection[str] = ()
) -> Iterator[Record | SourceError]:
    """Every entry of a file, or what keeps it from being read, one after another.

    given: of "title" and "venue" what is known already and need not be read.
    """
    strings: dict[str, str] = {}
    entries: list[Entry | SourceError] = []
    lines = text.split("\n")
    for block in parse_string(text, parse_stack=[]).blocks:
        at = (block.start_line or 0) + 1
        if lines[at - 1].lstrip().startswith("%"):  # commented out
            continue
        if isinstance(block, DuplicateFieldKeyBlock | DuplicateBlockKeyBlock):
            block = block.ignore_error_block
        if isinstance(block, String):
            try:
                strings[block.key.lower()] = evaluated(block.value, strings)
            except SourceError:  # told where the name is used
                strings.pop(block.key.lower(), None)
        elif isinstance(block, ParsingFailedBlock):
            entries.append(SourceError(f"{name}:{at}: {_broken(block)}"))
        elif isinstance(block, Entry):
            entries.append(block)
    if not entries:
        entries.append(SourceError(f"{name}: holds no BibTeX entry"))
    parents = {e.key.lower(): e for e in entries if isinstance(e, Entry) and e.key}
    for entry in entries:
        if isinstance(entry, SourceError):
            yield entry
            continue
        try:
            yield _Reader(entry, name, strings, parents, given).record()
        except SourceError as error:
            yield error


def _broken(block: Block) -> str:
    """What is wrong with a block that the parser gave up, in our words."""
    key = re.match(r"@\w+\s*[{(]\s*([^\s,={}]+)", block.raw or "")
    where = f" (entry {key[1]})" if key else ""
    reason = str(getattr(block.error, "abort_reason", ""))
    if reason.startswith("Expected comma after entry key"):
        return f"a comma is missing after the key{where}"
    if "Expected a `=`" in reason:
        return f"a field has no '=' and value, or a comma stands where none belongs{where}"
    return f"a brace or a quotation mark is not closed{where}"


class _Reader:
    """One entry; every error names the file, the line and the entry."""

    def __init__(
        self,
        entry: Entry,
        name: str,
        strings: Mapping[str, str],
        parents: Mapping[str, Entry],
        given: Collection[str],
    ) -> None:
        self.entry, self.name, self.strings, self.given = entry, name, strings, given
        self.line = (entry.start_line or 0) + 1
        self.fields = self._fields(entry)
        parent = parents.get(self.bare("crossref"))
        if parent is not None:
            inherited = self._fields(parent)
            inherited.setdefault("booktitle", inherited.get("title", Value("{}", 0)))
            for key in INHERITED:
                if key in inherited:
                    self.fields.setdefault(key, inherited[key])

    def fault(self, line: int, message: object) -> SourceError:
        told = " ".join(f"{message} (entry {self.entry.key})".split())  # on one line
        return SourceError(f"{self.name}:{line}: {told}")

    def _fields(self, entry: Entry) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for field in entry.fields:
            rows = [row for row in field.key.split("\n") if not row.lstrip().startswith("%")]
            key, line = " ".join(rows).strip().lower(), (field.start_line or 0) + 1
            if re.search(r"[\s{}\"]", key):
                raise self.fault(line, f"'{key[-40:]}' is no name of a field; is a comma missing?")
            if key in found and key in READ and found[key].text != field.value:
                first = found[key].line
                raise self.fault(first, f"{key} is given twice, again on line {line}")
            found.setdefault(key, Value(str(field.value), line))
            self._check_ending(key, found[key])
        return found

    def _check_ending(self, key: str, value: Value) -> None:
        """Also of a field that nobody reads: what it swallows may be one that is read."""
        _, rest = parsed(value.text)
        if "=" in rest:
            raise self.fault(value.line, f"a comma is missing after {key}")

    def raw(self, key: str) -> str:
        """A field's text, still in LaTeX; empty where there is none."""
        if key not in self.fields:
            return ""
        value, line = self.fields[key]
        try:
            return evaluated(value, self.strings, named=key in VENUES)
        except SourceError as error:
            raise self.fault(line, f"{key}: {error}{_option(key)}") from None

    def bare(self, key: str) -> str:
        """A field in lower case without what encloses it; it need not be one that can be read."""
        return self.fields.get(key, Value("", 0)).text.strip('{}" ').lower()

    def text(self, key: str) -> str:
        """A field as plain text."""
        raw = self.raw(key)
        try:
            return decoded(raw)
        except SourceError as error:
            message = f"{key}: {error}{_option(key)}"
            raise self.fault(self.fields[key].line, message) from None

    def link(self, key: str) -> str:
        """A field that holds an address or an identifier, in which '~' and '%' are themselves."""
        text = re.sub(r"\\url\b|[{}]", "", self.raw(key))
        text = re.sub(r"\\textasciitilde\s*|\$\\sim\$|\\~", "~", text)
        return re.sub(r"\\([_%#&$])", r"\1", text).strip()

    def record(self) -> Record:
        title = "" if "title" in self.given else self._title()
        authors, truncated = self._authors()
        year = _year(self.raw("year")) or _year(self.raw("date"))
        found = Record(
            source="bibtex",
            title=title,
            authors=authors,
            year=year,
            venue="" if "venue" in self.given else self._venue(),
            arxiv=self._arxiv(),
            doi=self.link("doi"),
            url=self.link("url") or self.link("howpublished"),
            pages=self.text("pages"),
            truncated=truncated,
            place=f"{self.name}:{self.line}",
        ).tidy()
        kind = self.entry.entry_type.lower()
        lone = found.arxiv and not found.doi and kind in PREPRINTS
        if not found.venue and (lone or self.bare("publisher") == "arxiv"):
            found = replace(found, venue="arXiv")
        return found

    def _title(self) -> str:
        title, subtitle = self.text("title"), self.text("subtitle")
        if not title:
            raise self.fault(self.line, "has no title")
        if subtitle and subtitle.lower() not in title.lower():
            title += f" {subtitle}" if title[-1] in ":?!.—–" else f": {subtitle}"
        return title

    def _venue(self) -> str:
        found = next(filter(None, map(self.text, VENUES)), "")
        return "" if found.startswith(("http://", "https://")) else found

    def _arxiv(self) -> str:
        eprint = self.link("eprint") or self.link("arxivid")
        archive = self.text("archiveprefix") or self.text("eprinttype")
        if eprint and (archive.lower() == "arxiv" or (not archive and "arxiv" in find(eprint))):
            return eprint
        for key in ("journal", "journaltitle", "howpublished", "volume"):
            value = re.sub("[{}]", "", self.fields.get(key, Value("", 0)).text)
            if match := _ARXIV.search(value):
                return match[1]
        return ""

    def _authors(self) -> tuple[tuple, bool]:
        names = people(self.raw("author"))
        truncated = bool(names) and names[-1].lower() in OTHERS
        names = names[:-1] if truncated else names
        if (
            names
            and (short := re.sub(r",?\s+et\.?\s+al\.?$", "", names[-1], flags=re.I)) != names[-1]
        ):
            names[-1], truncated = short, True
        try:
            return split_names(names), truncated
        except SourceError as error:
            raise self.fault(self.fields["author"].line, f"author: {error}") from None


def _option(key: str) -> str:
    """The option of `add` that gives what a field does not."""
    options = {"title": "title", "subtitle": "title"} | dict.fromkeys(VENUES, "venue")
    return f", or give --{options[key]}" if key in options else ""


def _year(text: str) -> int | None:
    found = re.search(r"(?<!\d)(?:1\d|20)\d\d(?!\d)", text)
    return int(found[0]) if found else None


def evaluated(value: str, strings: Mapping[str, str], *, named: bool = False) -> str:
    """What a value says: texts in braces or quotes, numbers and names of strings, joined by '#'.

    named: a name that is defined elsewhere may stand for itself, as "iclr" does for a venue.

    Raises SourceError where a name is not defined, or something is left over.
    """
    pieces, rest = parsed(value)
    if rest:
        raise SourceError(f"'{' '.join(rest.split())[:40]}' stands outside of the value")
    for kind, piece in pieces:
        if kind == "name" and piece.lower() not in strings and not named:
            wanted = "write it out, or in braces"
            raise SourceError(f"no @string before defines '{piece}'; {wanted}")
    return "".join(
        strings.get(piece.lower(), piece) if kind == "name" else piece for kind, piece in pieces
    )


def parsed(value: str) -> tuple[list[tuple[str, str]], str]:
    """The pieces of a value, each a "text" or a "name", and what follows them unjoined."""
    pieces, place = [], 0
    while match := _VALUE.match(value, place):
        if match["open"]:
            end = _closing(value, match.end() - 1)
            if not end:
                return pieces, value[place:]
            pieces.append(("text", value[match.end() : end - 1]))
        else:
            end = match.end()
            pieces.append(("name", match["name"]) if match["name"] else ("text", match["number"]))
        joined = _JOIN.match(value, end)
        place = joined.end() if joined else end
        if not joined:
            break
    return pieces, value[place:].strip()


def _closing(value: str, start: int) -> int:
    """The place behind the brace or quotation mark that closes the one at `start`, or 0."""
    depth = 0
    for match in _MARK.finditer(value, start + 1):
        if depth == 0 and match[0] == ("}" if value[start] == "{" else '"'):
            return match.end()
        depth += (match[0] == "{") - (match[0] == "}")
    return 0
