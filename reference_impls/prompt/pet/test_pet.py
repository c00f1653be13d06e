"""PET: patterns, verbalizers, both losses, the ensemble, and the three phases."""

from functools import partial

import pytest
import torch

from reference_impls.anatomy import anatomy
from reference_impls.core.training import Loop, train
from reference_impls.prompt.pet.pet import IGNORED, PET, Cloze, class_logits, soft_labels
from tests.methods import models
from tests.methods.ledgers import LAB, kept
from tests.methods.settings import BASELINES, batches, stand_ins

MASK = 4
EXTRAS = stand_ins("pet")
ROWS = ((1, 10, 11, 12, 2), (1, 13, 14, 2))


def cloze(**arguments) -> Cloze:
    settings = {
        "pattern": ((8,), (9, MASK)),
        "verbalizer": EXTRAS["verbalizer"],
        "mask_token": MASK,
        "unlabeled": EXTRAS["unlabeled"],
        "alpha": 0.25,
    }
    return Cloze(**{**settings, **arguments})


def test_the_pattern_goes_inside_the_special_tokens():
    filled = cloze().fill(ROWS, padding=0)
    assert filled["input_ids"].tolist() == [
        [1, 8, 10, 11, 12, 9, MASK, 2],
        [1, 8, 13, 14, 9, MASK, 2, 0],
    ]
    assert filled["attention_mask"].tolist() == [[1] * 8, [1] * 7 + [0]]


@pytest.mark.parametrize("pattern", [((8,), (9, MASK)), ((9, MASK), (8,))])
@torch.no_grad()
def test_a_class_scores_the_mean_logit_of_its_words_at_the_mask(pattern):
    model = models.build("bert-mlm")
    rows = ((1, 10, MASK, 12, 2), (1, 13, 14, 2))  # a mask in the text is not the pattern's
    scores = cloze(pattern=pattern).scores(model, rows)
    before, after = pattern
    for row, score in zip(rows, scores):
        ids = [1, *before, *row[1:-1], *after, 2]
        place = 2 if MASK in before else len(ids) - 2
        at_mask = model(torch.tensor([ids])).logits[0, place]
        expected = torch.stack([(at_mask[5] + at_mask[6]) / 2, at_mask[7]])
        torch.testing.assert_close(score, expected, atol=1e-5, rtol=1e-5)


def test_permuted_classes_permute_the_scores():
    logits = torch.randn(3, 20, generator=torch.Generator().manual_seed(0))
    verbalizer = ((0, 4), (5,), (6, 7, 8))  # the word 0 is a word like any other
    scores = class_logits(logits, verbalizer)
    permuted = class_logits(logits, (verbalizer[2], verbalizer[0], verbalizer[1]))
    assert torch.equal(permuted, scores[:, [2, 0, 1]])
    torch.testing.assert_close(scores[:, 0], (logits[:, 0] + logits[:, 4]) / 2)


@pytest.mark.parametrize("alpha", [0.0, 0.25, 1.0])
@torch.no_grad()
def test_the_loss_weighs_the_cloze_against_the_language_model(alpha):
    model, batch = models.build("bert-mlm"), models.batch("bert")
    method = cloze(alpha=alpha)
    rows = [ids[m.bool()].tolist() for ids, m in zip(batch["input_ids"], batch["attention_mask"])]
    scores = method.scores(model, rows)
    log_q = scores - scores.exp().sum(-1, keepdim=True).log()
    supervised = -log_q[torch.arange(4), batch["labels"]].mean()
    torch.manual_seed(0)
    picked = torch.randint(3, (4,)).tolist()
    texts = method.fill([EXTRAS["unlabeled"][i] for i in picked], 0)
    corrupted = method.corrupt(texts, models.VOCABULARY)
    language = model(**corrupted).loss  # the mean over the hidden words, as transformers has it
    torch.manual_seed(0)
    loss = method.loss(model, batch)
    torch.testing.assert_close(loss, (1 - alpha) * supervised + alpha * language)


def test_corruption_hides_words_only_and_as_often_as_stated():
    torch.manual_seed(0)
    method = cloze(pattern=((), (9, MASK)))
    texts = method.fill([(1, *range(10, 30), 2), (1, *range(10, 26), 2)] * 1000, padding=0)
    corrupted = method.corrupt(texts, models.VOCABULARY)
    ids, labels = texts["input_ids"], corrupted["labels"]
    hidden = labels != IGNORED
    words = (ids >= 9) & (ids < 40)  # all but [CLS], [SEP], padding and the pattern's mask
    assert not hidden[~words].any()
    assert torch.equal(labels[hidden], ids[hidden])
    assert torch.equal(corrupted["input_ids"][~hidden], ids[~hidden])
    assert hidden[words].float().mean().item() == pytest.approx(0.15, abs=0.01)
    shown = corrupted["input_ids"][hidden]
    assert (shown == MASK).float().mean().item() == pytest.approx(0.8 + 0.1 / 40, abs=0.02)
    assert (shown == ids[hidden]).float().mean().item() == pytest.approx(0.1 + 0.1 / 40, abs=0.02)
    assert set(shown.tolist()) == set(range(40))


def test_a_text_without_hidden_words_gives_no_loss():
    texts = cloze(pattern=((), (MASK,))).fill([(1, 2)], padding=0)
    assert cloze().language_loss(models.build("bert-mlm"), texts) == 0


def test_the_ensemble_averages_logits_at_the_temperature():
    logits = torch.tensor([[[4.0, 0.0]], [[0.0, 2.0]]])
    expected = torch.tensor([[1.0, 0.5]]).exp()
    torch.testing.assert_close(soft_labels(logits, 2.0), expected / expected.sum())
    alone = soft_labels(logits[:1], 2.0)
    torch.testing.assert_close(alone[0, 0], torch.tensor(2.0).exp() / (1 + torch.tensor(2.0).exp()))


@torch.no_grad()
def test_distillation_is_the_divergence_at_the_temperature():
    model, batch = models.build("bert"), models.batch("bert")
    labels = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.7, 0.3]])
    loss = PET(**EXTRAS, temperature=3.0).loss(model, {**batch, "labels": labels})
    logits = models.logits(model, {k: batch[k] for k in ("input_ids", "attention_mask")})
    p = (logits / 3).softmax(-1)
    expected = 9 * (labels * (labels.log() - p.log())).sum(-1).mean()
    torch.testing.assert_close(loss, expected)


def test_the_classifier_learns_the_soft_labels_of_trained_language_models():
    """Class 0 means that the text holds word 20."""
    generator = torch.Generator().manual_seed(0)
    words = torch.randint(21, 40, (64, 5), generator=generator)
    words[::2, 2] = 20
    texts = [(1, *row, 2) for row in words.tolist()]
    labels = torch.tensor([0, 1] * 32)

    def labeled(seed: int):
        while True:
            ids = torch.tensor(texts)
            yield {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}

    method = PET(**{**EXTRAS, "unlabeled": texts}, lr=1e-2)
    model = models.build("bert")
    fresh = []
    method.masked_lm = lambda: fresh.append(models.build("bert-mlm")) or fresh[-1]
    loop = Loop(labeled, steps=30, evaluate=lambda model: 0.5, every=30, progress=False)
    history = train(method, model, loop)
    assert len(fresh) == len(EXTRAS["patterns"])  # a language model for each pattern
    assert [step for step, _ in history.curve] == [0, 30]  # of the classifier only
    inputs = {k: v for k, v in next(labeled(0)).items() if k != "labels"}
    assert (models.logits(model, inputs).argmax(-1) == labels).float().mean() > 0.95


def test_the_classifier_never_sees_the_labels():
    """It depends on them only through the language models: without steps for these, not at all."""
    states = []
    for flipped in (False, True):

        def labeled(seed: int, flipped=flipped):
            for batch in batches("bert"):
                yield {**batch, "labels": 1 - batch["labels"] if flipped else batch["labels"]}

        method = PET(**EXTRAS, lr=1e-2)
        method._expert = partial(_constant_scores, method)
        model = models.build("bert")
        train(method, model, Loop(labeled, steps=3, progress=False))
        states.append(model.state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def _constant_scores(method, pattern, model, loop, size) -> torch.Tensor:
    return torch.ones(len(method.unlabeled), 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"masked_lm": None}, "needs from its task: masked_lm$"),
        ({"patterns": (), "unlabeled": ()}, "needs from its task: patterns, unlabeled"),
        ({"verbalizer": ((5,), (6,), (7,))}, "words for 3 classes, the classifier 2"),
        ({"patterns": (((), (9,)),)}, "must hold the mask exactly once"),
        ({"patterns": (((MASK,), (MASK,)),)}, "must hold the mask exactly once"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    model = models.build("bert")
    with pytest.raises(ValueError, match=message):
        PET(**{**EXTRAS, **change}).setup(model)
    assert PET().trained(anatomy(model)) == sum(p.numel() for p in model.bert.parameters())


def test_the_language_model_is_the_costliest_phase():
    own, full = (LAB[name]["first-clause"] for name in ("pet", BASELINES["upper"]))
    assert own["phase"] == [1, 2]
    assert kept(own).activations > 2 * kept(full).activations
