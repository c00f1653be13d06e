"""The canonical text of a paper's entry in `papers.yaml`: keys in order, one way to write each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

from ..data.loader import would_be_retyped
from ..data.schema import Paper

WIDTH = 100
ORDER = tuple(Paper.model_fields)
FOLDED = frozenset({"summary", "note"})
BLOCK_LISTS = frozenset({"authors", "also_titled"})
QUOTED = frozenset({"title", "arxiv", "doi", "acl", "openreview", "pages", "added"})
_PLAIN = re.compile(r"[A-Za-z0-9](?:[^\s:#,\[\]{}\"'&*!|>%@`\\]|:(?=\S)| (?=[^\s#]))*\Z")


def text(paper: Mapping[str, Any]) -> str:
    """The entry as it stands in the file, two spaces in, with a newline at its end.

    `paper` holds plain data under the schema's keys; values that are None are left out.

    Raises:
        KeyError: a key is not in the schema.
    """
    unknown = paper.keys() - set(ORDER)
    if unknown:
        raise KeyError(f"a paper has no key {', '.join(sorted(unknown))}")
    lines: list[str] = []
    for key in ORDER:
        if paper.get(key) not in (None, (), []):
            lines += _field(key, paper[key])
    first, *rest = lines
    return "\n".join([f"  - {first}", *(f"    {line}" for line in rest)]) + "\n"


def _field(key: str, value: Any) -> list[str]:
    """The lines of one key, as if it stood at the margin."""
    if key in FOLDED:
        folded = fill(
            " ".join(value.split()),
            WIDTH,
            initial_indent=" " * 6,
            subsequent_indent=" " * 6,
            break_long_words=False,
            break_on_hyphens=False,
        )
        return [f"{key}: >-", *(line[4:] for line in folded.split("\n"))]
    if key in BLOCK_LISTS:
        return [f"{key}:", *(f"  - {_item(item)}" for item in value)]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [f"{key}: [{', '.join(map(plain, value))}]"]
    return [f"{key}: {quoted(value) if key in QUOTED else plain(value)}"]


def _item(item: Any) -> str:
    if isinstance(item, Mapping):
        return f"{{literal: {plain(item['literal'])}}}"
    return quoted(item)


def quoted(value: str) -> str:
    """In double quotes."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def plain(value: str | int) -> str:
    """Without quotes where every reader takes that for the same text."""
    if isinstance(value, int) or (_PLAIN.match(value) and not would_be_retyped(value)):
        return str(value)
    return quoted(value)
