"""What several pages say of a method: its title, its one line, parts of its docstring."""

from __future__ import annotations

from markupsafe import Markup

from ...atlas import Atlas, BuildError
from ...data.implementations import Implementation
from ...text.formulas import FormulaError, rendered
from ...text.markup import capital


def title(atlas: Atlas, name: str) -> str:
    return atlas.methods[name].title if name in atlas.methods else name


def own_dropout(method: Implementation) -> float:
    """The rate of the dropout that a method brings, as its paper has it; 0 without one."""
    rates = (h.default for h in method.hyperparameters if h.name == "dropout")
    return float(next(rates, 0))


def oneline(method: Implementation) -> Markup:
    """What the method does, without its name before it. Raises BuildError."""
    name, colon, text = method.page.title.partition(": ")
    return docstring(method, capital(text if colon and len(name) < 40 else method.page.title))


def docstring(method: Implementation, text: str) -> Markup:
    """A part of the method's docstring for the site. Raises BuildError naming the file."""
    try:
        return rendered(text)
    except FormulaError as error:
        raise BuildError(f"{method.path}: {error}") from None
