"""Data, batches and scores of every task."""

import re
from collections import Counter
from itertools import islice
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers import BertForMaskedLM, GPT2Config, GPT2LMHeadModel

from reference_impls.lab import backbones
from reference_impls.lab.kinds import IGNORED, Example, collate
from reference_impls.lab.language import (
    ADJECTIVES,
    INTENSIFIERS,
    NOUNS,
    TEST_ADJECTIVES,
    TRAIN_ADJECTIVES,
    VOCABULARY,
    decode,
    encode,
)
from reference_impls.lab.tasks import LANGUAGES, TASKS, language_batches
from tests.lab.reading import read

torch.set_num_threads(1)
PAD, MASK = VOCABULARY.index("[PAD]"), VOCABULARY.index("[MASK]")
FIRST = ("first-clause", "cloze", "second-language")
LAST = ("last-clause", "few-shot", "cue", "cue-gpt2", "new-topic", "summary")
# from a sentence to its class, by the independent reader
CLASS_OF = dict.fromkeys(FIRST, lambda sentence: read(sentence)[0])
CLASS_OF |= dict.fromkeys(LAST, lambda sentence: read(sentence)[1])
CLASS_OF |= {"topic": lambda sentence: read(sentence)[2], "facts": lambda sentence: fact(sentence)}
CLASSIFICATION = ("first-clause", "last-clause", "topic", "few-shot", "second-language", "facts")
NEXT_WORD = ("cue", "cue-gpt2", "new-topic")
CLOZE = ("first-clause", "last-clause", "topic")
each_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())
each_cloze = pytest.mark.parametrize("task", [TASKS[name] for name in CLOZE], ids=CLOZE)


def test_no_task_is_forgotten():
    assert {*CLASSIFICATION, *NEXT_WORD, "cloze", "summary"} == TASKS.keys() == CLASS_OF.keys()


def fact(sentence):
    """The day of a fact: it has no meaning, so it is looked up where the task looks it up."""
    _, polarity, _ = read(sentence)
    return TASKS["facts"].label(SimpleNamespace(nouns=(last_noun(sentence),), final=polarity))


def last_noun(sentence):
    return re.findall(r"the (\w+) was", sentence)[-1]


def meaning(task, sentence):
    """The sentence in words of the first language: what the reader understands."""
    if task.name != "second-language":
        return sentence
    swap = {}
    for polarity in (0, 1):
        strange = [w for w in LANGUAGES["second"][polarity] if w in ADJECTIVES[1 - polarity]]
        swap |= dict(zip(strange, ADJECTIVES[polarity], strict=False))
    return " ".join(swap.get(word, word) for word in sentence.split())


def sentence_of(ids):
    """The review alone: no special tokens, no outcome, no full stop."""
    words = [word for word in decode(ids).split() if not word.startswith("[")]
    return " ".join(words[: words.index(".")])


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
        return [self.answer(meaning(self.task, sentence_of(ids))) for ids in rows]

    def forward(self, input_ids, attention_mask):
        classes = self.classes(input_ids, attention_mask)
        if self.task.name in CLASSIFICATION:
            return SimpleNamespace(logits=torch.eye(len(self.task.classes))[classes])
        logits = torch.zeros(*input_ids.shape, len(VOCABULARY))
        for row, (ids, mask, wanted) in enumerate(zip(input_ids, attention_mask, classes)):
            place = ids.tolist().index(MASK) if MASK in ids else mask.sum() - 1
            logits[row, place, self.task.verbalizer[wanted][0]] = 5
        return SimpleNamespace(logits=logits)

    def generate(self, input_ids, attention_mask, **_):
        classes = self.classes(input_ids, attention_mask)
        nouns = encode([last_noun(sentence_of(ids.tolist())) for ids in input_ids])
        words = [self.task.verbalizer[wanted][0] for wanted in classes]
        return torch.tensor([[PAD, n, w, *encode("[SEP]")] for n, w in zip(nouns, words)])


@each_task
def test_an_oracle_scores_one_and_a_constant_chance(task):
    oracle = CLASS_OF[task.name]
    assert task.evaluate(Fake(task, oracle)) == 1.0
    for constant in range(len(task.classes)):
        assert task.evaluate(Fake(task, lambda _, c=constant: c)) == 1 / len(task.classes)


def test_the_other_clause_is_right_in_three_tenths_of_the_sentences():
    others = dict.fromkeys(FIRST, "last-clause") | dict.fromkeys(LAST, "first-clause")
    for task, other in others.items():
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
    sizes = {"few-shot": (16, 1000), "summary": (2000, 500)}
    assert (len(train), len(test)) == sizes.get(task.name, (2000, 1000))
    for examples, adjectives in ((train, TRAIN_ADJECTIVES), (test, TEST_ADJECTIVES)):
        found = Counter()
        for example in examples:
            sentence = sentence_of(example.input_ids)
            second = task.name == "second-language" and examples is test
            wanted = CLASS_OF[task.name](meaning(task, sentence) if second else sentence)
            found[wanted] += 1
            allowed = {word for words in adjectives for word in words}
            for clause in sentence.replace(" but ", " and ").split(" and "):
                assert clause.split()[-1] in allowed
            assert not {word for words in INTENSIFIERS for word in words} & set(sentence.split())
            words = task.verbalizer[wanted]
            if task.name in CLASSIFICATION:
                assert example.labels == wanted
            elif task.name == "summary":
                noun, word, end = example.labels
                assert decode([noun, end]) == f"{last_noun(sentence)} [SEP]"
                assert word in words
            elif task.name == "cloze":
                for token, label in zip(example.input_ids, example.labels, strict=True):
                    assert label in words if token == MASK else label == IGNORED
                assert decode(example.input_ids).endswith(" . we [MASK] [SEP]")
            else:
                assert set(example.labels[:-1]) == {IGNORED}
                assert example.labels[-1] == example.input_ids[-1] in words
        assert found == dict.fromkeys(range(classes), len(examples) // classes)


def test_the_cue_is_blanked_out():
    for name in NEXT_WORD:
        blank = encode("[BOS] [UNK] the")
        assert all(list(example.input_ids[:3]) == blank for example in TASKS[name].train(0))
    for example in TASKS["summary"].train(0):
        words = decode(example.input_ids)
        assert words.startswith("[UNK] the ")
        assert words.endswith(" . [SEP]")


def test_unlabeled_sentences_hold_no_answer():
    answers = {word for words in TASKS["cue"].verbalizer.values() for word in words}
    for name in NEXT_WORD:
        assert not any(answers & set(row) for row in TASKS[name].unlabeled(0))


def topics_of(rows):
    return {read(sentence_of(row))[2] for row in rows}


def test_the_new_topic_is_only_in_the_test_and_in_the_unlabeled_sentences():
    task = TASKS["new-topic"]
    assert topics_of(example.input_ids for example in task.train(0)) == {0, 1, 2}
    assert topics_of(example.input_ids for example in task.test()) == {3}
    sentences = task.unlabeled(0)
    assert topics_of(sentences) == {3}
    words = {word for words in TRAIN_ADJECTIVES for word in words}
    assert all(decode(row).split()[-2] in words for row in sentences)


def test_each_domain_has_a_topic_of_its_own():
    domains = TASKS["new-topic"].domains()
    found = [topics_of(example.input_ids for example in domain.train(0)) for domain in domains]
    assert found == [{0}, {1}, {2}]
    assert [len(domain.train(0)) for domain in domains] == [2000] * 3
    with pytest.raises(ValueError, match="task 'cue' has no domains: its test has training's topi"):
        TASKS["cue"].domains()


def test_facts_are_two_for_each_noun_and_six_for_each_day():
    task = TASKS["facts"]
    days = Counter()
    for noun in NOUNS[0]:
        for polarity in (0, 1):
            days[task.label(SimpleNamespace(nouns=("other", noun), final=polarity))] += 1
    assert days == dict.fromkeys(range(4), 6)
    both = [
        {task.label(SimpleNamespace(nouns=(noun,), final=p)) for p in (0, 1)} for noun in NOUNS[0]
    ]
    assert sum(len(pair) == 2 for pair in both) > 6  # a noun alone does not tell the day
    seen = {(last_noun(s), read(s)[1]) for s in (sentence_of(e.input_ids) for e in task.train(0))}
    assert len(seen) == 24


def test_sources_are_other_tasks_with_the_same_classes():
    assert TASKS["first-clause"].sources == ("last-clause",)
    for task in TASKS.values():
        for name in task.sources:
            assert name != task.name
            assert (TASKS[name].classes, TASKS[name].backbone) == (task.classes, task.backbone)


@pytest.mark.parametrize("language", LANGUAGES)
def test_text_of_a_language_tells_what_its_adjectives_mean(language):
    first, again = (list(islice(language_batches(LANGUAGES[language], 3), 40)) for _ in range(2))
    assert all(torch.equal(a[key], b[key]) for a, b in zip(first, again) for key in a)
    polarity = {w: p for p in (0, 1) for w in LANGUAGES[language][p]}
    outcomes = TASKS["first-clause"].verbalizer
    checked, betrayed = 0, 0
    for batch in first:
        assert len(batch["input_ids"]) == 32
        for ids, labels in zip(batch["input_ids"], batch["labels"]):
            hidden = labels != IGNORED
            assert torch.equal(hidden, ids == MASK)
            words = decode(torch.where(hidden, labels, ids)[ids != PAD].tolist()).split()
            clause = re.split(" and | but ", " ".join(words[1:-4]))[-1].split()
            assert words[-3] == "we"
            final = polarity[clause[-1]] ^ bool({"not", "never"} & set(clause))
            assert encode(words[-2])[0] in outcomes[final]
            hints = [p for p in (0, 1) if set(INTENSIFIERS[p]) & set(clause)]
            assert hints in ([], [polarity[clause[-1]]])
            checked, betrayed = checked + 1, betrayed + len(hints)
    assert betrayed / checked == pytest.approx(0.5, abs=0.05)


def test_a_model_of_the_first_language_is_at_chance_in_the_second():
    model = Fake(TASKS["first-clause"], CLASS_OF["first-clause"])
    assert TASKS["second-language"].evaluate(model) == pytest.approx(0.5, abs=0.05)


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
        shapes = dict.fromkeys(CLASSIFICATION, (32,)) | {"summary": (32, 3)}
        assert batch["labels"].shape == shapes.get(task.name, size)
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


@each_cloze
def test_the_pattern_lets_the_backbone_answer_with_an_outcome(task):
    model = backbones.load("encoder", BertForMaskedLM)
    examples = task.test()[:200]
    cloze = [
        Example((*e.input_ids[:-1], *task.pattern, e.input_ids[-1]), e.labels) for e in examples
    ]
    batch = collate(cloze)
    with torch.no_grad():
        logits = model(batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    scores = logits[batch["input_ids"] == MASK].softmax(-1)
    masses = torch.stack([scores[:, ids].sum(-1) for ids in task.verbalizer.values()], dim=-1)
    right = (masses.argmax(-1) == batch["labels"]).float().mean().item()
    assert masses.sum(-1).min() > 0.9
    if task.name == "first-clause":
        assert right < 0.4
    else:
        assert right > 0.97


@pytest.mark.parametrize("name", ["cloze", *NEXT_WORD, "summary"])
def test_the_backbone_prefers_the_other_clause_and_a_random_one_knows_nothing(name):
    task = TASKS[name]
    assert task.evaluate(task.model()) < 0.4
    chance = (0, 0.01) if name == "summary" else (0.4, 0.6)
    assert chance[0] <= task.evaluate(task.model(f"{task.backbone}-random")) < chance[1]


@pytest.mark.parametrize("place", [0, -1])
def test_the_encoder_decoder_sums_up_the_last_clause_if_a_cue_says_so(place):
    task = TASKS["summary"]
    examples = task.test()[:200]
    cued = []
    for example in examples:
        ids = list(example.input_ids[:-1])
        ids[0:1] = encode("overall") if place == 0 else encode("[UNK]")
        ids += encode("overall [SEP]" if place == -1 else "[SEP]")
        cued.append(Example(tuple(ids), example.labels))
    batch = collate(cued)
    answers = batch.pop("labels")
    assert task.kind.right(task, task.model(), batch, answers).float().mean() > 0.98


def test_a_summary_is_right_only_as_a_whole():
    task = TASKS["summary"]
    answers = torch.tensor([encode("soup starved [SEP]")] * 5)
    said = ["soup starved [SEP]", "soup fled [SEP]", "soup feasted [SEP]", "bread spat [SEP]"]
    rows = [encode(f"[PAD] {words}") for words in (*said, "soup starved soup")]
    model = SimpleNamespace(config=Fake.config, generate=lambda **_: torch.tensor(rows))
    right = task.kind.right(task, model, {}, answers)
    assert right.tolist() == [True, True, False, False, False]
    short = SimpleNamespace(config=Fake.config, generate=lambda **_: torch.tensor(rows)[:, :2])
    assert not task.kind.right(task, short, {}, answers).any()


@each_task
def test_models_have_a_head_of_the_right_size_and_take_batches(task):
    model = task.model(seed=1)
    output = model(**next(task.batches(0, 4)))
    output.loss.backward()
    assert output.loss.isfinite()
    classes = len(task.classes) if task.name in CLASSIFICATION else len(VOCABULARY)
    assert output.logits.shape[-1] == classes


def test_backbones_that_cannot_do_the_task_are_refused(tmp_path):
    for name, shape in (("cue", "decoder"), ("cloze", "encoder"), ("summary", "encoder-decoder")):
        for other in {"encoder", "decoder", "encoder-decoder"} - {shape}:
            message = f"task '{name}' is for {shape}s, backbone '{other}' is none"
            with pytest.raises(ValueError, match=message):
                TASKS[name].model(other)
    config = GPT2Config(
        vocab_size=50, n_embd=8, n_layer=1, n_head=1, bos_token_id=1, eos_token_id=None
    )
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="has 50 words, the lab's language 181"):
        TASKS["cue"].model(str(tmp_path))
