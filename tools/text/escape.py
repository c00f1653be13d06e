"""Text from the catalog is data: how it reaches Markdown, HTML, links and BibTeX unchanged.

Each function takes plain text and returns what shows exactly that text in its format. The results
for Markdown and HTML are `Markup`, so that a template does not escape them again. Names, titles and
venues stand on many pages: what became of a text is kept.
"""

from __future__ import annotations

import html as _html
import json
import re
import unicodedata
from functools import cache
from urllib.parse import quote

from markupsafe import Markup

# What may begin a block (heading, list, quote, rule, admonition, definition) opens a text.
_BLOCK_START = re.compile(r"[#+\-=:!?>/]|[0-9]+[.)]")
_COMMONMARK = re.compile(r"[\\`*_\[\]~|]")
_ENTITY = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;"}
_PAGE = re.compile(r"[\\`*_{}\[\]<>&\"'|~^=$@#]")
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{char: f"\\{char}" for char in "#$%&_"},
}
# Encoders are made once: `json.dumps` makes one for each call with an option.
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_WORD_OR_SPECIAL = re.compile(rf"(?P<word>[^\W_]+)|[{re.escape(''.join(_LATEX))}]")


def safe(text: str) -> Markup:
    """Text that is in the target format already."""
    return Markup(text)  # noqa: S704


@cache
def plain(text: str) -> str:
    """One line without control characters, and without those that turn the writing direction."""
    line = " ".join(text.split())
    if line.isprintable():
        return line
    seen = (char for char in line if unicodedata.category(char) not in ("Cc", "Cf"))
    return " ".join("".join(seen).split())


@cache
def html(text: str) -> Markup:
    """For HTML text and double-quoted attributes."""
    return safe(_html.escape(plain(text)))


def script(value: object) -> Markup:
    """JSON for a script element, which no text in it can end."""
    return safe(_compact(value).replace("<", "\\u003c"))


def commonmark(text: str) -> Markup:
    """For the README: backslashes keep its source readable."""
    line = plain(text)
    escaped = _COMMONMARK.sub(r"\\\g<0>", line)
    escaped = re.sub(r"[&<>$]", lambda m: _ENTITY[m.group()], escaped)
    start = _BLOCK_START.match(line)
    if start and start.group()[-1] not in ">":
        at = start.end() - 1
        escaped = escaped[:at] + "\\" + escaped[at:]
    return safe(escaped)


@cache
def page(text: str) -> Markup:
    """For the site's Markdown: entities, which no extension gives a meaning to."""
    line = plain(text)
    start = _BLOCK_START.match(line)
    if not start:
        return safe(_PAGE.sub(_number, line))
    at = start.end()
    return safe(f"{line[: at - 1]}&#{ord(line[at - 1])};{_PAGE.sub(_number, line[at:])}")


def _number(match: re.Match[str]) -> str:
    return f"&#{ord(match[0])};"


def url(link: str) -> Markup:
    """For a Markdown link's destination, or an HTML attribute. Only http and https are links.

    Raises ValueError for any other scheme.
    """
    if not re.match(r"https?://", link):
        raise ValueError(f"'{link}' is not an http or https link")
    return safe(quote(link, safe="%/:?#@!$'+,;=&~.-_").replace("&", "&amp;"))


@cache
def bibtex(text: str) -> str:
    """For a BibTeX field in braces. Letters stay Unicode."""
    return "".join(_LATEX.get(char, char) for char in plain(text))


@cache
def bibtex_title(text: str) -> str:
    """As `bibtex`, with the words in braces whose capitals a style must not lower.

    Those are words with a capital after their first letter (LoRA, BERT), or with a capital and a
    digit (T5), and single capitals joined by a hyphen (GPT-2 has both, P-Tuning).
    """
    return _WORD_OR_SPECIAL.sub(_braced, plain(text))


def _braced(piece: re.Match[str]) -> str:
    if not piece["word"]:
        return _LATEX[piece[0]]
    return f"{{{piece[0]}}}" if _keeps_capitals(piece) else piece[0]


def _keeps_capitals(piece: re.Match[str]) -> bool:
    word, line = piece[0], piece.string
    if word.islower():
        return False
    beside = (line[max(piece.start() - 1, 0) : piece.start()], line[piece.end() : piece.end() + 1])
    single = len(word) == 1 and word.isupper() and "-" in beside
    inside = any(char.isupper() for char in word[1:])
    numbered = any(map(str.isupper, word)) and any(map(str.isdigit, word))
    return single or inside or numbered
