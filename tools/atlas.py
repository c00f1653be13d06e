"""Everything that the README and the site are made of, and the questions they ask of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from .cards import Baseline, Card, read_cards
from .data import implementations as declarations
from .data.architectures import Architecture, Cells, read_architectures, read_cells
from .data.implementations import Implementation
from .data.ledger import Ledger, read_ledger
from .data.official import Official, read_officials
from .data.papers import oldest_first
from .data.runs import Run, read_runs
from .data.schema import Catalog, Node, Paper
from .rules import catalog as catalog_file
from .text.words import count

if TYPE_CHECKING:
    from .data.differences import Difference, Told
    from .data.guides import Guide
    from .data.memory import Peak
    from .data.parity import Comparison
    from .data.peaks import Peaks, Predicted, Step
    from .data.real import Group
    from .data.scores import Suite, Table
    from .data.times import Timed
    from .data.wanted import Wanted
    from .records.evidence import Judge
    from .records.store import Evidence


_NO_CARD = Card()


class BuildError(Exception):
    """The pages cannot be made; the message is one line and says where and why."""


@dataclass(frozen=True)
class Atlas:
    """The catalog, the implementations by name, and what was measured of them.

    That is, by method, its card, what its official code does, its committed runs, how it compares
    with libraries and what is told of where these differ, its ledger, and what became of it on each
    of the architectures. Of papers, by id: what other sources say of them, and the file and line of
    the entry. Of the parts that methods share, the text by path. How the ledger's sums compare with
    the peaks of real steps, these steps, what is predicted of those of the runs on real weights,
    and the peaks that are predicted, by architecture, method and setting; what others name that the
    catalog may lack; the runs on real weights; those that libraries publish; by method, the tables
    that papers print; and, by method and size of the model, the times beside others'.
    """

    catalog: Catalog
    methods: dict[str, Implementation] = field(default_factory=dict)
    source: dict[str, str] = field(default_factory=dict)
    cards: dict[str, Card] = field(default_factory=dict)
    officials: dict[str, Official] = field(default_factory=dict)
    runs: dict[str, dict[str, Run]] = field(default_factory=dict)
    parity: dict[str, tuple[Comparison, ...]] = field(default_factory=dict)
    differences: dict[str, tuple[Difference, ...]] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    evidence: dict[str, tuple[Evidence, ...]] = field(default_factory=dict)
    places: dict[str, tuple[str, int]] = field(default_factory=dict)
    guides: tuple[Guide, ...] = ()
    shared: dict[str, str] = field(default_factory=dict)
    peaks: tuple[Peaks, ...] = ()
    steps: tuple[Step, ...] = ()
    predicted: tuple[Predicted, ...] = ()
    memory: dict[str, dict[str, dict[str, Peak | str]]] = field(default_factory=dict)
    architectures: tuple[Architecture, ...] = ()
    cells: dict[str, Cells] = field(default_factory=dict)
    wanted: tuple[Wanted, ...] = ()
    real: tuple[Group, ...] = ()
    suites: tuple[Suite, ...] = ()
    printed: dict[str, tuple[Table, ...]] = field(default_factory=dict)
    times: dict[str, dict[str, Timed]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for method in self.methods.values():
            for key, known in (("paper", self.catalog.paper), ("leaf", self.catalog.leaves)):
                if getattr(method, key) not in known:
                    raise BuildError(
                        f"{method.path}:{method.line}: "
                        f"the catalog has no {key} '{getattr(method, key)}'"
                    )

    @cached_property
    def judge(self) -> Judge:
        """What says how a record compares with its entry."""
        from .records.evidence import Judge  # imported here, as what `load` needs is

        return Judge(self.catalog.venue)

    def card(self, method: str) -> Card:
        """The method's card, an empty one where it has none."""
        return self.cards.get(method, _NO_CARD)

    @cached_property
    def told(self) -> list[Told]:
        """Each difference from a library with its rows, the most severe first."""
        from .data.differences import tell  # imported here, as what `load` needs is

        return tell(self.differences, self.parity)

    @cached_property
    def baseline(self) -> dict[Baseline, str]:
        """The methods that others are compared with, by what they are."""
        return {card.baseline: name for name, card in self.cards.items() if card.baseline}

    @property
    def baselines(self) -> list[str]:
        """The least and the most that can be trained, in this order."""
        return [self.baseline[end] for end in ("lower", "upper") if end in self.baseline]

    @cached_property
    def parents(self) -> dict[str, Node]:
        """The parent of every node but the top ones, by the node's id."""
        return {child.id: node for node in self.catalog.nodes.values() for child in node.children}

    def line(self, node: Node) -> list[Node]:
        """The node's ancestors, the top one first."""
        ancestors: list[Node] = []
        while node.id in self.parents:
            node = self.parents[node.id]
            ancestors.insert(0, node)
        return ancestors

    def papers(self, node: Node) -> tuple[Paper, ...]:
        """The papers of a leaf, or of all leaves of a branch, each once, by the catalog's order."""
        if node.is_leaf:
            return self.catalog.papers_in[node.id]
        ids = {paper.id for leaf in node.leaves() for paper in self.catalog.papers_in[leaf.id]}
        return tuple(paper for paper in self.catalog.papers if paper.id in ids)

    def implementations(self, node: Node) -> list[Implementation]:
        """The implementations that declare one of the node's leaves, by the taxonomy's order."""
        leaves = {leaf.id for leaf in node.leaves()}
        return [method for method in self.methods_by_leaf if method.leaf in leaves]

    def gaps(self, nodes: Iterable[Node]) -> list[Node]:
        """The leaves below `nodes` that could have a reference implementation and have none."""
        leaves = (leaf for node in nodes for leaf in node.leaves() if not leaf.no_code)
        return [leaf for leaf in leaves if not self.implementations(leaf)]

    @cached_property
    def methods_by_leaf(self) -> list[Implementation]:
        """Every implementation, by the taxonomy's order of leaves, then by name."""
        leaves = list(self.catalog.leaves)
        return sorted(self.methods.values(), key=lambda m: (leaves.index(m.leaf), m.name))

    @cached_property
    def methods_of(self) -> dict[str, list[Implementation]]:
        """The implementations of every paper that has any, by name, by the paper's id."""
        found: dict[str, list[Implementation]] = {}
        for name in sorted(self.methods):
            found.setdefault(self.methods[name].paper, []).append(self.methods[name])
        return found

    @cached_property
    def related(self) -> dict[str, list[Paper]]:
        """Related papers, whichever of the two entries names the other."""
        found: dict[str, dict[str, Paper]] = {paper.id: {} for paper in self.catalog.papers}
        for paper in self.catalog.papers:
            for other in paper.related:
                found[paper.id][other] = self.catalog.paper[other]
                found[other][paper.id] = paper
        return {key: [others[name] for name in sorted(others)] for key, others in found.items()}

    @cached_property
    def builds_on(self) -> dict[str, list[Paper]]:
        """The papers that each paper builds on, oldest first, by its id."""
        return {
            paper.id: oldest_first(self.catalog.paper[other] for other in paper.builds_on)
            for paper in self.catalog.papers
        }

    @cached_property
    def built_on_by(self) -> dict[str, list[Paper]]:
        """The papers that build on each paper, oldest first, by its id."""
        found: dict[str, list[Paper]] = {paper.id: [] for paper in self.catalog.papers}
        for paper in self.catalog.papers:
            for other in paper.builds_on:
                found[other].append(paper)
        return {key: oldest_first(papers) for key, papers in found.items()}


def load(root: Path) -> Atlas:
    """Read catalog, evidence, method files, cards and runs below `root`.

    Raises CatalogError, CommittedError, DeclarationError or BuildError.
    """
    # imported here: the README needs none of them, and the validator, which reads it, is to be fast
    from .data.differences import read_differences
    from .data.guides import read_guides
    from .data.memory import read_memory
    from .data.parity import read_parity
    from .data.peaks import read_peaks, read_predicted, read_steps
    from .data.real import read_real
    from .data.scores import read_suites, read_tables
    from .data.times import read_times
    from .data.wanted import read_wanted
    from .records.store import read_evidence

    methods = declarations.discover(root)
    catalog, places = catalog_file.read_with_places(root / "papers.yaml")
    return Atlas(
        catalog=catalog,
        methods=methods,
        source={m.name: (root / m.path).read_text(encoding="utf-8") for m in methods.values()},
        shared=declarations.shared_parts(methods.values(), root),
        cards=read_cards(root),
        officials=read_officials(root),
        runs=read_runs(root),
        ledger=read_ledger(root),
        parity=read_parity(root),
        differences=read_differences(root),
        evidence=read_evidence(root),
        places=places,
        guides=read_guides(root),
        peaks=read_peaks(root),
        steps=read_steps(root),
        predicted=read_predicted(root),
        memory=read_memory(root),
        architectures=read_architectures(root),
        cells=read_cells(root),
        wanted=read_wanted(root),
        real=tuple(read_real(root)),
        suites=read_suites(root),
        printed=read_tables(root),
        times=read_times(root),
    )


def counted(papers: Iterable[Paper]) -> str:
    """'98 papers and 9 other resources', '15 papers', '2 other resources'."""
    papers = list(papers)
    number = sum(paper.is_paper for paper in papers)
    others = len(papers) - number
    parts = [count(number, "paper")] if number or not others else []
    return " and ".join([*parts, *([count(others, "other resource")] if others else [])])


def coverage(atlas: Atlas) -> str:
    """How many leaves are implemented, which are not, and which cannot be."""
    leaves = atlas.catalog.leaves.values()
    without = [leaf for leaf in leaves if leaf.no_code]
    gaps = atlas.gaps(atlas.catalog.taxonomy)
    able = len(leaves) - len(without)
    have = "has" if able == 1 else "have"
    said = f"{able - len(gaps)} of {count(able, 'leaf', 'leaves')} {have} an implementation"
    if gaps:
        remain = "remains" if len(gaps) == 1 else "remain"
        said += f"; {count(len(gaps), 'gap')} {remain}: {', '.join(leaf.name for leaf in gaps)}"
    if without:
        said += f". Not counted, having nothing to implement: {'; '.join(n.name for n in without)}"
    return f"{said}."
