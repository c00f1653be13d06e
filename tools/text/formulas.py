"""LaTeX in a method's page becomes MathML, so that a reader needs neither scripts nor fonts."""

from __future__ import annotations

import re
from functools import cache
from xml.etree import ElementTree

from markupsafe import Markup

from ..kept import Kept
from .escape import safe

_FORMULAS = Kept("formulas", "latex2mathml")

# Code is left alone; `$$…$$` is a block, `$…$` is inline and does not touch blanks or digits.
_PARTS = re.compile(
    r"(?P<code>^```.*?^```|(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`))"
    r"|\$\$(?P<block>.+?)\$\$"
    r"|(?<![\\$])\$(?P<inline>[^\s$`](?:[^$`]*[^\s$`\\])?)\$(?![0-9$])",
    re.DOTALL | re.MULTILINE,
)
_ARGUMENTS = {"mfrac": 2, "msub": 2, "msup": 2, "mover": 2, "munder": 2, "mroot": 2, "msubsup": 3}
_LINK = re.compile(r"(?<![(<\[`\w])https?://[^\s<>)\]`]*[^\s<>)\]`.,;:]")
_ARXIV = re.compile(r"\barXiv:([0-9]{4}\.[0-9]{4,5})\b")

LONG = 12  # characters; the narrowest column on a phone has room for about 14


class FormulaError(ValueError):
    """A formula that would not show as it was meant."""


def rendered(text: str) -> Markup:
    """A docstring's Markdown with its formulas as MathML and its bare links as links.

    Raises FormulaError naming the formula.
    """

    def replace(match: re.Match[str]) -> str:
        if match["code"]:
            return match["code"]
        if match["block"]:
            return f'<span class="formula block">{mathml(match["block"], block=True)}</span>'
        formula = mathml(match["inline"])
        # A line breaks around a formula, never inside it: a long one gets a box that can scroll.
        style = "formula long" if len(formula.striptags()) > LONG else "formula"
        return f'<span class="{style}">{formula}</span>'

    pieces, end = [], 0
    for match in _PARTS.finditer(text):
        pieces += [_linked(text[end : match.start()]), replace(match)]
        end = match.end()
    return safe("".join([*pieces, _linked(text[end:])]).strip())


def _linked(text: str) -> str:
    text = _LINK.sub(r"<\g<0>>", text)
    return _ARXIV.sub(r"[\g<0>](https://arxiv.org/abs/\1)", text)


@cache
def mathml(latex: str, *, block: bool = False) -> Markup:
    """One formula as a MathML element that Markdown leaves as it is.

    Raises FormulaError where the formula does not parse, or uses what the converter does not know
    (it would show the command's name instead).
    """
    source = " ".join(latex.split())
    return safe(_FORMULAS.answer(f"{block} {source}", lambda: _mathml(source, block)))


def _mathml(source: str, block: bool) -> str:
    from latex2mathml.converter import convert  # seldom needed: what it gave is kept

    try:
        element = convert(source, display="block" if block else "inline")
    except Exception as error:
        raise FormulaError(f"the formula ${source}$ does not parse: {_reason(error)}") from None
    try:
        tree = ElementTree.fromstring(re.sub(r"&(?![#\w]+;)", "&amp;", element))  # noqa: S314
    except ElementTree.ParseError as error:
        raise FormulaError(f"the formula ${source}$ gives no valid MathML: {error}") from None
    for node in tree.iter():
        name = node.tag.rpartition("}")[2]
        if name != "mtext" and node.text and re.search(r"\\[A-Za-z]|&", node.text):
            raise FormulaError(f"the formula ${source}$ uses '{node.text}', which is not supported")
        if len(node) != _ARGUMENTS.get(name, len(node)):
            raise FormulaError(f"the formula ${source}$ lacks an argument")
    return re.sub(r"(?<=>)[^<>]+(?=<)", _entities, element)


def _reason(error: Exception) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__.removesuffix("Error"))
    return str(error) or words.lower()


def _entities(match: re.Match[str]) -> str:
    # Markdown would read *, _ and | between the tags.
    return re.sub(r"[^\w\s&#;.,]|_", lambda m: f"&#{ord(m.group())};", match.group())
