"""Mended order (sentences in which two words are swapped, to be written as they were)

The sentences of "word order", all of them with two neighboring words the wrong way round. The
answer is right if it is the sentence to the letter: what is not swapped has to be copied.
"""

from __future__ import annotations

from pathlib import Path

from . import Answers, Example
from .order import SOURCE, sentences, swapped


def read(paths: list[Path]) -> list[Example]:
    found = sentences(paths)
    return [(swapped(words, rng.choice(pairs)), " ".join(words)) for words, pairs, rng in found]


TASK = Answers(name="mend", title="Mended order", **SOURCE, read=read)
