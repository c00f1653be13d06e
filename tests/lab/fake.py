"""A stand-in for a model, which answers what it is told to, and what it reads in its input."""

import re
from types import SimpleNamespace

import torch
from torch import nn

from reference_impls.lab.kinds import Classification
from reference_impls.lab.language import ADJECTIVES, VOCABULARY, decode, encode
from tests.lab.reading import read

PAD, MASK = VOCABULARY.index("[PAD]"), VOCABULARY.index("[MASK]")


def sentence_of(ids):
    """The review alone: no special tokens, no outcome, no full stop."""
    words = [word for word in decode(ids).split() if not word.startswith("[")]
    return " ".join(words[: words.index(".")])


def reviewed(sentence, adjectives=ADJECTIVES):
    """What a sentence says, by the independent reader, in the language of these adjectives."""
    known = {word: ADJECTIVES[p][0] for p in (0, 1) for word in adjectives[p]}
    first, final, topic = read(" ".join(known.get(word, word) for word in sentence.split()))
    nouns = re.findall(r"the (\w+) was", sentence)
    return SimpleNamespace(first=first, final=final, topic=topic, nouns=nouns)


def oracle(task, adjectives=None):
    """Answers a task's sentences, as its test means them."""
    return lambda sentence: task.label(reviewed(sentence, adjectives or task.testing.adjectives))


class Fake(nn.Module):
    """Stands in for a model: `answer` maps a sentence to a class."""

    device = torch.device("cpu")
    config = SimpleNamespace(vocab_size=len(VOCABULARY))

    def __init__(self, task, answer):
        super().__init__()
        self.task, self.answer = task, answer

    def classes(self, input_ids, attention_mask):
        assert not self.training
        rows = [ids[mask.bool()].tolist() for ids, mask in zip(input_ids, attention_mask)]
        return [self.answer(sentence_of(ids)) for ids in rows]

    def forward(self, input_ids, attention_mask):
        classes = self.classes(input_ids, attention_mask)
        if isinstance(self.task.kind, Classification):
            return SimpleNamespace(logits=torch.eye(len(self.task.classes))[classes])
        logits = torch.zeros(*input_ids.shape, len(VOCABULARY))
        for row, (ids, mask, wanted) in enumerate(zip(input_ids, attention_mask, classes)):
            place = ids.tolist().index(MASK) if MASK in ids else mask.sum() - 1
            logits[row, place, self.task.verbalizer[wanted][0]] = 5
        return SimpleNamespace(logits=logits)

    def generate(self, input_ids, attention_mask, **_):
        classes = self.classes(input_ids, attention_mask)
        nouns = [reviewed(sentence_of(ids.tolist())).nouns[-1] for ids in input_ids]
        words = [self.task.verbalizer[wanted][0] for wanted in classes]
        rows = [[PAD, *encode([n]), w, *encode("[SEP]")] for n, w in zip(nouns, words)]
        return torch.tensor(rows)
