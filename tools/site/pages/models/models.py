"""On which architectures each method runs: one table, and the reasons where it does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from markupsafe import Markup

from ....atlas import Atlas
from ....data.architectures import KINDS, Cells, gist
from ....data.implementations import Implementation
from ....text.markup import capital, table
from ...shared.site import Site

RUNS, UNTRIED = "✓", "–"
Marks = dict[tuple[bool, str], str]  # of a fault or a refusal, by its text


class Reason(NamedTuple):
    """Why methods do not run on architectures: its number in the table, and of what.

    `fault`: a promise was broken; else the method was refused. `models` and `methods` are names and
    titles.
    """

    number: int
    text: str
    fault: bool
    methods: list[str]
    models: list[str]

    @property
    def mark(self) -> str:
        return f"!{self.number}" if self.fault else str(self.number)


class Cell(NamedTuple):
    """What the table shows of a method on an architecture, and the class that it is styled by."""

    mark: str
    look: str = ""


class Group(NamedTuple):
    """The architectures of a kind: how many of them each method runs on, and a row for each."""

    title: str
    runs: list[int]
    rows: list[tuple[str, list[Cell]]]

    @property
    def all(self) -> int:
        """How many methods run on every one."""
        return sum(number == len(self.rows) for number in self.runs)


def pages(site: Site) -> Iterator[tuple[str, str]]:
    yield site.render("models.md.j2", "methods/models.md", **values(site.atlas))


def values(atlas: Atlas) -> dict[str, object]:
    """What the template of the page needs."""
    methods = [method for method in atlas.methods_by_leaf if method.name in atlas.cells]
    cells = [atlas.cells[method.name] for method in methods]
    why = reasons(methods, cells)
    groups = groups_of(atlas, cells, {(reason.fault, reason.text): reason.mark for reason in why})
    versions = {f"{name} {version}" for own in cells for name, version in own.versions.items()}
    return {
        "shown": methods,
        "groups": groups,
        "number": sum(len(group.rows) for group in groups),
        "runs": [sum(numbers) for numbers in zip(*(group.runs for group in groups), strict=True)],
        "pairs": sum(number for group in groups for number in group.runs),
        "reasons": why,
        "summary": summary(groups),
        "versions": sorted(versions),
        "old": [m.title for m, own in zip(methods, cells, strict=True) if not own.current],
        "lacking": [m.title for m in atlas.methods_by_leaf if m.name not in atlas.cells],
    }


def reasons(methods: list[Implementation], cells: list[Cells]) -> list[Reason]:
    """Faults first, then refusals, each in the order of how many cells they are of."""
    found: dict[tuple[bool, str], list[tuple[str, str]]] = {}
    for method, own in zip(methods, cells, strict=True):
        for fault, told in ((True, own.fault), (False, own.refused)):
            for model, text in told.items():
                found.setdefault((not fault, gist(text)), []).append((method.title, model))
    ordered = sorted(found.items(), key=lambda item: (item[0][0], -len(item[1]), item[0][1]))
    return [
        Reason(
            number,
            text,
            not refused,
            list(dict.fromkeys(title for title, _ in places)),
            sorted({model for _, model in places}),
        )
        for number, ((refused, text), places) in enumerate(ordered, 1)
    ]


def groups_of(atlas: Atlas, cells: list[Cells], marks: Marks) -> list[Group]:
    """The kinds that have an architecture, in the order of `KINDS`."""
    found = []
    for kind in KINDS.values():
        names = [known.name for known in atlas.architectures if known.kind == kind]
        if names:
            runs = [len({*own.runs}.intersection(names)) for own in cells]
            rows = [(name, [cell(own, name, marks) for own in cells]) for name in names]
            found.append(Group(f"{capital(kind)}s", runs, rows))
    return found


def cell(own: Cells, name: str, marks: Marks) -> Cell:
    """What became of a method on an architecture."""
    if name in own.fault:
        return Cell(marks[True, gist(own.fault[name])], "fault")
    if name in own.refused:
        return Cell(marks[False, gist(own.refused[name])], "no")
    return Cell(RUNS) if name in own.runs else Cell(UNTRIED, "untried")


def summary(groups: list[Group]) -> Markup:
    """A row a kind: its architectures, and how many methods run on them."""
    head = [
        "Kind",
        "Architectures",
        "Methods on all of them",
        "on some",
        "on none",
        "Pairs that run",
    ]
    rows = []
    for group in groups:
        none = group.runs.count(0)
        pairs = len(group.rows) * len(group.runs)
        rows.append(
            [
                group.title,
                str(len(group.rows)),
                str(group.all),
                str(len(group.runs) - group.all - none),
                str(none),
                f"{sum(group.runs):,} of {pairs:,}",
            ]
        )
    return table(head, "lrrrrr", rows)
