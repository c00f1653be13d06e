"""Measure methods anew: runs, ledger, closed forms, architectures, memory, a part at a time.

Each result is in its file as soon as it is there: what was measured survives a kill.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any, NamedTuple

import torch
from tqdm import tqdm

from ..core.registry import load_method
from . import cells, closed_forms, ledgers, memory, recorded

LEDGER, FORMS, ARCHITECTURES, MEMORY = "ledger", "closed forms", "architectures", "memory"
ON = f"{MEMORY} on "  # and an architecture


class Job(NamedTuple):
    """One thing to measure: a method's run on a task, its memory `ON` one, or one of the others."""

    method: str
    what: str

    def __str__(self) -> str:
        return f"{self.method} {self.what}"


def jobs(names: Iterable[str], *, stale: bool, renew: bool = False) -> list[Job]:
    """What there is to measure of the methods; with `stale`, what is missing or out of date.

    With `renew`, memory that other code told is one job, see `memory.renew`.

    Raises:
        ValueError: no method has such a name.
    """
    found = []
    for name in names:
        method = load_method(name)
        found += [Job(name, task) for task in (recorded.stale(method) if stale else method.tasks)]
        if not stale or ledgers.is_stale(method):
            found.append(Job(name, LEDGER))
        if closed_forms.can_be_found(method) and (not stale or closed_forms.is_stale(method)):
            found.append(Job(name, FORMS))
        if not stale or cells.is_stale(method):
            found.append(Job(name, ARCHITECTURES))
        if renew and memory.of_other_code(method):
            found.append(Job(name, MEMORY))
        else:
            wanted = memory.missing(method) if stale else memory.ARCHITECTURES
            found += [Job(name, f"{ON}{architecture}") for architecture in wanted]
    return found


def make(found: list[Job], *, renew: bool = False) -> None:
    """Measure, a job a processor, with a progress bar, and write each result as it comes.

    `renew`: keep runs whose first steps repeat, see `recorded.renew`, closed forms that hold, and
    cells of which a tenth repeat, see `cells.renew`.
    """
    if not found:
        return
    workers = min(len(found), os.cpu_count() or 1)
    one_thread = {"initializer": torch.set_num_threads, "initargs": (1,)}
    with ProcessPoolExecutor(workers, get_context("spawn"), **one_thread) as pool:
        made = {pool.submit(measured, job, renew): job for job in found}
        with tqdm(total=len(made), desc="measured", unit="job") as bar:
            failed: list[BaseException] = []
            for future in as_completed(made):
                if error := future.exception():
                    error.add_note(f"measuring {made[future]}")
                    failed.append(error)
                else:
                    keep(made[future], future.result())
                bar.set_postfix_str(str(made[future]))
                bar.update()
    if failed:  # what others measured is kept
        raise failed[0]


def measured(job: Job, renew: bool) -> dict[str, Any]:
    """What is kept of a job; closed forms are written by the program that finds them."""
    if job.what == FORMS:
        closed_forms.find(job.method, renew=renew)
        return {}
    method = load_method(job.method)
    if job.what == LEDGER:
        return ledgers.record(method)
    if job.what == ARCHITECTURES:
        return (cells.renew if renew else cells.record)(method)
    if job.what == MEMORY:
        return memory.renew(method)
    if job.what.startswith(ON):
        return memory.record(method, job.what.removeprefix(ON))
    return (recorded.renew if renew else recorded.record)(method, job.what)


def keep(job: Job, result: dict[str, Any]) -> None:
    """Write a result beside its method."""
    method = load_method(job.method)
    if job.what == LEDGER:
        ledgers.write(method, result)
    elif job.what == ARCHITECTURES:
        cells.write(method, result)
    elif job.what.startswith(MEMORY):
        memory.write(method, result)
    elif job.what != FORMS:
        recorded.write(method, {job.what: result})
