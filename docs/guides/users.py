r"""Personal prefixes: many users in one batch

If every user gets a model of their own, a server with a thousand users needs a thousand models.
If they get a prefix each, it needs one model and a thousand small tensors, and rows of different
users can share a batch. This guide trains three users' prefixes, serves them together, and checks
that nobody can tell the difference.
"""

# ## Why merging is the wrong move here
#
# [LoRA](../methods/lora.md) and [(IA)³](../methods/ia3.md) can be folded into the weights, so that
# inference costs nothing extra. That is right for one task. For many users it means loading a
# whole model for each of them, or a batch for each of them. The alternative is to leave the base
# as it is and give each *row* of a batch its own parameters:
#
# $$ h_i = f(x_i;\, \theta,\, \gamma_{u(i)}) $$
#
# with one $\theta$ for all, and $\gamma_{u(i)}$ those of the user to whom row $i$ belongs.
# [Li and Liang](../papers/li2021prefix.md) point out that prefixes make this easy. A prefix is
# keys and values, and attention treats each row's keys and values separately anyway.
#
# ## Three users who want different things
#
# The lab's decoder writes how a review ended. Our users disagree about what they want to hear: Ada
# goes by the last clause, Ben by the first, and Cleo wants to know the opposite of the last. Each
# of them gets a prefix of 16 slots, trained by [prefix tuning](../methods/prefix_tuning.md) on
# data of their own. What is kept of it is its `delta`: keys and values of each layer.

import random
from dataclasses import replace

import torch
from figures import bars
from fine_tuning_atlas.anatomy import anatomy, model_on_meta
from fine_tuning_atlas.core.registry import load_methods
from fine_tuning_atlas.core.training import Loop, train
from fine_tuning_atlas.lab.kinds import collate
from fine_tuning_atlas.lab.tasks import TASKS
from fine_tuning_atlas.measure.reports import inference
from torch import nn
from transformers import LlamaConfig

METHODS = load_methods()
WANTED = {
    "Ada": lambda review: review.final,
    "Ben": lambda review: review.first,
    "Cleo": lambda review: 1 - review.final,
}
tasks = {user: replace(TASKS["cue"], label=label) for user, label in WANTED.items()}


def adapted(**settings):
    """The frozen decoder with a prefix attached."""
    model = TASKS["cue"].model()
    method = METHODS["prefix_tuning"](**{**METHODS["prefix_tuning"].lab, **settings})
    return method, model


deltas = {}
for seed, (user, task) in enumerate(tasks.items()):
    method, model = adapted()
    train(method, model, Loop(task.batches, steps=120, seed=seed, progress=False))
    deltas[user] = method.delta(model)

for name, tensor in method.tensors(model).items():
    print(name, tuple(tensor.shape))

# ## One batch for all
#
# To serve them together, the module that stands where a prefix would be holds everybody's keys and
# values, and hands out, for each row, those of its user. In a server the stack would be gathered
# from a cache when a batch is put together; it is the only thing that has to be loaded.


class PrefixOfUser(nn.Module):
    """Keys and values by user; `users` says, for the next batch, to whom each row belongs."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        super().__init__()
        self.keys, self.values, self.users = keys, values, None

    def forward(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.keys[self.users], self.values[self.users]


method, server = adapted(reparametrize=False)
method.setup(server)
server.eval().requires_grad_(False)
for name, module in server.named_modules():
    if hasattr(module, "prefix"):
        keys, values = (
            torch.stack([delta[f"{name}.prefix.{part}"] for delta in deltas.values()])
            for part in ("keys", "values")
        )
        module.prefix = PrefixOfUser(keys, values)


@torch.no_grad()
def serve(inputs: dict[str, torch.Tensor], users: torch.Tensor) -> torch.Tensor:
    for module in server.modules():
        if isinstance(module, PrefixOfUser):
            module.users = users
    return server(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits


# The promise to keep: a row gets the same answer in a mixed batch as it gets alone, from a model
# that was adapted for its user and no one else. We send 300 reviews, each for a user drawn at
# random.


@torch.no_grad()
def alone(user: str, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    method, model = adapted(reparametrize=False)
    method.setup(model)
    method.load_delta(model, deltas[user])
    model.eval()
    return model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits


batch = next(TASKS["cue"].batches(seed=9, batch_size=300))
users = torch.randint(len(tasks), (300,), generator=torch.Generator().manual_seed(0))
mixed = serve(batch, users)

real = batch["attention_mask"].bool()  # what stands on padding means nothing
for number, user in enumerate(tasks):
    mine = users == number
    own = alone(user, {key: value[mine] for key, value in batch.items()})
    difference = (mixed[mine] - own)[real[mine]].abs().max()
    print(f"{user:5} {int(mine.sum()):4} rows, largest difference {difference:.0e}")

# Not a bit differs here; on another processor it may be what another order of the same additions
# makes. And the users do get what they asked for. This is one mixed batch of 600 test sentences,
# 200 for each user, with adjectives that no training showed:

asked = [
    (task.kind.question(example), number)
    for number, task in enumerate(tasks.values())
    for example in task.test()[:200]
]
random.Random(0).shuffle(asked)
batch = collate([question for question, _ in asked])
users = torch.tensor([number for _, number in asked])
ends = batch["attention_mask"].sum(1) - 1
said = serve(batch, users)[torch.arange(len(users)), ends]

negative, positive = (torch.tensor(ids) for ids in TASKS["cue"].verbalizer.values())
answers = said[:, positive].logsumexp(-1) > said[:, negative].logsumexp(-1)
right = answers == torch.isin(batch["labels"][:, 0], positive)
for number, user in enumerate(tasks):
    print(f"{user:5} {right[users == number].float().mean():.1%} right")

# ## What a user costs
#
# Each user's prefix is kept somewhere, and fetched when a batch is put together. So bytes per user
# decide how many of them fit. Prefixes are not alone in this: any method whose parameters can be
# given by row will do. For (IA)³ it is a vector in place of another, as its
# [paper](../papers/liu2022tfew.md) notes; for LoRA, a batched product of small matrices.


@torch.no_grad()
def by_row(x: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """LoRA's update with a pair of matrices for each row: x (rows, tokens, d)."""
    return torch.einsum("ntr,nor->nto", torch.einsum("nti,nri->ntr", x, a), b)


x, a, b = torch.randn(3, 7, 64), torch.randn(3, 8, 64), torch.randn(3, 64, 8)
one_by_one = torch.stack([x[i] @ a[i].T @ b[i].T for i in range(3)])
print(f"LoRA by row: largest difference {(by_row(x, a, b) - one_by_one).abs().max():.0e}")

# Now the bytes, on the lab's decoder and, from the shapes alone, on Llama 2 with 7 billion
# parameters in 16 bits. The prefix has 10 slots and LoRA rank 8 on queries and values, the
# methods' own defaults.

NAMES = ("ia3", "prefix_tuning", "lora", "full_fine_tuning")
small, large = anatomy(TASKS["cue"].model()), anatomy(model_on_meta(LlamaConfig()))
print(f"{'method':18} {'lab, 32 bits':>14} {'Llama 2 7B, 16 bits':>22} {'users in 10 GB':>16}")
for name in NAMES:
    method = METHODS[name]()
    little, much = 4 * method.stored(small), 2 * method.stored(large)
    print(f"{method.title:18} {little:12,} B {much / 1e6:19,.1f} MB {10**10 // much:16,}")
rows = {METHODS[n].title: [2 * METHODS[n]().stored(large) / 1e6] for n in NAMES[:-1]}
bars("Stored for each user on Llama 2 7B, 16 bits", "MB", ["stored"], rows)

# Full fine-tuning is not in the picture, because it would take a bar a thousand times as long.
# That is the argument of the light methods in one line: on this model a user costs megabytes in
# place of 13 gigabytes.
#
# ## What a token costs
#
# Stored bytes are one side, work in inference the other. A prefix makes attention longer by its
# length, LoRA that is not merged adds two thin products a matrix, and (IA)³ multiplies by vectors,
# which takes no matrix product at all. Counted in operations, which are not time, over one batch
# of the lab:

batch = next(TASKS["cue"].batches())
base, _ = inference(TASKS["cue"].model(), batch)
for name in NAMES:
    model, method = TASKS["cue"].model(), METHODS[name]()
    method.setup(model)
    flops, _ = inference(model, batch)
    print(f"{method.title:18} {flops / base:.3f} of the base's matrix products")

# On a model this small the additions look large; they shrink as the model's width grows, and the
# [page that compares all methods](../methods/compare.md) has them for real ones. A prefix also
# takes up room in the cache of keys and values, for every row of the batch: $l$ positions that are
# not text.
#
# ## What to watch
#
# - **Masks.** Each row sees the whole of its own prefix and nothing of another's. The attention
#   mask has to be wider than the text by $l$ positions, which are never masked, padding or not.
# - **Equal lengths.** Rows of one batch need prefixes of one length, or padding inside the prefix
#   with a mask of its own.
# - **Positions.** Where a library passes the prefix as a cache, the text's positions start at $l$.
#   Here they start at 0. Serve a prefix the way it was trained.
# - **Privacy.** Prefixes are trained from a user's data and can reveal some of it; keep them as
#   you keep the data. But deleting a user means deleting a file: nothing of them is in the shared
#   weights.
# - **Quality.** Nothing here says that a prefix suffices for your users. These three wanted what
#   the model already knew how to say.
