"""How the Atlas itself is cited: as BibTeX and as a line of text."""

from __future__ import annotations

from ..data.project import Group, Project
from ..text.escape import bibtex
from ..text.markup import listed


def own_bibtex(project: Project) -> str:
    """A BibTeX entry, of a type that every style knows."""
    authors = (
        f"{{{bibtex(author.name)}}}"
        if isinstance(author, Group)
        else f"{bibtex(author.family)}, {bibtex(author.given)}"
        for author in project.authors
    )
    fields = {
        "title": f"{{{bibtex(project.title)}}}",  # its capitals stay
        "author": " and ".join(authors),
        "year": str(project.released.year),
        "note": f"Version {bibtex(project.version)}, {project.released.isoformat()}",
    }
    key = "".join(filter(str.isalnum, project.title.lower()))
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@misc{{{key}{project.released.year},", *lines, "}"]) + "\n"


def own_text(project: Project) -> str:
    """'A. Author (2026). Title (version 1.0) [Software and data].'"""
    authors = listed(
        author.name if isinstance(author, Group) else f"{author.given} {author.family}"
        for author in project.authors
    )
    return (
        f"{authors} ({project.released.year}). {project.title} (version {project.version}) "
        "[Software and data]."
    )
