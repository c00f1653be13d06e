"""S5xx: text is plain, so that it is safe in Markdown, HTML and BibTeX, and reads well."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from functools import cache
from urllib.parse import urlsplit

from . import Context, Fault, Place, rule

_PAIRS = ("“”", "‘’", "«»", "《》", "（）", "［］", "【】", "「」", "『』")


def _links(context: Context) -> Iterator[tuple[Place, str]]:
    for path, venue in context.venues:
        yield (*path, "url"), venue.url
    for path, paper in context.papers:
        for key in ("url", "code"):
            if link := getattr(paper, key):
                yield (*path, key), link


def _matching(context: Context, pattern: re.Pattern[str], message: str) -> Iterator[Fault]:
    for path, text in context.texts:
        if found := pattern.search(text):
            yield Fault(path, message.format(found[0]))


_HTML = re.compile(r"<[A-Za-z/!?][^\s>]{0,20}|&#?[A-Za-z0-9]+;")


@rule(
    "S501",
    "HTML in a text",
    "Texts are plain: HTML tags and entities would be shown as they stand, or worse, run. Write "
    "the character itself.",
    bad='note: "<b>Plain</b> text."',
    good='note: "Plain text."',
)
def html(context: Context) -> Iterator[Fault]:
    yield from _matching(context, _HTML, "holds HTML: '{}'; write plain text")


_MARKDOWN = re.compile(r"!\[|\]\s?\(|\]\[|\*\*|__|`|https?://|www\.")


@rule(
    "S502",
    "Markdown or a link in a text",
    "Texts are plain: links belong into the link keys, and emphasis is the template's business.",
    bad='note: "Plain [text](https://example.org)."',
    good='note: "Plain text."',
)
def markdown(context: Context) -> Iterator[Fault]:
    yield from _matching(context, _MARKDOWN, "holds Markdown or a link: '{}'; write plain text")


_TEMPLATE = re.compile(r"\{\{|\{%|\{#|%\}|\}\}")


@rule(
    "S503",
    "Template braces in a text",
    "Doubled braces and braces with a percent sign are commands to template engines.",
    bad='note: "Plain {{ text }}."',
    good='note: "Plain text."',
)
def template(context: Context) -> Iterator[Fault]:
    yield from _matching(context, _TEMPLATE, "holds a template's braces: '{}'")


_BRACE = re.compile("[{}]")


@rule(
    "S504",
    "Unbalanced braces",
    "An opening brace without its closing one (or the reverse) would swallow the rest of a BibTeX "
    "file.",
    bad='note: "The set {query, value is adapted."',
    good='note: "The set {query, value} is adapted."',
)
def braces(context: Context) -> Iterator[Fault]:
    for path, text in context.texts:
        depth = 0
        for char in _BRACE.findall(text):
            depth += (char == "{") - (char == "}")
            if depth < 0:
                break
        if depth:
            yield Fault(path, "has a brace without its partner")


@rule(
    "S505",
    "Backslash in a text",
    "Texts are Unicode, not LaTeX: the exports write accents and symbols as their format needs "
    "them.",
    bad="note: 'Plain te\\xt.'",
    good='note: "Plain text."',
)
def backslash(context: Context) -> Iterator[Fault]:
    pattern = re.compile(r"\\.?")
    yield from _matching(context, pattern, "holds '{}'; write the character itself in Unicode")


@rule(
    "S506",
    "Stray space",
    "A text neither starts nor ends with a space, holds no two spaces in a row, and is one line.",
    bad='note: "Plain  text."',
    good='note: "Plain text."',
)
def spaces(context: Context) -> Iterator[Fault]:
    for path, text in context.texts:
        if text != " ".join(text.split()):
            yield Fault(path, "has a stray space or line break")


@rule(
    "S507",
    "Summary is not a sentence",
    "A summary is a sentence: it starts with a capital letter, a digit or a quotation mark and "
    "ends with a full stop. The README's lines are built from it.",
    bad='summary: "trains two small matrices beside each weight"',
    good='summary: "Trains two small matrices beside each weight."',
)
def sentence(context: Context) -> Iterator[Fault]:
    for path, paper in context.papers:
        start, end = paper.summary[0], paper.summary[-1]
        if not (start.isupper() or start.isdigit() or start in "\"'“‘"):
            yield Fault((*path, "summary"), f"starts with '{start}', not with a capital letter")
        elif end != ".":
            yield Fault((*path, "summary"), f"ends with '{end}', not with a full stop")


@rule(
    "S508",
    "Unpaired quotation mark",
    "Quotation marks and full-width brackets come in pairs. The apostrophe is the straight one: "
    "the curly one is half of a pair.",
    bad='note: "The authors’ own view, “so to speak”."',
    good='note: "The authors\' own view, “so to speak”."',
)
def quotes(context: Context) -> Iterator[Fault]:
    for path, text in context.texts:
        if text.isascii():
            odd = text.count('"') % 2
            if odd:
                yield Fault(path, "has a quotation mark without its partner")
            continue
        for opening, closing in _PAIRS:
            if text.count(opening) != text.count(closing):
                mark = opening if text.count(opening) > text.count(closing) else closing
                hint = "; write ' for an apostrophe" if mark == "’" else ""
                yield Fault(path, f"has a {mark} without its partner{hint}")


@rule(
    "S509",
    "Credentials in a link",
    "A link with a user name or a password in it gives them to everybody.",
    bad="code: https://user:secret@example.com/lora",
    good="code: https://example.com/lora",
)
def credentials(context: Context) -> Iterator[Fault]:
    yield from _bad_links(
        context, lambda link: "@" in link.netloc, "has a user name or password in it"
    )


@rule(
    "S510",
    "Link to a private host",
    "Links lead to public hosts: not to this computer, a private network or a bare host name. The "
    "link check follows links, and must not be led into the network it runs in.",
    bad="code: http://192.168.0.1/lora",
    good="code: https://example.com/lora",
)
def private_host(context: Context) -> Iterator[Fault]:
    yield from _bad_links(context, lambda link: _is_private(link.hostname or ""), "is not public")


def _bad_links(context: Context, is_bad: Callable, message: str) -> Iterator[Fault]:
    for path, link in _links(context):
        try:
            bad = is_bad(_split(link))
        except ValueError:
            bad = True
        if bad:
            yield Fault(path, f"'{link}' {message}")


_split = cache(urlsplit)


@cache
def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        name, _, last = host.rstrip(".").rpartition(".")
        # No public top-level domain is a number: 127.1 and 0x7f.1 are addresses.
        return not name or last[0].isdigit() or last in _LOCAL


_LOCAL = {"localhost", "local", "internal", "intranet", "lan", "home", "corp", "test", "invalid"}
