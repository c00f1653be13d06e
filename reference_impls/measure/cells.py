"""The committed cells of a method: what became of it on each architecture, and by what code."""

from __future__ import annotations

import inspect
import math
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .. import architectures
from ..core.method import Method
from . import files, matrix
from .digests import sources
from .given import files_of as given_files
from .matrix import FAULT, REFUSED, RUNS


def path_of(method: type[Method]) -> Path:
    """Where a method's cells are kept."""
    return Path(inspect.getfile(method)).parent / "measured" / "architectures.json"


def sources_of(method: type[Method]) -> dict[str, str]:
    """Digests of the code that the cells depend on, by path below the package."""
    return sources(Path(inspect.getfile(method)), Path(matrix.__file__), *given_files(method))


def is_stale(method: type[Method]) -> bool:
    """Whether cells are missing, or were made by other code or of other models."""
    kept = files.read(path_of(method))
    return not _holds(kept, method) or bool(set(architectures.names()) - known(kept))


def _holds(kept: dict[str, Any], method: type[Method]) -> bool:
    """Whether this code made the cells, of models that are as they were."""
    of = known(kept) & set(architectures.names())
    now = (sources_of(method), architectures.digest(of))
    return (kept.get("sources"), kept.get("models")) == now


def known(kept: dict[str, Any]) -> set[str]:
    """The architectures that a file tells of."""
    return {name for state in (RUNS, REFUSED, FAULT) for name in kept.get(state, ())}


def record(method: type[Method]) -> dict[str, Any]:
    """What is committed of a method: its cells on all architectures, by what became of them.

    Cells that this code made already are kept: a new architecture is tried alone.
    """
    kept = files.read(path_of(method))
    return _completed(method, kept if _holds(kept, method) and is_stale(method) else {})


def renew(method: type[Method]) -> dict[str, Any]:
    """The committed cells, tied to the code that is here now, if a tenth of them are as they were.

    Each method tries its own tenth, so that of many methods every architecture is tried; all cells
    are repeated at night. Where one differs, or other models were tried, all are made.
    """
    kept = files.read(path_of(method))
    of = known(kept) & set(architectures.names())
    same = bool(of) and kept["models"] == architectures.digest(of)
    same = same and all(
        matrix.cell(method, name) == told(kept, name) for name in tenth(method.name, of)
    )
    return _completed(method, kept if same else {})


def tenth(method: str, names: Iterable[str]) -> list[str]:
    """One in ten names, and one at least: always the same ones of a method."""
    names = sorted(names)
    return random.Random(method).sample(names, math.ceil(len(names) / 10))


def told(kept: dict[str, Any], name: str) -> tuple[str, str]:
    """What a file tells of an architecture: its cell."""
    state = next(state for state in (RUNS, REFUSED, FAULT) if name in kept[state])
    return state, "" if state == RUNS else kept[state][name]


def _completed(method: type[Method], kept: dict[str, Any]) -> dict[str, Any]:
    """All cells: those kept, and the others tried."""
    made: dict[str, Any] = {RUNS: [], REFUSED: {}, FAULT: {}}
    there = known(kept)
    for name in architectures.names():
        state, why = told(kept, name) if name in there else matrix.cell(method, name)
        if state == RUNS:
            made[RUNS].append(name)
        else:
            made[state][name] = why
    models = architectures.digest(architectures.names())
    about = {"versions": files.versions(), "models": models, "sources": sources_of(method)}
    return {**made, **about}


def write(method: type[Method], made: dict[str, Any]) -> None:
    """Replace a method's cells."""
    files.write(path_of(method), made, depth=2)
