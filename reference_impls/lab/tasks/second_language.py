"""Second language (encoder, classification)

As the first clause, trained on one language and tested on a second, in which every other adjective
means the opposite.
"""

from __future__ import annotations

from dataclasses import replace

from ..language import TEST_ADJECTIVES, Grammar, exchanged
from .first_clause import TASK as FIRST_CLAUSE

TASK = replace(
    FIRST_CLAUSE,
    name="second-language",
    testing=Grammar(adjectives=exchanged(TEST_ADJECTIVES)),
    sources=(),
)
