"""Topic (encoder, classification)

Is a synthetic review about a restaurant, a hotel, a film or a gadget? The backbone's cloze answers
that already. Training and test share no adjective.
"""

from __future__ import annotations

from ..language import TOPICS
from . import CLOZE, TOPIC, Task

TASK = Task(
    name="topic",
    backbone="encoder",
    classes=TOPICS,
    verbalizer=TOPIC,
    label=lambda review: review.topic,
    pattern=CLOZE,
    chance=0.25,
)
