"""S7xx: the taxonomy, the reference implementations and their tests agree."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..cards import FILE, Beside
from ..data.annotated import all_segments, read_details
from ..data.architectures import read_architectures
from ..data.committed import CommittedError
from ..data.digests import unchanged
from ..data.findings import nearest
from ..data.implementations import FIELDS, Implementation, shared_parts
from . import (
    Context,
    Fault,
    Source,
    differences,  # noqa: F401 (its rules enter themselves, as those of the two below)
    official_code,  # noqa: F401
    reported,  # noqa: F401
    rule,
)
from .places import at, file_beside, source_of, unread

_PARTS = {
    "title": "a title",
    "lead": "the equation and its terms below the title",
    **{field.lower(): f"**{field}:**" for field in FIELDS},
    "details": "the section 'Details that matter'",
    "differences": "the section 'Paper, official code, libraries'",
    "source": "a last paragraph 'Source: …'",
}
FAULTS = 3  # planted in every method at least


@rule(
    "S701",
    "Leaf of a main branch without implementation",
    "Every leaf of a branch marked `main` is declared by at least one reference implementation, "
    "but for those marked `open`. Elsewhere a leaf without one is shown as a gap.",
    bad="a leaf of a main branch that no file below reference_impls declares",
    good='the leaf low-rank, since lora declares leaf = "low-rank"',
)
def missing_implementation(context: Context) -> Iterator[Fault]:
    main, declared = _leaves(context)
    for path, node in context.nodes:
        if node.id in main - declared and not node.open:
            yield Fault(path, "is a leaf of a main branch and has no implementation")


@rule(
    "S717",
    "Open leaf that is not open",
    "`open` says that a leaf of a main branch still wants its first implementation. It goes when "
    "there is one, and has no meaning elsewhere.",
    bad="open: true at a leaf that an implementation declares",
    good="open: true at a leaf of a main branch that none declares",
)
def open_without_need(context: Context) -> Iterator[Fault]:
    main, declared = _leaves(context)
    for path, node in context.nodes:
        if node.open and (node.id in declared or node.id not in main):
            why = "has an implementation" if node.id in declared else "is in no main branch"
            yield Fault((*path, "open"), f"{why}; remove the key")


def _leaves(context: Context) -> tuple[set[str], set[str]]:
    """The leaves of main branches, and those that an implementation declares."""
    main = {node.id for top in context.catalog.taxonomy if top.main for node in top.leaves()}
    return main, {method.leaf for method in context.implementations[0].values()}


@rule(
    "S716",
    "Leaf that cannot have code has code",
    "`no_code` says why there is nothing to implement in a leaf, such as one of surveys; such a "
    "leaf is no gap. An implementation that declares the leaf proves it wrong.",
    bad="a leaf with no_code that an implementation declares",
    good="a leaf with no_code that none declares",
)
def code_where_none_can_be(context: Context) -> Iterator[Fault]:
    for implementation in context.implementations[0].values():
        leaf = context.catalog.leaves.get(implementation.leaf)
        if leaf and leaf.no_code:
            message = f"declares leaf '{leaf.id}', whose no_code says that it has no code"
            yield Fault(source_of(implementation), f"{message}; remove one of the two")


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
            yield Fault(source_of(implementation), message)


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
            yield Fault(source_of(implementation), message, nearest(leaf, leaves))
        if paper not in papers:
            message = f"declares paper '{paper}', which the catalog lacks"
            yield Fault(source_of(implementation), message, nearest(paper, papers))


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
            yield Fault(source_of(implementation), f"has no test; add {test}")


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
            yield Fault(source_of(implementation), message)


@rule(
    "S709",
    "Method without a drawing",
    "The card of a method, card.toml beside its file, says under [drawing] where the method acts: "
    "the site shows it in a transformer block. A test holds the drawing against the code.",
    bad="reference_impls/reparameterized/lora/card.toml without [drawing]",
    good='[drawing]\nadded = [{ kind = "low_rank", at = ["query", "value"] }]',
)
def missing_drawing(context: Context) -> Iterator[Fault]:
    cards, unreadable = context.cards
    for implementation in context.implementations[0].values():
        path = file_beside(implementation, FILE)
        if path in unreadable:
            continue
        if path not in cards:
            yield Fault(source_of(implementation), f"has no card; add {path} with a [drawing]")
        elif cards[path].drawn is None:
            message = "has no drawing; add [drawing] with states, added, notes or aside"
            yield Fault(at(context, path), message)


@rule(
    "S710",
    "Method without annotation",
    "On a method's page its equation and each numbered detail of its docstring stand beside the "
    "part of the file that carries it. The card says under [beside] which part that is, and which "
    "details are carried out elsewhere.",
    bad='[beside]\nequation = ["LoRA.backward"], a function that the file lacks',
    good='[beside]\nequation = ["LowRank.forward"]',
)
def missing_annotation(context: Context) -> Iterator[Fault]:
    for implementation in context.implementations[0].values():
        path = file_beside(implementation, FILE)
        if path in context.cards[0]:
            beside = context.cards[0][path].beside
            for key, message, fix in _unplaced(context, implementation, beside):
                yield Fault(at(context, path, "beside", key), message, fix)


def _unplaced(
    context: Context, implementation: Implementation, beside: Beside
) -> Iterator[tuple[str, str, str | None]]:
    """The key of [beside] that is wrong, why, and a likelier name."""
    source = (context.root / implementation.path).read_text(encoding="utf-8")
    found = all_segments(implementation, source, shared_parts([implementation], context.root))
    parts = [segment.name for segment in found if segment.name]
    for key, names in (("equation", beside.equation), ("details", beside.details)):
        for name in names:
            if name not in parts:
                yield key, f"the file has no part '{name}'", nearest(name, parts)
    if beside.equation and "$$" not in implementation.page.lead:
        yield "equation", "the docstring has no equation to stand beside a part", None
    if not beside.equation and "$$" in implementation.page.lead:
        yield "equation", "no part carries the equation; add equation = [part, …]", None
    numbers = set(read_details(implementation.page.details))
    carried = {number for own in beside.details.values() for number in own}
    for number in sorted(numbers - carried - {*beside.elsewhere}):
        message = f"no part carries detail {number}; give it one in details, or add to elsewhere"
        yield "details", message, None
    for number in sorted(carried & {*beside.elsewhere}):
        yield "elsewhere", f"detail {number} has a part in details", None
    for number in sorted((carried | {*beside.elsewhere}) - numbers):
        yield "details", f"the docstring has no detail {number}", None


@rule(
    "S711",
    "Method not measured",
    "What a method's page shows is measured: its runs on each task that it declares, its ledger, "
    "what becomes of it on each architecture, and its closed forms where it declares any. All of "
    "it lies in the folder `measured` beside it, and is of the code as it is.",
    bad="a method whose code was changed after its runs",
    good="python -m reference_impls measure lora",
)
def not_measured(context: Context) -> Iterator[Fault]:
    architectures: list[str] = []
    try:
        architectures += [known.name for known in read_architectures(context.root)]
    except CommittedError as error:
        path, _, message = str(error).partition(": ")
        yield Fault(Source(path, 1, ""), message)
    for implementation in context.implementations[0].values():
        lacking = "; ".join(_unmeasured(context.root, implementation, architectures))
        if lacking:
            fix = f"run `python -m reference_impls measure {implementation.name}`"
            yield Fault(source_of(implementation), f"{lacking}: {fix}")


def _unmeasured(
    root: Path, implementation: Implementation, architectures: list[str]
) -> Iterator[str]:
    """What is missing or stale of a method, in words."""
    method = root / implementation.path
    wanted = ["runs", "ledger", "architectures"]
    wanted += ["forms"] if method.with_name("forms.py").is_file() else []
    for name in (f"measured/{what}.json" for what in wanted):
        path = method.parent / name
        if not path.is_file():
            yield f"{name} is missing"
            continue
        try:
            found = json.loads(path.read_bytes())
            parts = found if name == "measured/runs.json" else {"": found}
            old = [part for part, made in parts.items() if not unchanged(made["sources"], root)]
            lacking = _lacking(name, found, implementation.tasks, architectures)
        except (ValueError, KeyError, TypeError, AttributeError):
            yield f"{name} is spoiled"
            continue
        if lacking:
            yield f"{name} lacks {', '.join(lacking)}"
        if old:
            yield f"{name} is of other code{' on ' * any(old)}{', '.join(old)}"


def _lacking(
    name: str, found: dict[str, dict], tasks: Iterable[str], architectures: Iterable[str]
) -> list[str]:
    """The tasks or the architectures that a file should be about and is not."""
    if name == "measured/runs.json":
        return [task for task in tasks if task not in found]
    if name == "measured/architectures.json":
        tried = {*found["runs"], *found["refused"], *found["fault"]}
        return [architecture for architecture in architectures if architecture not in tried]
    return []


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
            yield Fault(source_of(implementation), message)


@rule(
    "S713",
    "Unreadable card",
    "A card is TOML with the sections drawing, beside, own_model, architectures, published and "
    "contract, and only keys that these have. A printed count that differs from ours has a note "
    "that says why; its source is a paper of the catalog, or a citation with its address.",
    bad='printed = "0.4M"\nours = 294912',
    good='printed = "0.3M"\nours = 294912',
)
def unreadable_card(context: Context) -> Iterator[Fault]:
    cards, unreadable = context.cards
    yield from unread(unreadable)
    papers = context.ids["papers"]
    for path, card in cards.items():
        for i, entry in enumerate(card.published):
            paper = entry.source.paper
            if paper and paper not in papers:
                place = at(context, path, "published", i, "source")
                yield Fault(place, f"'{paper}' is not a paper", nearest(paper, papers))
