"""The calculator: what a method trains and keeps on an architecture, and the peak of its step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from ....atlas import Atlas
from ....data import closed_forms
from ....data.closed_forms import KINDS, Counts, FormError
from ....data.ledger import Refused
from ....text import escape
from ....text.escape import html, page, safe
from ....text.markup import table
from ...shared import step_peaks
from ...shared.figures import amount, amount_or_dash, share
from ...shared.method_words import title as title_of
from ...shared.site import Site

DATA = "methods/closed-forms.js"
START = step_peaks.ARCHITECTURE
SHOWN = ("bert-base", "llama-2-7b")  # in the table that needs no script


def pages(site: Site) -> Iterator[tuple[str, str]]:
    """The page, and the forms as a script, since pages that open from disk cannot fetch."""
    known = forms_of(site.atlas)
    yield site.render("calculator.md.j2", "methods/calculator.md", **values(site, known))
    text = escape.script(known)
    yield DATA, f"window.closedForms = {text};\n"


def forms_of(atlas: Atlas) -> dict[str, Any]:
    """What methods share, and each method's title and forms, or what was measured without them."""
    file = closed_forms.read()
    methods = {}
    for name, method in sorted(atlas.methods.items()):
        entry = file["methods"].get(name)
        if entry:
            own = {key: value for key, value in entry.items() if key != "sources"}
        else:
            own = {"measured": measured(atlas, name, file)}
        if entry or own["measured"]:
            methods[name] = {"title": method.title, **own}
    return {**file, "methods": methods, "full": atlas.baseline.get("upper", "")}


def measured(atlas: Atlas, name: str, file: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The ledger's reports of a method without closed forms, by architecture."""
    found: dict[str, dict[str, Any]] = {}
    for architecture, reports in atlas.ledger.architectures.items():
        report = reports.get(name)
        if isinstance(report, Refused):
            found[architecture] = {"refused": report.refused}
        elif report and (report.rows, report.length) == (file["batch"]["B"], file["batch"]["S"]):
            found[architecture] = {
                **report.counts.model_dump(),
                "ledger": report.ledger.model_dump(),
                "total": report.ledger.total,
            }
    return {a: found[a] for a in file["architectures"] if a in found}


def values(site: Site, known: dict[str, Any]) -> dict[str, object]:
    """What the template needs."""
    return {
        "start": {"method": site.atlas.baseline.get("usual", ""), "architecture": START},
        "kinds": KINDS,
        "groups": groups(site, known["methods"]),
        "architectures": known["architectures"],
        "families": known["families"],
        "batch": known["batch"],
        "symbols": known["symbols"],
        "table": defaults(site.atlas, known),
        "measured": [entry["title"] for entry in known["methods"].values() if "measured" in entry],
        "first": first(site.atlas, known, site.atlas.baseline.get("usual", "")),
        "usual_setting": step_peaks.SETTING,
        "amount": amount_or_dash,
        "share": share,
    }


def first(atlas: Atlas, known: dict[str, Any], method: str) -> dict[str, Any]:
    """The form and the results that the page starts with; nothing where these have no forms."""
    if not all("choices" in known["methods"].get(name, {}) for name in (method, known["full"])):
        return {}
    entry, shown = known["methods"][method], known["architectures"][START]
    both = [(name, closed_forms.counts(name, START)) for name in (method, known["full"])]
    return {
        "entry": entry,
        "choice": next(iter(entry["choices"])),
        "architecture": shown,
        "counts": both[0][1],
        "full": both[1][1],
        "peaks": peaks(atlas, both),
    }


def peaks(atlas: Atlas, both: list[tuple[str, Counts]]) -> dict[str, list[int | None]]:
    """By setting the peak of each of two methods, and what remains without AdamW's state."""
    batch = closed_forms.read()["batch"]
    found: dict[str, list[int | None]] = {}
    for setting in step_peaks.settings(atlas):
        for method, counts in both:
            peak = step_peaks.peak(atlas, method, START, setting, batch["B"], batch["S"])
            bare = None if peak is None else step_peaks.without_state(peak, counts)
            found.setdefault(setting, []).extend((peak, bare))
    return {setting: row for setting, row in found.items() if row[0] is not None}


def groups(site: Site, names: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The branches of the taxonomy, and name and title of the methods of each."""
    found: dict[str, list[tuple[str, str]]] = {}
    for leaf in site.catalog.leaves.values():
        branch = site.catalog.tops[leaf.id]
        own = [m for m in site.atlas.methods.values() if m.leaf == leaf.id and m.name in names]
        found.setdefault(branch.name, []).extend((m.name, m.title) for m in own)
    return [(branch, methods) for branch, methods in found.items() if methods]


def defaults(atlas: Atlas, known: dict[str, Any]) -> Markup:
    """Each method with its paper's hyper-parameters on two architectures."""
    head = ["Method"]
    for name in SHOWN:
        title = known["architectures"][name]["title"]
        head += [f"Trained, {title}", "Share", "Stored", "Step keeps"]
    rows = []
    for name in known["methods"]:
        cells = [f"[{page(title_of(atlas, name))}]({quote(name)}.md)"]
        for architecture in SHOWN:
            cells += counted(known["methods"][name], name, architecture)
        rows.append(cells)
    return table(head, "l" + "r" * (len(head) - 1), rows)


def counted(entry: dict[str, Any], method: str, architecture: str) -> list[str]:
    """Four cells; dashes where the method does not run, or was not measured."""
    if "measured" in entry:
        found = entry["measured"].get(architecture, {"refused": "not measured"})
    else:
        try:
            form = closed_forms.counts(method, architecture)
            found = {**vars(form), "total": form.total}
        except FormError as error:
            found = {"refused": str(error)}
    if "refused" in found:
        why = safe(f'<abbr title="{html(found["refused"])}">–</abbr>')
        return [str(why), "–", "–", "–"]
    return [
        f"{found['trained']:,}",
        share(found["trained"], found["base"]),
        f"{found['stored']:,}",
        amount(found["total"]),
    ]
