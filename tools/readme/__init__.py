"""README.md: the catalog as an awesome list."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from ..atlas import Atlas, BuildError, counted, coverage
from ..data.papers import short_authors
from ..data.schema import Node, Paper
from ..text.escape import commonmark, html, plain, safe, url
from ..text.templating import environment
from ..text.words import count
from .picture import FILE

# Two commands; what they download and take was measured on two cores.
QUICK_START = """\
The first command sets everything up (Python 3.11 or newer) and makes the site, which
`site/index.html` opens; then a method can be trained, and the catalog checked:

```sh
make site
.venv/bin/python -m reference_impls train lora
tools/validate
make test
```
"""
QUICK_START_TABLE = [
    ("Command", "What it does", "Downloads", "Takes"),
    (
        "`make site`",
        "Environment, catalog check, missing training runs, this file and the site",
        "280 MB, once; 1.4 GB on disk",
        "2 minutes",
    ),
    (
        "`make test`",
        "Tests of the tools, the methods, and the site (in Chromium, if there is one)",
        "nothing more",
        "8 to 12 minutes",
    ),
    (
        "`.ci/run`",
        "Both, from a bare clone: what CI runs",
        "and Chromium, if it is missing",
        "10 to 15 minutes",
    ),
]
TORCH_NOTE = """\
These figures are for two cores and PyTorch's CPU build. On Linux pip takes the CUDA build, several
gigabytes, unless `PIP_EXTRA_INDEX_URL` names PyTorch's index of CPU builds. No GPU, account or
download of models is needed.
"""

SHOWN = 3  # other leaves that list papers of a leaf: each link costs bytes
MAX_BYTES = 500_000  # GitHub shows no more of a README than 512,000


def render(atlas: Atlas) -> str:
    """The README's text. Raises BuildError where it would be longer than GitHub shows."""
    own, others = placed(atlas)
    slugs = heading_slugs(atlas)
    text = (
        environment(commonmark, Path(__file__).parent)
        .get_template("readme.md.j2")
        .render(
            atlas=atlas,
            catalog=atlas.catalog,
            own=own,
            others=others,
            anchored={method.paper for method in atlas.methods.values()},
            slugs=slugs,
            badge=lambda paper: badge(atlas, paper),
            count=count,
            counted=counted,
            coverage=coverage(atlas),
            heading=lambda depth: safe("#" * depth),
            path=lambda file: safe(quote(file)),
            picture=safe(FILE),
            quick_start=safe(f"{QUICK_START}\n{aligned(QUICK_START_TABLE)}\n\n{TORCH_NOTE}"),
            short_authors=short_authors,
            table=method_table(atlas, slugs),
            url=url,
            SHOWN=SHOWN,
            venue_year=_venue_year,
        )
    )
    text = re.sub(r"\n{3,}", "\n\n", text)
    if len(text.encode()) > MAX_BYTES:
        raise BuildError(f"README.md would have {len(text.encode()):,} bytes, over {MAX_BYTES:,}")
    return text


def placed(atlas: Atlas) -> tuple[dict[str, list[Paper]], dict[str, list[tuple[Node, int]]]]:
    """What each leaf lists: papers of its own, and how many of its papers other leaves list, the
    most first.

    A list's main links are unique, so a paper of several leaves has its entry in the first. Works
    to start with come first, the others by year.
    """
    leaves = atlas.catalog.leaves
    own: dict[str, list[Paper]] = {leaf: [] for leaf in leaves}
    others: dict[str, Counter[str]] = {leaf: Counter() for leaf in leaves}
    order = sorted(atlas.catalog.papers, key=lambda p: (not p.start_here, p.year or 9999, p.id))
    for paper in order:
        home, *elsewhere = paper.leaves
        own[home].append(paper)
        for leaf in elsewhere:
            others[leaf][home] += 1
    listed = {
        leaf: [(leaves[home], number) for home, number in homes.most_common()]
        for leaf, homes in others.items()
    }
    return own, listed


def badge(atlas: Atlas, paper: Paper) -> Markup:
    """A static badge in the venue's color, whose alternative text says the same.

    Only the works to start with have one: an address a paper would make the file too long.
    """
    label = _venue_year(paper)
    path = label.replace("-", "--").replace("_", "__").replace(" ", "_")
    color = atlas.catalog.venue[paper.venue].color.removeprefix("#")
    source = f"https://img.shields.io/badge/{quote(path, safe='')}-{color}"
    return safe(f"![{commonmark(label)}]({source})")


def _venue_year(paper: Paper) -> str:
    return plain(f"{paper.venue} {paper.year or ''}").strip()


def method_table(atlas: Atlas, slugs: dict[str, str]) -> Markup:
    """The implementations in the taxonomy's order, with aligned pipes."""
    order = list(atlas.catalog.leaves)
    methods = sorted(atlas.methods.values(), key=lambda m: (order.index(m.leaf), m.name))
    rows = [("Method", "Taxonomy", "Paper", "File")]
    for method in methods:
        paper, leaf = atlas.catalog.paper[method.paper], atlas.catalog.leaves[method.leaf]
        cited = f"{short_authors(paper)} {paper.year or ''}".strip()
        branch = " / ".join(node.name for node in [*atlas.line(leaf), leaf])
        rows.append(
            (
                str(commonmark(method.title)),
                f'<a href="#{slugs[leaf.id]}">{html(branch)}</a>',
                f'<a href="#{paper.id}">{html(cited)}</a>',
                f"[`{method.path.rpartition('/')[2]}`]({quote(method.path)})",
            )
        )
    return safe(aligned(rows))


def aligned(rows: list[tuple[str, ...]]) -> str:
    """A Markdown table, first row its head, columns as wide as their widest cell."""
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]

    def line(cells: tuple[str, ...]) -> str:
        padded = (cell + " " * (width - _width(cell)) for cell, width in zip(cells, widths))
        return f"| {' | '.join(padded)} |"

    rule = tuple("-" * width for width in widths)
    return "\n".join([line(rows[0]), line(rule), *map(line, rows[1:])])


def _width(cell: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in cell)


def heading_slugs(atlas: Atlas) -> dict[str, str]:
    """The anchor that GitHub gives to every node's heading, by the node's id."""
    seen: dict[str, int] = {}
    headings = ["Fine-Tuning Atlas", "Contents", "Reference Implementations"]
    slugs = [_slug(heading, seen) for heading in headings]
    slugs = [_slug(plain(node.name), seen) for node in atlas.catalog.nodes.values()]
    return dict(zip(atlas.catalog.nodes, slugs, strict=True))


def _slug(heading: str, seen: dict[str, int]) -> str:
    base = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
    slug, number = base, seen.get(base, 0)
    while slug in seen:
        number += 1
        slug = f"{base}-{number}"
    seen[base], seen[slug] = number, 0
    return slug
