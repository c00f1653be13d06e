"""A reader of reviews that shares no code with their generator."""

import re

from reference_impls.lab.language import ADJECTIVES, NOUNS

_CLAUSE = re.compile(r"the (\w+) was (not |never )?(?:\w+ )?(\w+)$")


def read(sentence: str) -> tuple[int, int, int]:
    """Polarity of the first clause, of the last one, and the topic; the form is checked too."""
    polarities, topics = [], []
    for clause in re.split(r" (?:and|but) ", sentence):
        noun, negation, adjective = _CLAUSE.fullmatch(clause).groups()
        positive = adjective in ADJECTIVES[1]
        assert positive or adjective in ADJECTIVES[0]
        polarities.append(int(positive != bool(negation)))
        topics.append(next(i for i, nouns in enumerate(NOUNS) if noun in nouns))
    assert len(set(topics)) == 1
    return polarities[0], polarities[-1], topics[0]
