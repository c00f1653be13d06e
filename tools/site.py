"""The site's pages: plain Markdown with front matter, that MkDocs turns into HTML."""

from __future__ import annotations

from urllib.parse import quote

from tools import escape, export, markup
from tools.atlas import Atlas, short_authors
from tools.drawings import small
from tools.pages import (
    about,
    calculator,
    choose,
    compare,
    crosswalk,
    guides,
    methods,
    news,
    papers,
    taxonomy,
    timeline,
)
from tools.pages.method import oneline
from tools.readme import count
from tools.templating import environment

# Folder of docs/ -> which of its files are all written here; others of them are removed.
FOLDERS = {"papers": "*.md", "methods": "*", "taxonomy": "*.md", "guides": "*.md", "export": "*"}
PARTS = (
    about,
    papers,
    taxonomy,
    timeline,
    crosswalk,
    methods,
    choose,
    compare,
    calculator,
    guides,
    news,
)


def pages(atlas: Atlas, contributing: str) -> dict[str, str]:
    """Every generated page by its path below docs/.

    `contributing` is the text of CONTRIBUTING.md. Raises BuildError where a method's page has a
    formula that cannot be shown.
    """
    site = Site(atlas, contributing)
    made = dict(page for part in PARTS for page in part.pages(site))
    return made | dict(export.files(atlas.catalog, atlas.methods))


class Site:
    """What every page needs: the material, and the templates with what they may call."""

    def __init__(self, atlas: Atlas, contributing: str) -> None:
        self.atlas, self.catalog, self.contributing = atlas, atlas.catalog, contributing
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
            oneline=oneline,
            path=lambda name: escape.safe(quote(name, safe="")),
            safe=escape.safe,
            short_authors=short_authors,
            small=small,
            url=escape.url,
            with_code=markup.with_code,
        )

    def render(self, template: str, path: str, **values: object) -> tuple[str, str]:
        """A page as (path, text). `up` leads from it to the top of docs/."""
        up = "../" * path.count("/")
        text = self.environment.get_template(template).render(up=up, **values).strip()
        unseen = markup.unaccented(text)
        return path, f"{text}\n\n{unseen}\n" if unseen else f"{text}\n"

    def cited(self, paper_id: str) -> str:
        """'Hu et al. 2021'."""
        paper = self.catalog.paper[paper_id]
        return f"{short_authors(paper)} {paper.year or ''}".strip()
