"""How good a method is on real weights, beside the least and the most that can be trained."""

from __future__ import annotations

from markupsafe import Markup

from ....atlas import Atlas
from ....data.real import Group
from ....data.tasks import MODELS, REAL, lab_tasks
from ....text.escape import page
from ....text.markup import table
from ...shared.boards import board_of
from ...shared.method_words import title


def real_runs(atlas: Atlas, method: str) -> Markup | None:
    """A table with a row for each task, and for a task's settings; None where nothing was run."""
    own = [group for group in atlas.real if group.method == method and group.tests]
    if not own:
        return None
    beside = [page(title(atlas, name)) for name in others(atlas, method)]
    head = ["", "Score", "Seeds", "Lowest to highest", "Learning rate", *beside, "Guessing"]
    return table(head, "l" + "r" * (len(head) - 1), [row(atlas, group) for group in own])


def row(atlas: Atlas, group: Group) -> list[str]:
    low, high = group.spread
    beyond = ", the last tried" if group.at_the_end else ""
    task = lab_tasks(REAL)[group.task].title
    model = lab_tasks(MODELS)[group.model].short
    board = board_of(group.model, group.task)
    beside = (scored(atlas, group, name) for name in others(atlas, group.method))
    return [
        f"[{page(task)}](../evidence/{board}.md), {page(model)}"
        f"{page(f', {group.said}' if group.said else '')}",
        f"{group.score:.1%} ± {100 * group.margin:.1f}",
        str(len(group.tests)),
        f"{low:.1%} to {high:.1%}",
        f"{group.rate:g}{beyond}",
        *beside,
        f"{group.guessing:.1%}",
    ]


def others(atlas: Atlas, method: str) -> list[str]:
    return [name for name in atlas.baselines if name != method]


def scored(atlas: Atlas, group: Group, method: str) -> str:
    """The best score of another method on the same task, whatever its settings."""
    where = (method, group.model, group.task)
    found = [g.score for g in atlas.real if g.tests and (g.method, g.model, g.task) == where]
    return f"{max(found):.1%}" if found else "–"
