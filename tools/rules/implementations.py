"""S7xx: the taxonomy, the reference implementations and their tests agree."""

from __future__ import annotations

import ast
import json
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..data.digests import unchanged
from ..data.findings import nearest
from ..data.implementations import FIELDS, Implementation
from . import Context, Fault, Source, rule

_PARTS = {
    "title": "a title",
    "lead": "the equation and its terms below the title",
    **{field.lower(): f"**{field}:**" for field in FIELDS},
    "details": "the section 'Details that matter'",
    "differences": "the section 'Paper, official code, libraries'",
    "source": "a last paragraph 'Source: …'",
}
FAULTS = 3  # planted in every method at least


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
    "differences, and its source. None of them says TODO any more.",
    bad="a docstring without **Merge:**",
    good="a docstring with all its parts",
)
def incomplete_page(context: Context) -> Iterator[Fault]:
    for implementation in context.implementations[0].values():
        parts = ((text, getattr(implementation.page, part)) for part, text in _PARTS.items())
        missing = [text for text, written in parts if not written or "TODO" in written]
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


@rule(
    "S711",
    "Method not measured",
    "What a method's page shows is measured: its runs on each task that it declares, its ledger, "
    "and its closed forms where it declares any. All of it lies in the folder `measured` beside "
    "it, and is of the code as it is.",
    bad="a method whose code was changed after its runs",
    good="python -m reference_impls measure lora",
)
def not_measured(context: Context) -> Iterator[Fault]:
    for implementation in context.implementations[0].values():
        lacking = "; ".join(_unmeasured(context.root, context.root / implementation.path))
        if lacking:
            fix = f"run `python -m reference_impls measure {implementation.name}`"
            yield Fault(_source(implementation), f"{lacking}: {fix}")


def _unmeasured(root: Path, method: Path) -> Iterator[str]:
    """What is missing or stale of a method, in words."""
    tasks = _tasks(method) or _tasks(root / "reference_impls" / "core" / "method.py")
    wanted = ["runs", "ledger", *(["forms"] if method.with_name("forms.py").is_file() else [])]
    for name in (f"measured/{what}.json" for what in wanted):
        path = method.parent / name
        if not path.is_file():
            yield f"{name} is missing"
            continue
        try:
            found = json.loads(path.read_bytes())
            parts = found if name == "measured/runs.json" else {"": found}
            old = [part for part, made in parts.items() if not unchanged(made["sources"], root)]
        except (ValueError, KeyError, TypeError, AttributeError):
            yield f"{name} is spoiled"
            continue
        if name == "measured/runs.json" and (missing := [t for t in tasks if t not in found]):
            yield f"{name} lacks {', '.join(missing)}"
        if old:
            yield f"{name} is of other code{' on ' * any(old)}{', '.join(old)}"


def _tasks(path: Path) -> tuple[str, ...]:
    """The lab's tasks that a file declares; none where it leaves them to what it is made from."""
    if not path.is_file():
        return ()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            if ast.unparse(target) == "tasks":
                with suppress(ValueError):  # it is computed
                    return ast.literal_eval(node.value)
    return ()


@rule(
    "S712",
    "Method without planted faults",
    f"At least {FAULTS} ways in which a method's file could be wrong stand in mutants.toml beside "
    "it. Each is planted, and the tests have to see it: tests that cannot fail prove nothing.",
    bad="a folder without mutants.toml, or with one entry in it",
    good='[[mutant]]\nwhy = "the update is not scaled"\nold = "self.scale * x"\nnew = "x"',
)
def without_planted_faults(context: Context) -> Iterator[Fault]:
    for implementation in context.implementations[0].values():
        name = f"{Path(implementation.path).parent.as_posix()}/mutants.toml"
        try:
            entries = tomllib.loads((context.root / name).read_text("utf-8")).get("mutant", ())
            planted = sum(bool(entry.get("why") and entry.get("old")) for entry in entries)
        except OSError:
            planted = 0
        except ValueError as error:
            yield Fault(Source(name, 1, implementation.name), f"is not TOML: {error}")
            continue
        if planted < FAULTS:
            message = f"has {planted or 'no'} planted faults; add {FAULTS - planted} to {name}"
            yield Fault(_source(implementation), message)
