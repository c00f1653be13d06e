r"""Prompts and prefixes as attention

A prompt, a prefix, an adapter and LoRA look like four different ideas. Written as what they add to
a hidden state they are one form with different settings, which is the unified view of
[He et al. 2022](../papers/he2021unified.md). This guide takes that view apart, and holds
each equation against what the code computes.
"""

# ## A prefix is a gate and a memory
#
# [Prefix tuning](../papers/li2021prefix.md) puts $l$ trained keys $P_k$ and values $P_v$ in front
# of those of the text, in each attention block. For one query $q$ of a head of width $d$, that is
#
# $$ \text{head} = \text{softmax}\left(\frac{q\,[P_k; K]^T}{\sqrt{d}}\right) [P_v; V] $$
#
# One softmax over both parts can be split into two, if each part is weighted with its share of the
# total mass:
#
# $$ \text{head} = (1 - \lambda)\, \text{softmax}\left(\frac{q K^T}{\sqrt{d}}\right) V
# + \lambda\, \text{softmax}\left(\frac{q P_k^T}{\sqrt{d}}\right) P_v $$
#
# $$ \lambda = \frac{\sum_i \exp(q P_k^T / \sqrt{d})_i}
# {\sum_i \exp(q P_k^T / \sqrt{d})_i + \sum_j \exp(q K^T / \sqrt{d})_j} $$
#
# So a prefix does two things. It adds a vector looked up in a small trained memory, and it turns
# down what the text alone would have given. The gate $\lambda$ is no parameter: it follows from
# how well the query fits the trained keys. Tensors of random numbers are enough to see it.

import torch
from figures import bars
from fine_tuning_atlas.anatomy import anatomy
from fine_tuning_atlas.core.registry import load_methods
from fine_tuning_atlas.core.training import train
from fine_tuning_atlas.lab.language import encode
from fine_tuning_atlas.lab.tasks import TASKS
from fine_tuning_atlas.measure.runs import prepare

METHODS = load_methods()
TOLERANCE = 0.05  # by how much trained shares of attention may differ in another run


def attend(q, k, v):
    return (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v


def gate(q, prefix_keys, keys):
    scale = q.shape[-1] ** 0.5
    prefix, text = ((q @ k.mT / scale).exp().sum(-1, keepdim=True) for k in (prefix_keys, keys))
    return prefix / (prefix + text)


torch.manual_seed(0)
q, k, v, prefix_k, prefix_v = (
    torch.randn(n, 16, dtype=torch.double) for n in (5, 9, 9, 3, 3)
)  # 5 queries, 9 tokens, 3 slots
whole = attend(q, torch.cat([prefix_k, k]), torch.cat([prefix_v, v]))
share = gate(q, prefix_k, k)
split = (1 - share) * attend(q, k, v) + share * attend(q, prefix_k, prefix_v)
print(f"largest difference: {(whole - split).abs().max():.0e}")

# ## The same in a trained model
#
# The equation holds for the repository's own [prefix tuning](../methods/prefix_tuning.md) too,
# inside a GPT-2 of two layers and four heads. We train a prefix of 16 slots on the task
# `cue-gpt2`, in which the model has to predict how a review ended, and then compare the last
# token's heads with the formula, built from the model's own query, key and value.

method, model, loop = prepare(
    METHODS["prefix_tuning"], "cue-gpt2", steps=120, every=120, progress=False
)
print(f"score after training: {train(method, model, loop).score:.1%}")

model, parts, seen = model.double(), anatomy(model), {}


def remember(module, inputs, output):
    seen[module] = (inputs[0].detach(), output.detach())


def by_head(x):
    """(batch, tokens, width) -> (batch, heads, tokens, width of a head)"""
    return x.unflatten(-1, (parts.heads, -1)).transpose(1, 2)


for layer in parts.layers:
    layer.query.module.register_forward_hook(remember)  # makes query, key and value at once
    layer.attention_output.module.register_forward_hook(remember)  # is given all heads
batch = next(TASKS["cue-gpt2"].batches(seed=1, batch_size=200))
longest = batch["input_ids"][batch["attention_mask"].all(1)]  # those without padding
model(longest)

rows, worst = {}, 0.0
for number, layer in enumerate(parts.layers, 1):
    fused = seen[layer.query.module][1]
    q, k, v = (by_head(fused[..., p.columns]) for p in (layer.query, layer.key, layer.value))
    keys, values = (p.detach().transpose(0, 1) for p in layer.attention.prefix())
    q = q[:, :, -1:]  # the last token sees the whole text
    share = gate(q, keys, k)
    formula = (1 - share) * attend(q, k, v) + share * attend(q, keys, values)
    actual = by_head(seen[layer.attention_output.module][0])[:, :, -1:]
    worst = max(worst, (formula - actual).abs().max().item())
    for head, part in enumerate(share.mean((0, 2, 3)).tolist(), 1):
        rows[f"layer {number}, head {head}"] = [1 - part, part]

print(f"largest difference from the model's heads: {worst:.0e}")
bars("Where the last token's attention goes", "shares", ["text", "prefix"], rows)

# The bars show $\lambda$, averaged over the sentences. Here every head keeps most of its
# attention, or about half of it, for the text; the prefix takes more in the first layer than in
# the second. A head with $\lambda$ near 1 would in effect be replaced by a constant memory. No
# other light method tells as plainly where it acts.
#
# ## From prefix to adapter
#
# Put $W_1 = W_q P_k^T / \sqrt{d}$ and $W_2 = P_v$ into the second term, with $x$ for the block's
# input:
#
# $$ h \leftarrow (1 - \lambda)\, h + \lambda\, \text{softmax}(x W_1)\, W_2 $$
#
# That is an adapter. It has a way down to $l$ units, a nonlinearity and a way up; it runs in
# parallel to attention, because it reads what attention reads; and it is gated. Its bottleneck is
# as wide as the prefix is long. An ordinary [adapter](../papers/houlsby2019adapters.md) reads the
# *output* of a block instead, a [parallel adapter](../methods/parallel_adapter.md) its input, and
# [LoRA](../papers/hu2021lora.md) leaves out the nonlinearity and sits at a single matrix:
#
# | Method | $\Delta h$ | Reads | Joins |
# | --- | --- | --- | --- |
# | Prefix | $\text{softmax}(x W_q P_k^T / \sqrt{d})\, P_v$ | input of attention | gated, $(1-\lambda) h + \lambda \Delta h$ |
# | Adapter | $f(h W_{down})\, W_{up}$ | output of a block | $h + \Delta h$ |
# | Parallel adapter | $f(x W_{down})\, W_{up}$ | input of a block | $h + s\, \Delta h$ |
# | LoRA | $x A^T B^T$ | input of a matrix | $h + s\, \Delta h$ |
#
# To see that the methods do what the table says, we shake all that they add away from its start,
# where most of it is zero, run each of them, and compare what a block returns with the formula. A
# difference of 0 means equal to the last bit.


def shaken(name: str, **settings):
    method, model, _ = prepare(METHODS[name], "first-clause", progress=False, **settings)
    method.setup(model)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.normal_(std=0.3)
    return method, model.double(), anatomy(model).layers[0]


def watch(model, module) -> tuple[torch.Tensor, torch.Tensor]:
    """What a module is given and what it returns, its hooks included, for one batch."""
    seen.clear()
    handle = module.register_forward_hook(remember)
    batch = next(TASKS["first-clause"].batches())
    with torch.no_grad():
        model(batch["input_ids"], batch["attention_mask"])
    handle.remove()
    return seen[module]


def plain(module, x):
    """The module without what a method attached to it."""
    return torch.nn.functional.linear(x, module.weight, module.bias)


def say(label: str, actual: torch.Tensor, formula: torch.Tensor) -> None:
    print(f"{label:18} {(actual - formula).abs().max():.0e}")


method, model, layer = shaken("lora")
x, h = watch(model, layer.query.module)
low = layer.query.module.lora_query
say("LoRA", h, plain(layer.query.module, x) + low.scale * x @ low.a.mT @ low.b.mT)

method, model, layer = shaken("houlsby")
x, h = watch(model, layer.attention_end)
adapter = layer.attention_end.adapter
f = torch.nn.GELU(approximate="tanh")
say("Adapter", h, x + adapter.up(f(adapter.down(x))))

method, model, layer = shaken("parallel_adapter")
x, _ = watch(model, layer.feed_forward_input)
_, h = watch(model, layer.feed_forward_end)
block = plain(layer.feed_forward_down.module, layer.block.intermediate(x))
layer.feed_forward_end.parallel.branch = None
adapter = layer.feed_forward_end.parallel
say("Parallel adapter", h, block + adapter.scale * adapter.up(adapter.down(x).relu()))

# From here new methods can be read off as other settings of the same form. The authors' own, the
# [MAM adapter](../methods/mam.md), takes a short prefix at attention and a scaled parallel adapter
# at the feed-forward block.
#
# ## And prompts?
#
# [Prompt tuning](../papers/lester2021prompttuning.md) trains embeddings at the input and nothing
# in the layers. Start the prompt at the embeddings of real words, and nothing is new: it *is*
# those words, put in front of the text.

words, text = encode("overall the soup was good ."), encode("the waiter was rude .")
model = TASKS["cue-gpt2"].model()
ids = torch.tensor([words + text])
with torch.no_grad():
    written = model(ids, use_cache=True)
prompt = METHODS["prompt_tuning"](length=len(words), init="uniform")
prompted = TASKS["cue-gpt2"].model()
prompt.setup(prompted)
with torch.no_grad():
    prompted.transformer.prompt.rows.copy_(model.transformer.wte.weight[words])
    trained = prompted(torch.tensor([text]))
print(f"prompt and words: {(trained.logits - written.logits[:, len(words) :]).abs().max():.0e}")

# What do the text's tokens see of a prompt? In each layer its keys and values, and nothing else. A
# causal model computes those without looking at the text, so they can be computed once and be put
# in as a prefix. The text's positions then start behind the words, and the answer is the same.

prefix = METHODS["prefix_tuning"](length=len(words), reparametrize=False)
prefixed = TASKS["cue-gpt2"].model()
prefix.setup(prefixed)
with torch.no_grad():
    for layer, cached in zip(anatomy(prefixed).layers, written.past_key_values.layers):
        layer.attention.prefix.keys.copy_(cached.keys[0, :, : len(words)].transpose(0, 1))
        layer.attention.prefix.values.copy_(cached.values[0, :, : len(words)].transpose(0, 1))
    positions = torch.arange(len(words), ids.shape[1])[None]
    loaded = prefixed(torch.tensor([text]), position_ids=positions)
print(f"prefix and words: {(loaded.logits - written.logits[:, len(words) :]).abs().max():.0e}")

# So every prompt, written or trained, is a prefix whose keys and values the frozen model computes.
# The converse is false: a prefix may hold keys and values that no input leads to. It is the larger
# family, at $2 L$ times the numbers for each position ($L$ layers, keys and values), and needs no
# input positions:

for name in ("prompt_tuning", "prefix_tuning"):
    task = TASKS["cue-gpt2"]
    method = METHODS[name](length=16, **({"init": "uniform"} if name == "prompt_tuning" else {}))
    parts = anatomy(task.model())
    print(f"{method.title:14} of length 16 stores {method.stored(parts):5,}")

# That difference shows in small models. Prompt tuning falls behind full fine-tuning there, and
# [closes the gap](../papers/lester2021prompttuning.md) only with billions of parameters, while
# prompts in every layer already do well [at smaller scales](../papers/liu2021ptuningv2.md).
#
# ## What follows
#
# - **No prefix can be merged.** Its weight in the sum, $\lambda$, depends on the query. LoRA,
#   which has neither gate nor nonlinearity, becomes a plain matrix.
# - **A prefix is data, not weights.** It goes in where a cache goes, so every row of a batch can
#   have another one; that is the [guide to many users](users.md).
# - **Length is width.** More slots make a wider bottleneck, as more hidden units do in an adapter.
#   They also make attention longer.
# - **A good start is a real one.** As the keys and values of real words are one possible prefix,
#   training can begin there, which the [paper](../papers/li2021prefix.md) recommends if data is
#   short.
