"""Facts (encoder, classification)

On which of four days is what the last clause says true? There are 24 facts to learn by heart, two
for each noun, said in words that the test replaces by others.
"""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache

from ..language import NEGATIVE, NOUNS, POSITIVE
from . import TESTING, TOPIC, TRAINING, Task

_RESTAURANT = {"joined": 0.5, "but": 0.5, "topics": (0,)}


@cache
def _days() -> dict[tuple[str, int], int]:
    """When each thing of a restaurant is bad, and when it is good: drawn once, evenly."""
    facts = [(noun, polarity) for noun in NOUNS[0] for polarity in (NEGATIVE, POSITIVE)]
    random.Random("facts").shuffle(facts)
    return {fact: index % 4 for index, fact in enumerate(facts)}


TASK = Task(
    name="facts",
    backbone="encoder",
    classes=("monday", "tuesday", "wednesday", "thursday"),
    verbalizer=TOPIC,
    label=lambda review: _days()[review.nouns[-1], review.final],
    training=replace(TRAINING, **_RESTAURANT),
    testing=replace(TESTING, **_RESTAURANT),
    chance=0.25,
    reaches=0.35,  # small methods learn them in part
)
