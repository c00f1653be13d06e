"""What one task says, or a few, and no other."""

import re
from collections import Counter
from itertools import islice
from types import SimpleNamespace

import pytest
import torch
from transformers import BertForMaskedLM

from reference_impls.lab import backbones
from reference_impls.lab.kinds import IGNORED, Example, collate
from reference_impls.lab.language import INTENSIFIERS, NOUNS, TRAIN_ADJECTIVES, decode, encode
from reference_impls.lab.languages import LANGUAGES, language_batches
from reference_impls.lab.tasks import TASKS
from tests.lab.fake import MASK, PAD, Fake, oracle, reviewed, sentence_of

torch.set_num_threads(1)
FIRST = ("first-clause", "cloze", "second-language")
LAST = ("last-clause", "few-shot", "cue", "cue-gpt2", "new-topic", "summary")
NEXT_WORD = ("cue", "cue-gpt2", "new-topic")


def test_which_part_of_a_review_is_asked_for():
    review = SimpleNamespace(first="first", final="last", topic="topic")
    parts = dict.fromkeys(FIRST, "first") | dict.fromkeys(LAST, "last") | {"topic": "topic"}
    assert {name: TASKS[name].label(review) for name in parts} == parts
    assert TASKS["first-clause"].sources == ("last-clause",)


def test_the_other_clause_is_right_in_three_tenths_of_the_sentences():
    others = dict.fromkeys(FIRST, "last-clause") | dict.fromkeys(LAST, "first-clause")
    for task, other in others.items():
        adjectives = TASKS[task].testing.adjectives
        score = TASKS[task].evaluate(Fake(TASKS[task], oracle(TASKS[other], adjectives)))
        assert score == pytest.approx(0.3, abs=0.05)


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
    return {reviewed(sentence_of(row)).topic for row in rows}


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
    said = [reviewed(sentence_of(example.input_ids)) for example in task.train(0)]
    assert len({(review.nouns[-1], review.final) for review in said}) == 24


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
    model = Fake(TASKS["first-clause"], oracle(TASKS["first-clause"]))
    assert TASKS["second-language"].evaluate(model) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("name", ["first-clause", "last-clause", "topic"])
def test_the_pattern_lets_the_backbone_answer_with_an_outcome(name):
    task = TASKS[name]
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
    if name == "first-clause":
        assert right < 0.4
    else:
        assert right > 0.97


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
