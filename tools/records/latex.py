r"""LaTeX as plain Unicode text, or a refusal that names the command.

pylatexenc knows letters and symbols. It is told here what it lacks, and to refuse what it does not
know: as it comes it drops an unknown command together with its text.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from typing import Any

from pylatexenc.latex2text import (
    EnvironmentTextSpec,
    LatexNodes2Text,
    MacroTextSpec,
    SpecialsTextSpec,
    get_default_latex_context_db,
)
from pylatexenc.latexwalker import LatexWalker, LatexWalkerError
from pylatexenc.latexwalker import get_default_latex_context_db as default_syntax
from pylatexenc.macrospec import std_macro

from .plain import RAISED, plain
from .record import SourceError

logging.getLogger("pylatexenc").setLevel(logging.CRITICAL)  # what fails is raised here

# Commands that set their argument in some style, and those that set what follows.
STYLES = """
    emph textrm textit textbf textmd textsc textsf textsl texttt textup textnormal text mbox hbox
    uppercase textsubscript url enquote mathrm mathbf mathit mathsf mathtt mathbb mathcal mathscr
    mathfrak mathnormal operatorname
""".split()  # noqa: SIM905
_SWITCHES = """
    rm it bf sc sf sl tt em upshape itshape slshape scshape bfseries mdseries rmfamily sffamily
    ttfamily normalfont relax protect displaystyle textstyle allowbreak nobreak - /
""".split()  # noqa: SIM905
_SYMBOLS = {
    "LaTeX": "LaTeX", "TeX": "TeX", "BibTeX": "BibTeX", "LaTeXe": "LaTeX2e",
    "textless": "<", "textgreater": ">", "textbar": "|", "textunderscore": "_", "textdollar": "$",
    "textquotesingle": "'", "textquotedbl": '"', "textasciigrave": "`", "textbraceleft": "{",
    "textbraceright": "}", "textpercent": "%", "textampersand": "&", "textasteriskcentered": "*",
    "textbullet": "•", "textellipsis": "…", "ldots": "…", "dots": "…", "textnumero": "№",
    "slash": "/", "textvisiblespace": "␣", "lbrace": "{", "rbrace": "}", "textsuperscript": "",
    "ohorn": "ơ", "uhorn": "ư", "Ohorn": "Ơ", "Uhorn": "Ư", "OHORN": "Ơ", "UHORN": "Ư",
    "quad": " ", "qquad": " ", "space": " ", "nobreakspace": " ", ",": " ", ";": " ", ":": " ",
    "!": "", "@": "", " ": " ", "\n": " ", "\t": " ", "\\": " ", "newline": " ", "&": "&",
    "textperiodcentered": "·", "textasciicircum": "^", "textasciitilde": "~",
    "textquoteright": "'", "lq": "‘", "rq": "’", "textapos": "'", "cdot": "·", "cdots": "⋯",
}  # fmt: skip
_OPERATORS = """
    log ln exp min max sup inf lim sin cos tan arg det dim ker Pr argmin argmax
""".split()  # noqa: SIM905
_ACCENTS = {
    "'": "\u0301", "`": "\u0300", '"': "\u0308", "^": "\u0302", "~": "\u0303", "=": "\u0304",
    ".": "\u0307", "u": "\u0306", "v": "\u030c", "H": "\u030b", "c": "\u0327", "k": "\u0328",
    "d": "\u0323", "b": "\u0331", "r": "\u030a", "h": "\u0309", "G": "\u030f", "cb": "\u0326",
    "textcommabelow": "\u0326", "acute": "\u0301", "grave": "\u0300", "ddot": "\u0308",
    "hat": "\u0302", "tilde": "\u0303", "bar": "\u0304", "dot": "\u0307", "breve": "\u0306",
    "check": "\u030c", "vec": "\u20d7",
}  # fmt: skip
# What the default context holds and no title or name does: references, headings, boxes, tables.
_EXCLUDED = ("latex-placeholders", "latex-approximations", "latex-ethuebung")
_NEVER = ("input", "include", "today")

_ACCENT = r"\\(?:[`'^\"~=.]|[uvHcdbkrhG](?![A-Za-z]))\s*"
_TEXT_MODE = re.compile(r"\\ifmmode\b.*?\\else\b\s*(.*?)\\fi\b(?:\{\})?", re.DOTALL)
_STACKED = re.compile(rf"({_ACCENT})({_ACCENT}(?:\{{[^{{}}]*\}}|\\[ij](?![A-Za-z])|[^\s\\{{}}]))")
# 10$^{\rm th}$, and how DBLP writes what is raised or lowered: \({}_{\mbox{p}}\)
_COMMAND = r"\\(?:mbox|textrm|text|mathrm|rm)(?![a-z])"
_UPRIGHT = re.compile(
    rf"([_^])(?:\{{{_COMMAND}(?:\{{([\w+-]+)\}}|\s+([\w+-]+))\}}|{_COMMAND}\{{([\w+-]+)\}})"
)
_ORDINAL = re.compile(r"\^\{(st|nd|rd|th)\}")
_SCRIPT = re.compile(r"([_^])(?:\{\s*([\w+-]+)\s*\}|([^\W_]))")
_HIGH = dict(
    zip(
        "0123456789+-abcdefghijklmnoprstuvwxyz",
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ",
        strict=True,
    )
)
_LOW = dict(zip("0123456789+-aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))
_SPECIAL = re.compile(r"[\\{}$~%`]|--|''")
_SINGLE_QUOTES = re.compile(r"(?<!`)`(?!`)([^`]+?)(?<!')'(?!['\w])")


def decoded(latex: str) -> str:
    """The text on one line; braces that protect capitals are gone.

    Raises SourceError where a command is not known or the text is no LaTeX.
    """
    if not _SPECIAL.search(latex):
        return plain(latex)
    latex = re.sub(r"(?<!\\)%", r"\%", latex)  # in a field no comment begins there
    latex = _TEXT_MODE.sub(r"{\1}", latex)
    latex = _STACKED.sub(r"\1{\2}", latex)
    latex = _SINGLE_QUOTES.sub("‘\\1’", latex)
    try:
        text = plain(_text(latex))
        if formula := re.search(r"\$[^$]*[_^][^$]*\$", text):
            raise SourceError(f"'{formula[0]}' is a formula with '\\$'")
    except SourceError as error:
        raise SourceError(f"{error}; write the characters themselves") from None
    return text


def _text(latex: str) -> str:
    try:
        nodes = LatexWalker(latex, latex_context=_SYNTAX, tolerant_parsing=False).get_latex_nodes()
        text = _DECODER.nodelist_to_text(nodes[0])
    except LatexWalkerError:
        raise SourceError("braces or '$' without their partner") from None
    except (IndexError, KeyError, TypeError, AttributeError, RecursionError, ValueError):
        # what the decoder raises for a command without its argument
        raise SourceError("this LaTeX cannot be read") from None
    if "%s" in text and "%s" not in latex.replace("\\", ""):  # the decoder's own stand-in
        raise SourceError("a LaTeX command lacks its argument; use braces")
    return text


class _Decoder(LatexNodes2Text):
    """With maths in Unicode, or refused."""

    def math_node_to_text(self, node: Any) -> str:
        source = node.latex_verbatim()
        inner = "".join(part.latex_verbatim() for part in node.nodelist)
        inner = re.sub(r"\{\}(?=[_^])", "", inner)
        inner = _UPRIGHT.sub(lambda m: f"{m[1]}{{{m[2] or m[3] or m[4]}}}", inner)
        inner = _SCRIPT.sub(_script, _ORDINAL.sub(r"\1", inner))
        if re.search(r"(?<!\\)[_^&]", inner):
            raise SourceError(f"the formula {source} has no plain form")
        return _text(inner)


def _script(match: re.Match[str]) -> str:
    """Raised and lowered letters and digits in Unicode, as far as it has them."""
    known, text = (_LOW if match[1] == "_" else _HIGH), match[2] or match[3]
    return f"{{{''.join(known[char] for char in text)}}}" if set(text) <= known.keys() else match[0]


def _refused(node: Any) -> str:
    name = getattr(node, "macroname", None)
    shown = f"\\{name}" if name is not None else f"\\begin{{{node.environmentname}}}"
    raise SourceError(f"'{shown}' is no LaTeX command that is known here")


def _operator(node: Any) -> str:
    return node.macroname + (" " if node.macro_post_space else "")


def _argument(node: Any, l2tobj: LatexNodes2Text) -> str:
    if not node.nodeargs:
        raise SourceError(f"'\\{node.macroname}' lacks what it is to be set on; use braces")
    return l2tobj.nodelist_to_text(node.nodeargs[:1])


def _raised(node: Any, l2tobj: LatexNodes2Text) -> str:
    text = _argument(node, l2tobj)
    return text.translate(RAISED) if text.isdigit() else text


def _accented(mark: str) -> Any:
    def accent(node: Any, l2tobj: LatexNodes2Text) -> str:
        text = _argument(node, l2tobj).strip()
        if not text[:1].isalpha():
            raise SourceError(f"the accent '\\{node.macroname}' stands on no letter")
        return unicodedata.normalize("NFC", text[0].translate(_DOTLESS) + mark) + text[1:]

    return accent


_DOTLESS = str.maketrans("ıȷ", "ij")


def _contexts() -> tuple[Any, Any]:
    syntax = default_syntax()
    arguments = [*STYLES, *_ACCENTS, "textsuperscript"]
    macros = [*(std_macro(name, False, 1) for name in arguments), std_macro("href", False, 2)]
    syntax.add_context_category("ours", prepend=True, macros=macros)
    text = get_default_latex_context_db().filter_context(exclude_categories=list(_EXCLUDED))
    macros = [MacroTextSpec(name, simplify_repl=_argument) for name in STYLES]
    macros += [MacroTextSpec(name, simplify_repl="") for name in _SWITCHES]
    macros += [MacroTextSpec(n, simplify_repl=lambda _, s=s: s) for n, s in _SYMBOLS.items()]
    macros += [MacroTextSpec(n, simplify_repl=_accented(mark)) for n, mark in _ACCENTS.items()]
    macros += [MacroTextSpec(name, simplify_repl=_operator) for name in _OPERATORS]
    macros += [MacroTextSpec(name, simplify_repl=_refused) for name in _NEVER]
    macros.append(MacroTextSpec("textsuperscript", simplify_repl=_raised))
    macros.append(MacroTextSpec("href", simplify_repl="%(2)s"))
    specials = [SpecialsTextSpec("~", " ")]
    text.add_context_category("ours", prepend=True, macros=macros, specials=specials)
    text.set_unknown_macro_spec(MacroTextSpec("", simplify_repl=_refused))
    text.set_unknown_environment_spec(EnvironmentTextSpec("", simplify_repl=_refused))
    return syntax, text


_SYNTAX, _TEXT = _contexts()
_DECODER = _Decoder(latex_context=_TEXT, strict_latex_spaces="macros")
