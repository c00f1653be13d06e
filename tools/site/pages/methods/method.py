"""What a method's page shows: its docstring, its runs, its code and what that costs."""

from __future__ import annotations

from textwrap import indent

from markupsafe import Markup

from ....atlas import Atlas, BuildError
from ....data import closed_forms
from ....data.implementations import Implementation
from ....data.parity import Comparison, verdicts
from ....data.runs import Run
from ....data.tasks import task_of
from ....text.escape import page, safe, script
from ....text.formulas import FormulaError
from ....text.markup import capital, code, listed, table
from ...shared.charts import Line, learning_curve
from ...shared.figures import sizes_of
from ...shared.lab import learns
from ...shared.method_words import docstring, own_dropout, title
from . import cost, source
from .comparisons import comparison_table
from .own_model import snippets
from .real_runs import real_runs
from .recipe import recipe
from .runs_on import runs_on
from .times import times

PEFT_READS = "our files, read there"


def values(atlas: Atlas, method: Implementation) -> dict[str, object]:
    """What the template of a method's page needs of the method itself.

    Raises BuildError where a formula cannot be shown.
    """
    fields = ("trained", "frozen", "stored", "merge", "count")
    facts = {
        capital(name): safe(
            indent(docstring(method, capital(getattr(method.page, name))), "    ").lstrip()
        )
        for name in fields
    }
    compared = atlas.parity.get(method.name, ())
    text, beside = atlas.source[method.name], atlas.card(method.name).beside
    try:
        parts = source.parts(method, text, atlas.shared, beside)
        details = source.numbered(method, text, atlas.shared, beside)
    except FormulaError as error:
        raise BuildError(f"{method.path}: {error}") from None
    return {
        "method": method,
        "recipe": recipe(atlas.officials[method.name]) if method.name in atlas.officials else None,
        "verdicts": verdicts(compared),
        "comparisons": comparison_table(compared, told_of(atlas, method.name))
        if compared
        else None,
        "page": {
            name: docstring(method, getattr(method.page, name))
            for name in ("lead", "differences", "source")
        },
        "details": docstring(method, details or method.page.details),
        "parts": parts,
        "file": script(text),
        "counts": cost.counts(atlas, method),
        "costs": cost.costs(atlas, method),
        "peaks": cost.peaks(atlas, method),
        "time": times(atlas, method.name),
        "dropout": own_dropout(method),
        "closed": method.name in closed_forms.read()["methods"],
        "models": runs_on(atlas, method.name),
        "snippets": snippets(
            method, atlas.card(method.name).own_model, atlas.cells.get(method.name)
        ),
        "peft_files": listed(m for c in compared if c.compared == PEFT_READS for m in c.models),
        "refuses": source.refuses(method, text),
        "sizes": sizes_of(atlas.runs),
        "random": from_random_weights(atlas, method.name),
        "facts": {**facts, "In short": page(in_short(method))},
        "learns": learns(atlas, method.name),
        "printed": sum(len(t.scores) for t in atlas.printed.get(method.name, ())),
        "real": real_runs(atlas, method.name),
        "results": [
            result(atlas, method, name, runs)
            for name, runs in atlas.runs.items()
            if method.name in runs
        ],
    }


def told_of(atlas: Atlas, method: str) -> dict[Comparison, str]:
    """The name of the difference that explains a row of the method."""
    return {
        row: told.difference.name
        for told in atlas.told
        for other, row in told.rows
        if other == method
    }


def in_short(method: Implementation) -> str:
    """What the method declares, and the tests hold it to, in words."""
    start = "Starts exactly as" if method.init_noop else "Does not start as"
    merge = "folds exactly into the weights that it runs on"
    if not method.mergeable:
        merge = "cannot be folded exactly into the weights that it runs on"
    base = "leaves" if method.frozen_base else "does not leave"
    return f"{start} the base model; {merge}; {base} the base's weights untouched."


def from_random_weights(atlas: Atlas, method: str) -> str:
    """'50% on First clause and 37% on Summary': what the same training reaches there."""
    runs = {name: found[method] for name, found in atlas.runs.items() if method in found}
    titles = {name: task_of(name).title.partition(" (")[0] for name in runs}
    return listed(f"{run.random_score:.0%} on {titles[name]}" for name, run in runs.items())


def result(
    atlas: Atlas, method: Implementation, name: str, runs: dict[str, Run]
) -> dict[str, object]:
    """The method's run on one task, with curve and table beside those of the baselines."""
    task, run = task_of(name), runs[method.name]
    shown = {other: runs[other] for other in (method.name, *atlas.baselines) if other in runs}
    looks = {other: other.replace("_", "-") for other in atlas.baselines}
    lines = [
        Line(title(atlas, other), looks.get(other, "method"), shown[other].curve) for other in shown
    ]
    settings = ", ".join(f"{key} = {value}" for key, value in run.hyperparameters.items())
    versions = ", ".join(f"{key} {value}" for key, value in run.versions.items())
    tolerance = atlas.card(method.name).contract.repeats.get(name, run.tolerance)
    return {
        "run": run,
        "task": task,
        "chart": learning_curve(f"Learning curve: {task.title}", lines[::-1], task.chance),
        "table": result_table(atlas, shown),
        "facts": safe(
            f"{run.steps} steps of batch size {run.batch_size}, {len(run.seeds)} seeds, "
            f"{page(settings)}; {page(versions)}; backbone "
            f"{code(run.backbone.name)} ({code(run.backbone.sha256[:12])}). "
            f"A repeated seed may differ by {tolerance:.1%}. One of these runs:"
        ),
    }


def result_table(atlas: Atlas, shown: dict[str, Run]) -> Markup:
    """Scores and counts, a row a method; the first is the page's own."""
    head = ["", "Score", "Lowest to highest", "From random weights", "Trained", "Stored", "Head"]
    rows = []
    for name, run in shown.items():
        low, high = run.spread
        label = page(title(atlas, name))
        rows.append(
            [
                f"[{label}]({name}.md)" if rows else f"**{label}**",
                f"{run.score:.1%}",
                f"{low:.1%} to {high:.1%}",
                f"{run.random_score:.1%}",
                f"{run.counts.trained:,}",
                f"{run.counts.stored:,}",
                f"{run.counts.head:,}",
                f"{run.seconds:.1f}",
            ]
        )
    return table([*head, "Seconds"], "lrrrrrrr", rows)
