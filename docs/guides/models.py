r"""Any model: what is found, and how to name what is not

A method says "the query projection of each layer" or "where the feed-forward block ends", and no
file of this project lists what BERT, Llama or your model call these things. They are found by
watching one forward pass. This guide shows what is looked at, what is found in three models, what
a refusal says, and how to give a part by its name.
"""

# ## What is looked at
#
# The model without its head gets one short text, image or sound. Every operation on tensors is
# seen, with the module that it happens in. Then these are told apart:
#
# - A **layer** is a repeated module whose output is its input plus what blocks add to it: the
#   residual stream.
# - The block in which tokens are mixed by attention is the layer's **attention**. The nearest
#   linear maps behind it make **query**, **key** and **value**; the first in front of it is the
#   **output projection**.
# - Another block is the **feed-forward block**. Its last linear map leads **down**, those behind it
#   lead **up**.
#
# Of layers that are alike (the same class, shapes and settings, and called with the same) the first
# is watched, and what is found in it holds for the others. The result is an `Anatomy`. Here are the
# layers of a [BERT](../papers/devlin2018bert.md): each part, and the module that it is.

from pathlib import Path
from textwrap import fill

from fine_tuning_atlas import architectures
from fine_tuning_atlas.additive.ia3 import IA3
from fine_tuning_atlas.anatomy import Projection, anatomy, families
from fine_tuning_atlas.core.method import trainable
from fine_tuning_atlas.core.training import Loop, train
from fine_tuning_atlas.measure.found_parts import described
from fine_tuning_atlas.reparameterized.lora import LoRA


def show(name: str) -> None:
    for layer in described(anatomy(architectures.build(name)))["layers"]:
        print(", ".join(layer["names"]))
        for part, place in layer["parts"].items():
            print(f"  {part:20} {place}")
        for part, why in layer["missing"].items():
            print(f"  {part:20} missing: {why}")


show("bert")

# The models of this guide are tiny, with random weights: `architectures` builds one of each type
# that [the methods are tried on](../methods/models.md). For your own, a `config.json` is enough:
# `python -m reference_impls parts --config config.json` prints the same, and which methods are
# refused.
#
# ## Fused maps
#
# GPT-NeoX computes query, key and value with one module, head by head. A part of a layer is then
# some of the features that a module returns:

show("gpt_neox")

# A method does not see the difference. `layer.query` has a weight, a width and a place in the
# output of its module, and what a method adds to it goes to its own features only:

for name in ("bert", "gpt_neox", "vit", "wav2vec2", "t5"):
    model = architectures.build(name)
    query = anatomy(model).layers[0].query
    assert isinstance(query, Projection)
    LoRA(r=2).setup(model)
    head = {id(p) for p in anatomy(model).head_parameters()}
    trained = sum(p.numel() for p in trainable(model) if id(p) not in head)
    all_features = query.module.weight.shape[0]
    print(f"{name:9} query: {query.d_out} of {all_features} features; LoRA trains {trained:,}")

# ## A part that is not found
#
# X-MOD has adapters of its own, one for each language, behind every feed-forward block. So two
# maps lead down to what the block adds, and watching does not tell which one a method means.
# [(IA)³](../methods/ia3.md) rescales the input of that map, and says what is missing:

model = architectures.build("xmod")
try:
    IA3().setup(model)
except ValueError as error:
    print(fill(str(error), 88))

# The names are those of the modules within a layer. One call gives the part, for all layers, and
# the model remembers it:

anatomy(model, feed_forward_down="output.dense")
method = IA3(lr=0.01)
batches = [architectures.batch("xmod", seed=seed) for seed in range(20)]
loop = Loop(lambda seed: iter(batches), steps=len(batches), progress=False)
(_, loss), *_ = train(method, model, loop).losses
print(f"a loss of {loss:.2f}; trained in layer 0:")
print(*(key for key, p in model.named_parameters() if p.requires_grad and ".0." in key), sep="\n")

# `query=("attn.c_attn", 0, 64)` names features 0 to 64 of a fused map, and several maps up are a
# tuple: `feed_forward_up=("gate", "up")`. A name that cannot be the part is refused, and nothing
# is remembered:

try:
    anatomy(model, feed_forward_down="output.LayerNorm")
except ValueError as error:
    print(fill(str(error), 88))

# ## Layers of several kinds
#
# In a hybrid model most layers mix tokens by something else than attention. They have a residual
# stream and a feed-forward block, so adapters go there, but no query:

show("qwen3_5_text")

# [LoRA](../papers/hu2021lora.md) on queries and values is refused, since some layers have none. With `layers` you say which
# layers are meant. The configuration knows them:

model = architectures.build("qwen3_5_text")
try:
    LoRA().setup(model)
except ValueError as error:
    print(fill(str(error), 88))

kinds = model.config.layer_types
chosen = tuple(f"layers.{i}" for i, kind in enumerate(kinds) if kind == "full_attention")
anatomy(model, layers=chosen)
LoRA().setup(model)
print("named:", chosen)
print(*(key for key, p in model.named_parameters() if p.requires_grad), sep="\n")

# ## A batch of yours
#
# What a model asks for is guessed from its configuration, and some models ask for more: an image
# that is cut into patches already, a question to what reads the image. The refusal says so, and one
# batch is enough. What it shows holds for every model of the same structure:

model = architectures.build("siglip2")
try:
    LoRA().setup(model)
except ValueError as error:
    print(fill(str(error), 88))

parts = anatomy(model, inputs=architectures.batch("siglip2"))
print(len(parts.layers), "layers; the first query is", parts.layers[0].query.module)

# ## What watching does not tell
#
# Some facts are in no forward pass, such as that Flan-T5 was released with an output matrix of its
# own. A model type of which there is such a fact has a file in `anatomy/families`, and that is all
# that the anatomy knows of a model by its name:

for path in sorted(Path(families.__file__).parent.glob("[!_]*.py")):
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    print(f"{path.name:15} {len(lines):3} lines: {lines[0].strip(chr(34))}")

# ## What a name does not mend
#
# - A method that needs text is refused on images, and one that needs attention on a model without.
# - A map that is not called as a module, or is no linear one (experts in one tensor, a convolution),
#   cannot be adapted by what is attached to a module.
# - A prefix is refused where the model's attention would not see it.
#
# [All methods and model types](../methods/models.md) are in one table, with the reasons. A model
# type that is missing there is a table of a few lines in `reference_impls/architectures`.
