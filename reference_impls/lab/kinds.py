"""The kinds of tasks: what a sentence and its answer become, and when an answer is right.

A kind turns a review into an `Example` for `model(**batch)`, and an example into a question: the
same without its answer. It knows the transformers class that is asked and reads what that says.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    PreTrainedModel,
)

from .language import (
    BOS,
    CLS,
    MASK,
    PAD,
    SEP,
    UNK,
    Review,
    encode,
    outcome,
)

if TYPE_CHECKING:
    from .tasks import Task

IGNORED = -100  # what transformers' losses skip
_PAD, _MASK = encode([PAD, MASK])


@dataclass(frozen=True)
class Example:
    """Token ids, and a class or token labels, `IGNORED` where there is no loss."""

    input_ids: tuple[int, ...]
    labels: int | tuple[int, ...]


def collate(examples: Sequence[Example]) -> dict[str, Tensor]:
    """A batch, padded on the right: input_ids and attention_mask (batch, length), and labels.

    Labels are (batch,) for classes, (batch, their length) with `IGNORED` padding for tokens.
    """

    def padded(rows: list[tuple[int, ...]], filler: int) -> Tensor:
        longest = max(map(len, rows))
        return torch.tensor([[*row, *[filler] * (longest - len(row))] for row in rows])

    ids = [example.input_ids for example in examples]
    labels = [example.labels for example in examples]
    return {
        "input_ids": padded(ids, _PAD),
        "attention_mask": padded([(1,) * len(row) for row in ids], 0),
        "labels": torch.tensor(labels) if isinstance(labels[0], int) else padded(labels, IGNORED),
    }


def cloze_example(review: Review, rng: random.Random) -> Example:
    """Masked words to predict: always the final outcome, each other word with probability 0.1."""
    ids = encode([CLS, *review.words, ".", "we", outcome(rng, review.topic, review.final), SEP])
    labels = [IGNORED] * len(ids)
    for i in range(1, len(ids) - 1):
        if i == len(ids) - 2 or rng.random() < 0.1:
            labels[i], ids[i] = ids[i], _MASK
    return Example(tuple(ids), tuple(labels))


class Kind:
    """Base class. `model_class` is what is adapted; `needs`: the shape of its backbone, if any."""

    model_class: type
    needs: str = ""

    def example(self, task: Task, review: Review, label: int, rng: random.Random) -> Example:
        """A training example; `rng` chooses between words that mean the same."""
        raise NotImplementedError

    def question(self, example: Example) -> Example:
        """The example without its answer in the input; `labels` is the answer alone."""
        return example

    def right(
        self, task: Task, model: PreTrainedModel, inputs: dict[str, Tensor], answers: Tensor
    ) -> Tensor:
        """(batch,) booleans: whether `model` answers the questions `inputs` with `answers`."""
        raise NotImplementedError


class Classification(Kind):
    """The answer is a class; the largest logit must be its."""

    model_class = AutoModelForSequenceClassification

    def example(self, task, review, label, rng):
        return Example(tuple(encode([CLS, *review.words, ".", SEP])), label)

    def right(self, task, model, inputs, answers):
        return model(**inputs).logits.argmax(-1) == answers


class OneWord(Kind):
    """The answer is one outcome word; those of its class must get the largest probability."""

    def place(self, inputs: dict[str, Tensor]) -> Tensor:
        """(batch,) positions whose logits give the answer."""
        raise NotImplementedError

    def right(self, task, model, inputs, answers):
        logits = model(**inputs).logits
        if logits.shape[:2] != inputs["input_ids"].shape:
            raise ValueError(
                f"logits {tuple(logits.shape)} for input {tuple(inputs['input_ids'].shape)}"
            )
        said = logits[torch.arange(len(logits)), self.place(inputs)].log_softmax(-1)
        words = [task.verbalizer[i] for i in range(len(task.classes))]
        masses = torch.stack([said[:, ids].logsumexp(-1) for ids in words], dim=-1)
        wanted = torch.stack([torch.isin(answers[:, 0], answers.new_tensor(ids)) for ids in words])
        return masses.argmax(-1) == wanted.int().argmax(0)


class NextWord(OneWord):
    """The outcome follows the sentence; the cue that would say whose it is, is blanked out."""

    model_class = AutoModelForCausalLM
    needs = "decoder"

    def example(self, task, review, label, rng):
        ids = encode([BOS, UNK, *review.words, ".", outcome(rng, review.topic, label)])
        return Example(tuple(ids), (IGNORED,) * (len(ids) - 1) + (ids[-1],))

    def question(self, example):
        return Example(example.input_ids[:-1], example.labels[-1:])

    def place(self, inputs):
        return inputs["attention_mask"].sum(1) - 1


class MaskedWord(OneWord):
    """The outcome fills the mask in the task's pattern, which follows the sentence."""

    model_class = AutoModelForMaskedLM
    needs = "encoder"

    def example(self, task, review, label, rng):
        ids = [*encode([CLS, *review.words, "."]), *task.pattern, *encode([SEP])]
        word = encode([outcome(rng, review.topic, label)])[0]
        return Example(tuple(ids), tuple(word if i == _MASK else IGNORED for i in ids))

    def question(self, example):
        return Example(example.input_ids, tuple(i for i in example.labels if i != IGNORED))

    def place(self, inputs):
        return (inputs["input_ids"] == _MASK).int().argmax(1)


class Generation(Kind):
    """The answer is a noun and an outcome, decoded greedily.

    All of it must be right; any outcome of the right class is.
    """

    model_class = AutoModelForSeq2SeqLM
    needs = "encoder-decoder"

    def example(self, task, review, label, rng):
        ids = encode([UNK, *review.words, ".", SEP])
        answer = encode([review.nouns[-1], outcome(rng, review.topic, label), SEP])
        return Example(tuple(ids), tuple(answer))

    def right(self, task, model, inputs, answers):
        length = answers.shape[1]
        said = model.generate(**inputs, max_new_tokens=length, do_sample=False)[:, 1:]
        said = torch.nn.functional.pad(said, (0, length - said.shape[1]), value=_PAD)
        same = torch.arange(model.config.vocab_size, device=said.device)  # one word for each class
        for ids in task.verbalizer.values():
            same[ids] = ids[0]
        return (same[said] == same[answers]).all(1)
