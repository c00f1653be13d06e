"""The picture at the head of the README: how many papers each branch got in each year.

An SVG that GitHub shows as an image: it follows the reader's light or dark mode by itself, and
holds no link and no script.
"""

from __future__ import annotations

import math
from collections import Counter

from ..atlas import Atlas
from ..data.papers import first_seen
from ..data.schema import Node
from ..text.escape import html

FILE = ".github/atlas.svg"
FIRST = 2018  # earlier years, in which little appeared, share a column
NAMES, COLUMN, ROW, HEAD = 232, 56, 26, 40  # pixels
LARGEST = 12.0  # the radius of the largest disk

STYLE = """\
text{font:14px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;fill:#24292f}
.main{font-weight:600}.year,.sum{fill:#57606a;font-size:12px}
.disk{fill:#0d6e6e}.runs{fill:#b45309}line{stroke:#d0d7de}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.year,.sum{fill:#9198a1}
.disk{fill:#2dd4bf}.runs{fill:#f59e0b}line{stroke:#30363d}}"""


def picture(atlas: Atlas) -> str:
    """The SVG's text: a row a branch, a column a year, disks whose area is the number of papers."""
    numbers = {node.id: by_year(atlas, node) for node in atlas.catalog.taxonomy}
    last = max((year for own in numbers.values() for year in own), default=FIRST)
    years = range(FIRST, last + 1)
    most = max((n for own in numbers.values() for n in own.values()), default=1)
    width = NAMES + COLUMN * len(years) + 130
    height = HEAD + ROW * len(numbers) + 10
    papers = sum(paper.is_paper for paper in atlas.catalog.papers)
    said = f"{papers:,} papers on fine-tuning, by branch of the taxonomy and year"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label="{html(said)}">',
        f"<style>{STYLE}</style>",
    ]
    for i, year in enumerate(years):
        label = f"to {year}" if year == FIRST else str(year)
        lines.append(_text(NAMES + COLUMN * (i + 0.5), 22, label, "year", "middle"))
    lines.append(_text(width - 8, 22, "papers · run here", "year", "end"))
    for row, node in enumerate(atlas.catalog.taxonomy):
        lines += _row(atlas, node, numbers[node.id], years, most, HEAD + ROW * row, width)
    return "\n".join([*lines, "</svg>"]) + "\n"


def by_year(atlas: Atlas, node: Node) -> Counter[int]:
    """How many papers of the branch first appeared in each year."""
    dates = (first_seen(paper) for paper in atlas.papers(node) if paper.is_paper)
    return Counter(max(date.year, FIRST) for date in dates if date)


def _row(
    atlas: Atlas,
    node: Node,
    own: Counter[int],
    years: range,
    most: int,
    top: int,
    width: int,
) -> list[str]:
    middle = top + ROW / 2
    look = "main" if node.main else ""
    found = [
        f'<line x1="0" x2="{width}" y1="{top}" y2="{top}"/>',
        _text(8, middle + 5, node.name, look, "start"),
    ]
    for i, year in enumerate(years):
        if own[year]:
            radius = max(1.5, LARGEST * math.sqrt(own[year] / most))
            x = NAMES + COLUMN * (i + 0.5)
            found.append(f'<circle class="disk" cx="{x:g}" cy="{middle:g}" r="{radius:.1f}"/>')
    runs = len(atlas.implementations(node))
    found.append(_text(width - 54, middle + 4, f"{sum(own.values()):,}", "sum", "end"))
    if runs:
        found.append(_text(width - 8, middle + 4, str(runs), "runs", "end"))
    return found


def _text(x: float, y: float, words: str, look: str, anchor: str) -> str:
    kind = f' class="{look}"' if look else ""
    return f'<text x="{x:g}" y="{y:g}"{kind} text-anchor="{anchor}">{html(words)}</text>'
