"""Every generated file of docs/: the pages, their styles and scripts, and the exports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ..atlas import Atlas
from ..data.project import read_project
from ..export import formats
from ..text.escape import html
from .pages.about import about
from .pages.authors import authors
from .pages.calculator import calculator
from .pages.choose import choose
from .pages.compare import compare
from .pages.crosswalk import crosswalk
from .pages.differences import differences
from .pages.evidence import evidence
from .pages.fits import fits
from .pages.guides import guides
from .pages.home import home
from .pages.methods import methods
from .pages.models import models
from .pages.news import news
from .pages.papers import papers
from .pages.taxonomy import taxonomy
from .pages.timeline import timeline
from .pages.venues import venues
from .pages.wanted import wanted
from .shared.site import Site

# Folder of docs/ -> which of its files are all written here; others of them are removed.
FOLDERS = {
    "papers": "*.md",
    "authors": "*",
    "venues": "*",
    "methods": "*",
    "taxonomy": "*.md",
    "guides": "*.md",
    "evidence": "*",
    "export": "*",
}
PARTS = (
    home,
    about,
    papers,
    authors,
    venues,
    taxonomy,
    timeline,
    crosswalk,
    methods,
    choose,
    compare,
    calculator,
    fits,
    models,
    evidence,
    differences,
    guides,
    news,
    wanted,
)
HERE = Path(__file__).parent


def pages(
    atlas: Atlas, contributing: str, manual: Iterable[tuple[str, str, str]] = ()
) -> dict[str, str]:
    """Every generated file by its path below docs/. For the arguments see `Site`.

    Raises BuildError where a method's page has a formula that cannot be shown, and CommittedError
    where what the project says of itself cannot be read.
    """
    site = Site(atlas, contributing, manual)
    made = dict(page for part in PARTS for page in part.pages(site))
    return made | dict(formats.files(atlas.catalog, atlas.methods)) | dict(assets())


def theme() -> dict[str, str]:
    """The generated files of overrides/, by their path there. Raises CommittedError."""
    project = read_project()
    licenses = html(" and ".join(project.license))
    about = "{{ 'about.html' | url }}#license"
    text = f'{html(project.version)} · <a href="{about}">{licenses}</a>\n'
    return {"partials/release.html": text}


def assets() -> Iterator[tuple[str, str]]:
    """Styles, scripts and drawings: those of one page lie beside it, the others in assets/."""
    found = [path for kind in ("css", "js") for path in HERE.glob(f"pages/*/*.{kind}")]
    for path in sorted([*HERE.glob("assets/*"), *found], key=lambda path: path.name):
        yield f"assets/{path.name}", path.read_text(encoding="utf-8")
