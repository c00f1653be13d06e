"""What a guide draws. The site shows it; a plain run of a guide only prints."""

from __future__ import annotations

DRAWN: list[dict] = []


def bars(title: str, unit: str, parts: list[str], rows: dict[str, list[float]]) -> None:
    """A bar for each row, made of one number a part."""
    DRAWN.append({"kind": "bars", "title": title, "unit": unit, "parts": parts, "rows": rows})


def dots(title: str, rows: dict[str, list[float]], chance: float | None = None) -> None:
    """A line for each row, with a dot for each fraction (a seed's score)."""
    DRAWN.append({"kind": "dots", "title": title, "rows": rows, "chance": chance})


def boxes(title: str, parts: list[str], columns: dict[str, list[tuple[int, int]]]) -> None:
    """A column for each method, with (trained, all) parameters for each part of the model."""
    DRAWN.append({"kind": "boxes", "title": title, "parts": parts, "columns": columns})
