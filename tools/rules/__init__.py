"""The rules: each has a code, a title, an explanation and an example, one module a family.

A rule's check gets a `Context` and yields a `Fault` for each place it objects to. The rules of the
first two families have no check of their own: reading the file (`data.loader`) and fitting it into
the models (`rules.schema`) report them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path, PurePath
from typing import Any, NamedTuple, TypeVar

from ..cards import FILE as CARD
from ..cards import Card
from ..data import declared, official
from ..data.declared import DeclaredError
from ..data.differences import FILE as DIFFERENCES
from ..data.differences import Differences
from ..data.document import Document
from ..data.findings import Finding
from ..data.implementations import DeclarationError, Implementation, add, method_files, read
from ..data.official import Official
from ..data.parity import Comparison, read_parity
from ..data.schema import Catalog, Node
from ..data.scores import FILE as PRINTED
from ..data.scores import Printed

FAMILIES = {
    "syntax": "YAML text",
    "schema": "Schema",
    "references": "References",
    "duplicates": "Duplicates",
    "consistency": "Consistency",
    "text": "Text",
    "order": "Order",
    "implementations": "Taxonomy, implementations and tests",
    "generated": "Generated files",
    "files": "Names of files",
}

Place = tuple[str | int, ...]
Declared = TypeVar("Declared", Card, Differences, Official, Printed)


class Source(NamedTuple):
    """A place in another file than the catalog, relative to the catalog's folder."""

    file: str
    line: int
    entry: str


class Fault(NamedTuple):
    """What a rule objects to: where (a path into the catalog, or a source), what, and the fix."""

    where: Place | Source
    message: str
    suggestion: str | None = None


@dataclass(frozen=True)
class Rule:
    """One rule.

    `good` is a fragment of a catalog (or, where `example` says so, a description) that the rule
    accepts, `bad` the same fragment with the fault in it.
    """

    code: str
    title: str
    explanation: str
    bad: str
    good: str
    check: Callable[[Context], Iterator[Fault]] | None = None


@dataclass
class Context:
    """What the rules look at.

    `catalog` holds the items that fit the schema; `papers`, `venues`, `modalities` and `nodes` are
    the same items with their path in the document. `ids` are those of every item, fitting or not,
    so that one fault in an item does not make errors of all the references to it.
    """

    document: Document
    catalog: Catalog
    root: Path
    papers: list[tuple[Place, Any]] = field(default_factory=list)
    venues: list[tuple[Place, Any]] = field(default_factory=list)
    modalities: list[tuple[Place, Any]] = field(default_factory=list)
    nodes: list[tuple[Place, Node]] = field(default_factory=list)
    ids: dict[str, dict[str, Place]] = field(default_factory=dict)

    @cached_property
    def leaf_ids(self) -> list[str]:
        """Ids of the nodes without children."""
        nodes = self.ids["taxonomy"].items()
        return [node for node, path in nodes if not self.document.at(path).get("children")]

    @cached_property
    def texts(self) -> list[tuple[Place, str]]:
        """Every text that is written by hand and shown, with its place."""
        found: list[tuple[Place, str]] = []
        for path, item in [*self.modalities, *self.nodes]:
            found += [((*path, "name"), item.name), ((*path, "description"), item.description)]
        for path, node in self.nodes:
            found += [((*path, "elsewhere", key), name) for key, name in node.elsewhere.items()]
            found += [((*path, "aliases", i), name) for i, name in enumerate(node.aliases)]
            if node.no_code:
                found.append(((*path, "no_code"), node.no_code))
        for path, venue in self.venues:
            found += [((*path, "id"), venue.id), ((*path, "name"), venue.name)]
        for path, paper in self.papers:
            found += [((*path, "title"), paper.title), ((*path, "summary"), paper.summary)]
            for i, name in enumerate(paper.names):
                found.append(((*path, "authors", i), ", ".join(filter(None, name))))
            for i, title in enumerate(paper.also_titled):
                found.append(((*path, "also_titled", i), title))
            found += [
                ((*path, key), said)
                for key in ("note", "start_here")
                if (said := getattr(paper, key))
            ]
        return found

    @cached_property
    def implementations(self) -> tuple[dict[str, Implementation], list[DeclarationError]]:
        """The reference implementations by name, and the files that do not declare one well."""
        found: dict[str, Implementation] = {}
        errors = []
        for path in method_files(self.root):
            try:
                add(read(path, self.root), found)
            except DeclarationError as error:
                errors.append(error)
        return dict(sorted(found.items())), errors

    @cached_property
    def cards(self) -> tuple[dict[str, Card], dict[str, DeclaredError]]:
        """The methods' cards by their path, and what is wrong with those that cannot be read."""
        return self._declared(CARD, Card)

    @cached_property
    def officials(self) -> tuple[dict[str, Official], dict[str, DeclaredError]]:
        """What official code does, likewise."""
        return self._declared(official.FILE, Official)

    @cached_property
    def printed(self) -> tuple[dict[str, Printed], dict[str, DeclaredError]]:
        """The tables that papers print, likewise."""
        return self._declared(PRINTED, Printed)

    @cached_property
    def differences(self) -> tuple[dict[str, Differences], dict[str, DeclaredError]]:
        """What libraries do otherwise, likewise."""
        return self._declared(DIFFERENCES, Differences)

    @cached_property
    def parity(self) -> dict[str, tuple[Comparison, ...]]:
        """The comparisons with libraries, by method. Raises CommittedError."""
        return read_parity(self.root)

    def _declared(
        self, file: str, kind: type[Declared]
    ) -> tuple[dict[str, Declared], dict[str, DeclaredError]]:
        found, errors = {}, {}
        for path in declared.files(self.root, file):
            name = path.relative_to(self.root).as_posix()
            try:
                found[name] = declared.read(path, self.root, kind)
            except DeclaredError as error:
                errors[name] = error
        return found, errors


RULES: dict[str, Rule] = {}


def rule(
    code: str, title: str, explanation: str, *, bad: str, good: str
) -> Callable[[Callable[[Context], Iterator[Fault]]], Callable[[Context], Iterator[Fault]]]:
    """Register the decorated function as the check of a rule."""

    def decorate(
        check: Callable[[Context], Iterator[Fault]],
    ) -> Callable[[Context], Iterator[Fault]]:
        declare(code, title, explanation, bad=bad, good=good, check=check)
        return check

    return decorate


def declare(
    code: str,
    title: str,
    explanation: str,
    *,
    bad: str,
    good: str,
    check: Callable[[Context], Iterator[Fault]] | None = None,
) -> None:
    """Register a rule. A code belongs to one rule."""
    if code in RULES:
        raise ValueError(f"{code} is the code of two rules")
    RULES[code] = Rule(code, title, explanation, bad, good, check)


def load() -> dict[str, Rule]:
    """Every rule by code, in the order of their codes."""
    for family in FAMILIES:
        import_module(f"{__package__}.{family}")
    return dict(sorted(RULES.items()))


def check(context: Context, first: str, last: str) -> list[Finding]:
    """The findings of the rules whose codes lie between `first` and `last`."""
    return [
        as_finding(rule.code, fault, context.document)
        for rule in load().values()
        if rule.check and first <= rule.code <= last
        for fault in rule.check(context)
    ]


def as_finding(code: str, fault: Fault, document: Document) -> Finding:
    if isinstance(fault.where, Source):
        file, line, entry = fault.where
        file = (PurePath(document.path).parent / file).as_posix()
        return Finding(code, file, line, 1, entry, "", fault.message, fault.suggestion)
    file, mark = document.file(fault.where), document.mark(fault.where)
    entry, field = label(document, fault.where)
    return Finding(code, file, *mark, entry, field, fault.message, fault.suggestion)


def label(document: Document, path: Place) -> tuple[str, str]:
    """The id of the innermost entry on `path`, and the rest of the path as a field name."""
    entry, rest = "", path
    value = document.data
    for depth, part in enumerate(path):
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            break
        if isinstance(value, dict) and isinstance(value.get("id"), str):
            entry, rest = value["id"], path[depth + 1 :]
    return entry, "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest
    ).removeprefix(".")
