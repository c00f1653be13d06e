"""Where a method acts in a transformer block, as SVG made from what its card declares.

A page that shows one names `drawings.css` among its styles: the colors come from there.
"""

from __future__ import annotations

from markupsafe import Markup

from ..text.escape import html, safe
from .block import block
from .margin import EDGES, margin
from .shapes import box, hourglass
from .thumbnail import stamp
from .vocabulary import MEANING, Drawing, State
from .words import described, states


def drawing(title: str, declared: Drawing | None) -> Markup:
    """The method in a transformer block, with a legend; nothing where none is declared."""
    if declared is None:
        return safe("")
    canvas = block(declared)
    shapes = [*canvas.shapes, *margin(canvas)]
    left, right = EDGES
    return safe(
        f'<figure class="drawing"><svg viewBox="{left} {canvas.y - 4:g} {right - left} '
        f'{6 - canvas.y:g}" role="img">'
        f"<title>Where {html(title)} acts in a transformer block</title>"
        f"<desc>{html(described(declared))}</desc>{''.join(shapes)}</svg>"
        f'<figcaption><ul class="keys">{legend(declared)}</ul>'
        "<p>One of L layers, drawn as in BERT: the input is at the bottom.</p>"
        "</figcaption></figure>"
    )


def legend(declared: Drawing) -> str:
    """What the looks of the parts mean that this drawing shows."""
    looks = [(box(2, 2, 26, 14, state), MEANING[state]) for state in states(declared)]
    kinds = {piece.kind for piece in declared.added}
    if "adapter" in kinds:
        looks.append((hourglass(15, 1, 24, 16, State.TRAINED), "bottleneck with a nonlinearity"))
    if "low_rank" in kinds:
        looks.append((hourglass(15, 1, 13, 16, State.TRAINED, active=False), "two thin matrices"))
    return "".join(
        f'<li><svg viewBox="0 0 30 18" aria-hidden="true">{look}</svg>{meaning}</li>'
        for look, meaning in looks
    )


def small(declared: Drawing | None) -> Markup:
    """A thumbnail of it without words, for text that names the method anyway."""
    if declared is None:
        return safe("")
    return safe(f'<span class="thumb" aria-hidden="true">{stamp(declared)}</span>')
