"""What the tasks are, for readers: read from their files without importing them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .files import ROOT

FOLDER = ROOT / "reference_impls" / "lab" / "tasks"
REAL = ROOT / "reference_impls" / "real" / "tasks"
MODELS = ROOT / "reference_impls" / "real" / "models"  # described in the same way


@dataclass(frozen=True)
class Task:
    """A task: `short` is its title without what it runs on, `chance` the score of guessing."""

    title: str
    short: str
    description: str
    chance: float = 0.5


def task_of(name: str) -> Task:
    """A task by its name, which is all that is known of one that has no file."""
    return lab_tasks().get(name, Task(name, name, ""))


@cache
def lab_tasks(folder: Path = FOLDER) -> dict[str, Task]:
    """Every task, by name: its file's docstring, and the chance that it declares."""
    return {
        path.stem.replace("_", "-"): _task(ast.parse(path.read_text(encoding="utf-8")))
        for path in sorted(folder.glob("[!_]*.py"))
    }


def _task(tree: ast.Module) -> Task:
    title, _, text = (ast.get_docstring(tree) or "").partition("\n")
    chances = [
        ast.literal_eval(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "chance"
    ]
    short = title.partition(" (")[0]
    return Task(title, short, " ".join(text.split()), *chances)
