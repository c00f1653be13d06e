"""The tasks that the backbones are adapted to.

`first-clause` and `cue` ask for something that the backbone knows but does not show. Their
training and test sentences share no adjective: a model can only pass the test if it knew, before,
which words are positive. So a random backbone stays at chance, a probe on the frozen one falls
short, and every kind of adaptation can reach 1. `last-clause` and `topic` are what the encoder's
cloze answers already: sources for methods that combine what several tasks taught.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, PreTrainedModel

from reference_impls.anatomy import anatomy
from reference_impls.lab import backbones
from reference_impls.lab.language import (
    BOS,
    CLS,
    MASK,
    NEGATIVE,
    OUTCOMES,
    PAD,
    POSITIVE,
    SEP,
    TEST_ADJECTIVES,
    TOPICS,
    TRAIN_ADJECTIVES,
    UNK,
    VOCABULARY,
    Grammar,
    Review,
    encode,
    outcome,
    reviews,
)

IGNORED = -100  # what transformers' losses skip
TRAIN_SIZE = 2000
TEST_SIZE = 1000
_PAD = encode([PAD])[0]


@dataclass(frozen=True)
class Example:
    """Token ids, and a class or (language modeling) one label a token, `IGNORED` where no loss."""

    input_ids: tuple[int, ...]
    labels: int | tuple[int, ...]


@dataclass(frozen=True)
class Task:
    """A task: sentences with labels, a model to start from and a score.

    classes: names of the classes, in the order of their ids.
    verbalizer: from each class to the ids of the outcome words that express it.
    pattern: ids to put before the closing [SEP] so that the backbone's cloze asks for an outcome
        (encoder tasks; the decoder predicts the outcome anyway).
    label: from a review to its class.
    """

    name: str
    backbone: str
    description: str
    classes: tuple[str, ...]
    verbalizer: dict[int, list[int]]
    label: Callable[[Review], int]
    pattern: tuple[int, ...] = ()

    @property
    def is_language_modeling(self) -> bool:
        """Whether the answer is a word that the model predicts (else a class)."""
        return self.backbone == "decoder"

    def model(self, backbone: str | None = None, seed: int = 0) -> PreTrainedModel:
        """The model to adapt, from `backbone` (default: the task's); `seed` draws its head.

        Raises:
            ValueError: no such backbone; one whose vocabulary cannot hold the lab's; an encoder
                for a language-modeling task.
        """
        name = backbone or self.backbone
        if self.is_language_modeling:
            model = backbones.load(name, AutoModelForCausalLM, seed)
            if not anatomy(model).causal:
                raise ValueError(f"task '{self.name}' needs a decoder, backbone '{name}' is none")
        else:
            model = backbones.load(
                name, AutoModelForSequenceClassification, seed, num_labels=len(self.classes)
            )
        if model.config.vocab_size < len(VOCABULARY):
            raise ValueError(
                f"backbone '{name}' has {model.config.vocab_size} words, "
                f"the lab's language {len(VOCABULARY)}"
            )
        return model

    def train(self, seed: int = 0) -> list[Example]:
        """The 2,000 training examples of `seed`."""
        return self._examples(f"train {seed}", TRAIN_ADJECTIVES, TRAIN_SIZE)

    def unlabeled(self, seed: int = 0) -> list[tuple[int, ...]]:
        """Token ids of 2,000 further sentences like those in `train`, without labels."""
        examples = self._examples(f"unlabeled {seed}", TRAIN_ADJECTIVES, TRAIN_SIZE)
        return [example.input_ids for example in examples]

    def test(self) -> list[Example]:
        """The 1,000 test examples: always the same, as many of each class."""
        return self._examples("test", TEST_ADJECTIVES, TEST_SIZE)

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
        """The share of the test set that `model` gets right; its mode is restored afterwards.

        Classification: the largest logit is the right class's. Language modeling: after the
        sentence, the words of the right class get more probability than those of any other.
        """
        was_training = model.training
        model.eval()
        right = 0
        try:
            for inputs, wanted in _test_batches(self.name):
                inputs = {key: value.to(model.device) for key, value in inputs.items()}
                scores = model(**inputs).logits
                if self.is_language_modeling:
                    scores = self._class_masses(scores, inputs["attention_mask"])
                right += (scores.argmax(-1).cpu() == wanted).sum().item()
        finally:
            model.train(was_training)
        return right / TEST_SIZE

    def _class_masses(self, logits: Tensor, mask: Tensor) -> Tensor:
        """(batch, classes) log-probabilities of each class's words after the last token."""
        if logits.shape[:2] != mask.shape:
            raise ValueError(f"logits {tuple(logits.shape)} for input {tuple(mask.shape)}")
        last = logits[torch.arange(len(logits)), mask.sum(1) - 1].log_softmax(-1)
        words = [self.verbalizer[i] for i in range(len(self.classes))]
        return torch.stack([last[:, ids].logsumexp(-1) for ids in words], dim=-1)

    def _examples(self, seed: str, adjectives: tuple, size: int) -> list[Example]:
        """`size` examples, as many of each class, in the order drawn."""
        rng = random.Random(f"outcomes {self.name} {seed}")
        left = [size // len(self.classes)] * len(self.classes)
        examples = []
        grammar = Grammar(adjectives=adjectives)
        for review in reviews(grammar, f"{self.name} {seed}"):
            label = self.label(review)
            if left[label]:
                left[label] -= 1
                examples.append(self._example(review, label, rng))
            if not any(left):
                return examples
        raise AssertionError("reviews are endless")

    def _example(self, review: Review, label: int, rng: random.Random) -> Example:
        if not self.is_language_modeling:
            return Example(tuple(encode([CLS, *review.words, ".", SEP])), label)
        ids = encode([BOS, UNK, *review.words, ".", outcome(rng, review.topic, label)])
        return Example(tuple(ids), (IGNORED,) * (len(ids) - 1) + (ids[-1],))


def collate(examples: list[Example]) -> dict[str, Tensor]:
    """A batch, padded on the right: input_ids and attention_mask (batch, length), and labels.

    Labels are (batch,) for classes, (batch, length) with `IGNORED` padding for tokens.
    """
    longest = max(len(example.input_ids) for example in examples)

    def padded(rows: list[tuple[int, ...]], filler: int) -> Tensor:
        return torch.tensor([[*row, *[filler] * (longest - len(row))] for row in rows])

    ids = [example.input_ids for example in examples]
    labels = [example.labels for example in examples]
    return {
        "input_ids": padded(ids, _PAD),
        "attention_mask": padded([(1,) * len(row) for row in ids], 0),
        "labels": torch.tensor(labels) if isinstance(labels[0], int) else padded(labels, IGNORED),
    }


@cache
def _test_batches(name: str) -> list[tuple[dict[str, Tensor], Tensor]]:
    """Inputs and the wanted classes (batch,); of language modeling, inputs without the answer."""
    task, result = TASKS[name], []
    examples = task.test()
    for start in range(0, TEST_SIZE, 250):
        part = examples[start : start + 250]
        if task.is_language_modeling:
            answers = [example.input_ids[-1] for example in part]
            wanted = [next(c for c, ids in task.verbalizer.items() if a in ids) for a in answers]
            part = [Example(e.input_ids[:-1], c) for e, c in zip(part, wanted, strict=True)]
        batch = collate(part)
        result.append((batch, batch.pop("labels")))
    return result


_POLARITY = {
    polarity: encode([word for topic in OUTCOMES for word in topic[polarity]])
    for polarity in (NEGATIVE, POSITIVE)
}
_TOPIC = {i: encode([w for words in topic for w in words]) for i, topic in enumerate(OUTCOMES)}
_CLOZE = tuple(encode(["we", MASK]))

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task(
            name="first-clause",
            backbone="encoder",
            description="Is the first clause positive? The backbone knows the final polarity, "
            "which in 70 % of the sentences is the other one.",
            classes=("negative", "positive"),
            verbalizer=_POLARITY,
            label=lambda review: review.first,
            pattern=_CLOZE,
        ),
        Task(
            name="last-clause",
            backbone="encoder",
            description="Is the last clause positive?",
            classes=("negative", "positive"),
            verbalizer=_POLARITY,
            label=lambda review: review.final,
            pattern=_CLOZE,
        ),
        Task(
            name="topic",
            backbone="encoder",
            description="Is the sentence about a restaurant, a hotel, a film or a gadget?",
            classes=TOPICS,
            verbalizer=_TOPIC,
            label=lambda review: review.topic,
            pattern=_CLOZE,
        ),
        Task(
            name="cue",
            backbone="decoder",
            description="Predict an outcome of the final polarity without being told by a cue. "
            "The backbone, without a cue, predicts the first clause's, in 70 % of the sentences "
            "the other one.",
            classes=("negative", "positive"),
            verbalizer=_POLARITY,
            label=lambda review: review.final,
        ),
    )
}
