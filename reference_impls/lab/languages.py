"""Text of the lab's two languages, which use the same words and mean other things by adjectives."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice

from torch import Tensor

from .kinds import cloze_example, collate
from .language import ADJECTIVES, Grammar, exchanged, reviews

LANGUAGES = {"first": ADJECTIVES, "second": exchanged(ADJECTIVES)}


def language_batches(
    adjectives: tuple[tuple[str, ...], ...], seed: int = 0, batch_size: int = 32
) -> Iterator[dict[str, Tensor]]:
    """Endless batches for a masked language model, of a language's text without labels.

    adjectives: by polarity; they are what the two `LANGUAGES` differ in. The text is of the kind
    that the encoder was pre-trained on: outcomes and intensifiers tell what adjectives mean.
    """
    rng = random.Random(f"masks {seed}")
    grammar = Grammar(negation=0.3, intensifier=0.5, joined=0.7, but=0.5, adjectives=adjectives)
    stream = reviews(grammar, f"language {seed}")
    while True:
        yield collate([cloze_example(review, rng) for review in islice(stream, batch_size)])
