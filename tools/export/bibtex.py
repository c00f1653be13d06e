"""A paper as a BibTeX entry, for programs that read Unicode or for those that want LaTeX."""

from __future__ import annotations

import re
from functools import cache

from ..data.schema import Paper, Venue
from ..text.escape import bibtex, bibtex_title

# Venue kind -> entry type, and the field that names the venue.
TYPES = {
    "conference": ("inproceedings", "booktitle"),
    "workshop": ("inproceedings", "booktitle"),
    "journal": ("article", "journal"),
    "preprint": ("misc", None),
    "report": ("techreport", "institution"),
    "web": ("misc", "howpublished"),
}


@cache  # a build writes an entry on its page, and in five files
def entry(paper: Paper, venue: Venue, *, latex: bool = False) -> str:
    """The entry under the paper's id, ending with a newline.

    Letters stay Unicode; with `latex`, those beyond ASCII become LaTeX in braces of their own,
    which every style and program takes for one letter.
    """
    if latex:
        text = entry(paper, venue)
        return text if text.isascii() else re.sub(r"[^\x00-\x7f]", lambda m: _in_latex(m[0]), text)
    kind, venue_field = TYPES[venue.kind]
    fields = {
        "title": bibtex_title(paper.title),
        "author": " and ".join(
            f"{bibtex(name.family)}, {bibtex(name.given)}"
            if name.given
            else f"{{{bibtex(name.family)}}}"
            for name in paper.names
        ),
        "year": str(paper.year or ""),
        venue_field: bibtex(venue.name),
        "pages": (paper.pages or "").replace("-", "--"),
        "eprint": paper.arxiv or "",
        "archiveprefix": "arXiv" if paper.arxiv else "",
        "doi": paper.doi or "",
        "url": bibtex_link(paper.link),
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if name and value]
    return "\n".join([f"@{kind}{{{paper.id},", *lines, "}"]) + "\n"


@cache
def _in_latex(letter: str) -> str:
    from pylatexenc.latexencode import UnicodeToLatexEncoder  # comes with bibtexparser

    encoder = UnicodeToLatexEncoder(
        replacement_latex_protection="braces-all", unknown_char_policy="keep"
    )
    return encoder.unicode_to_latex(letter)


def bibtex_link(link: str) -> str:
    r"""A link for `\url`, which reads its text as it stands: only braces and backslash matter."""
    return link.replace("\\", "%5C").replace("{", "%7B").replace("}", "%7D")
