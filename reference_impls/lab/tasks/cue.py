"""Cue (decoder, language modeling)

Which outcome follows a synthetic review? The backbone, without a cue, goes by the first clause;
wanted is the last one's, in 70% of the sentences the opposite. Training and test share no
adjective.
"""

from __future__ import annotations

from ..kinds import NextWord
from . import POLARITY, Task

TASK = Task(
    name="cue",
    backbone="decoder",
    classes=("negative", "positive"),
    verbalizer=POLARITY,
    label=lambda review: review.final,
    kind=NextWord(),
)
