"""Who wrote the papers: a page for each first letter, and an index of them.

A page for each author would be thousands of pages, with a second of the site's build for each
hundred; a letter is one page, and each author an anchor on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count, groupby

from markupsafe import Markup

from ....data.papers import first_seen
from ....data.schema import Paper
from ....text.escape import html, safe
from ....text.markup import capital
from ....text.slugs import folded
from ...shared.people import OTHER, Author, letters
from ...shared.site import Site

MOST = 60  # names on the index: a screen or two


def pages(site: Site) -> Iterator[tuple[str, str]]:
    authors = sorted(site.authors.values(), key=order)
    by_page = {page: list(own) for page, own in groupby(authors, key=lambda author: author.page)}
    least, most = foremost(authors)
    yield site.render(
        "authors.md.j2",
        "authors/index.md",
        pages=[(page, capital(page), len(own)) for page, own in by_page.items()],
        number=len(authors),
        most=most,
        least=least,
        limit=MOST,
    )
    rows = {paper.id: row(paper) for paper in site.catalog.papers}
    for page, own in by_page.items():
        yield site.render(
            "authors_of.md.j2",
            f"authors/{page}.md",
            name=capital(page),
            number=len(own),
            groups=[(start, list(names)) for start, names in groupby(own, key=heading)],
            rows=rows,
        )


def order(author: Author) -> tuple[bool, str, str, str]:
    """By family name, then by given name; those of other scripts last."""
    family, given = author.name
    return author.page == OTHER, letters(family), folded(given), author.anchor


def heading(author: Author) -> str:
    """Under what an author stands on a page: one letter more than all names of it have."""
    if author.page == OTHER:
        return ""
    return capital(letters(author.name.family)[: len(author.page) + 1])


def row(paper: Paper) -> Markup:
    """An entry, the same below each of its authors.

    Every element costs: MkDocs parses each of the tens of thousands twice.
    """
    date = first_seen(paper)
    where = f"{paper.venue} {paper.year or ''}".strip()
    return safe(
        f'<dd>{date.year if date else "n.d."} <a href="../papers/{paper.id}.html">'
        f"{html(paper.title)}</a> {html(where)}</dd>"
    )


def foremost(authors: Iterable[Author]) -> tuple[int, list[Author]]:
    """The least number of entries, from 2, that at most `MOST` names have, and those names."""
    ranked = sorted(authors, key=lambda author: -len(author.papers))
    least = next(n for n in count(2) if sum(len(a.papers) >= n for a in ranked) <= MOST)
    return least, [author for author in ranked if len(author.papers) >= least]
