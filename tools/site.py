"""The site's pages: plain Markdown with front matter, that MkDocs turns into HTML."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterable, Iterator
from functools import partial
from urllib.parse import quote

from markupsafe import Markup

from tools import compare, escape, export, markup, method_page, rules
from tools.__main__ import COMMANDS
from tools.atlas import Atlas, full_authors, newest_first, short_authors, years
from tools.bibtex import entry
from tools.implementations import Implementation
from tools.readme import count, coverage
from tools.schema import Node, Paper
from tools.templating import environment

# Folder of docs/ -> which of its files are all written here; others of them are removed.
FOLDERS = {"papers": "*.md", "methods": "*.md", "taxonomy": "*.md", "export": "*"}


def pages(atlas: Atlas, contributing: str) -> dict[str, str]:
    """Every generated page by its path below docs/.

    `contributing` is the text of CONTRIBUTING.md. Raises BuildError where a method's page has a
    formula that cannot be shown.
    """
    return dict(_Site(atlas).pages(contributing))


class _Site:
    def __init__(self, atlas: Atlas) -> None:
        self.atlas, self.catalog = atlas, atlas.catalog
        self.environment = environment(escape.page)
        self.environment.globals.update(
            atlas=atlas,
            catalog=atlas.catalog,
            cited=self.cited,
            code=markup.code,
            count=count,
            fenced=markup.fenced,
            first_sentence=markup.first_sentence,
            front=markup.front,
            html=escape.html,
            oneline=method_page.oneline,
            path=lambda name: escape.safe(quote(name, safe="")),
            safe=escape.safe,
            short_authors=short_authors,
            url=escape.url,
            with_code=markup.with_code,
        )

    def render(self, template: str, path: str, **values: object) -> tuple[str, str]:
        up = "../" * path.count("/")
        text = self.environment.get_template(template).render(up=up, **values)
        return path, text.strip() + "\n"

    def pages(self, contributing: str) -> Iterator[tuple[str, str]]:
        atlas, catalog = self.atlas, self.catalog
        leaf_order = list(catalog.leaves)
        methods = sorted(atlas.methods.values(), key=lambda m: (leaf_order.index(m.leaf), m.name))
        yield self.render("index.md.j2", "index.md", gaps=atlas.gaps(catalog.taxonomy))
        yield self.render(
            "papers.md.j2",
            "papers/index.md",
            papers=newest_first(catalog.papers),
            span=years(catalog.papers),
        )
        for paper in catalog.papers:
            yield self.paper(paper)
        yield self.render(
            "taxonomy.md.j2",
            "taxonomy/index.md",
            coverage=coverage(atlas),
            modalities=self.modalities(catalog.taxonomy),
        )
        for node in catalog.nodes.values():
            yield self.node(node)
        yield self.render("methods.md.j2", "methods/index.md", table=self.method_table(methods))
        for method in methods:
            yield self.method(method)
        yield self.render("compare.md.j2", "methods/compare.md", **compare.values(atlas))
        yield self.crosswalk()
        yield self.venues()
        yield self.rules()
        text = markup.from_repository(contributing)
        yield self.render("contributing.md.j2", "contributing.md", text=text)
        yield self.render("commands.md.j2", "commands.md", commands=list(commands()))
        yield from export.files(catalog)

    def paper(self, paper: Paper) -> tuple[str, str]:
        return self.render(
            "paper.md.j2",
            f"papers/{paper.id}.md",
            paper=paper,
            authors=full_authors(paper),
            venue=self.catalog.venue[paper.venue],
            methods=self.atlas.methods_of.get(paper.id, []),
            gap=paper.kind == "method",
            links=links(paper),
            leaves=[self.catalog.leaves[leaf] for leaf in paper.leaves],
            related=self.atlas.related[paper.id],
            bibtex=entry(paper, self.catalog.venue[paper.venue]),
        )

    def node(self, node: Node) -> tuple[str, str]:
        above = self.atlas.line(node)
        beside = above[-1].children if above else self.catalog.taxonomy
        return self.render(
            "node.md.j2",
            f"taxonomy/{node.id}.md",
            node=node,
            trail=[("Taxonomy", "index.md"), *((n.name, f"{n.id}.md") for n in above)],
            siblings=[other for other in beside if other.id != node.id],
            papers=newest_first(self.atlas.papers(node)),
            modalities=self.modalities(node.children) if node.children else "",
        )

    def modalities(self, nodes: Iterable[Node]) -> Markup:
        """How many papers each node has for each modality; a gap is a dash."""
        modalities = self.catalog.modalities
        rows = []
        for node in nodes:
            papers = self.atlas.papers(node)
            numbers = (sum(m.id in paper.modality for paper in papers) for m in modalities)
            name = f"[{escape.page(node.name)}]({node.id}.md)"
            rows.append([name, *(str(number or "–") for number in numbers)])
        head = ["Branch", *(escape.page(m.id) for m in modalities)]
        legend = ", ".join(f"{escape.page(m.id)}: {escape.page(m.name)}" for m in modalities)
        body = markup.table(head, "l" + "r" * len(modalities), rows)
        return escape.safe(f"{body}\n\n{legend}.\n{{: .meta }}")

    def method_table(self, methods: list[Implementation]) -> Markup:
        head = ["Method", "Leaf", "Paper", "Starts as the base", "Merges", "Base untouched"]
        rows = []
        for method in methods:
            leaf = self.catalog.leaves[method.leaf]
            declared = (method.init_noop, method.mergeable, method.frozen_base)
            scores = (
                f"{100 * runs[method.name].score:.1f}" if method.name in runs else "–"
                for runs in self.atlas.runs.values()
            )
            rows.append(
                [
                    f"[{escape.page(method.title)}]({quote(method.name)}.md)",
                    f"[{escape.page(leaf.name)}](../taxonomy/{leaf.id}.md)",
                    f"[{escape.page(self.cited(method.paper))}](../papers/{method.paper}.md)",
                    *("yes" if value else "no" for value in declared),
                    *scores,
                ]
            )
        tasks = [escape.page(method_page.task_of(name).short) for name in self.atlas.runs]
        return markup.table([*head, *tasks], "llllll" + "r" * len(tasks), rows)

    def method(self, method: Implementation) -> tuple[str, str]:
        paper = self.catalog.paper[method.paper]
        return self.render(
            "method.md.j2",
            f"methods/{method.name}.md",
            **method_page.values(self.atlas, method),
            leaf=self.catalog.leaves[method.leaf],
            source=method_page.body(self.atlas.source[method.name]),
            papers=self.atlas.papers_of[method.name],
            bibtex=entry(paper, self.catalog.venue[paper.venue]),
        )

    def crosswalk(self) -> tuple[str, str]:
        leaves = self.catalog.leaves.values()
        named = {survey for leaf in leaves for survey in leaf.elsewhere}
        surveys = newest_first(paper for paper in self.catalog.papers if paper.id in named)
        rows = []
        for leaf in leaves:
            line = [*self.atlas.line(leaf), leaf]
            label = " / ".join(f"[{escape.page(n.name)}](taxonomy/{n.id}.md)" for n in line)
            rows.append([label, *(escape.page(leaf.elsewhere.get(s.id, "")) for s in surveys)])
        head = [f"[{escape.page(self.cited(s.id))}](papers/{s.id}.md)" for s in surveys]
        table = markup.table(["Leaf", *head], "l" * (len(head) + 1), rows)
        return self.render("crosswalk.md.j2", "crosswalk.md", table=table)

    def venues(self) -> tuple[str, str]:
        number = {venue.id: 0 for venue in self.catalog.venues}
        for paper in self.catalog.papers:
            number[paper.venue] += 1
        listed = [(venue, number[venue.id]) for venue in self.catalog.venues]
        return self.render("venues.md.j2", "venues.md", venues=listed)

    def rules(self) -> tuple[str, str]:
        every = rules.load().values()
        families = [
            (name, [rule for rule in every if int(rule.code[1]) == digit])
            for digit, name in enumerate(rules.FAMILIES.values())
        ]
        return self.render("rules.md.j2", "rules.md", families=families)

    def cited(self, paper_id: str) -> str:
        paper = self.catalog.paper[paper_id]
        return f"{short_authors(paper)} {paper.year or ''}".strip()


def commands() -> Iterator[tuple[str, str, str]]:
    """Each command of the catalog: its name, what its module says of it, and its own help."""
    for name, (module_name, purpose) in COMMANDS.items():
        module = importlib.import_module(f"tools.{module_name}")
        parser = argparse.ArgumentParser(prog=f"python -m tools {name}", description=purpose)
        module.arguments(parser)
        # as wide on every machine, and without paths of this one
        parser.formatter_class = partial(argparse.HelpFormatter, width=90)
        text = (module.__doc__ or "").strip()
        yield name, text.partition("\n\n")[2], parser.format_help()


def links(paper: Paper) -> list[tuple[str, str, str]]:
    """Where a paper can be found, as (label, text, link); each link once, the publication first."""
    forum = f"https://openreview.net/forum?id={paper.openreview}"
    every = [
        ("Publication", paper.link, paper.link),
        ("Preprint", f"arXiv:{paper.arxiv}", paper.arxiv_link),
        ("DOI", paper.doi, f"https://doi.org/{paper.doi}" if paper.doi else None),
        ("Reviews", forum, forum if paper.openreview else None),
        ("Page", paper.url, paper.url),
        ("Authors' code", paper.code, paper.code),
    ]
    found: dict[str, tuple[str, str, str]] = {}
    for label, text, link in every:
        if link and text:
            found.setdefault(link, (label, text, link))
    return list(found.values())
