"""Pieces of the site's Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from textwrap import indent

from markupsafe import Markup

from .escape import html, page, safe, script
from .slugs import without_accents


def front(
    title: str,
    description: str,
    hide: str = "[navigation]",
    styles: Iterable[str] = (),
    scripts: Iterable[str] = (),
    head: Iterable[tuple[str, str]] = (),
    linked_data: object = None,
    entry: str = "",
    edit: str = "",
    line: int = 0,
    code: bool = False,
    boost: float | None = None,
    trail: Iterable[tuple[str, str]] = (),
    tags: Iterable[str] = (),
) -> Markup:
    """Front matter. The theme puts its values into HTML as they are, so they are escaped here.

    What it hides makes a page wider: its navigation is in the tabs and in the path above it.
    `styles` and `scripts` are files in docs/assets/ that this page needs; `head` are (name,
    content) of meta elements; `linked_data` is written as JSON-LD. `entry` is the id of the paper
    that the page is about; `edit` the file of the repository that the page is made of, `line` where
    it starts there. `code`: the page ends with how to get the code. `boost` puts the page before
    others among what a search finds; one of 0 is not found at all. `trail`: (name, address from the
    top of the site) of the pages above this one. It stands over the title; in the page's own text
    the search would take it for a section. `tags`: names by which a search finds the page at once.
    """
    values = {
        "title": str(html(title)),
        "description": str(html(description)),
        "styles": list(styles),
        "scripts": list(scripts),
        "head": [[str(html(name)), str(html(content))] for name, content in head],
        "linked_data": linked_data and str(script(linked_data)),
        "entry": entry,
        "edit": edit,
        "line": line,
        "code": code,
        "trail": [[str(html(part)) for part in page] for page in trail],
        "tags": [str(html(tag)) for tag in tags],
        "search": boost is not None and ({"boost": boost} if boost else {"exclude": True}),
    }
    lines = (f"{key}: {_json(value)}" for key, value in values.items() if value)
    return safe("\n".join(["---", *lines, f"hide: {hide}", "---"]))


# JSON that YAML reads alike: it takes escapes beyond the first plane for two characters.
_json = json.JSONEncoder(ensure_ascii=False).encode


def code(text: str) -> Markup:
    """Inline code; an option of the command line is not broken at its hyphens."""
    whole = ' class="whole"' if text.startswith("--") else ""
    return safe(f"<code{whole}>{page(text)}</code>")


def with_code(text: str) -> Markup:
    """Plain text in which backticks mark code."""
    return safe(re.sub("&#96;(.+?)&#96;", r"<code>\1</code>", str(page(text))))


def fenced(text: str, language: str, margin: str = "") -> Markup:
    """A block of code, in a fence that is longer than any in the text."""
    longest = max((len(ticks) for ticks in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    lines = text.strip("\n")  # and not the blanks, by which the first line may be indented
    return safe(indent(f"{fence}{language}\n{lines}\n{fence}", margin))


def table(head: list[str], align: str, rows: list[list[str]]) -> Markup:
    """A Markdown table of cells that are Markdown already. `align` has an `l` or `r` a column."""
    rule = ["---:" if letter == "r" else "---" for letter in align]
    return safe("\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows]))


def unaccented(text: str) -> Markup:
    """The words of a page that have accents, without them: unseen, but the search finds them.

    What is raised comes down: S²FT is looked for as S2FT.
    """
    lines = [line for line in text.splitlines() if not line.isascii()]
    accented = " ".join([piece for line in lines for piece in line.split() if not piece.isascii()])
    words = {word for word in re.findall(r"[^\W\d_]+", accented) if not word.isascii()}
    plain = {without_accents(word) for word in words}
    found = sorted(word for word in plain - words if word.isascii() and not word.isdigit())
    return safe(f"<p hidden>{' '.join(found)}</p>" if found else "")


def listed(names: Iterable[str]) -> str:
    """'a, b and c', in the order given."""
    *most, last = [*names] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def first_sentence(text: str) -> str:
    """The text up to the first full stop that a capital follows, as a teaser for its page."""
    return re.split(r"(?<=[^.]\.) (?=[A-Z])", " ".join(text.split()), maxsplit=1)[0]


def capital(text: str) -> str:
    """The text with its first letter as a capital."""
    return text[:1].upper() + text[1:]


def from_repository(markdown: str) -> Markup:
    """A Markdown file of the repository for the site.

    Links to other files become their names, and what belongs to a numbered item is indented by
    four spaces, which Python-Markdown wants.
    """
    text = re.sub(
        r"\[([^\]]+)\]\((?!https?://|#)([^)\s]+)\)",
        lambda m: m[1] if m[2] in m[1] else f"{m[1]} (`{m[2]}`)",
        markdown,
    )
    lines, in_code = [], False
    for line in text.splitlines():
        in_code ^= line.startswith("```")
        lines.append(f" {line}" if line.startswith("   ") and not in_code else line)
    return safe("\n".join(lines))
