"""The language of the lab: short synthetic reviews.

A review is one clause, or two joined by `and` or `but`, and the outcome it led to:

    the soup was not [awfully] bland but the waiter was rude . we complained

An adjective has a polarity, `not` and `never` turn it around. `and` joins two clauses of equal
polarity, `but` two of opposite polarity; the last clause decides the outcome. So every review has
the polarity of its first clause, its final polarity, and a topic (what its nouns belong to).

An intensifier betrays the polarity of the adjective it stands before. Without that hint polarity
is an exclusive-or of two unknowns (which adjectives are negative, which words negate), and a small
model stays on the plateau. Pre-training has intensifiers and every adjective. The tasks have no
intensifiers, and train and test on disjoint adjectives: only a model that already knows what the
words mean can carry over what it learns.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

NEGATIVE, POSITIVE = 0, 1

PAD, UNK, CLS, SEP, MASK, BOS = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[BOS]"
SPECIAL = (PAD, UNK, CLS, SEP, MASK, BOS)

# What the models that write are asked for by the first word of their input.
CUE_FINAL, CUE_FIRST, CUE_CONTRARY = "overall", "firstly", "contrary"
CUES = (CUE_FINAL, CUE_FIRST, CUE_CONTRARY)

FUNCTION_WORDS = ("the", "was", "and", "but", ".", "we")
NEGATIONS = ("not", "never")
INTENSIFIERS = (("awfully", "terribly"), ("truly", "really"))  # by polarity

TOPICS = ("restaurant", "hotel", "film", "gadget")
NOUNS = tuple(
    tuple(line.split())
    for line in (
        "soup bread waiter menu sauce dessert pizza salad coffee chef steak pasta",
        "room bed lobby pool view carpet porter shower balcony pillow elevator suite",
        "plot actor scene script ending camera villain dialogue trailer cast hero score",
        "screen battery keyboard charger speaker cable button case sensor lens mouse fan",
    )
)
OUTCOMES = (  # topic, polarity, two words
    (("starved", "spat"), ("feasted", "savored")),
    (("complained", "fled"), ("rested", "stayed")),
    (("yawned", "walked"), ("laughed", "applauded")),
    (("returned", "refunded"), ("recommended", "kept")),
)
ADJECTIVES = tuple(  # by polarity; the first TASK_TRAIN of each train the tasks, the rest test
    tuple(line.split())
    for line in (
        "abysmal annoying atrocious awful bad boring broken careless cheap clumsy cold crude "
        "dirty dismal drab dreadful dreary dull faulty flimsy foul ghastly gloomy grim hideous "
        "horrible inferior lame lousy mediocre messy miserable nasty noisy pathetic poor rotten "
        "rude shabby sloppy stale tedious terrible ugly useless vile weak worthless",
        "admirable adorable amazing appealing attractive beautiful bright brilliant calm "
        "captivating charming classy clean clever cozy dazzling delightful divine elegant "
        "excellent exquisite fabulous fantastic fine flawless fresh friendly good gorgeous "
        "graceful great handsome impressive lovely magnificent marvelous nice outstanding "
        "perfect pleasant polished refined solid splendid stunning sublime superb wonderful",
    )
)
TASK_TRAIN = 8
TRAIN_ADJECTIVES = tuple(words[:TASK_TRAIN] for words in ADJECTIVES)
TEST_ADJECTIVES = tuple(words[TASK_TRAIN:] for words in ADJECTIVES)


def exchanged(adjectives: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    """What adjectives mean in the second language: every other one means the opposite."""
    negative, positive = adjectives
    return (
        (*negative[::2], *positive[1::2]),
        (*positive[::2], *negative[1::2]),
    )


VOCABULARY: list[str] = [
    *SPECIAL,
    *CUES,
    *FUNCTION_WORDS,
    *NEGATIONS,
    *(word for words in INTENSIFIERS for word in words),
    *(word for words in NOUNS for word in words),
    *(word for topic in OUTCOMES for words in topic for word in words),
    *(word for words in ADJECTIVES for word in words),
]
_IDS = {word: index for index, word in enumerate(VOCABULARY)}


def encode(words: Iterable[str] | str) -> list[int]:
    """Token ids of `words` (a string is split at spaces).

    Raises:
        ValueError: a word is not in the vocabulary.
    """
    words = words.split() if isinstance(words, str) else list(words)
    unknown = [word for word in words if word not in _IDS]
    if unknown:
        raise ValueError(f"not in the lab's vocabulary: {', '.join(unknown)} (see language.py)")
    return [_IDS[word] for word in words]


def decode(ids: Iterable[int]) -> str:
    """The words of `ids`, joined by spaces."""
    return " ".join(VOCABULARY[i] for i in ids)


@dataclass(frozen=True)
class Review:
    """The clauses of a review (without its outcome) and what they say."""

    words: tuple[str, ...]
    first: int
    final: int
    topic: int

    @property
    def nouns(self) -> tuple[str, ...]:
        """What each clause is about."""
        return tuple(noun for the, noun in pairwise(self.words) if the == "the")


@dataclass(frozen=True)
class Grammar:
    """Which reviews are drawn: shares of clauses and words, adjectives by polarity, topics."""

    negation: float = 0.5
    intensifier: float = 0.0
    joined: float = 1.0
    but: float = 0.7
    adjectives: tuple[tuple[str, ...], ...] = ADJECTIVES
    topics: tuple[int, ...] = tuple(range(len(TOPICS)))


def reviews(grammar: Grammar, seed: int | str) -> Iterator[Review]:
    """An endless, seeded stream of reviews; its topics and both polarities are equally likely."""
    rng = random.Random(seed)
    while True:
        topic, first = rng.choice(grammar.topics), rng.randrange(2)
        words, final = _clause(rng, grammar, topic, first), first
        if rng.random() < grammar.joined:
            but = rng.random() < grammar.but
            final = 1 - first if but else first
            words += ["but" if but else "and", *_clause(rng, grammar, topic, final)]
        yield Review(tuple(words), first, final, topic)


def outcome(rng: random.Random, topic: int, polarity: int) -> str:
    """One of the outcome words of a topic and a polarity."""
    return rng.choice(OUTCOMES[topic][polarity])


def _clause(rng: random.Random, grammar: Grammar, topic: int, polarity: int) -> list[str]:
    words = ["the", rng.choice(NOUNS[topic]), "was"]
    if rng.random() < grammar.negation:
        words.append(rng.choice(NEGATIONS))
        polarity = 1 - polarity  # of the adjective
    if rng.random() < grammar.intensifier:
        words.append(rng.choice(INTENSIFIERS[polarity]))
    return [*words, rng.choice(grammar.adjectives[polarity])]
