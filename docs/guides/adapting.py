r"""Adapting a model: what to train, what to freeze

A pretrained model knows a language. It does not know your task, your subject, or what happened
since its training ended. This guide adapts one small model in five ways, counts what each of them
trains, stores and keeps in memory, and shows what the training leaves untouched.
"""

# ## Three gaps
#
# Pretraining is a task too: fill in a masked word, or continue a text. Whoever uses the model
# wants something else, and it helps to ask how it differs. The
# [CS324 lecture notes](../papers/liang2022cs324.md) name three differences:
#
# - **Format.** A masked language model answers with a word; a classifier has to answer with a
#   label, and tasks such as inference compare two texts.
# - **Topic.** The texts are from a field, such as medicine or law, that pretraining saw little of.
# - **Time.** The facts are newer than the model, or were never public.
#
# A good prompt sometimes closes a gap without any training. Where it does not, the model has to be
# adapted. The lab of this project is a place to watch that: its encoder, a BERT of two layers, was
# pretrained on short synthetic reviews. It learned to fill in how each review ended. The task
# `first-clause` asks something that it could know but was never asked: is the *first* clause
# positive?

import torch
from figures import bars, boxes, dots
from fine_tuning_atlas.anatomy import anatomy, numel
from fine_tuning_atlas.core.registry import load_methods
from fine_tuning_atlas.core.training import train
from fine_tuning_atlas.lab import backbones
from fine_tuning_atlas.lab.language import MASK, decode, encode
from fine_tuning_atlas.lab.tasks import TASKS
from fine_tuning_atlas.measure.reports import on_task
from fine_tuning_atlas.measure.runs import prepare
from transformers import BertForMaskedLM

task = TASKS["first-clause"]
example = task.test()[0]
text = encode(f"{decode(example.input_ids[:-1])} we {MASK} [SEP]")
words = backbones.load("encoder", BertForMaskedLM)(torch.tensor([text])).logits[0, -2]

print("text:   ", decode(example.input_ids))
print("model:   we", decode([words.argmax().item()]))
print("wanted: ", task.classes[example.labels])

# The model sums up the whole sentence; the task wants its beginning. This is a gap of format (a
# label in place of a word) and of content (another clause), chosen so that looking at the answer
# that the model already gives is of no use: in 70% of the sentences it is the opposite.
#
# ## One frame for all methods
#
# Let $\theta$ be the pretrained parameters and $(x_i, y_i)$ the examples of the task. Adaptation
# looks for parameters $\gamma$ in a family $\Gamma$:
#
# $$ \gamma^* = \underset{\gamma \in \Gamma}{\text{arg min}} \; \frac{1}{n} \sum_{i=1}^{n}
# \ell\left(\gamma, \theta, x_i, y_i\right) $$
#
# The methods differ in $\Gamma$, and in little else. A **probe** trains a new output layer and
# nothing below it. **Full fine-tuning** trains $\theta$ itself, starting from its pretrained
# value. **Light** fine-tuning trains few parameters that act everywhere: a low-rank update of some
# matrices ([LoRA](../methods/lora.md)), vectors that rescale activations
# ([(IA)³](../methods/ia3.md)), extra keys and values for attention
# ([prefix tuning](../methods/prefix_tuning.md)).
#
# Which boxes are frozen and which are trained is easy to draw, and drawings of this kind are easy
# to get wrong. This one is counted: each method sets up the model, and then every parameter is
# asked whether a gradient would change it.

METHODS = load_methods()
CHOSEN = ("linear_probe", "full_fine_tuning", "lora", "ia3", "prefix_tuning")
PARTS = ("head", "layer 2", "layer 1", "embeddings")


def part_of(parameter: str) -> str:
    if "embeddings" in parameter:
        return "embeddings"
    layer = parameter.partition("encoder.layer.")[2]
    return f"layer {int(layer[0]) + 1}" if layer else "head"


counts, columns = {}, {}
for name in CHOSEN:
    method, model, _ = prepare(METHODS[name], "first-clause", progress=False)
    parts = anatomy(model)
    head = numel(parts.head_parameters())
    counts[name] = (method.trained(parts), method.stored(parts), head)
    method.setup(model)
    boxed = {part: [0, 0] for part in PARTS}
    for parameter, values in model.named_parameters():
        boxed[part_of(parameter)][0] += values.numel() * values.requires_grad
        boxed[part_of(parameter)][1] += values.numel()
    columns[method.title] = [tuple(boxed[part]) for part in PARTS]

boxes("Parameters trained, of all in each part of the adapted model", list(PARTS), columns)

# The head's box holds the classifier, which starts at random for each task, and BERT's pooler, a
# dense layer before it, which only full fine-tuning trains. The probe brings a linear map of its
# own instead. In the model with a prefix the first layer's box also holds the perceptron that the
# prefix comes from; training needs it and nothing else does.
#
# ## Trained, stored, head
#
# Three numbers are easily confused. *Trained* parameters change; *stored* ones must be kept for
# each task; the *head* is new whatever the method. A prefix trains about three times what it
# stores.

print(f"{'method':18} {'trained':>8} {'stored':>8} {'head':>5}")
for name, (trained, stored, head) in counts.items():
    print(f"{METHODS[name].title:18} {trained:8,} {stored:8,} {head:5,}")

# A probe *is* the head, so its count appears twice in that table. For full fine-tuning, "stored"
# is the price that light methods were made to avoid: a whole model for each task.
#
# ## Train them
#
# Now each method trains for 100 steps on 2,000 sentences, from two seeds. Training and test share
# no adjective, so nothing can be learned by heart. The last row is the control that every result
# here is held against: full fine-tuning of the same architecture from **random** weights. What the
# others can do and it cannot, came out of pretraining.


def score(name: str, seed: int, **settings) -> float:
    method, model, loop = prepare(
        METHODS[name], "first-clause", seed=seed, steps=100, every=100, progress=False, **settings
    )
    return train(method, model, loop).score


scores = {METHODS[name].title: [score(name, seed) for seed in (0, 1)] for name in CHOSEN}
scores["Probe, mean"] = [score("linear_probe", seed, pooling="mean") for seed in (0, 1)]
scores["Full, random"] = [
    score("full_fine_tuning", seed, backbone="encoder-random") for seed in (0, 1)
]
for label, pair in scores.items():
    print(f"{label:18} {pair[0]:6.1%} {pair[1]:6.1%}")
dots("Test score after 100 steps, a dot for each of two seeds", scores, chance=0.5)

light = [min(scores[METHODS[name].title]) for name in ("lora", "ia3", "prefix_tuning")]
assert min(light) > min(scores["Full fine-tuning"]) - 0.12
assert max(scores["Linear probe"] + scores["Probe, mean"]) < min(light)

# **Probing** is the cheapest and the weakest. A classifier needs one vector for a text of any
# length, and there are two usual choices: the vector of the first token, `[CLS]`, which
# [BERT](../papers/devlin2018bert.md) has for this, or the mean over all tokens. A probe shows what
# the model *displays*, in a form that a linear map can read, and that is less than what it
# *knows*. The opposite mistake is possible too: a strong probe can learn a task all by itself,
# which is why [Hewitt and Liang](../papers/hewitt2019control.md) judge it by the difference from a
# control task with random labels.
#
# **Full fine-tuning** is the most expressive, and starts where pretraining stopped: with its
# weights but without its optimizer state, at a much smaller learning rate and for a much shorter
# time. It can fail on small data, which is what the [guide to a stable recipe](recipe.md) is
# about.
#
# **Light methods** end within 12 points of full fine-tuning here, each by its worse seed, with a
# small part of the parameters. On real tasks they come close in many settings and not in all: with equal budgets and
# many seeds, [Chen et al.](../papers/chen2022revisiting.md) find none that matches full
# fine-tuning throughout.
#
# ## What a step takes
#
# "Few trained parameters" is not "little memory". A training step keeps the weights, their
# gradients, the optimizer's state (two more numbers for each trained parameter with Adam) and the
# activations that the backward pass needs. The ledger counts each of them, exactly.

LEDGER = ("weights", "gradients", "optimizer", "activations", "other")
rows = {}
for name in CHOSEN:
    ledger = on_task(METHODS[name], "first-clause")["ledger"]
    rows[METHODS[name].title] = [ledger[part] / 1000 for part in LEDGER]
    total = sum(ledger.values())
    print(f"{METHODS[name].title:18} {ledger['activations']:9,} of {total:9,} bytes: activations")
bars("Bytes kept in a training step", "kB", list(LEDGER), rows)

# Only the probe does without nearly all activations: nothing below it is trained, so the backward
# pass ends where it begins. Every light method that acts inside the network has to differentiate
# through it and keeps most of what full fine-tuning keeps. What falls are gradients and optimizer
# state. In this model they are small; in one with billions of parameters they are the larger part,
# as the [page that compares all methods](../methods/compare.md) shows for Llama 2.
#
# ## And afterwards
#
# What was frozen is still there. A light method can be taken off, and the model is the pretrained
# one again, bit for bit; full fine-tuning overwrites it.

method, model, loop = prepare(METHODS["lora"], "first-clause", steps=20, progress=False)
before = {key: value.clone() for key, value in model.bert.state_dict().items()}
train(method, model, loop)
method.detach(model)
after = model.bert.state_dict()
print("same weights:", all(torch.equal(before[key], after[key]) for key in before))
print("same names:  ", before.keys() == after.keys())

# That is why one frozen model can serve many tasks, or [many users in one batch](users.md), each
# with a few kilobytes of their own.
#
# ## Which one
#
# - To find out whether a model already displays something: a probe.
# - One task, enough memory, and quality above all: full fine-tuning, with a
#   [careful recipe](recipe.md), and a light method as the baseline that it has to beat.
# - Many tasks on one model, or not enough memory for optimizer state: a light method. One that can
#   be merged into the weights ([LoRA](../methods/lora.md), [(IA)³](../methods/ia3.md)) costs
#   nothing in inference.
# - If activations are what does not fit: a method with no backward pass through the big model
#   ([ladder side-tuning](../methods/ladder_side_tuning.md)), or none at all
#   ([MeZO](../methods/mezo.md)).
# - If data of another domain will come: read the guide about [behavior out of domain](domains.md)
#   first.
#
# The lab cannot say which method is better. Its model has about 90,000 parameters and its language
# is synthetic; all that it shows is that each method does what it claims.
