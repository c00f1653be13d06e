"""`python -m tools fmt`: papers sorted, their keys in order, every value written in one way.

Only the sections of papers are touched. Comments stay with the key or the entry that they stand
before, or at the end of their line where its key takes one line.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.events import ScalarEvent

from ..data.document import Document
from ..data.files import ROOT, write
from ..data.findings import Finding, as_text
from ..data.parts import alone, read
from ..export import entry
from ..rules.catalog import examine, in_order
from ..text.words import count

# A hash sign after a blank, behind what may follow the last value of a line.
_COMMENT = re.compile(r"[\s\[\]{},:-]*(?<!\S)#")
_KEY = re.compile(r"(?:  - |    )([a-z_]+):")


class FormatError(Exception):
    """The file cannot be formatted; `findings` say why."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = findings


@dataclass
class Comments:
    """Of one entry: lines to put before a key ("" for before the entry), and ends of lines."""

    before: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    behind: dict[str, str] = field(default_factory=dict)
    after: list[str] = field(default_factory=list)


def formatted(raw: bytes, name: str, root: Path) -> bytes:
    """The canonical form of one of a catalog's files: the same data, and every comment.

    Raises FormatError where the text or its schema is wrong.
    """
    document = alone(raw, name)
    context, findings = examine(document, root)
    if context is None or findings:
        raise FormatError(in_order(findings, name))
    text = raw.decode("utf-8").replace("\r\n", "\n")
    lines = text.split("\n")
    papers = document.data["papers"]
    if not papers:
        return raw
    starts = [document.mark(("papers", i)).line - 1 for i in range(len(papers))]
    stop = _end(document, lines)
    comments = _comments(text, lines)
    first = _upward(lines, starts[0], comments)
    chunks = []
    for i, paper in enumerate(papers):
        begin = _upward(lines, starts[i], comments)
        end = _upward(lines, starts[i + 1], comments) if i + 1 < len(papers) else stop
        chunks.append((paper["id"], _entry(paper, begin, starts[i], end, lines, comments)))
    body = [line for _, chunk in sorted(chunks, key=lambda pair: pair[0]) for line in chunk]
    result = "\n".join([*lines[:first], *body, *lines[stop:]])
    result = result.rstrip("\n") + "\n"
    _compare(document.data, alone(result.encode(), name).data)
    kept = _comments(result, result.split("\n"))
    if sorted(text.strip() for _, text in kept.values()) != sorted(
        text.strip() for _, text in comments.values()
    ):
        raise AssertionError("formatting would lose a comment; nothing was written")
    return result.encode()


def before_entry(text: str, start: int) -> int:
    """Where an entry that begins on line `start` (from 0) begins with the comments before it."""
    lines = text.replace("\r\n", "\n").split("\n")
    return _upward(lines, start, _comments("\n".join(lines), lines))


def _end(document: Document, lines: list[str]) -> int:
    """The line after the last paper: that of the next section, with the comments before it."""
    own = document.mark(("papers",)).line - 1
    later = [document.mark((key,)).line - 1 for key in document.data]
    end = min((line for line in later if line > own), default=len(lines))
    while end - 1 > own and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    return end


def _upward(lines: list[str], start: int, comments: dict[int, tuple[int, str]]) -> int:
    """Where the comments begin that stand directly before an entry, as far in as its dash."""
    while start - 1 in comments and re.match(r" {0,2}#", lines[start - 1]):
        start -= 1
    return start


def _comments(text: str, lines: list[str]) -> dict[int, tuple[int, str]]:
    """Line -> column and text of what is a comment there, with the blanks before it."""
    ends: dict[int, int] = defaultdict(int)
    inside: set[int] = set()
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        start, end = event.start_mark, event.end_mark
        if isinstance(event, ScalarEvent) and event.style in (">", "|"):
            header = re.match(r"[>|][-+0-9]*", lines[start.line][start.column :])
            ends[start.line] = start.column + len(header[0] if header else "")
            inside.update(range(start.line + 1, end.line))
        else:
            inside.update(range(start.line + 1, end.line))
            ends[end.line] = max(ends[end.line], end.column)
    found = {}
    for number, line in enumerate(lines):
        if number in inside and number not in ends:
            continue
        match = _COMMENT.match(line, ends.get(number, 0))
        if match:
            column = len(line[: match.end() - 1].rstrip())
            found[number] = (column, line[column:])
    return found


def _entry(
    paper: Mapping[str, Any],
    begin: int,
    start: int,
    end: int,
    lines: list[str],
    comments: dict[int, tuple[int, str]],
) -> list[str]:
    """The canonical lines of an entry, with its comments."""
    noted = Comments()
    key, waiting = "", []
    for number in range(begin, end):
        named = _KEY.match(lines[number]) if number >= start else None
        own_line = number in comments and not lines[number][: comments[number][0]].strip()
        if named and named[1] in paper and not own_line:
            key = named[1]
            noted.before[key] += waiting
            waiting = []
        if number not in comments:
            continue
        if own_line:
            waiting.append(lines[number].rstrip())
        elif named:
            noted.behind[key] = comments[number][1].rstrip()
        else:
            noted.before[key].append(f"    {comments[number][1].strip()}")
    noted.after = waiting
    result = []
    text = entry.text(paper).rstrip("\n").split("\n")
    for number, line in enumerate(text):
        named = _KEY.match(line)
        if named:
            result += noted.before.get(named[1], [])
            behind = noted.behind.get(named[1], "")
            single = number + 1 == len(text) or _KEY.match(text[number + 1])
            if behind and single:
                line += behind
            elif behind:
                result.append(f"    {behind.strip()}")
        result.append(line)
    return [*result, *noted.after]


def _compare(old: dict[str, Any], new: dict[str, Any] | None) -> None:
    """Nothing but order and blanks may have changed."""

    def papers(data: dict[str, Any]) -> list[dict[str, Any]]:
        return sorted(
            (
                {k: " ".join(v.split()) if k in entry.FOLDED else v for k, v in paper.items()}
                for paper in data["papers"]
            ),
            key=lambda paper: paper["id"],
        )

    if new is None or papers(old) != papers(new) or {**old, "papers": 0} != {**new, "papers": 0}:
        raise AssertionError("formatting would change the data; nothing was written")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", nargs="?", type=Path, default=ROOT / "papers.yaml", help="default: papers.yaml"
    )
    parser.add_argument("--check", action="store_true", help="only say whether it would change")


def main(options: argparse.Namespace) -> int:
    path: Path = options.path
    files, root = read(path), path.resolve().parent
    try:
        texts = {name: formatted(raw, name, root) for name, raw in files.items()}
    except FormatError as error:
        summary = f"{path.name} is not formatted: {count(len(error.findings), 'finding')} first"
        sys.stderr.write(as_text(error.findings, summary))
        return 1
    texts = {name: text for name, text in texts.items() if text != files[name]}
    for name, text in texts.items():
        if options.check:
            print(f"{name} is not in its canonical form: run `python -m tools fmt`")
        else:
            write(path.parent / name, text.decode())
            print(f"{name} is in its canonical form now")
    return int(options.check and bool(texts))
