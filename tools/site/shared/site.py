"""What the site's pages are made with: plain Markdown with front matter, for MkDocs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from ...atlas import Atlas, counted
from ...data.papers import short_authors
from ...data.schema import Name
from ...drawings.figure import small
from ...text import escape, markup
from ...text.slugs import slugs
from ...text.templating import environment
from ...text.words import count
from . import people
from .method_words import oneline

# A page's template lies beside its module, what several of them use beside this one.
TEMPLATES = (Path(__file__).parent, *sorted(Path(__file__).parents[1].glob("pages/*/")))


class Site:
    """What every page needs: the material, and the templates with what they may call.

    `contributing` is the text of CONTRIBUTING.md; `manual` says of each command what it is called,
    what it does and how it is called.
    """

    def __init__(
        self, atlas: Atlas, contributing: str, manual: Iterable[tuple[str, str, str]] = ()
    ) -> None:
        self.atlas, self.catalog = atlas, atlas.catalog
        self.contributing, self.manual = contributing, tuple(manual)
        self.environment = environment(escape.page, *TEMPLATES)
        self.environment.globals.update(
            atlas=atlas,
            catalog=atlas.catalog,
            count=count,
            counted=counted,
            fenced=markup.fenced,
            front=markup.front,
        )
        # filters, where one value becomes text: jinja calls them as they are, functions by its way
        self.environment.filters.update(
            cited=self.cited,
            code=markup.code,
            first_sentence=markup.first_sentence,
            html=escape.html,
            oneline=oneline,
            path=lambda name: escape.safe(quote(name, safe="")),
            short_authors=short_authors,
            small=lambda name: small(atlas.card(name).drawn),
            url=escape.url,
            with_code=markup.with_code,
        )

    def render(
        self, template: str, path: str, accents: bool = False, **values: object
    ) -> tuple[str, str]:
        """A page as (path, text). `up` leads from it to the top of docs/.

        With `accents` the search gets its words without theirs, too: who looks for a name finds the
        pages that are about the work, before those that mention it.
        """
        up = "../" * path.count("/")
        text = self.environment.get_template(template).render(up=up, **values).strip()
        if accents and (unseen := markup.unaccented(text)):
            # behind the title: later sections may be kept from the search
            text = re.sub(r"(?m)^# .*$", lambda m: f"{m[0]}\n\n{unseen}", text, count=1)
        return path, f"{text}\n"

    @cached_property
    def authors(self) -> dict[Name, people.Author]:
        return people.authors(self.catalog)

    @cached_property
    def author_links(self) -> dict[Name, Markup]:
        """Of every author, as `Author.link` is: papers have five each, and most are of several."""
        return {name: author.link for name, author in self.authors.items()}

    @cached_property
    def venue_pages(self) -> dict[str, str]:
        """The name of the page of every venue that has papers, by the venue's id."""
        used = {paper.venue for paper in self.catalog.papers}
        names = [venue.id for venue in self.catalog.venues]
        named = zip(names, slugs(names, "venue"), strict=True)
        return {name: slug for name, slug in named if name in used}

    def cited(self, paper_id: str) -> str:
        """'Hu et al. 2021'."""
        paper = self.catalog.paper[paper_id]
        return f"{short_authors(paper)} {paper.year or ''}".strip()
