"""The tasks of the real tier: a file each, named as the task, found by being here.

The file's docstring is what readers are told of it: a title, what it holds and from where.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

from ..answers import Answers
from ..classes import Classes
from ..task import Example, Task

__all__ = ["TASKS", "Answers", "Classes", "Example", "Task"]

FOLDER = Path(__file__).parent


def _found() -> Iterator[Task]:
    for path in sorted(FOLDER.glob("[!_]*.py")):
        yield importlib.import_module(f".{path.stem}", __package__).TASK


TASKS: dict[str, Task] = {task.name: task for task in _found()}
