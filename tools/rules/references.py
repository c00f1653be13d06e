"""S2xx: what an entry names exists."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from ..data.findings import nearest
from . import Context, Fault, rule


@rule(
    "S201",
    "Unknown leaf",
    "A paper sits in leaves of the taxonomy. Branches hold no papers of their own: choose one of "
    "the leaves below.",
    bad="leaves: [lowrank]",
    good="leaves: [low-rank]",
)
def unknown_leaf(context: Context) -> Iterator[Fault]:
    leaves, nodes = context.leaf_ids, context.ids["taxonomy"]
    known = set(leaves)
    for path, paper in context.papers:
        for i, leaf in enumerate(paper.leaves):
            if leaf in known:
                continue
            where = (*path, "leaves", i)
            if leaf in nodes:
                yield Fault(where, f"'{leaf}' is a branch; name one of the leaves below it")
            else:
                yield Fault(where, f"'{leaf}' is not a leaf", nearest(leaf, leaves))


@rule(
    "S202",
    "Unknown modality",
    "A paper's modalities are ids of the catalog's list of modalities.",
    bad="modality: [LMM]",
    good="modality: [LLM]",
)
def unknown_modality(context: Context) -> Iterator[Fault]:
    return _unknown(context, "modality", context.ids["modalities"], "modality")


@rule(
    "S203",
    "Unknown related paper",
    "Related papers are ids of other entries of the catalog.",
    bad="related: [mao2021uniplet]",
    good="related: [mao2021unipelt]",
)
def unknown_related(context: Context) -> Iterator[Fault]:
    return _unknown(context, "related", context.ids["papers"], "paper")


@rule(
    "S204",
    "Unknown venue",
    "Venues are a closed list with full name, kind, link and badge color. Add a new venue to the "
    "list before using it.",
    bad="venue: ICRL",
    good="venue: ICLR",
)
def unknown_venue(context: Context) -> Iterator[Fault]:
    known = context.ids["venues"]
    for path, paper in context.papers:
        if paper.venue not in known:
            message = f"'{paper.venue}' is not a venue"
            yield Fault((*path, "venue"), message, nearest(paper.venue, known))


@rule(
    "S205",
    "Unknown taxonomy in the crosswalk",
    "The keys of `elsewhere` are ids of the papers whose taxonomies are compared.",
    bad='hu2022lora: "Low-rank methods"',
    good='hu2021lora: "Low-rank methods"',
)
def unknown_taxonomy(context: Context) -> Iterator[Fault]:
    known = context.ids["papers"]
    for path, node in context.nodes:
        for paper in node.elsewhere:
            if paper not in known:
                message = f"'{paper}' is not a paper"
                yield Fault((*path, "elsewhere", paper), message, nearest(paper, known))


@rule(
    "S206",
    "Related to itself",
    "A paper that names itself as related leads its reader in a circle.",
    bad="related: [hu2021lora]",
    good="related: [mao2021unipelt]",
)
def related_to_itself(context: Context) -> Iterator[Fault]:
    for path, paper in context.papers:
        if paper.id in paper.related:
            where = (*path, "related", paper.related.index(paper.id))
            yield Fault(where, "the paper names itself")


@rule(
    "S207",
    "Unknown paper that another builds on",
    "What a paper builds on are ids of other entries of the catalog.",
    bad="builds_on: [ruckle2022drop]",
    good="builds_on: [ruckle2020drop]",
)
def unknown_foundation(context: Context) -> Iterator[Fault]:
    return _unknown(context, "builds_on", context.ids["papers"], "paper")


@rule(
    "S208",
    "Builds on itself",
    "What a paper builds on was there before it, so that no path of `builds_on` leads back to the "
    "paper from which it starts.",
    bad="builds_on: [hu2021lora]",
    good="builds_on: [ruckle2020drop]",
)
def builds_on_itself(context: Context) -> Iterator[Fault]:
    below = {paper.id: paper.builds_on for _, paper in context.papers}
    knotted = _knotted(below)
    for path, paper in context.papers:
        for i, other in enumerate(paper.builds_on if paper.id in knotted else ()):
            way = _way(other, paper.id, below)
            if way and paper.id == min(way):  # a circle is told once
                through = " → ".join([paper.id, *way])
                yield Fault((*path, "builds_on", i), f"leads back to the paper: {through}")


def _unknown(context: Context, key: str, known: Collection[str], noun: str) -> Iterator[Fault]:
    """Where a paper's list under `key` names something that is not known."""
    for path, paper in context.papers:
        for i, name in enumerate(getattr(paper, key)):
            if name not in known:
                yield Fault((*path, key, i), f"'{name}' is not a {noun}", nearest(name, known))


def _knotted(below: Mapping[str, tuple[str, ...]]) -> set[str]:
    """The papers on a circle, and those that build on one."""
    sorter = TopologicalSorter(below)
    try:
        sorter.prepare()
    except CycleError:
        knotted = set(below)
        while sorter.is_active():
            free = sorter.get_ready()
            knotted.difference_update(free)
            sorter.done(*free)
        return knotted
    return set()


def _way(start: str, goal: str, below: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The ids of a shortest way from one paper down to another, both included, or nothing."""
    came: dict[str, str] = {start: ""}
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        if here == goal:
            way = [here]
            while came[way[0]]:
                way.insert(0, came[way[0]])
            return way
        for other in below.get(here, ()):
            if other not in came:
                came[other] = here
                waiting.append(other)
    return []
