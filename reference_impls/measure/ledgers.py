"""The committed reports of a method: see `measured/ledger.json` beside each."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from transformers import BertConfig, LlamaConfig

from ..anatomy.families import files_of as family_files
from ..core.method import Method
from ..lab import backbones
from ..lab.tasks import TASKS as LAB
from ..lab.tasks import files_of
from . import files, reports
from .digests import sources
from .given import files_of as given_files

TASKS = ("first-clause", "cue", "summary")  # one for each kind of backbone
# Transformers' default configurations, which are those of BERT-base and Llama-2-7B
ARCHITECTURES = {"bert-base": BertConfig, "llama-2-7b": LlamaConfig}
ROWS, LENGTH = 8, 256


def tasks_of(method_class: type[Method]) -> list[str]:
    """The tasks of `TASKS` that a method runs on, or else its first one."""
    return [task for task in TASKS if task in method_class.tasks] or [method_class.tasks[0]]


def path_of(method: type[Method]) -> Path:
    """Where a method's reports are kept."""
    return Path(inspect.getfile(method)).parent / "measured" / "ledger.json"


def sources_of(method: type[Method]) -> dict[str, str]:
    """Digests of the code that the reports depend on, by path below the package."""
    tasks = tasks_of(method)
    types = [backbones.model_type(LAB[task].backbone) for task in tasks]
    types += [config().model_type for config in ARCHITECTURES.values()]
    return sources(
        Path(inspect.getfile(method)),
        Path(__file__),
        *given_files(method),
        *(path for task in tasks for path in files_of(task)),
        *family_files(*types),
    )


def is_stale(method: type[Method]) -> bool:
    """Whether the reports are missing or were made by other code."""
    return files.read(path_of(method)).get("sources") != sources_of(method)


def record(method: type[Method]) -> dict[str, Any]:
    """What is committed of a method: its reports in the lab, and on the two architectures."""
    return {
        "lab": {task: reports.on_task(method, task) for task in tasks_of(method)},
        "architectures": {
            name: reports.on_architecture(method, config(), ROWS, LENGTH)
            for name, config in ARCHITECTURES.items()
        },
        "versions": files.versions(),
        "sources": sources_of(method),
    }


def write(method: type[Method], made: dict[str, Any]) -> None:
    """Replace a method's reports."""
    files.write(path_of(method), made, depth=2)
