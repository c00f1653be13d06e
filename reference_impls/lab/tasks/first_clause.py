"""First clause (encoder, classification)

Is the first clause of a synthetic review positive? The backbone was pre-trained to know how reviews
end, and in 70% of the sentences that is the opposite. Training and test share no adjective.
"""

from __future__ import annotations

from . import CLOZE, POLARITY, Task

TASK = Task(
    name="first-clause",
    backbone="encoder",
    classes=("negative", "positive"),
    verbalizer=POLARITY,
    label=lambda review: review.first,
    pattern=CLOZE,
    sources=("last-clause",),
)
