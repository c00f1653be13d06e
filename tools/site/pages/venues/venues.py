"""Where the papers appeared: an index of the venues, and a page for each that has papers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from ....data.papers import newest_first
from ....data.schema import Paper, Venue
from ...shared.site import Site


def pages(site: Site) -> Iterator[tuple[str, str]]:
    papers: dict[str, list[Paper]] = {venue.id: [] for venue in site.catalog.venues}
    for paper in site.catalog.papers:
        papers[paper.venue].append(paper)
    venues = [(venue, len(papers[venue.id])) for venue in site.catalog.venues]
    yield site.render("venues.md.j2", "venues.md", venues=venues, pages=site.venue_pages)
    for venue_id, name in site.venue_pages.items():
        yield page(site, site.catalog.venue[venue_id], name, papers[venue_id])


def page(site: Site, venue: Venue, name: str, papers: list[Paper]) -> tuple[str, str]:
    """The venue's papers by year of publication, the newest first, those without one last."""
    by_year = groupby(newest_first(papers), key=lambda paper: paper.year)
    return site.render(
        "venue.md.j2",
        f"venues/{name}.md",
        venue=venue,
        papers=papers,
        years=[(year, list(own)) for year, own in by_year],
    )
