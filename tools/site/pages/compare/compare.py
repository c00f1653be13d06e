"""The page that compares all methods: a table to filter and sort, charts, and the ledgers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote

from markupsafe import Markup

from ....atlas import Atlas
from ....data import closed_forms
from ....data.closed_forms import KINDS, Counts
from ....data.implementations import Implementation
from ....data.ledger import ARCHITECTURES, Bytes, Refused, Report, times
from ....data.parity import verdicts
from ....data.scores import Score
from ....data.tasks import task_of
from ....data.times import SIZES, Timed
from ....text.escape import page, safe
from ....text.markup import table
from ...shared import charts, step_peaks
from ...shared.boards import Board, measured
from ...shared.figures import amount, listed, masked_of, share
from ...shared.lab import learns
from ...shared.method_words import own_dropout
from ...shared.method_words import title as title_of
from ...shared.site import Site
from ...shared.times import HOW, noise

SUMMARY = "bert-base"  # whose numbers are in the table of all methods: most methods run on it
SIZE = "minilm"  # of the model whose times are there
# the families that have closed forms by what they are
MODELS = {
    "encoder": ("bert", "roberta"),
    "decoder": ("gpt2", "llama", "qwen2"),
    "encoder-decoder": ("t5",),
}


class Row(NamedTuple):
    """A method in the table of all. `verified`: "equal", "differs" or "" (not compared).

    `models` are those kinds of `MODELS` that it runs on; `peak`: of a step on a 7B model; it,
    `counts` and `inference` are None where they are not known; `learns`: on how many tasks of the
    lab, of how many; `scores`: its best on real weights, by board.
    """

    method: Implementation
    leaf: str
    branch: str
    models: tuple[str, ...]
    counts: Counts | None
    inference: float | None
    peak: int | None
    verified: str
    verdicts: tuple[tuple[str, bool], ...]
    learns: tuple[int, int] | None
    scores: dict[str, Score]
    time: Timed | None


def pages(site: Site) -> Iterator[tuple[str, str]]:
    yield site.render("compare.md.j2", "methods/compare.md", **values(site.atlas))


def values(atlas: Atlas) -> dict[str, object]:
    """What the template of the page needs."""
    ledger = atlas.ledger
    tasks: dict[str, dict[str, Report]] = {}
    for name, reports in ledger.lab.items():
        for task, report in reports.items():
            if name in atlas.methods:
                tasks.setdefault(task, {})[name] = report
    ordered = sorted(tasks.items(), key=lambda item: -len(item[1]))
    shapes = {
        architecture: {name: r for name, r in reports.items() if name in atlas.methods}
        for architecture, reports in ledger.architectures.items()
    }
    boards = measured(atlas)
    rows = [row(atlas, method, boards) for method in atlas.methods.values()]
    return {
        "rows": rows,
        "kinds": KINDS,
        "branches": sorted({row.branch for row in rows}),
        "models": list(MODELS),
        "boards": boards,
        "peaked": any(row.peak for row in rows),
        "most": max((r.counts.total for r in rows if r.counts), default=1),
        "learned": learned(atlas),
        "amount": amount,
        "share": share,
        "architectures": [architecture(atlas, name, found) for name, found in shapes.items()],
        "facts": [fact for name, found in shapes.items() for fact in facts(atlas, name, found)],
        "lab": [in_lab(atlas, task, reports) for task, reports in ordered],
        "versions": ledger.versions,
        "peaks": atlas.peaks,
        "dropping": dropping(atlas),
        "timed": timed(atlas, rows),
    }


def timed(atlas: Atlas, rows: list[Row]) -> dict[str, object] | None:
    """Of the columns of times: the model, the batches of a row, and the methods that are stale."""
    found = [(row.method.title, row.time) for row in rows if row.time]
    if not found:
        return None
    return {
        "model": SIZES[SIZE],
        "how": safe(f"{HOW} {noise(atlas)}".rstrip()),
        "batches": found[0][1].batches,
        "stale": listed(title for title, time in found if not time.current),
    }


def row(atlas: Atlas, method: Implementation, boards: list[Board]) -> Row:
    """What the table of all methods says of one."""
    name, leaf = method.name, atlas.catalog.leaves[method.leaf]
    compared = verdicts(atlas.parity.get(name, ()))
    report = atlas.ledger.architectures.get(SUMMARY, {}).get(name)
    numbers, inference = None, None
    if isinstance(report, Report):
        ledger = report.ledger.model_dump()
        numbers = Counts(**report.counts.model_dump(), ledger=ledger, phase=report.phase)
        if report.inference:
            inference = report.inference.adapted / report.inference.base
    time = atlas.times.get(name, {}).get(SIZE)
    equal = all(agrees for _, agrees in compared)
    return Row(
        method=method,
        leaf=leaf.name,
        branch=atlas.catalog.tops[leaf.id].name,
        models=models_of(atlas, name),
        counts=numbers,
        inference=inference,
        peak=step_peaks.usual(atlas, name),
        verified=("equal" if equal else "differs") if compared else "",
        verdicts=tuple(compared),
        learns=learns(atlas, name),
        scores={b.slug: b.best[name] for b in boards if name in b.best},
        time=time if time and time.times else None,
    )


def models_of(atlas: Atlas, name: str) -> tuple[str, ...]:
    """The kinds of models that a method runs on: by its closed forms, or else as measured."""
    file = closed_forms.read()
    if name in file["methods"]:
        families = file["families"].keys() - file["methods"][name]["refused"].keys()
    else:
        families = {
            file["architectures"][architecture]["family"]
            for architecture, reports in atlas.ledger.architectures.items()
            if isinstance(reports.get(name), Report)
        }
    return tuple(kind for kind, own in MODELS.items() if not families.isdisjoint(own))


def learned(atlas: Atlas) -> tuple[int, int] | None:
    """As `learns`, of all methods together."""
    found = [told for name in atlas.methods if (told := learns(atlas, name))]
    return (sum(one for one, _ in found), sum(all_ for _, all_ in found)) if found else None


def dropping(atlas: Atlas) -> str:
    """The methods whose own default dropout is above zero, in words."""
    return listed(method.title for method in atlas.methods.values() if own_dropout(method))


def architecture(atlas: Atlas, name: str, reports: dict[str, Report | Refused]) -> dict:
    """Chart, table and the methods left out, for a real architecture."""
    known = {m: report for m, report in reports.items() if isinstance(report, Report)}
    left_out = {m: report.refused for m, report in reports.items() if isinstance(report, Refused)}
    title = ARCHITECTURES.get(name, name)
    return {
        "title": title,
        "batch": next(((r.rows, r.length) for r in known.values()), None),
        "chart": bars(atlas, f"Bytes of a training step on {title}", known, 10**9, "GB"),
        "table": bytes_table(atlas, known, 10**9, "GB", 2),
        "computed": listed(title_of(atlas, m) for m, r in known.items() if not r.inference),
        "left_out": [(title_of(atlas, m), why) for m, why in sorted(left_out.items())],
    }


def in_lab(atlas: Atlas, task: str, reports: dict[str, Report]) -> dict:
    """Chart and table for a task of the lab, with the scores of its runs."""
    title, runs = task_of(task).title, atlas.runs.get(task, {})
    scores = {name: f"{run.score:.1%}" for name, run in runs.items()}
    return {
        "title": title,
        "chart": bars(atlas, f"Bytes of a training step: {title}", reports, 1000, "kB"),
        "table": bytes_table(atlas, reports, 1000, "kB", 0, scores),
    }


def cheapest_first(reports: dict[str, Report]) -> list[tuple[str, Report]]:
    return sorted(reports.items(), key=lambda item: (item[1].ledger.total, item[0]))


def bars(atlas: Atlas, title: str, reports: dict[str, Report], unit: int, name: str) -> Markup:
    """A bar of five parts for each method."""
    rows = [
        (
            title_of(atlas, method),
            [value / unit for value in report.ledger.model_dump().values()],
        )
        for method, report in cheapest_first(reports)
    ]
    return charts.stacked_bars(title, name, list(Bytes.model_fields), rows)


def bytes_table(
    atlas: Atlas,
    reports: dict[str, Report],
    unit: int,
    name: str,
    digits: int,
    scores: dict[str, str] | None = None,
) -> Markup:
    """A row a method, that which takes least first."""
    head = ["Method", "Trained", "Stored", f"Total, {name}"]
    head += ["Weights", "Gradients", "Optimizer", "Activations", "Other"]
    head += ["FLOPs, inference", "FLOPs, merged", "Positions"]
    head += ["Score"] if scores is not None else []
    rows = []
    for method, report in cheapest_first(reports):
        amounts = (report.ledger.total, *report.ledger.model_dump().values())
        cost = report.inference
        rows.append(
            [
                f"[{page(title_of(atlas, method))}]({quote(method)}.md)",
                f"{report.counts.trained:,}",
                f"{report.counts.stored:,}",
                *(f"{amount / unit:,.{digits}f}" if amount else "0" for amount in amounts),
                times(cost.adapted, cost.base) if cost else "–",
                times(cost.merged, cost.base) if cost and cost.merged else "–",
                f"+{cost.positions}" if cost and cost.positions else "–",
                *([scores.get(method, "–")] if scores is not None else []),
            ]
        )
    return table(head, "l" + "r" * (len(head) - 1), rows)


def facts(atlas: Atlas, architecture: str, found: dict[str, Report | Refused]) -> list[dict]:
    """What the numbers show on one architecture, or nothing without those of the upper baseline."""
    reports = {name: report for name, report in found.items() if isinstance(report, Report)}
    full = reports.get(atlas.baseline.get("upper", ""))
    if not full:
        return []
    masked = masked_of(reports, full)
    return [
        {
            "architecture": ARCHITECTURES.get(architecture, architecture),
            "full": full,
            "report": reports.get,
            "masked": listed(title_of(atlas, name) for name in masked),
            "masked_share": share(
                min((reports[name].counts.trained for name in masked), default=0),
                full.counts.trained,
            ),
            "masked_least": amount(min((reports[name].ledger.total for name in masked), default=0)),
        }
    ]
