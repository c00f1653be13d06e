"""What fits: the largest batch of each method on cards of several sizes, from predicted peaks."""

from __future__ import annotations

from collections.abc import Iterator
from math import log2
from typing import Any, NamedTuple

from ....atlas import Atlas
from ....data import closed_forms
from ....data.memory import CARDS, GIB, RESERVED, at, most_rows
from ....text import escape
from ....text.markup import listed
from ...shared.figures import amount
from ...shared.site import Site
from ...shared.step_peaks import settings
from . import held

DATA = "methods/memory.js"
ARCHITECTURE, SETTING, LENGTH = "llama-2-7b", "bfloat16, checkpointing", 1024  # to start with


class Row(NamedTuple):
    """A method: what one row of a batch takes, and the most rows on each card."""

    name: str
    title: str
    least: int
    rows: list[int]


def pages(site: Site) -> Iterator[tuple[str, str]]:
    """The page, and the peaks as a script, since pages that open from disk cannot fetch."""
    given = known(site.atlas)
    yield site.render("fits.md.j2", "methods/fits.md", **values(site.atlas, given))
    yield DATA, f"window.predictedPeaks = {escape.script(given)};\n"


def known(atlas: Atlas) -> dict[str, Any]:
    """What the script is given: cards, methods' titles, and peaks by architecture."""
    dimensions = closed_forms.architectures()
    there = sorted(atlas.memory, key=[*dimensions].index)
    return {
        "cards": CARDS,
        "gib": GIB,
        "reserved": RESERVED,
        "methods": {name: method.title for name, method in atlas.methods.items()},
        "architectures": {
            name: {
                "title": dimensions[name]["title"],
                "positions": dimensions[name]["dimensions"].get("P"),
                "methods": {m: own for m, own in atlas.memory[name].items() if m in atlas.methods},
            }
            for name in there
        },
    }


def values(atlas: Atlas, given: dict[str, Any]) -> dict[str, object]:
    """What the template of the page needs."""
    on_cards, on_processor = list(held.on_cards(atlas)), held.on_processor(atlas)
    printed = held.printed(atlas)
    rows = table(atlas, ARCHITECTURE, SETTING, LENGTH)
    most = max((number for row in rows for number in row.rows), default=0)
    return {
        "known": given["architectures"],
        "settings": settings(atlas),
        "start": {"architecture": ARCHITECTURE, "setting": SETTING, "length": LENGTH},
        "cards": CARDS,
        "rows": rows,
        "refused": refused(atlas, ARCHITECTURE, SETTING),
        "heat": lambda number: log2(number + 1) / log2(most + 1),
        "on_cards": on_cards,
        "far": held.far([told / step.peak for _, step, told in on_cards]),
        "on_processor": by_method(on_processor),
        "processor_far": held.far([row.ratio for row in on_processor]),
        "far_off": listed(held.far_off(on_processor)),
        "printed": printed,
        "notes": list(dict.fromkeys(entry.note for _, entry in printed if entry.note)),
        "amount": amount,
    }


def by_method(rows: list[held.OnProcessor]) -> dict[str, Any]:
    """The models and tasks, and of each method its ratios there, None where it has none."""
    places = sorted({row.place for row in rows})
    ratios: dict[str, dict[tuple[str, str], float]] = {}
    for row in rows:
        ratios.setdefault(row.title, {})[row.place] = row.ratio
    return {
        "places": places,
        "rows": [(t, [ratios[t].get(p) for p in places]) for t in sorted(ratios, key=str.lower)],
    }


def table(atlas: Atlas, architecture: str, setting: str, length: int) -> list[Row]:
    """A row for each method that runs, what takes least first."""
    found = []
    for name, own in atlas.memory.get(architecture, {}).items():
        told = own.get(setting)
        if name in atlas.methods and isinstance(told, tuple):
            rows = [most_rows(told, length, card * GIB - RESERVED) for card in CARDS]
            found.append(Row(name, atlas.methods[name].title, at(told, 1, length), rows))
    return sorted(found, key=lambda row: (row.least, row.title))


def refused(atlas: Atlas, architecture: str, setting: str) -> list[tuple[str, str]]:
    """Titles of the methods of which no peak is told, and why."""
    told = atlas.memory.get(architecture, {})
    return [
        (method.title, why)
        for name, method in atlas.methods.items()
        if isinstance(why := told.get(name, {}).get(setting), str)
    ]
