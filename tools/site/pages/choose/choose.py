"""The guide to choosing a method: questions, and a table that the answers narrow.

Its lists are those of the declarations, its numbers those of the committed ledger, and what it
says of quality is what papers of the catalog report.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from ....atlas import Atlas
from ....data import closed_forms
from ....data.ledger import Bytes, Refused
from ....text import escape, markup
from ...shared.figures import amount, listed, masked_of
from ...shared.site import Site
from .needs import MEASURED, cost, needs, reports

TEMPLATE = "choose.md.j2"
BERT, LLAMA = "bert-base", "llama-2-7b"


def pages(site: Site) -> Iterator[tuple[str, str]]:
    atlas = site.atlas
    wanted = needs(atlas)
    told = complete(atlas) and {part for part, *_ in MEASURED} <= set(wanted)
    yield site.render(
        TEMPLATE,
        "methods/choose.md",
        told=told,
        needs=wanted,
        methods=atlas.methods_by_leaf,
        having=lambda need: links(atlas, wanted[need].methods),
        lacking=lambda need: links(atlas, set(atlas.methods) - wanted[need].methods),
        paper=partial(paper_link, site),
        method=lambda name: links(atlas, [name]),
        figures=figures(atlas) if told else {},
        report=reports(atlas, LLAMA).get,
        amount=amount,
        cost=cost,
        memory=partial(memory_table, atlas),
        form=lambda name, choice: closed_forms.counts(name, LLAMA, choice=choice).ledger,
        setting=partial(setting, atlas),
        refused=refused(atlas),
    )


def cited(text: str) -> tuple[set[str], set[str]]:
    """The ids of papers and the names of methods that the guide's template names."""
    papers, methods = (
        set(re.findall(rf'\b{kind}\("([^"]+)"\)', text)) for kind in ("paper", "method")
    )
    return papers, methods | set(side_by_side(text))


def side_by_side(text: str) -> list[str]:
    """The methods whose ledgers the template's question about memory sets side by side."""
    return re.findall(r'"(\w+)"', "".join(re.findall(r"\bmemory\(([^)]*)\)", text)))


def complete(atlas: Atlas) -> bool:
    """Whether all is there that the guide cites; without it there is only the table."""
    text = Path(__file__).with_name(TEMPLATE).read_text(encoding="utf-8")
    papers, methods = cited(text)
    return (
        papers <= set(atlas.catalog.paper)
        and methods <= set(atlas.methods)
        and set(side_by_side(text)) <= set(reports(atlas, LLAMA))
    )


def links(atlas: Atlas, names: Iterable[str]) -> Markup:
    """'[A](a.md), [B](b.md) and [C](c.md)'."""
    return escape.safe(
        listed(f"[{escape.page(atlas.methods[n].title)}]({quote(n)}.md)" for n in names)
    )


def paper_link(site: Site, paper: str) -> Markup:
    return escape.safe(f"[{escape.page(site.cited(paper))}](../papers/{paper}.md)")


def setting(atlas: Atlas, method: str, option: str) -> str:
    """The default of an option, which is the paper's."""
    return {h.name: h.default for h in atlas.methods[method].hyperparameters}[option]


def memory_table(atlas: Atlas, *names: str) -> Markup:
    """The ledgers of these methods side by side, in GB."""
    parts = list(Bytes.model_fields)
    rows = []
    for name in names:
        ledger = reports(atlas, LLAMA)[name].ledger
        rows.append(
            [
                str(links(atlas, [name])),
                *(f"{getattr(ledger, part) / 10**9:.2f}" for part in parts),
                f"{ledger.total / 10**9:.2f}",
            ]
        )
    head = ["GB", *(markup.capital(part) for part in parts), "Total"]
    return markup.table(head, "l" + "r" * (len(head) - 1), rows)


def figures(atlas: Atlas) -> dict[str, str | Markup]:
    """Numbers of the ledger in words, for the guide's sentences."""
    found = reports(atlas, LLAMA)
    full = found[atlas.baseline["upper"]]
    slower = {
        name: report.inference.adapted / report.inference.base
        for name, report in found.items()
        if report.inference and not atlas.methods[name].mergeable
    }
    slowest = sorted(slower, key=lambda name: slower[name])[-2:]
    return {
        "rows": f"{full.rows}",
        "length": f"{full.length}",
        "full": amount(full.ledger.total),
        "state": amount(cost(full, "state")),
        "masked": links(atlas, masked_of(found, full)),
        "merge_and_base": links(
            atlas, (name for name, m in atlas.methods.items() if m.mergeable and m.frozen_base)
        ),
        "cheapest": f"×{min(slower.values()):.4f}",
        "dearest": escape.safe(
            listed(f"{links(atlas, [name])} (×{slower[name]:.2f})" for name in slowest)
        ),
    }


def refused(atlas: Atlas) -> list[tuple[Markup, str]]:
    """Methods that a decoder refuses for a reason that an encoder has not, and why."""
    encoder = atlas.ledger.architectures.get(BERT, {})
    return [
        (links(atlas, [name]), report.refused)
        for name, report in atlas.ledger.architectures.get(LLAMA, {}).items()
        if name in atlas.methods
        and isinstance(report, Refused)
        and encoder.get(name, report) != report
    ]
