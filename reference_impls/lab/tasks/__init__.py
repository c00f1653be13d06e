"""The tasks that the backbones are adapted to.

Most ask for something that the backbone knows but does not show. Their training and test sentences
share no adjective: a model can only pass the test if it knew, before, which words are positive. How
far each method got, from a random backbone as well, is in the committed runs. `last-clause` and
`topic` are what the encoder's cloze answers already: sources for methods that combine what several
tasks taught. In `facts` the backbone knows what its sentences say but not what to answer, so that
the score says how much and how fast a method learns.

A task has one file here, named as the task, and is found by being here. The file's docstring is
what readers are told of it: a title with what it runs on in brackets, then a paragraph.
"""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from ...core.batches import moved
from .. import backbones
from ..kinds import Classification, Example, Kind, collate
from ..language import (
    MASK,
    NEGATIVE,
    OUTCOMES,
    POSITIVE,
    TEST_ADJECTIVES,
    TRAIN_ADJECTIVES,
    VOCABULARY,
    Grammar,
    Review,
    encode,
    reviews,
)

FOLDER = Path(__file__).parent
TRAIN_SIZE = 2000
TRAINING, TESTING = Grammar(adjectives=TRAIN_ADJECTIVES), Grammar(adjectives=TEST_ADJECTIVES)
# verbalizers: the outcomes that express a polarity, or a topic
POLARITY = {
    polarity: encode([word for topic in OUTCOMES for word in topic[polarity]])
    for polarity in (NEGATIVE, POSITIVE)
}
TOPIC = {i: encode([w for words in topic for w in words]) for i, topic in enumerate(OUTCOMES)}
CLOZE = tuple(encode(["we", MASK]))
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
    chance: the score of guessing.
    reaches: the score that a method which works reaches within the steps of a run.
    """

    name: str
    backbone: str
    classes: tuple[str, ...]
    verbalizer: dict[int, list[int]]
    label: Callable[[Review], int]
    kind: Kind = _CLASSIFICATION
    pattern: tuple[int, ...] = ()
    training: Grammar = TRAINING
    testing: Grammar = TESTING
    shots: int | None = None
    test_size: int = 1000
    sources: tuple[str, ...] = ()
    chance: float = 0.5
    reaches: float = 0.97

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
                inputs = moved(questions, model.device)
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


@cache
def _test_batches(name: str) -> list[dict[str, Tensor]]:
    """The questions of a task's test; labels are the answers."""
    task = TASKS[name]
    questions = [task.kind.question(example) for example in task.test()]
    return [collate(questions[i : i + 250]) for i in range(0, len(questions), 250)]


def files_of(name: str) -> list[Path]:
    """The files that a task is declared in: its own, and those of its sources."""
    return [FOLDER / f"{task.replace('-', '_')}.py" for task in (name, *TASKS[name].sources)]


def _found() -> Iterator[Task]:
    for path in sorted(FOLDER.glob("[!_]*.py")):
        yield importlib.import_module(f".{path.stem}", __package__).TASK


TASKS: dict[str, Task] = {task.name: task for task in _found()}
