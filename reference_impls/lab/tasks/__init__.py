"""The tasks that the backbones are adapted to.

Most ask for something that the backbone knows but does not show. Their training and test sentences
share no adjective: a model can only pass the test if it knew, before, which words are positive. So
a random backbone stays at chance, a probe on the frozen one falls short, and every kind of
adaptation can reach 1. `last-clause` and `topic` are what the encoder's cloze answers already:
sources for methods that combine what several tasks taught. `facts` is not solved by all: the
backbone knows what its sentences say but not what to answer, so that the score says how much and
how fast a method learns.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice

import torch
from torch import Tensor
from transformers import PreTrainedModel

from . import backbones
from .kinds import (
    Classification,
    Example,
    Generation,
    Kind,
    MaskedWord,
    NextWord,
    cloze_example,
    collate,
)
from .language import (
    ADJECTIVES,
    MASK,
    NEGATIVE,
    NOUNS,
    OUTCOMES,
    POSITIVE,
    TEST_ADJECTIVES,
    TOPICS,
    TRAIN_ADJECTIVES,
    VOCABULARY,
    Grammar,
    Review,
    encode,
    exchanged,
    reviews,
)

TRAIN_SIZE = 2000
LANGUAGES = {"first": ADJECTIVES, "second": exchanged(ADJECTIVES)}
_TRAINING, _TESTING = Grammar(adjectives=TRAIN_ADJECTIVES), Grammar(adjectives=TEST_ADJECTIVES)
_CLASSIFICATION = Classification()


@dataclass(frozen=True)
class Task:
    """A task: sentences with labels, a model to start from and a score.

    classes: names of the classes, in the order of their ids.
    verbalizer: from each class to the ids of the outcome words that express it.
    label: from a review to its class.
    kind: what is asked of the model, and how the answer is read.
    pattern: ids to put before the closing [SEP] so that the encoder's cloze asks for an outcome
        (the other backbones predict the outcome anyway).
    training, testing: which sentences the two splits have.
    shots: the number of training examples of each class; without it, `TRAIN_SIZE` in all.
    sources: names of other tasks, of the same classes, that a method may learn from first.
    """

    name: str
    backbone: str
    description: str
    classes: tuple[str, ...]
    verbalizer: dict[int, list[int]]
    label: Callable[[Review], int]
    kind: Kind = _CLASSIFICATION
    pattern: tuple[int, ...] = ()
    training: Grammar = _TRAINING
    testing: Grammar = _TESTING
    shots: int | None = None
    test_size: int = 1000
    sources: tuple[str, ...] = ()

    def model(self, backbone: str | None = None, seed: int = 0) -> PreTrainedModel:
        """The model to adapt, from `backbone` (default: the task's); `seed` draws its head.

        Raises:
            ValueError: no such backbone; one whose vocabulary cannot hold the lab's; one of
                another shape than the kind of task needs.
        """
        name = backbone or self.backbone
        if self.kind.needs and backbones.shape(name) != self.kind.needs:
            raise ValueError(
                f"task '{self.name}' is for {self.kind.needs}s, backbone '{name}' is none"
            )
        head = {} if self.kind.needs else {"num_labels": len(self.classes)}
        model = backbones.load(name, self.kind.model_class, seed, **head)
        if model.config.vocab_size < len(VOCABULARY):
            raise ValueError(
                f"backbone '{name}' has {model.config.vocab_size} words, "
                f"the lab's language {len(VOCABULARY)}"
            )
        return model

    def train(self, seed: int = 0) -> list[Example]:
        """The training examples of `seed`."""
        size = self.shots * len(self.classes) if self.shots else TRAIN_SIZE
        return self._examples(f"train {seed}", self.training, size)

    def unlabeled(self, seed: int = 0) -> list[tuple[int, ...]]:
        """Token ids of 2,000 sentences without labels: training's words, the test's topics."""
        grammar = replace(self.training, topics=self.testing.topics)
        examples = self._examples(f"unlabeled {seed}", grammar, TRAIN_SIZE)
        return [self.kind.question(example).input_ids for example in examples]

    def test(self) -> list[Example]:
        """The test examples: always the same, as many of each class."""
        return self._examples("test", self.testing, self.test_size)

    def domains(self) -> tuple[Task, ...]:
        """The task on each training topic alone.

        Raises:
            ValueError: the test is not about another topic.
        """
        if set(self.training.topics) & set(self.testing.topics):
            raise ValueError(f"task '{self.name}' has no domains: its test has training's topics")
        return tuple(
            replace(self, training=replace(self.training, topics=(topic,)))
            for topic in self.training.topics
        )

    def batches(self, seed: int = 0, batch_size: int = 32) -> Iterator[dict[str, Tensor]]:
        """Endless batches of `train(seed)`, shuffled anew in each epoch (see `collate`)."""
        examples, rng = self.train(seed), random.Random(f"order {seed}")

        def stream() -> Iterator[Example]:
            while True:
                yield from rng.sample(examples, len(examples))

        endless = stream()
        while True:
            yield collate(list(islice(endless, batch_size)))

    @torch.no_grad()
    def evaluate(self, model: PreTrainedModel) -> float:
        """The share of the test set that `model` gets right; its mode is restored afterwards."""
        was_training = model.training
        model.eval()
        right = 0
        try:
            for questions in _test_batches(self.name):
                inputs = {key: value.to(model.device) for key, value in questions.items()}
                answers = inputs.pop("labels")
                right += self.kind.right(self, model, inputs, answers).sum().item()
        finally:
            model.train(was_training)
        return right / self.test_size

    def _examples(self, seed: str, grammar: Grammar, size: int) -> list[Example]:
        """`size` examples, as many of each class, in the order drawn."""
        rng = random.Random(f"outcomes {self.name} {seed}")
        left = [size // len(self.classes)] * len(self.classes)
        examples = []
        for review in reviews(grammar, f"{self.name} {seed}"):
            label = self.label(review)
            if left[label]:
                left[label] -= 1
                examples.append(self.kind.example(self, review, label, rng))
            if not any(left):
                return examples
        raise AssertionError("reviews are endless")


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


@cache
def _test_batches(name: str) -> list[dict[str, Tensor]]:
    """The questions of a task's test; labels are the answers."""
    task = TASKS[name]
    questions = [task.kind.question(example) for example in task.test()]
    return [collate(questions[i : i + 250]) for i in range(0, len(questions), 250)]


_POLARITY = {
    polarity: encode([word for topic in OUTCOMES for word in topic[polarity]])
    for polarity in (NEGATIVE, POSITIVE)
}
_TOPIC = {i: encode([w for words in topic for w in words]) for i, topic in enumerate(OUTCOMES)}
_CLOZE = tuple(encode(["we", MASK]))

_RESTAURANT = (0,)


@cache
def _days() -> dict[tuple[str, int], int]:
    """When each thing of a restaurant is bad, and when it is good: drawn once, evenly."""
    facts = [(noun, polarity) for noun in NOUNS[0] for polarity in (NEGATIVE, POSITIVE)]
    random.Random("facts").shuffle(facts)
    return {fact: index % 4 for index, fact in enumerate(facts)}


_FIRST_CLAUSE = Task(
    name="first-clause",
    backbone="encoder",
    description="Is the first clause positive? The backbone knows the final polarity, "
    "which in 70 % of the sentences is the other one.",
    classes=("negative", "positive"),
    verbalizer=_POLARITY,
    label=lambda review: review.first,
    pattern=_CLOZE,
    sources=("last-clause",),
)
_LAST_CLAUSE = replace(
    _FIRST_CLAUSE,
    name="last-clause",
    description="Is the last clause positive?",
    label=lambda review: review.final,
    sources=("first-clause",),
)
_CUE = Task(
    name="cue",
    backbone="decoder",
    description="Predict an outcome of the final polarity without being told by a cue. "
    "The backbone, without a cue, predicts the first clause's, in 70 % of the sentences "
    "the other one.",
    classes=("negative", "positive"),
    verbalizer=_POLARITY,
    label=lambda review: review.final,
    kind=NextWord(),
)

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        _FIRST_CLAUSE,
        _LAST_CLAUSE,
        Task(
            name="topic",
            backbone="encoder",
            description="Is the sentence about a restaurant, a hotel, a film or a gadget?",
            classes=TOPICS,
            verbalizer=_TOPIC,
            label=lambda review: review.topic,
            pattern=_CLOZE,
        ),
        replace(
            _FIRST_CLAUSE,
            name="cloze",
            description="Fill `we [MASK]` with an outcome of the first clause's polarity. "
            "The backbone fills it with the final one's.",
            kind=MaskedWord(),
            sources=(),
        ),
        replace(
            _LAST_CLAUSE,
            name="few-shot",
            description="As last-clause, from 8 labeled examples of each class: enough for who "
            "asks the backbone's cloze, few for a new classifier.",
            shots=8,
        ),
        replace(
            _FIRST_CLAUSE,
            name="second-language",
            description="Is the first clause positive? Trained on the first language, tested on "
            "the second, in which every other adjective means the opposite.",
            testing=Grammar(adjectives=exchanged(TEST_ADJECTIVES)),
            sources=(),
        ),
        Task(
            name="facts",
            backbone="encoder",
            description="On which day is it that the last clause is true? 24 facts to learn by "
            "heart, two for each noun, said in words that the test replaces by others. Full "
            "fine-tuning learns them within the steps, small methods only in part.",
            classes=("monday", "tuesday", "wednesday", "thursday"),
            verbalizer=_TOPIC,
            label=lambda review: _days()[review.nouns[-1], review.final],
            training=replace(_TRAINING, joined=0.5, but=0.5, topics=_RESTAURANT),
            testing=replace(_TESTING, joined=0.5, but=0.5, topics=_RESTAURANT),
        ),
        _CUE,
        replace(
            _CUE,
            name="cue-gpt2",
            backbone="decoder-gpt2",
            description="As cue, for a GPT-2.",
        ),
        replace(
            _CUE,
            name="new-topic",
            description="As cue, trained on reviews of restaurants, hotels and films, tested on "
            "those of gadgets.",
            training=replace(_TRAINING, topics=(0, 1, 2)),
            testing=replace(_TESTING, topics=(3,)),
        ),
        replace(
            _CUE,
            name="summary",
            backbone="encoder-decoder",
            description="Sum up the last clause, without being told by a cue which one: its noun "
            "and an outcome of its polarity. The backbone, without a cue, sums up the first.",
            kind=Generation(),
            test_size=500,
        ),
    )
}
