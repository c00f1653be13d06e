"""Predicted peaks beside those that were measured, on cards and a processor, or are printed."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import NamedTuple

from ....atlas import Atlas
from ....data import closed_forms, printed_peaks
from ....data.peaks import Step
from ....data.printed_peaks import PrintedPeak
from ...shared.step_peaks import peak

NEAR = 0.01


class OnProcessor(NamedTuple):
    """The steps of a run on real weights: predicted as a multiple of measured.

    `title`: the method's, with its settings; `place`: the model and the task.
    """

    title: str
    place: tuple[str, str]
    ratio: float


class Far(NamedTuple):
    """How far from 1 some ratios are: the median, the largest, and of those below 1; the near."""

    median: float
    most: float
    less: float
    near: int
    all: int


def far(ratios: list[float]) -> Far:
    apart = [abs(ratio - 1) for ratio in ratios]
    near = sum(distance <= NEAR for distance in apart)
    below = max([0.0, *(1 - ratio for ratio in ratios)])
    return Far(median(apart or [0.0]), max(apart, default=0.0), below, near, len(apart))


def on_cards(atlas: Atlas) -> Iterator[tuple[str, Step, int]]:
    """Steps that were run on a card and whose peak is told: the method's title, step and peak."""
    batch = closed_forms.read()["batch"]
    for step in atlas.steps:
        where = step.method, step.architecture, step.precision
        told = peak(atlas, *where, batch["B"], batch["S"])
        if step.method in atlas.methods and told is not None:
            yield atlas.methods[step.method].title, step, told


def on_processor(atlas: Atlas) -> list[OnProcessor]:
    """Of each run on real weights that has both, by method."""
    measured = {}
    for group in atlas.real:
        name = " ".join([group.task, *(f"{key}={value}" for key, value in group.settings.items())])
        for row in group.runs:
            if row.peak is not None:
                measured[group.method, group.model, name] = row.peak
    found = []
    for told in atlas.predicted:
        peak = measured.get((told.method, told.model, told.group))
        if peak and told.peak is not None and told.method in atlas.methods:
            task, *settings = told.group.split(" ")
            title = ", ".join([atlas.methods[told.method].title, *settings])
            found.append(OnProcessor(title, (told.model, task), told.peak / peak))
    return found


def far_off(rows: list[OnProcessor]) -> list[str]:
    """What is off by more than a tenth somewhere."""
    return sorted({row.title for row in rows if abs(row.ratio - 1) > printed_peaks.NEAR})


def printed(atlas: Atlas) -> list[tuple[str, PrintedPeak]]:
    """What others print, with the title of the method, the nearest first."""
    found = [
        (method.title, entry)
        for name, method in atlas.methods.items()
        for entry in atlas.card(name).peak
    ]
    return sorted(found, key=lambda pair: abs(pair[1].ratio - 1))
