"""S6xx: one order, so that a change is a small difference and two people do not collide."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

from ..data.parts import file_of
from . import Context, Fault, Place, rule
from .schema import model_of


@rule(
    "S601",
    "Papers out of order",
    "Papers are sorted by id, in each file.",
    bad="- id: ruckle2020again",
    good="- id: ruckle2020survey",
)
def papers_in_order(context: Context) -> Iterator[Fault]:
    by_file: dict[str, list[tuple[Place, str]]] = {}
    for path, paper in context.papers:
        by_file.setdefault(context.document.file(path), []).append((path, paper.id))
    for entries in by_file.values():
        ids = [paper_id for _, paper_id in entries]
        if len(set(ids)) < len(ids):
            continue  # S301 says so; the order of equal ids means nothing
        ordered = sorted(ids)
        for i in misplaced(ids):
            place = bisect_left(ordered, ids[i])
            where = f"goes after {ordered[place - 1]}" if place else "goes first"
            yield Fault(entries[i][0], f"is out of order: {where}")


@rule(
    "S602",
    "Keys out of order",
    "Every entry has its keys in the order of the schema, so that entries can be compared at a "
    "glance.",
    bad="kind: method\n    venue: ICLR",
    good="venue: ICLR\n    kind: method",
)
def keys_in_order(context: Context) -> Iterator[Fault]:
    yield from _keys((), context.document.data)
    for items in (context.modalities, context.nodes, context.venues, context.papers):
        for path, _ in items:
            yield from _keys(path, context.document.at(path))


def _keys(path: Place, entry: dict[str, Any]) -> Iterator[Fault]:
    keys = list(entry)
    order = list(model_of((*path, "")).model_fields)
    places = [order.index(key) for key in keys if key in order]
    if places == sorted(places):
        return
    for i in misplaced(places):
        before = max((place for place in places if place < places[i]), default=None)
        place = "goes first" if before is None else f"goes after '{order[before]}'"
        yield Fault((*path, order[places[i]]), f"is out of order: {place}")


@rule(
    "S603",
    "Entry in another file",
    "Where the catalog has a folder `papers/`, each entry is in the file there of the year in its "
    "id, so that the id says where it is.",
    bad="hu2021lora in papers/2022.yaml",
    good="hu2021lora in papers/2021.yaml",
)
def in_its_file(context: Context) -> Iterator[Fault]:
    if not context.document.parts:
        return
    for path, paper in context.papers:
        own = file_of(paper.id)
        if not context.document.file(path).endswith(own):
            yield Fault(path, f"belongs into {own}")


def misplaced(values: Sequence[Any]) -> list[int]:
    """The fewest indices whose values must move for `values` to ascend strictly.

    They are what is left of the longest ascending subsequence (patience sorting, n log n).
    """
    tails: list[Any] = []
    ends: list[int] = []
    previous: list[int | None] = []
    for i, value in enumerate(values):
        pile = bisect_left(tails, value)
        previous.append(ends[pile - 1] if pile else None)
        tails[pile : pile + 1] = [value]
        ends[pile : pile + 1] = [i]
    kept = set()
    i = ends[-1] if ends else None
    while i is not None:
        kept.add(i)
        i = previous[i]
    return [i for i in range(len(values)) if i not in kept]
