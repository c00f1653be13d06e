r"""Out of domain: what tuning does to everything else

A model is tuned on data of one kind and then meets another. What happens there is decided
by how far the tuning moved the model, and in which direction. This guide says what the literature
found, repeats the comparison in the lab, where the main effect does *not* appear, and shows another
one that does.
"""

# ## What the literature found
#
# [Kumar et al. 2022](https://arxiv.org/abs/2202.10054) compared full fine-tuning with a linear
# probe on ten image datasets with a shift between training and test. Fine-tuning was better on
# data like those of training, on average by 2%, and worse on shifted data, on average by 7%. Their
# explanation: the new head starts at random, and while it is being learned, its errors flow back
# and **distort** features that were good. Their remedy trains in two steps, first the head alone,
# then everything (LP-FT), and was better on both kinds of data.
#
# For language models and light methods:
#
# - [Prefix tuning](../papers/li2021prefix.md) carried over better than full fine-tuning to
#   summaries of news on topics that training did not have.
# - [Prompt tuning](../papers/lester2021prompttuning.md) was more robust under a shift of domain,
#   from one set of question-answering data to others.
# - A few labeled examples and a pattern make a model pick up shortcuts that it did not take
#   before; pulling the weights toward the pretrained ones
#   [prevents it](../papers/utama2021heuristics.md).
# - Probing before and after shows that fine-tuning changes
#   [mostly the top layers](../papers/merchant2020finetuning.md) of BERT and erases little of what
#   it knew about language.
#
# These findings do not contradict each other: a model can keep what it knows and stop using it.
#
# ## Repeated in the lab: ordinary shifts
#
# The lab's decoder writes how a review ended. Unasked, it goes by the first clause; the task
# `new-topic` wants the last one. We train on restaurants, hotels and films, with 16 adjectives,
# and test four times on 300 sentences: on data like those of training, with other adjectives, on
# another topic (gadgets), and with both changes. All settings are the lab's usual ones, none was
# picked for this guide.

from dataclasses import replace
from statistics import fmean

import torch
from figures import dots
from fine_tuning_atlas.anatomy import anatomy
from fine_tuning_atlas.core.registry import load_methods
from fine_tuning_atlas.core.training import Loop, train
from fine_tuning_atlas.lab.kinds import collate
from fine_tuning_atlas.lab.language import TEST_ADJECTIVES, encode
from fine_tuning_atlas.lab.tasks import TASKS

METHODS = load_methods()
SEEDS = (0, 1, 2)
TOLERANCE = 0.1  # how far an unseen instruction is ignored depends on the processor's rounding
task = TASKS["new-topic"]


def questions(name: str, label=task.label, **changes) -> list:
    """300 sentences like those of training, but for the changes."""
    grammar = replace(task.training, **changes)
    shifted = replace(task, name=name, testing=grammar, test_size=300, label=label)
    return [task.kind.question(example) for example in shifted.test()]


@torch.no_grad()
def score(model, examples: list) -> float:
    inputs = collate(examples)
    answers = inputs.pop("labels")
    return task.kind.right(task, model, inputs, answers).sum().item() / len(examples)


SHIFTS = {
    "as in training": questions("same"),
    "new adjectives": questions("words", adjectives=TEST_ADJECTIVES),
    "new topic": questions("topic", topics=(3,)),
    "both": questions("both", adjectives=TEST_ADJECTIVES, topics=(3,)),
}


def tuned(name: str, seed: int):
    method, model = METHODS[name](**METHODS[name].lab), task.model(seed=seed)
    train(method, model, Loop(task.batches, steps=80, seed=seed, progress=False))
    return method, model


CHOSEN = ("linear_probe", "full_fine_tuning", "lora", "ia3", "prefix_tuning")
models = {name: [tuned(name, seed) for seed in SEEDS] for name in CHOSEN}

print(f"{'trained':18}" + "".join(f"{shift:>16}" for shift in SHIFTS))
base = task.model()
print(f"{'not tuned':18}" + "".join(f"{score(base, SHIFTS[shift]):16.1%}" for shift in SHIFTS))
for name in CHOSEN:
    means = [fmean(score(model, s) for _, model in models[name]) for s in SHIFTS.values()]
    print(f"{METHODS[name].title:18}" + "".join(f"{mean:16.1%}" for mean in means))
    assert max(means) < 0.8 if name == "linear_probe" else min(means) > 0.97

# **The effect does not appear.** Whatever is trained, except for the probe, scores above 97% in all
# four columns, full fine-tuning as well as the light methods. The probe stays below 80% in each of
# them. The reason lies in the toy: pretraining covered all adjectives and topics evenly, the model
# has represented them alike ever since, and a rule learned on some of them holds for all. A shift
# can only separate methods where the features differ across it.
#
# ## Probe first, then tune everything
#
# The remedy can be tried as well, on a classifier with a random head: is the last clause positive?
# Half of the steps go to the head alone, the other half to everything. Beside the score on new
# adjectives we measure how far the features moved, as the mean relative change of the first
# token's last vector, from which the classifier reads.


class ProbeThenAll(METHODS["full_fine_tuning"]):
    """LP-FT: the head alone at the probe's learning rate, then everything."""

    def fit(self, model, loop):
        halves = [replace(loop, steps=loop.steps // 2) for _ in range(2)]
        full, self.lr = self.lr, METHODS["linear_probe"].lab["lr"]
        for parameter in anatomy(model).base_parameters():
            parameter.requires_grad_(False)
        halves[0].run(self, model)
        self.lr = full
        model.requires_grad_(True)
        halves[1].run(self, model)


@torch.no_grad()
def features(model, batch) -> torch.Tensor:
    states = model.base_model(batch["input_ids"], batch["attention_mask"]).last_hidden_state
    return states[:, 0]


polarity = TASKS["last-clause"]
unseen = collate([polarity.kind.question(example) for example in polarity.test()[:250]])
print(f"{'order':18} {'new adjectives':>16}   features moved by")
by_order = []
for label, cls in (("All at once", METHODS["full_fine_tuning"]), ("Probe, then all", ProbeThenAll)):
    scores, moved = [], []
    for seed in SEEDS:
        model = polarity.model(seed=seed)
        before = features(model, unseen)
        loop = Loop(polarity.batches, steps=80, seed=seed, progress=False)
        train(cls(**METHODS["full_fine_tuning"].lab), model, loop)
        scores.append(polarity.evaluate(model))
        change = (features(model, unseen) - before).norm(dim=1) / before.norm(dim=1)
        moved.append(change.mean().item())
    print(f"{label:18} {fmean(scores):16.1%}   " + " ".join(f"{value:.2f}" for value in moved))
    by_order.append(fmean(moved))
    assert min(scores) > 0.97
assert 0.8 * by_order[0] < by_order[1] < by_order[0]

# Starting from a trained head moves the features less, as the explanation says it should, but by
# less than a fifth (and only half of the steps may move them at all). The score, above 97% in both
# orders, has no room to show anything.
#
# ## A shift that does matter: instructions
#
# Pretraining taught this decoder to obey a word at the beginning of the text: `overall` asks for
# the last clause, `firstly` for the first, `contrary` for the opposite of the last. In our
# training data the word was blanked out. So no example said what to do with it, and a tuned model
# might either still obey, or answer the task that it was tuned on no matter what it is told.


def cued(examples: list, cue: str) -> list:
    [word] = encode(cue)
    return [replace(e, input_ids=(e.input_ids[0], word, *e.input_ids[2:])) for e in examples]


contrary = cued(questions("contrary", label=lambda review: 1 - review.final), "contrary")
print(f"not tuned          {score(base, contrary):.1%}")
obeyed = {}
for name in CHOSEN:
    scores = [score(model, contrary) for _, model in models[name]]
    obeyed[METHODS[name].title] = scores
    print(f"{METHODS[name].title:18} {fmean(scores):.1%}")
dots("Obeys the instruction 'contrary', a dot for each seed", obeyed)
kept = {name: fmean(obeyed[METHODS[name].title]) for name in CHOSEN}
assert score(base, contrary) > 0.97
assert max(kept["full_fine_tuning"], kept["linear_probe"]) < 0.1
assert all(0.1 < kept[name] < 0.6 for name in ("lora", "ia3", "prefix_tuning"))

# Here is the loss that the first table hid. The model obeys in more than 97% of cases before
# tuning, and in fewer than 10% after full fine-tuning. Light methods keep a part of it, between 10%
# and 60%. The probe, which leaves the model untouched, obeys in fewer than 10% as well: it reads an
# answer off the last hidden states, and it was trained to read the one that the data wanted.
# **Frozen weights do not mean unchanged behavior.**
#
# The amounts also depend on how long and at which learning rate one trains, so this is no ranking
# of methods. What is general is the measurement: a test set like the training set cannot tell
# these models apart.
#
# ## What light methods keep for certain
#
# Their weights can be taken off. A frozen base is still there, to the bit, and the instruction
# works again at once. After full fine-tuning the only way back is another copy of the model.

for name in ("lora", "ia3", "prefix_tuning"):
    method, model = models[name][0]
    method.detach(model)
    print(f"{method.title:18} taken off: {score(model, contrary):.1%}")

# ## What to take along
#
# - Test on what you did *not* train for: other domains, and the abilities of the base that must
#   stay.
# - If the features are good and a shift is to be expected, compare with a probe, and with probing
#   first and tuning everything afterwards.
# - Small steps help whatever the method: a smaller learning rate, fewer steps, a pull toward the
#   pretrained weights such as [mixout](../methods/mixout.md).
# - Where requests differ, keep the base frozen and the adaptation removable, by request if need
#   be, as in the [guide to many users](users.md).
# - Averaging can help with domains: [AdapterSoup](../methods/adaptersoup.md) averages the adapters
#   of related domains for a new one.
