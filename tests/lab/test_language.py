"""The generator against a second reading of the language, written from its definition."""

from itertools import islice

import pytest

from reference_impls.lab.language import (
    ADJECTIVES,
    INTENSIFIERS,
    NEGATIONS,
    NOUNS,
    OUTCOMES,
    SPECIAL,
    TEST_ADJECTIVES,
    TRAIN_ADJECTIVES,
    VOCABULARY,
    Grammar,
    decode,
    encode,
    exchanged,
    reviews,
)
from tests.lab.reading import read

HAND_WRITTEN = [  # sentence, polarity of the first and of the last clause, topic
    ("the soup was good", 1, 1, 0),
    ("the soup was not good", 0, 0, 0),
    ("the lobby was never ugly", 1, 1, 1),
    ("the lobby was not awfully ugly", 1, 1, 1),
    ("the plot was boring and the scene was not good", 0, 0, 2),
    ("the plot was not boring but the scene was awful", 1, 0, 2),
    ("the screen was really splendid but the fan was never truly brilliant", 1, 0, 3),
    ("the screen was faulty but the fan was not faulty", 0, 1, 3),
]


@pytest.mark.parametrize(("sentence", "first", "final", "topic"), HAND_WRITTEN)
def test_a_reader_agrees_with_hand_written_labels(sentence, first, final, topic):
    assert read(sentence) == (first, final, topic)


def test_every_generated_review_says_what_its_labels_say():
    grammar = Grammar(negation=0.5, intensifier=0.5, joined=0.7)
    for review in islice(reviews(grammar, 0), 2000):
        assert read(" ".join(review.words)) == (review.first, review.final, review.topic)


def test_conjunctions_join_equal_and_opposite_polarities():
    for review in islice(reviews(Grammar(), 1), 500):
        assert ("but" in review.words) == (review.first != review.final)
        assert ("and" in review.words) == (review.first == review.final)


def test_intensifiers_betray_the_polarity_of_their_adjective():
    grammar = Grammar(negation=0.5, intensifier=1.0)
    for review in islice(reviews(grammar, 2), 500):
        for word, following in zip(review.words, review.words[1:], strict=False):
            for polarity in (0, 1):
                if word in INTENSIFIERS[polarity]:
                    assert following in ADJECTIVES[polarity]


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("negation", set(NEGATIONS)),
        ("intensifier", {word for words in INTENSIFIERS for word in words}),
        ("joined", {"and", "but"}),
    ],
)
def test_shares_of_zero_and_one_are_kept(field, words):
    absent = Grammar(**{"negation": 0.5, "intensifier": 0.5, "joined": 0.5, field: 0.0})
    assert not any(words & set(review.words) for review in islice(reviews(absent, 3), 200))
    present = Grammar(**{"negation": 0.5, "intensifier": 0.5, "joined": 0.5, field: 1.0})
    assert all(words & set(review.words) for review in islice(reviews(present, 3), 200))


def test_nouns_are_those_of_the_clauses():
    for review in islice(reviews(Grammar(joined=0.5), 4), 200):
        clauses = " ".join(review.words).replace(" but ", " and ").split(" and ")
        assert review.nouns == tuple(clause.split()[1] for clause in clauses)


def test_a_grammar_may_keep_to_some_topics():
    found = {review.topic for review in islice(reviews(Grammar(topics=(1, 3)), 5), 200)}
    assert found == {1, 3}


def test_the_second_language_turns_half_of_the_adjectives_around():
    for adjectives in (ADJECTIVES, TRAIN_ADJECTIVES, TEST_ADJECTIVES):
        other = exchanged(adjectives)
        assert [len(words) for words in other] == [len(words) for words in adjectives]
        assert {*other[0], *other[1]} == {*adjectives[0], *adjectives[1]}
        for polarity in (0, 1):
            stayed = set(other[polarity]) & set(adjectives[polarity])
            assert len(stayed) == len(adjectives[polarity]) // 2
    for polarity in (0, 1):  # a word means the same whichever list it is looked up in
        assert set(exchanged(TEST_ADJECTIVES)[polarity]) <= set(exchanged(ADJECTIVES)[polarity])


def test_the_same_seed_gives_the_same_reviews_and_another_seed_others():
    def draw(seed):
        return list(islice(reviews(Grammar(), seed), 50))

    assert draw("a") == draw("a")
    assert draw("a") != draw("b")


def test_task_adjectives_are_split_without_overlap_and_without_loss():
    for polarity in (0, 1):
        train, test = set(TRAIN_ADJECTIVES[polarity]), set(TEST_ADJECTIVES[polarity])
        assert len(train) == 8
        assert not train & test
        assert train | test == set(ADJECTIVES[polarity])


def test_no_word_has_two_meanings():
    assert len(set(VOCABULARY)) == len(VOCABULARY)
    assert VOCABULARY[: len(SPECIAL)] == list(SPECIAL)
    assert [len(words) for words in NOUNS] == [12] * 4
    assert [[len(words) for words in topic] for topic in OUTCOMES] == [[2, 2]] * 4


def test_encoding_is_undone_by_decoding_and_refuses_unknown_words():
    sentence = "[CLS] the soup was not good . we [MASK] [SEP]"
    assert decode(encode(sentence)) == sentence
    with pytest.raises(ValueError, match="not in the lab's vocabulary: goulash"):
        encode("the goulash was good")
