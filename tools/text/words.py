"""Numbers in words."""

from __future__ import annotations


def count(number: int, one: str, many: str | None = None) -> str:
    """'1 paper', '105 papers', '1,000 papers'."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
