"""New topic (decoder, language modeling)

As the cue task, trained on reviews of restaurants, hotels and films, tested on those of gadgets,
which the training data never mention.
"""

from __future__ import annotations

from dataclasses import replace

from . import TESTING, TRAINING
from .cue import TASK as CUE

TASK = replace(
    CUE,
    name="new-topic",
    training=replace(TRAINING, topics=(0, 1, 2)),
    testing=replace(TESTING, topics=(3,)),
)
