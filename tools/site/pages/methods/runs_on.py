"""On which models a method runs: how many of each kind, and why it does not run on the others."""

from __future__ import annotations

from typing import NamedTuple

from ....atlas import Atlas
from ....data.architectures import KINDS, Cells
from ....text.markup import listed
from ....text.words import count

SHOWN = 5  # reasons; where there are more, the others are folded


class RunsOn(NamedTuple):
    """`kinds`: '43 of 44 encoders and 20 of 27 vision models'. The rest: reasons and models."""

    number: int
    tried: int
    kinds: str
    faults: list[tuple[str, str]]
    refusals: list[tuple[str, list[str]]]
    folded: list[tuple[str, list[str]]]
    current: bool


def runs_on(atlas: Atlas, method: str) -> RunsOn | None:
    """What was measured of a method; None where it was not."""
    cells = atlas.cells.get(method)
    if cells is None:
        return None
    refusals = list(cells.refusals().items())
    return RunsOn(
        number=len(cells.runs),
        tried=len(cells.tried),
        kinds=listed(kinds(atlas, cells)),
        faults=sorted(cells.fault.items()),
        refusals=refusals[:SHOWN],
        folded=refusals[SHOWN:],
        current=cells.current,
    )


def kinds(atlas: Atlas, cells: Cells) -> list[str]:
    """'43 of 44 encoders' of each kind that was tried."""
    found = []
    for kind in KINDS.values():
        names = {known.name for known in atlas.architectures if known.kind == kind}
        if tried := names & cells.tried:
            found.append(f"{len(names.intersection(cells.runs))} of {count(len(tried), kind)}")
    return found
