"""S7xx: the taxonomy, the reference implementations and their tests agree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tools.findings import nearest
from tools.implementations import FIELDS, Implementation
from tools.rules import Context, Fault, Source, rule

_PARTS = {
    "title": "a title",
    "lead": "the equation and its terms below the title",
    **{field.lower(): f"**{field}:**" for field in FIELDS},
    "details": "the section 'Details that matter'",
    "differences": "the section 'Paper, official code, libraries'",
    "source": "a last paragraph 'Source: …'",
}


def _source(implementation: Implementation) -> Source:
    return Source(implementation.path, implementation.line, implementation.name)


@rule(
    "S701",
    "Leaf of a main branch without implementation",
    "Every leaf of a branch marked `main` is declared by at least one reference implementation. "
    "Elsewhere a leaf without one is shown as a gap.",
    bad="a leaf of a main branch that no file below reference_impls declares",
    good='the leaf low-rank, since lora declares leaf = "low-rank"',
)
def missing_implementation(context: Context) -> Iterator[Fault]:
    main = {node.id for top in context.catalog.taxonomy if top.main for node in top.leaves()}
    declared = {implementation.leaf for implementation in context.implementations[0].values()}
    for path, node in context.nodes:
        if node.id in main - declared:
            yield Fault(path, "is a leaf of a main branch and has no implementation")


@rule(
    "S704",
    "Implementation in another folder",
    "The folder of an implementation is the top-level branch of its leaf, with underscores for "
    "hyphens, so that the taxonomy leads to the file.",
    bad='reference_impls/prompt/lora/lora.py with leaf = "low-rank"',
    good='reference_impls/reparameterized/lora/lora.py with leaf = "low-rank"',
)
def other_folder(context: Context) -> Iterator[Fault]:
    tops = context.catalog.tops
    for implementation in context.implementations[0].values():
        top = tops.get(implementation.leaf)
        if top and implementation.branch != top.id.replace("-", "_"):
            message = f"is in {implementation.branch}, but its leaf is below {top.id}"
            yield Fault(_source(implementation), message)


@rule(
    "S705",
    "Unknown leaf or paper",
    "The leaf and the paper that an implementation declares exist: readers find it from either.",
    bad='leaf = "lowrank"',
    good='leaf = "low-rank"',
)
def unknown_leaf_or_paper(context: Context) -> Iterator[Fault]:
    leaves, papers = context.leaf_ids, context.ids["papers"]
    for implementation in context.implementations[0].values():
        leaf, paper = implementation.leaf, implementation.paper
        if leaf not in leaves:
            message = f"declares leaf '{leaf}', which the catalog lacks"
            yield Fault(_source(implementation), message, nearest(leaf, leaves))
        if paper not in papers:
            message = f"declares paper '{paper}', which the catalog lacks"
            yield Fault(_source(implementation), message, nearest(paper, papers))


@rule(
    "S706",
    "Incomplete page of a method",
    "The docstring of a method's file is its page on the site. It has a title, the equation, what "
    "is trained, frozen and stored, how it merges, the count, the two sections on details and on "
    "differences, and its source.",
    bad="a docstring without **Merge:**",
    good="a docstring with all its parts",
)
def incomplete_page(context: Context) -> Iterator[Fault]:
    for implementation in context.implementations[0].values():
        missing = [text for part, text in _PARTS.items() if not getattr(implementation.page, part)]
        if missing:
            place = Source(implementation.path, 1, implementation.name)
            yield Fault(place, f"its docstring lacks {', '.join(missing)}")


@rule(
    "S707",
    "Implementation without test",
    "Every implementation has a test of what is particular to it, test_<name>.py beside it.",
    bad="reference_impls/reparameterized/lora/lora.py without test_lora.py",
    good="reference_impls/reparameterized/lora/test_lora.py",
)
def missing_test(context: Context) -> Iterator[Fault]:
    for implementation in context.implementations[0].values():
        test = f"{Path(implementation.path).parent.as_posix()}/test_{implementation.name}.py"
        if not (context.root / test).is_file():
            yield Fault(_source(implementation), f"has no test; add {test}")


@rule(
    "S708",
    "Unreadable declaration",
    "A method's file holds one class decorated with `@register`, and its name, title, paper, leaf, "
    "init_noop, mergeable and frozen_base are literals in it: they are read without running the "
    "file. The file is named after the method, and so is its folder.",
    bad='name = "lo" + "ra"',
    good='name = "lora"',
)
def unreadable_declaration(context: Context) -> Iterator[Fault]:
    known, errors = context.implementations
    for error in errors:
        yield Fault(Source(error.path, error.line, ""), error.message)
    for implementation in known.values():
        if Path(implementation.path).stem != implementation.name:
            message = f"declares the name '{implementation.name}', but the file is named otherwise"
            yield Fault(_source(implementation), message)
