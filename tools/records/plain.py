"""Text as the catalog keeps it: composed letters, no markup, one kind of blank and apostrophe.

What registries and reference managers give is cleaned here, where it comes in. Markup that is not
known stays, so that the rules find it: nothing vanishes with its text.
"""

from __future__ import annotations

import html
import re
import unicodedata

_ENTITY = re.compile(r"&#?\w+;")
_TAG = re.compile(
    r"</?(?:i|b|em|strong|sub|sup|sc|scp|span|tt|u|br|p|italic|bold|(?:jats|mml):[a-z-]+)"
    r"(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_RAISED = re.compile(r"<sup>\s*([0-9+-]+)\s*</sup>", re.IGNORECASE)
RAISED = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
# Soft hyphens, zero-width characters, marks of direction and of byte order print nothing.
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_HYPHENS = str.maketrans("\u2010\u2011", "--")


def plain(text: str) -> str:
    """The text on one line, composed, without HTML and without what cannot be seen.

    Raised digits stay raised, as they change what a formula says.
    """
    if "&" in text or "<" in text:
        for _ in range(2):  # some registries escape twice
            text = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
        text = _RAISED.sub(lambda match: match[1].translate(RAISED), text)
        text = _TAG.sub("", text)
    text = _UNSEEN.sub("", text).translate(_HYPHENS)
    if "’" in text and "‘" not in text:
        text = text.replace("’", "'")
    text = re.sub("ı(?=[\u0300-\u036f])", "i", text)  # an accent takes the place of the dot
    return " ".join(unicodedata.normalize("NFC", text).split())
