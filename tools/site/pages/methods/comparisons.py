"""A method's comparisons with libraries, as a table."""

from __future__ import annotations

from markupsafe import Markup

from ....data.parity import Comparison
from ....text.escape import page, safe
from ....text.markup import table, with_code

OUTCOMES = {
    "equal": "equal",
    "equal-after": "equal, once the two are set alike",
    "deviates": "**differs**",
}
MANY = 8  # models that a cell has room for


def comparison_table(comparisons: tuple[Comparison, ...]) -> Markup:
    """A row for each comparison."""
    rows = [
        [
            page(f"{c.library} {c.version}"),
            with_code(c.compared),
            _models(c.models),
            OUTCOMES[c.outcome],
            _difference(c.difference),
            with_code(c.note),
        ]
        for c in comparisons
    ]
    return table(["Library", "Compared", "Models", "Result", "Difference", "Why"], "llllrl", rows)


def _models(models: tuple[str, ...]) -> Markup:
    """Their names; of many, how many they are, and the names on demand."""
    names = page(", ".join(models))
    if len(models) <= MANY:
        return names
    return safe(f"<details><summary>{len(models)} architectures</summary>{names}</details>")


def _difference(value: float | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:+,}".replace("-", "−") if value else "0"
    return f"{value:.1e}".replace("e-0", "e-").replace("e+00", "") if value else "0.0"
