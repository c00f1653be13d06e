"""Names for addresses: short, in ASCII, and the same at every build."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import chain, count

# Letters that Unicode does not take apart into a base letter and an accent.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "ß": "ss", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
)


def without_accents(text: str) -> str:
    """Each letter without its accent: 'Łódź' gives 'Łodz', since Ł is a letter of its own."""
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKD", text)
    return "".join(char for char in plain if not unicodedata.combining(char))


def folded(text: str) -> str:
    """In lower case and without accents: 'Rücklé' gives 'ruckle'. Other scripts stay."""
    return without_accents(text.casefold().translate(_LETTERS))


def slugs(texts: Iterable[str], otherwise: str) -> list[str]:
    """One for each text, all different: 'Wang, J.' gives 'wang-j', a second one 'wang-j-2'.

    A text without Latin letters or digits gets `otherwise`. The number goes by the order, so
    a text that comes last changes no other one's slug.
    """
    taken: dict[str, None] = {}
    for text in texts:
        base = "-".join(re.findall("[a-z0-9]+", folded(text))) or otherwise
        numbered = chain([base], (f"{base}-{number}" for number in count(2)))
        taken[next(slug for slug in numbered if slug not in taken)] = None
    return list(taken)
