"""BibTeX files."""

from __future__ import annotations

import logging
import re

from bibtexparser import parse_string
from bibtexparser.middlewares import SeparateCoAuthors
from bibtexparser.middlewares.names import InvalidNameError, parse_single_name_into_parts
from bibtexparser.model import Entry
from pylatexenc.latex2text import LatexNodes2Text

from ..data.schema import Name
from .record import Record, SourceError

logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)  # what fails is raised here
_DECODER = LatexNodes2Text(math_mode="verbatim", keep_comments=True)
LOOSE = ("misc", "online", "unpublished")  # types of entries that need no venue
VENUES = ("booktitle", "journal", "journaltitle", "school", "institution", "howpublished")


def records(text: str, name: str = "BibTeX") -> list[Record]:
    """Every entry of a file that errors call `name`.

    Raises SourceError where any block cannot be read: none is dropped silently.
    """
    library = parse_string(text, append_middleware=[SeparateCoAuthors()])
    for block in library.failed_blocks:
        reason = getattr(block.error, "abort_reason", None) or str(block.error)
        line = (block.start_line or 0) + 1
        raise SourceError(f"{name}:{line}: {' '.join(reason.split()).lower()}")
    if not library.entries:
        raise SourceError(f"{name}: holds no BibTeX entry")
    return [_record(entry, name) for entry in library.entries]


def _record(entry: Entry, name: str) -> Record:
    line = (entry.start_line or 0) + 1
    fields = {field.key.lower(): field.value for field in entry.fields}
    for key, value in fields.items():
        if isinstance(value, str) and re.search(r'"\s*#|#\s*"', value):
            raise SourceError(f"{name}:{line}: {entry.key}: write {key} out, without '#'")
    people = [person for person in fields.get("author", []) if person.strip()]
    truncated = bool(people) and people[-1].strip().lower() == "others"
    try:
        authors = tuple(split_name(person) for person in (people[:-1] if truncated else people))
    except InvalidNameError as error:
        reason = " ".join(str(error).split())
        raise SourceError(f"{name}:{line}: {entry.key}: {reason}") from None
    text = {key: decoded(value) for key, value in fields.items() if isinstance(value, str)}
    year = re.search(r"\d{4}", text.get("year") or text.get("date", ""))
    eprint = text.get("eprint", "")
    is_arxiv = text.get("archiveprefix", text.get("eprinttype", "")).lower() == "arxiv"
    in_journal = re.search(r"arxiv[:\s]*(\d{4}\.\d{4,5})", text.get("journal", ""), re.IGNORECASE)
    arxiv = eprint if is_arxiv else in_journal[1] if in_journal else ""
    preprint = arxiv and entry.entry_type.lower() in LOOSE and not text.get("doi")
    return Record(
        source="bibtex",
        title=text.get("title", ""),
        authors=authors,
        year=int(year[0]) if year else None,
        venue=next((text[key] for key in VENUES if text.get(key)), "arXiv" if preprint else ""),
        arxiv=arxiv,
        doi=text.get("doi", ""),
        url=text.get("url", ""),
        pages=text.get("pages", ""),
        truncated=truncated,
    ).tidy()


def split_name(person: str) -> Name:
    """A name as BibTeX splits it; one that is all in braces is a group's."""
    person = person.strip()
    if person.startswith("{") and _closes_at_the_end(person):
        return Name(decoded(person))
    parts = parse_single_name_into_parts(person, strict=False)
    words = [" ".join(map(decoded, part)) for part in (parts.von, parts.last, parts.jr)]
    return Name(" ".join(filter(None, words)), " ".join(map(decoded, parts.first)))


def _closes_at_the_end(text: str) -> bool:
    depth = 0
    for place, char in enumerate(text):
        depth += (char == "{") - (char == "}")
        if depth == 0:
            return place == len(text) - 1
    return False


def decoded(latex: str) -> str:
    """LaTeX as plain Unicode text on one line; braces that protect capitals are gone."""
    text = _DECODER.latex_to_text(latex) if re.search(r"[\\{}$~]", latex) else latex
    return " ".join(text.replace("--", "–").split())
