"""What a reader may need of a method, and which methods have it: declared, or measured."""

from __future__ import annotations

from dataclasses import dataclass

from ....atlas import Atlas
from ....data.ledger import Report

FAMILIES = {"encoder": "an encoder", "decoder": "a decoder", "encoder-decoder": "a T5"}
DECLARED = (
    ("merge", "mergeable", "inference must cost nothing extra", "Merges"),
    ("base", "frozen_base", "the base stays as it is", "Base untouched"),
    ("start", "init_noop", "training starts exactly as the base", "Starts as base"),
)
# What is measured: which part, in words, in a table's head, and the share of full fine-tuning's.
MEASURED = (
    ("stored", "under 1% of the weights stored for a task", "Stored <1%", 0.01),
    ("state", "gradients and optimizer under a tenth", "Gradients, optimizer <10%", 0.1),
    ("activations", "activations under half", "Activations <50%", 0.5),
    ("weights", "weights under half", "Weights <50%", 0.5),
)


@dataclass(frozen=True)
class Need:
    """Something that a reader may need: the methods that have it, and those not measured."""

    id: str
    words: str
    short: str
    methods: frozenset[str]
    unknown: frozenset[str] = frozenset()


def needs(atlas: Atlas) -> dict[str, Need]:
    """By their ids. Where nothing was measured or trained there is no such need."""
    every = declared(atlas) + measured(atlas) + trained(atlas)
    return {need.id: need for need in every}


def declared(atlas: Atlas) -> list[Need]:
    return [
        Need(key, words, short, frozenset(n for n, m in atlas.methods.items() if getattr(m, flag)))
        for key, flag, words, short in DECLARED
    ]


def measured(atlas: Atlas) -> list[Need]:
    """What holds on every architecture on which a method was measured."""
    found = [reports(atlas, name) for name in atlas.ledger.architectures]
    full = atlas.baseline.get("upper")
    if not found or not all(full in one for one in found):
        return []
    known = {name for one in found for name in one}
    return [
        Need(
            part,
            words,
            short,
            frozenset(
                name
                for name in known
                if all(
                    cost(one[name], part) < limit * cost(one[full], part)
                    for one in found
                    if name in one
                )
            ),
            frozenset(set(atlas.methods) - known),
        )
        for part, words, short, limit in MEASURED
    ]


def trained(atlas: Atlas) -> list[Need]:
    """On which families of models there is a committed run."""
    found: dict[str, set[str]] = {}
    for runs in atlas.runs.values():
        for name, run in runs.items():
            family = run.backbone.name.removesuffix("-gpt2")
            found.setdefault(family, set()).add(name)
    return [
        Need(family, f"trained here on {words}", words.split()[-1].capitalize(), frozenset(names))
        for family, words in FAMILIES.items()
        if (names := found.get(family, set()) & set(atlas.methods))
    ]


def reports(atlas: Atlas, architecture: str) -> dict[str, Report]:
    """The ledgers of an architecture, without the methods that have none there."""
    found = atlas.ledger.architectures.get(architecture, {})
    return {
        name: report
        for name, report in found.items()
        if isinstance(report, Report) and name in atlas.methods
    }


def cost(report: Report, part: str) -> int:
    """Numbers stored, or bytes of a part of the ledger; 'state' is gradients and optimizer."""
    if part == "stored":
        return report.counts.stored
    ledger = report.ledger
    return ledger.gradients + ledger.optimizer if part == "state" else getattr(ledger, part)
