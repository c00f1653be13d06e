"""A method's page in numbers: printed counts beside ours, and bytes of a training step."""

from __future__ import annotations

from markupsafe import Markup

from ....atlas import Atlas
from ....data.implementations import Implementation
from ....data.ledger import ARCHITECTURES, Bytes, Inference, Refused, Report, times
from ....data.papers import short_authors
from ....data.published import Published, Source
from ....text.escape import page, safe, url
from ....text.markup import table
from ...shared import step_peaks
from ...shared.charts import stacked_bars
from ...shared.figures import amount_or_dash

BESIDE = ("upper", "usual", "lower")  # baselines
GIGABYTE = 10**9
PROJECTIONS = 6  # kinds of linear maps in a layer


def counts(atlas: Atlas, method: Implementation) -> dict[str, object] | None:
    """The table of printed counts, and how many of them are reproduced; None without any."""
    entries = atlas.card(method.name).published
    if not entries:
        return None
    return {
        "table": counts_table(atlas, entries),
        "all": len(entries),
        "reproduced": sum(entry.verdict != "differs" for entry in entries),
        "cut_off": any(entry.verdict == "cut off" for entry in entries),
        "stored": all(entry.counted == "stored" for entry in entries),
    }


def counts_table(atlas: Atlas, entries: tuple[Published, ...]) -> Markup:
    head = ["Architecture", "Setting", "Ours", "Printed", "Verdict", "Source"]
    rows = [
        [
            page(entry.architecture),
            page(", ".join(f"{key} = {shown(value)}" for key, value in entry.settings.items()))
            or "defaults",
            ours(entry),
            f"**{page(entry.printed)}**",
            verdict(entry),
            cited(atlas, entry.source),
        ]
        for entry in entries
    ]
    return table(head, "llrrll", rows)


def shown(value: object) -> str:
    """A setting's value; every projection of a layer is 'all'."""
    if not isinstance(value, tuple):
        return str(value)
    return "all" if len(value) == PROJECTIONS else ", ".join(map(str, value))


def ours(entry: Published) -> str:
    """The count, the adjusted one below it, and what share that is."""
    lines = [f"{entry.ours:,}"]
    if entry.adjusted:
        lines.append(f"{entry.adjusted.value:,} {page(entry.adjusted.by)}")
    if entry.share:
        whole = entry.share.value + (entry.compared if entry.share.added else 0)
        added = " and these" if entry.share.added else ""
        lines.append(
            f"{100 * entry.compared / whole:.4g}% of {page(entry.share.what)}{added} ({whole:,})"
        )
    first, *further = lines
    return "<br>".join([first, *(f"<small>{line}</small>" for line in further)])


def verdict(entry: Published) -> str:
    """In words, with the note below."""
    words = {
        "equal": '<span class="verdict agrees">equal</span>',
        "cut off": '<span class="verdict agrees">equal, cut off</span>',
        "differs": '<span class="verdict differs">differs</span>',
    }[entry.verdict]
    return f"{words}<br><small>{page(entry.note)}</small>" if entry.note else words


def cited(atlas: Atlas, source: Source) -> str:
    where = f", {page(source.where)}" if source.where else ""
    if source.paper:
        paper = atlas.catalog.paper[source.paper]
        name = page(f"{short_authors(paper)} {paper.year or ''}".strip())
        return f"[{name}](../papers/{source.paper}.md){where}"
    return f"[{page(source.citation)}]({url(source.url)}){where}"


def costs(atlas: Atlas, method: Implementation) -> list[dict[str, object]]:
    """For each architecture of the ledger: bars, or why there are none, and inference."""
    found = []
    for name, reports in atlas.ledger.architectures.items():
        report = reports.get(method.name)
        if report is not None:
            title = ARCHITECTURES.get(name, name)
            found.append({"title": title, **cost(atlas, method, title, report, reports)})
    return found


def peaks(atlas: Atlas, method: Implementation) -> Markup | None:
    """The peak of a step on a 7B model, by setting, beside the baselines'; None without any."""
    names = [method.name, *beside(atlas, method)]
    found = {
        setting: [step_peaks.usual(atlas, name, setting) for name in names]
        for setting in step_peaks.settings(atlas)
    }
    rows = [
        [page(setting), *map(amount_or_dash, told)]
        for setting, told in found.items()
        if told[0] is not None
    ]
    head = ["Weights, and what is kept", *(page(atlas.methods[name].title) for name in names)]
    return table(head, "l" + "r" * len(names), rows) if rows else None


def beside(atlas: Atlas, method: Implementation) -> list[str]:
    """The baselines that a method stands beside."""
    names = [atlas.baseline[end] for end in BESIDE if end in atlas.baseline]
    return [name for name in names if name != method.name and name in atlas.methods]


def trained_share(atlas: Atlas, method: Implementation) -> str | None:
    """'0.27%': what the method trains of BERT-base, where the ledger has it there."""
    report = atlas.ledger.architectures.get("bert-base", {}).get(method.name)
    if not isinstance(report, Report):
        return None
    percent = 100 * report.counts.trained / report.counts.base
    return f"{percent:.2g}%" if percent < 10 else f"{percent:.0f}%"


def cost(
    atlas: Atlas,
    method: Implementation,
    title: str,
    report: Report | Refused,
    reports: dict[str, Report | Refused],
) -> dict[str, object]:
    if isinstance(report, Refused):
        return {"refused": report.refused}
    rows = [
        (atlas.methods[name].title, [part / GIGABYTE for part in kept.ledger.model_dump().values()])
        for name in (method.name, *beside(atlas, method))
        if isinstance(kept := reports.get(name), Report)
    ]
    return {
        "refused": None,
        "chart": stacked_bars(
            f"Bytes of a training step on {title}", "GB", list(Bytes.model_fields), rows
        ),
        "batch": (report.rows, report.length),
        "phase": report.phase,
        "trained": f"{report.counts.trained:,}",
        "stored": f"{report.counts.stored:,}",
        "inference": safe(inference(report.inference)),
    }


def inference(cost: Inference | None) -> str:
    """What the adapted model computes beside what the base does, where a step was measured."""
    if cost is None:
        return "From the closed form: the method does what its data say, so no step was measured"
    merged = cost.merged
    said = f"Inference: {times(cost.adapted, cost.base)} the base's FLOPs"
    if merged is not None and merged != cost.adapted:
        said += f", merged {times(merged, cost.base)}"
    return said + (f"; {cost.positions} more positions" if cost.positions else "")
