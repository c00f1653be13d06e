"""Read the catalog: text, schema, and the references between its entries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from .. import rules
from ..data.document import Document
from ..data.findings import Finding
from ..data.parts import load
from ..data.schema import Catalog, Modality, Node, Paper, Venue
from . import Context, Place
from .schema import faults

_MODELS: dict[str, type[BaseModel]] = {
    "modalities": Modality,
    "taxonomy": Node,
    "venues": Venue,
    "papers": Paper,
}


class CatalogError(Exception):
    """The catalog cannot be used; `findings` says why, in the order of the file."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = findings


def read(path: Path) -> Catalog:
    """The catalog at `path`, safe to build from: every reference leads somewhere.

    Raises CatalogError where its text, its schema, a reference or an identifier is wrong, OSError
    where there is no such file.
    """
    return read_with_places(path)[0]


def read_with_places(path: Path) -> tuple[Catalog, dict[str, tuple[str, int]]]:
    """As `read`, and the file and line where each paper's entry starts, by the paper's id."""
    context, findings = examine(load(path), path.parent)
    if context is not None:
        findings += rules.check(context, "S200", "S399")
    if context is None or findings:
        raise CatalogError(in_order(findings, path.name))
    return context.catalog, {
        paper.id: (context.document.file(place), context.document.mark(place).line)
        for place, paper in context.papers
    }


def examine(document: Document, root: Path) -> tuple[Context | None, list[Finding]]:
    """What the rules look at, and the findings of text and schema.

    Items that do not fit the schema are left out of the context. It is None where the file as a
    whole is not a catalog.
    """
    findings = list(document.findings)
    data = document.data
    broken: set[Place] = set()
    catalog = None
    if findings and data is None:
        return None, findings
    try:
        catalog = Catalog.model_validate(data)
    except ValidationError as error:
        said = {finding.line for finding in findings}
        for code, fault in faults(error):
            finding = rules.as_finding(code, fault, document)
            broken.add(fault.where[:2])
            # What the reader has already called wrong on this line is not worth saying twice.
            if finding.line not in said:
                findings.append(finding)
    if not isinstance(data, dict):
        return None, findings
    context = Context(document, catalog or _remainder(data, broken), root)
    tops: list[tuple[Place, Node]] = []
    for section, items in (
        ("papers", context.papers),
        ("venues", context.venues),
        ("modalities", context.modalities),
        ("taxonomy", tops),
    ):
        kept = [path for path in items_of(data, section) if path not in broken]
        items.extend(zip(kept, getattr(context.catalog, section), strict=True))
        context.ids[section] = dict(_ids(document, items_of(data, section)))
    context.nodes = [found for path, top in tops for found in _walk(top, path)]
    context.ids["taxonomy"] = dict(_ids(document, _raw_nodes(data, ("taxonomy",))))
    return context, findings


def in_order(findings: list[Finding], first: str) -> list[Finding]:
    """Findings by file and line, those in the file called `first` before the others."""
    return sorted(findings, key=lambda f: (f.path != first, f.path, f.line, f.column, f.code))


def _remainder(data: dict[str, Any], broken: set[Place]) -> Catalog:
    """A catalog of the items without errors; of the taxonomy, the top-level branches without."""
    kept = {
        section: tuple(
            model.model_validate(data[section][path[1]])
            for path in items_of(data, section)
            if path not in broken
        )
        for section, model in _MODELS.items()
    }
    return Catalog.model_construct(**kept)


def items_of(data: dict[str, Any], section: str) -> list[Place]:
    """The places of the entries of a section."""
    items = data.get(section)
    return [(section, i) for i in range(len(items))] if isinstance(items, list) else []


def _walk(node: Node, path: Place) -> Iterator[tuple[Place, Node]]:
    yield path, node
    for i, child in enumerate(node.children):
        yield from _walk(child, (*path, "children", i))


def _raw_nodes(parent: Any, path: Place) -> Iterator[Place]:
    children = parent.get(path[-1]) if isinstance(parent, dict) else None
    for i, child in enumerate(children if isinstance(children, list) else []):
        yield (*path, i)
        yield from _raw_nodes(child, (*path, i, "children"))


def _ids(document: Document, paths: Iterable[Place]) -> Iterator[tuple[str, Place]]:
    for path in paths:
        item = document.at(path)
        if isinstance(item, dict) and isinstance(item.get("id"), str):
            yield item["id"], path
