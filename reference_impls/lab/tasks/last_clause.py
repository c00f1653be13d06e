"""Last clause (encoder, classification)

Is the last clause of a synthetic review positive? This is what the backbone was pre-trained to
know, and what its cloze answers. Training and test share no adjective.
"""

from __future__ import annotations

from dataclasses import replace

from .first_clause import TASK as FIRST_CLAUSE

TASK = replace(
    FIRST_CLAUSE,
    name="last-clause",
    label=lambda review: review.final,
    sources=("first-clause",),
)
