"""Data, batches and scores of every task: a new one is tested here by being there."""

import importlib
from collections import Counter
from itertools import islice
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel

from reference_impls.lab import backbones, tasks
from reference_impls.lab.kinds import (
    IGNORED,
    Classification,
    Example,
    Generation,
    MaskedWord,
    NextWord,
    collate,
)
from reference_impls.lab.language import (
    INTENSIFIERS,
    TEST_ADJECTIVES,
    TRAIN_ADJECTIVES,
    VOCABULARY,
    decode,
)
from reference_impls.lab.tasks import TASKS
from tests.lab.fake import MASK, PAD, Fake, oracle, reviewed, sentence_of
from tools.data.tasks import lab_tasks

torch.set_num_threads(1)


def of_kind(*kinds):
    """Over all tasks of these kinds."""
    found = {name: task for name, task in TASKS.items() if isinstance(task.kind, kinds)}
    return pytest.mark.parametrize("task", found.values(), ids=found.keys())


each_task = of_kind(object)
each_that_writes = of_kind(NextWord, MaskedWord, Generation)


@each_task
def test_a_task_is_found_by_its_file(task):
    files = tasks.files_of(task.name)
    assert all(file.is_file() for file in files)
    assert [importlib.import_module(f"{tasks.__name__}.{file.stem}").TASK for file in files] == [
        task,
        *(TASKS[name] for name in task.sources),
    ]


def test_readers_are_told_of_every_task():
    told = lab_tasks()
    assert told.keys() == TASKS.keys()
    for name, task in TASKS.items():
        assert told[name].chance == task.chance
        assert told[name].title.endswith(")")
        assert told[name].short in told[name].title
        assert told[name].description.endswith(".")
    shorts = {task.short for task in told.values()}
    assert len(shorts) == len(told)


@each_task
def test_chance_is_below_what_is_reached(task):
    guessed = 0 if isinstance(task.kind, Generation) else 1 / len(task.classes)
    assert task.chance == guessed < task.reaches <= 1


@each_task
def test_an_oracle_scores_one_and_a_constant_chance(task):
    assert task.evaluate(Fake(task, oracle(task))) == 1.0
    for constant in range(len(task.classes)):
        assert task.evaluate(Fake(task, lambda _, c=constant: c)) == 1 / len(task.classes)


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
    model = Fake(task, oracle(task))
    inner = model.forward
    model.forward = lambda **inputs: SimpleNamespace(
        logits=nn.functional.pad(inner(**inputs).logits, (0, 0, 8, 0))
    )
    with pytest.raises(ValueError, match="logits"):
        task.evaluate(model)


@each_task
def test_sizes_labels_and_adjectives_of_the_splits(task):
    train, test, classes = task.train(0), task.test(), len(task.classes)
    assert len(train) == (task.shots * classes if task.shots else 2000)
    assert len(test) == task.test_size
    splits = (
        (train, task.training.adjectives, TRAIN_ADJECTIVES),
        (test, task.testing.adjectives, TEST_ADJECTIVES),
    )
    for examples, language, adjectives in splits:
        found, answer = Counter(), oracle(task, language)
        allowed = {word for words in adjectives for word in words}
        for example in examples:
            sentence = sentence_of(example.input_ids)
            wanted = answer(sentence)
            found[wanted] += 1
            for clause in sentence.replace(" but ", " and ").split(" and "):
                assert clause.split()[-1] in allowed
            assert not {word for words in INTENSIFIERS for word in words} & set(sentence.split())
            words = task.verbalizer[wanted]
            if isinstance(task.kind, Classification):
                assert example.labels == wanted
            elif isinstance(task.kind, Generation):
                noun, word, end = example.labels
                assert decode([noun, end]) == f"{reviewed(sentence).nouns[-1]} [SEP]"
                assert word in words
            elif isinstance(task.kind, MaskedWord):
                for token, label in zip(example.input_ids, example.labels, strict=True):
                    assert label in words if token == MASK else label == IGNORED
                assert decode(example.input_ids).endswith(" . we [MASK] [SEP]")
            else:
                assert set(example.labels[:-1]) == {IGNORED}
                assert example.labels[-1] == example.input_ids[-1] in words
        assert found == dict.fromkeys(range(classes), len(examples) // classes)


@each_task
def test_sources_are_other_tasks_with_the_same_classes(task):
    assert task.name not in task.sources
    for name in task.sources:
        assert (TASKS[name].classes, TASKS[name].backbone) == (task.classes, task.backbone)


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
    written = collate([Example((5, 8, 9, 7), (1, 2)), Example((5,), (1,))])
    assert written["labels"].tolist() == [[1, 2], [1, IGNORED]]


@each_task
def test_batches_are_full_seeded_and_padded(task):
    one, two = (list(islice(task.batches(0, 32), 3)) for _ in range(2))
    for batch, same in zip(one, two, strict=True):
        assert all(torch.equal(batch[key], same[key]) for key in batch)
        size = batch["input_ids"].shape
        assert size[0] == 32
        assert batch["attention_mask"].shape == size
        answers = batch["labels"].shape
        if isinstance(task.kind, Classification):
            assert answers == (32,)
        else:
            assert answers == ((32, 3) if isinstance(task.kind, Generation) else size)
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


@each_that_writes
def test_the_backbone_prefers_another_answer_and_a_random_one_knows_nothing(task):
    assert task.evaluate(task.model()) < 0.4
    assert abs(task.evaluate(task.model(f"{task.backbone}-random")) - task.chance) < 0.1


@each_task
def test_models_have_a_head_of_the_right_size_and_take_batches(task):
    model = task.model(seed=1)
    output = model(**next(task.batches(0, 4)))
    output.loss.backward()
    assert output.loss.isfinite()
    classes = isinstance(task.kind, Classification)
    assert output.logits.shape[-1] == (len(task.classes) if classes else len(VOCABULARY))


@each_that_writes
def test_backbones_that_cannot_do_the_task_are_refused(task):
    shape = backbones.shape(task.backbone)
    for other in {"encoder", "decoder", "encoder-decoder"} - {shape}:
        message = f"task '{task.name}' is for {shape}s, backbone '{other}' is none"
        with pytest.raises(ValueError, match=message):
            task.model(other)


def test_a_backbone_of_other_words_is_refused(tmp_path):
    config = GPT2Config(
        vocab_size=50, n_embd=8, n_layer=1, n_head=1, bos_token_id=1, eos_token_id=None
    )
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="has 50 words, the lab's language 181"):
        TASKS["cue"].model(str(tmp_path))
