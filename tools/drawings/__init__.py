"""Where each method acts in a transformer block, as SVG made from one table (`methods.py`).

A page that shows one names `drawings.css` among its styles: the colors come from there.
"""

from __future__ import annotations

from markupsafe import Markup

from tools.drawings.block import WIDTH, Block
from tools.drawings.margin import margin
from tools.drawings.methods import DRAWINGS
from tools.drawings.shapes import box
from tools.drawings.thumbnail import HEIGHT as SMALL_HEIGHT
from tools.drawings.thumbnail import WIDTH as SMALL_WIDTH
from tools.drawings.thumbnail import stamp
from tools.drawings.vocabulary import MEANING
from tools.drawings.words import described, states
from tools.escape import html, safe


def drawing(name: str) -> Markup:
    """The method in a transformer block, with a legend; nothing for an unknown one."""
    if name not in DRAWINGS:
        return safe("")
    declared = DRAWINGS[name]
    block = Block(declared)
    shapes = [*block.shapes, *margin(block)]
    keys = "".join(
        f'<li><svg viewBox="0 0 30 18" aria-hidden="true">{box(2, 2, 26, 14, state)}</svg>'
        f"{MEANING[state]}</li>"
        for state in states(declared)
    )
    return safe(
        f'<figure class="drawing"><svg viewBox="0 {block.y - 2:g} {WIDTH} {4 - block.y:g}" '
        f'role="img"><title>Where {html(declared.title)} acts in a transformer block</title>'
        f"<desc>{html(described(declared))}</desc>{''.join(shapes)}</svg>"
        f'<figcaption><ul class="keys">{keys}</ul></figcaption></figure>'
    )


def small(name: str) -> Markup:
    """A thumbnail of it without words, for text that names the method anyway."""
    if name not in DRAWINGS:
        return safe("")
    return safe(
        f'<span class="thumb" aria-hidden="true"><svg viewBox="0 0 {SMALL_WIDTH} {SMALL_HEIGHT}">'
        f"{''.join(stamp(DRAWINGS[name]))}</svg></span>"
    )
