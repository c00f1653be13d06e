"""Whether a summary is our own words: what it shares with an abstract."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

LONGEST = 7  # words in a row that two who write about the same thing may both come to


def borrowed(summary: str, abstract: str) -> str:
    """The longest run of words that both have, where it is longer than `LONGEST`; else nothing.

    Case, punctuation and hyphens are left aside.
    """
    ours, theirs = (re.findall(r"[^\W_]+", text.casefold()) for text in (summary, abstract))
    match = SequenceMatcher(None, ours, theirs, autojunk=False).find_longest_match()
    return " ".join(ours[match.a : match.a + match.size]) if match.size > LONGEST else ""
