"""JSON with an item a line: it can be searched and compared by lines, and is fast to write."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

# One item.
json_line = json.JSONEncoder(ensure_ascii=False).encode


def json_lines(
    items: Iterable[str], key: str = "", head: Mapping[str, object] | None = None
) -> str:
    """A list of items; with `key` an object of what `head` holds and then, under it, that list."""
    listed = ",\n".join(items)
    if not key:
        return f"[\n{listed}\n]\n"
    return f"{json_line(dict(head or {}))[:-1]}, {json_line(key)}: [\n{listed}\n]}}\n"
