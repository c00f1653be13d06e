"""Data, batches and scores of every task."""

from collections import Counter
from itertools import islice
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel

from reference_impls.lab.language import (
    INTENSIFIERS,
    TEST_ADJECTIVES,
    TRAIN_ADJECTIVES,
    VOCABULARY,
    decode,
    encode,
)
from reference_impls.lab.tasks import IGNORED, TASKS, Example, collate
from tests.lab.reading import read

torch.set_num_threads(1)
PAD = VOCABULARY.index("[PAD]")
CLASS_OF = {  # from a sentence to its class, by the independent reader
    "first-clause": lambda sentence: read(sentence)[0],
    "last-clause": lambda sentence: read(sentence)[1],
    "topic": lambda sentence: read(sentence)[2],
    "cue": lambda sentence: read(sentence)[1],
}
each_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())
each_class_task = pytest.mark.parametrize(
    "task", [TASKS[name] for name in ("first-clause", "last-clause", "topic")], ids=lambda t: t.name
)


def sentence_of(ids):
    """The review alone: no special tokens, no outcome, no full stop."""
    words = [word for word in decode(ids).split() if not word.startswith("[")]
    return " ".join(words[: words.index(".")])


class Fake(nn.Module):
    """Stands in for a model: `answer` maps a sentence to a class."""

    device = torch.device("cpu")

    def __init__(self, task, answer):
        super().__init__()
        self.task, self.answer = task, answer

    def forward(self, input_ids, attention_mask):
        assert not self.training
        rows = [ids[mask.bool()].tolist() for ids, mask in zip(input_ids, attention_mask)]
        classes = [self.answer(sentence_of(ids)) for ids in rows]
        if not self.task.is_language_modeling:
            return SimpleNamespace(logits=torch.eye(len(self.task.classes))[classes])
        logits = torch.zeros(*input_ids.shape, len(VOCABULARY))
        for row, (ids, wanted) in enumerate(zip(rows, classes)):
            logits[row, len(ids) - 1, self.task.verbalizer[wanted][0]] = 5
        return SimpleNamespace(logits=logits)


@each_task
def test_an_oracle_scores_one_and_a_constant_chance(task):
    assert task.evaluate(Fake(task, CLASS_OF[task.name])) == 1.0
    for constant in range(len(task.classes)):
        assert task.evaluate(Fake(task, lambda _, c=constant: c)) == 1 / len(task.classes)


def test_the_other_clause_is_right_in_three_tenths_of_the_sentences():
    for task, other in (("first-clause", "last-clause"), ("cue", "first-clause")):
        score = TASKS[task].evaluate(Fake(TASKS[task], CLASS_OF[other]))
        assert score == pytest.approx(0.3, abs=0.05)


@each_task
@pytest.mark.parametrize("training", [True, False])
def test_evaluation_leaves_the_model_in_its_mode(task, training):
    model = Fake(task, lambda _: 0).train(training)
    task.evaluate(model)
    assert model.training is training


def test_evaluation_restores_the_mode_after_an_error():
    task = TASKS["topic"]
    model = Fake(task, lambda _: 1 / 0).train()
    with pytest.raises(ZeroDivisionError):
        task.evaluate(model)
    assert model.training


def test_logits_that_are_longer_than_the_input_are_refused():
    task = TASKS["cue"]
    model = Fake(task, CLASS_OF["cue"])
    inner = model.forward
    model.forward = lambda **inputs: SimpleNamespace(
        logits=nn.functional.pad(inner(**inputs).logits, (0, 0, 8, 0))
    )
    with pytest.raises(ValueError, match="logits"):
        task.evaluate(model)


@each_task
def test_sizes_labels_and_adjectives_of_the_splits(task):
    train, test, classes = task.train(0), task.test(), len(task.classes)
    assert (len(train), len(test)) == (2000, 1000)
    for examples, adjectives in ((train, TRAIN_ADJECTIVES), (test, TEST_ADJECTIVES)):
        found = Counter()
        for example in examples:
            sentence = sentence_of(example.input_ids)
            wanted = CLASS_OF[task.name](sentence)
            found[wanted] += 1
            allowed = {word for words in adjectives for word in words}
            for clause in sentence.replace(" but ", " and ").split(" and "):
                assert clause.split()[-1] in allowed
            assert not {word for words in INTENSIFIERS for word in words} & set(sentence.split())
            if task.is_language_modeling:
                assert set(example.labels[:-1]) == {IGNORED}
                assert example.labels[-1] == example.input_ids[-1] in task.verbalizer[wanted]
            else:
                assert example.labels == wanted
        assert found == dict.fromkeys(range(classes), len(examples) // classes)


def test_the_cue_is_blanked_out():
    blank = encode("[BOS] [UNK] the")
    assert all(list(example.input_ids[:3]) == blank for example in TASKS["cue"].train(0))


@each_task
def test_data_depend_on_the_seed_and_on_nothing_else(task):
    assert task.train(3) == task.train(3)
    assert task.train(3) != task.train(4)
    assert task.test() == task.test()
    unlabeled = task.unlabeled(3)
    assert len(unlabeled) == 2000
    assert unlabeled == task.unlabeled(3) != [example.input_ids for example in task.train(3)]


def test_collating_pads_on_the_right():
    batch = collate([Example((5, 8, 9), (IGNORED, IGNORED, 9)), Example((5,), (IGNORED,))])
    assert batch["input_ids"].tolist() == [[5, 8, 9], [5, PAD, PAD]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["labels"].tolist() == [[IGNORED, IGNORED, 9], [IGNORED] * 3]
    assert collate([Example((5, 8), 1), Example((5,), 0)])["labels"].tolist() == [1, 0]


@each_task
def test_batches_are_full_seeded_and_padded(task):
    one, two = (list(islice(task.batches(0, 32), 3)) for _ in range(2))
    for batch, same in zip(one, two, strict=True):
        assert all(torch.equal(batch[key], same[key]) for key in batch)
        size = batch["input_ids"].shape
        assert size[0] == 32
        assert batch["attention_mask"].shape == size
        assert batch["labels"].shape == (size if task.is_language_modeling else (32,))
        assert torch.equal(batch["input_ids"] == PAD, batch["attention_mask"] == 0)
    assert any((batch["attention_mask"] == 0).any() for batch in one)
    assert not torch.equal(next(task.batches(1, 32))["labels"], one[0]["labels"])


def test_an_epoch_shows_every_example_once_and_the_next_in_another_order():
    task = TASKS["first-clause"]
    stream = task.batches(0, 100)

    def epoch():
        rows = []
        for batch in islice(stream, 20):
            for ids, mask, label in zip(*batch.values()):
                rows.append(Example(tuple(ids[mask.bool()].tolist()), label.item()))
        return rows

    first, second = epoch(), epoch()
    assert Counter(first) == Counter(second) == Counter(task.train(0))
    assert first != second


@each_task
def test_verbalizers_are_disjoint_outcomes(task):
    words = [word for i in range(len(task.classes)) for word in task.verbalizer[i]]
    assert len(set(words)) == len(words) == 16


@each_class_task
def test_the_pattern_lets_the_backbone_answer_with_an_outcome(task):
    from transformers import BertForMaskedLM

    from reference_impls.lab import backbones

    model = backbones.load("encoder", BertForMaskedLM)
    examples = task.test()[:200]
    cloze = [
        Example((*e.input_ids[:-1], *task.pattern, e.input_ids[-1]), e.labels) for e in examples
    ]
    batch = collate(cloze)
    with torch.no_grad():
        logits = model(batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    scores = logits[batch["input_ids"] == VOCABULARY.index("[MASK]")].softmax(-1)
    masses = torch.stack([scores[:, ids].sum(-1) for ids in task.verbalizer.values()], dim=-1)
    right = (masses.argmax(-1) == batch["labels"]).float().mean().item()
    assert masses.sum(-1).min() > 0.9
    if task.name == "first-clause":
        assert right < 0.4
    else:
        assert right > 0.97


def test_the_decoder_without_a_cue_prefers_the_first_clause():
    task = TASKS["cue"]
    assert task.evaluate(task.model()) < 0.4
    assert 0.4 < task.evaluate(task.model("decoder-random")) < 0.6


@each_task
def test_models_have_a_head_of_the_right_size_and_take_batches(task):
    model = task.model(seed=1)
    loss = model(**next(task.batches(0, 4))).loss
    loss.backward()
    assert loss.isfinite()
    outputs = len(VOCABULARY) if task.is_language_modeling else len(task.classes)
    assert model(**next(task.batches(0, 4))).logits.shape[-1] == outputs


def test_backbones_that_cannot_do_the_task_are_refused(tmp_path):
    with pytest.raises(ValueError, match="task 'cue' needs a decoder, backbone 'encoder' is none"):
        TASKS["cue"].model("encoder")
    config = GPT2Config(
        vocab_size=50, n_embd=8, n_layer=1, n_head=1, bos_token_id=1, eos_token_id=None
    )
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="has 50 words, the lab's language 181"):
        TASKS["cue"].model(str(tmp_path))
