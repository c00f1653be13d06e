"""The files that a catalog is made of: `papers.yaml`, and `papers/YEAR.yaml` beside it.

`papers.yaml` holds what all entries share: modalities, taxonomy, venues. An entry is in the file of
the year in its id, so that its id says where it is. One file for all would be above the megabyte
up to which GitHub shows and edits files. Few entries may as well stand in `papers.yaml` itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from .document import TOP, Document, Part
from .findings import Finding
from .loader import MAX_BYTES, parse

FOLDER = "papers"
SECTION = "papers"
# How each file begins: editors check it against the schema while one types.
SCHEMA_LINE = "# yaml-language-server: $schema=./papers.schema.json"
PART_LINE = SCHEMA_LINE.replace("./", "../")
_SHARED = {"modalities", "taxonomy", "venues"}


def file_of(paper_id: str) -> str:
    """Where the entry belongs: 'papers/2021.yaml' for hu2021lora, relative to the catalog."""
    found = re.match(r"[a-z]+([0-9]{4})", paper_id)
    return f"{FOLDER}/{found[1] if found else 'undated'}.yaml"


def read(path: Path) -> dict[str, bytes]:
    """The content of each file of the catalog at `path`, by its name relative to the folder.

    The catalog's own comes first. Raises OSError where there is no such file.
    """
    return {
        name: _content(path.parent / name)
        for name in (path.name, *(f"{FOLDER}/{part.name}" for part in _parts(path)))
    }


def load(path: Path, name: str | None = None) -> Document:
    """The catalog at `path` as one document; findings call it `name`. Raises OSError."""
    return joined(read(path), name or path.name)


def joined(files: Mapping[str, bytes], name: str) -> Document:
    """The files of `read` as one document, the entries by file and then as they stand there."""
    (_, first), *rest = files.items()
    document = parse(first, name)
    folder = PurePath(name).parent
    for part, raw in rest:
        _add(parse(raw, (folder / part).as_posix()), document)
    return document


def alone(raw: bytes, name: str) -> Document:
    """One file of the catalog by itself: the sections that stand in others are empty."""
    document = parse(raw, name)
    data = document.data
    if isinstance(data, dict) and set(data) in ({SECTION}, _SHARED):
        whole = {**dict.fromkeys((*_SHARED, SECTION), ()), **data}
        document.marks |= {(id(whole), key): document.marks[id(data), key] for key in data}
        document.dropped.append(data)
        document.data = whole
    return document


def _parts(path: Path) -> list[Path]:
    return sorted((path.parent / FOLDER).glob("*.yaml"))


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _add(part: Document, document: Document) -> None:
    document.findings += part.findings
    data: Any = part.data
    if data is None:  # what is only here would be missed everywhere
        document.data = None
        return
    if not isinstance(data, dict) or set(data) != {SECTION} or not isinstance(data[SECTION], list):
        message = "holds something else than the section 'papers', which alone belongs here"
        document.findings.append(Finding("S010", part.path, 1, 1, "", "", message))
        return
    if not isinstance(document.data, dict):
        return
    papers = document.data.setdefault(SECTION, [])
    if not isinstance(papers, list):
        return
    document.marks.setdefault((id(document.data), SECTION), TOP)
    start = len(papers)
    papers += data[SECTION]
    document.parts.append(Part(part.path, start, part.first_line))
    document.dropped.append(data)  # or other lists would take its place in memory, and its marks
    document.marks |= part.marks
    for i in range(len(data[SECTION])):
        document.marks[id(papers), start + i] = part.marks[id(data[SECTION]), i]
