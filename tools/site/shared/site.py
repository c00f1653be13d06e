"""What the site's pages are made with: plain Markdown with front matter, for MkDocs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from ...atlas import Atlas, counted
from ...data.papers import short_authors
from ...drawings import small
from ...text import escape, markup
from ...text.templating import environment
from ...text.words import count
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
            cited=self.cited,
            code=markup.code,
            count=count,
            counted=counted,
            fenced=markup.fenced,
            first_sentence=markup.first_sentence,
            front=markup.front,
            html=escape.html,
            oneline=oneline,
            path=lambda name: escape.safe(quote(name, safe="")),
            safe=escape.safe,
            short_authors=short_authors,
            small=lambda name: small(atlas.card(name).drawn),
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
