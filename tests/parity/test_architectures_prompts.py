"""Prompt tuning and prefix tuning in peft, on every architecture that reads text."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from peft import PrefixTuningConfig, PromptTuningConfig, TaskType
from torch import Tensor, nn
from transformers import PreTrainedModel

from reference_impls import architectures
from reference_impls.anatomy import Anatomy, Layer, anatomy
from reference_impls.core.batches import Batch
from reference_impls.prompt.prefix_tuning.prefix_tuning import PrefixTuning
from reference_impls.prompt.prompt_tuning.prompt_tuning import PromptTuning
from reference_impls.shared.prefix_attention import Prefix
from tests.parity import zoo
from tests.parity.prompts import LENGTH
from tests.parity.samples import difference

TASKS = {
    "encoder": TaskType.SEQ_CLS,
    "decoder": TaskType.CAUSAL_LM,
    "encoder-decoder": TaskType.SEQ_2_SEQ_LM,
    "joined": TaskType.CAUSAL_LM,
}
LOGITS, STATES = "logits, by architecture", "last hidden states, by architecture"
CUT = "those of the prompt itself are cut off"
UNCUT = "the classifier reads the prompt in both"  # ours is to cut it off: see DeBERTa
SHIFTED = "positions of the text start at the length of the prefix"
WIDE = f"{SHIFTED}; windows of attention hold all of the text"
NUMBERS = "create_position_ids_from_input_ids"  # where padding has no position
WINDOWS = ("sliding_window", "attention_chunk_size", "local_attention")
DECODER = (
    "a prefix in the decoder's self-attention only, every second layer's twice, and its positions "
    "start at the length of the prefix"
)
every = zoo.every(*TASKS)

# what peft raises, and what a row says of it; nothing where none of its tasks fits
ERRORS = {
    "prepare_inputs_for_generation": "",
    "Please specify": "it does not find a size that the configuration names",
    "does not support past key values": "the model takes no cache",
    "Expected size 32 but got size 16": "embeddings are narrower than the layers",
    "must match except in dimension 2": "keys are of another shape than it takes",
    "conv state": "the layers keep more than keys and values",
    "store_compression_weights": "the layers keep more than keys and values",
    "must match the size of tensor b (16)": "images or sound are placed by a mask that is longer",
    "shape of the mask": "images or sound are placed by a mask that is longer",
    "'NoneType' object has no attribute 'reshape'": "the model needs the tokens, not embeddings",
    "expand_as()": "the model needs the tokens, not embeddings",
    "'NoneType' object is not callable": "it does not find the table of tokens",
    "index out of range": "the model needs the tokens, not embeddings",
}
OTHERS = {
    "doge": "the mask is made of the values, and so of those of the prefix; here it is not",
    "diffllama": "attends twice, with a half of the values and of the prefix; here with all of it",
    "mllama": "layers that attend to images have a prefix as well; here they have none",
    "nllb-moe": "the router of the experts reads the mask, which has another form here",
}


def weights(theirs: nn.Module) -> Tensor:
    """The one tensor that peft trains."""
    (found,) = (p for name, p in theirs.named_parameters() if "prompt_encoder" in name)
    return found


def why(said: str) -> str:
    """What a row says of peft's error."""
    found = [note for part, note in ERRORS.items() if part in said]
    assert found, f"no words yet for: {said}"
    return found[0]


def running(model: nn.Module, name: str, config, read) -> tuple[nn.Module, Tensor] | str:
    """peft's model and what `read` finds in it; what it raises where it does not run."""
    try:
        theirs = zoo.peft(model, config)
        return theirs, read(theirs, architectures.batch(name))
    except Exception as error:  # of any kind: the model's own too
        return str(error)


def alone(outcomes, place: tuple[str, str, str], model, theirs, bare: Tensor) -> bool:
    """Whether only one of the two runs, or neither: then there is nothing to compare."""
    refused, fails = isinstance(model, str), isinstance(theirs, str)
    if fails and not refused and (note := why(theirs)):
        outcomes.architecture(*place, note=f"raises an error: {note}")
    if refused and not fails:
        does = "runs" if difference(bare, theirs[1]) else "does nothing"
        outcomes.architecture(*place, note=f"{does} on what is refused here")
    return refused or fails


def states(model: nn.Module, batch: Batch) -> Tensor:
    """The last hidden states of real tokens."""
    inputs = {key: value for key, value in batch.items() if key != "labels"}
    found, mask = model(**inputs)[0], batch["attention_mask"].bool()
    return found[:, -mask.shape[1] :][mask]


@every
@torch.no_grad()
def test_prompt_tuning(outcomes, name):
    base, kind, batch = zoo.base(name), architectures.kind(name), architectures.batch(name)
    read = architectures.logits
    bare, method = read(base, batch), PromptTuning(length=LENGTH, init="uniform")
    settings = {"num_virtual_tokens": LENGTH, "task_type": TASKS[kind]}
    if kind == "encoder-decoder":
        settings["num_transformer_submodules"] = 1
    model = zoo.ours(method, base)
    theirs = running(base, name, PromptTuningConfig(**settings), read)
    place = (method.name, LOGITS, name)
    if alone(outcomes, place, model, theirs, bare):
        return
    (rows,) = (p for n, p in model.named_parameters() if n.endswith("prompt.rows"))
    rows.copy_(weights(theirs[0]))
    found = read(model, batch)
    if kind == "joined" and blind(base, batch, bare):
        assert difference(found, theirs[1]) > zoo.tolerance(bare, theirs[1])
        note = "gives embeddings in place of the tokens by which the model places images or sound"
        outcomes.architecture(*place, note=note)
    elif kind != "encoder" or difference(found, theirs[1]) < zoo.tolerance(bare, theirs[1]):
        after = {"encoder-decoder": "", "encoder": UNCUT}.get(kind, CUT)
        zoo.equal(outcomes, place, bare, found, theirs[1], after)
    else:
        outcomes.architecture(*place, note="the classifier reads the prompt as well")
        config = PromptTuningConfig(**settings | {"task_type": TaskType.FEATURE_EXTRACTION})
        theirs = running(base.base_model, name, config, states)
        rows.copy_(weights(theirs[0]))
        found = states(base.base_model, batch), states(model.base_model, batch), theirs[1]
        zoo.equal(outcomes, (method.name, STATES, name), *found, CUT)


def blind(base: PreTrainedModel, batch: Batch, bare: Tensor) -> bool:
    """Whether a model computes something else where it gets the embeddings of its tokens."""
    given = {key: value for key, value in batch.items() if key != "input_ids"}
    text = base.get_input_embeddings()(batch["input_ids"])
    try:
        return difference(architectures.logits(base, given | {"inputs_embeds": text}), bare) > 0
    except Exception:  # it cannot do without tokens
        return True


@every
@torch.no_grad()
def test_prefix_tuning(outcomes, name):
    kind, batch = architectures.kind(name), architectures.batch(name)
    place, read = (PrefixTuning.name, LOGITS, name), architectures.logits
    config = PrefixTuningConfig(task_type=TASKS[kind], num_virtual_tokens=LENGTH)
    for base in (zoo.base(name), *widened(zoo.base(name))):
        method = PrefixTuning(length=LENGTH, reparametrize=False)
        model, bare = zoo.ours(method, base), read(base, batch)
        theirs = running(base, name, config, read)
        if alone(outcomes, place, model, theirs, bare):
            return
        put(model, base, theirs[0], kind)
        if kind == "encoder-decoder":
            shift(model)
        for after, more in positions(base, batch, kind):
            found = read(model, batch | more)
            if difference(found, theirs[1]) <= zoo.tolerance(bare, theirs[1]):
                after = WIDE if after and base is not zoo.base(name) else after
                zoo.equal(outcomes, place, bare, found, theirs[1], after)
                return
    assert name in OTHERS, f"{name}: {difference(found, theirs[1]):.1e}"
    outcomes.architecture(*place, note=OTHERS[name])


def widened(base: PreTrainedModel) -> Iterator[PreTrainedModel]:
    """The model with windows of attention that hold all of the text, if it has windows."""
    model, found = copy.deepcopy(base), False
    for owner in (each for m in model.modules() for each in (m, getattr(m, "config", None))):
        for key in WINDOWS:
            if isinstance(vars(owner).get(key) if owner else None, int):
                setattr(owner, key, 1000)
                found = True
    if found:
        yield model


def positions(base, batch: Batch, kind: str) -> Iterator[tuple[str, Batch]]:
    """Positions that the text may have in peft's model, and what to say of them."""
    if kind == "encoder-decoder":
        yield DECODER, {}
        return
    yield "", {}
    ids = batch["input_ids"]
    counted = torch.arange(LENGTH, LENGTH + ids.shape[1]).expand(len(ids), -1)
    yield SHIFTED, {"position_ids": counted}
    yield SHIFTED, {"position_ids": counted + 1}  # PaliGemma counts from one
    for module in (m for m in base.modules() if hasattr(m, NUMBERS)):
        numbers = module.create_position_ids_from_input_ids(ids, module.padding_idx)
        yield SHIFTED, {"position_ids": numbers + LENGTH * (ids != module.padding_idx)}


def prefixed(parts: Anatomy, kind: str) -> tuple[Layer, ...]:
    """The layers that have a prefix in peft's model."""
    if kind == "encoder-decoder":
        return parts.stacks[-1].layers
    return next((stack for stack in parts.stacks if stack.causal), parts.stacks[0]).layers


def put(model: PreTrainedModel, base: PreTrainedModel, theirs: nn.Module, kind: str) -> None:
    """Give our model the keys and values of peft's, and no prefix where that has none."""
    parts, config = anatomy(base), theirs.peft_config["default"]
    names = {module: name for name, module in base.named_modules()}
    rows = weights(theirs).view(LENGTH, config.num_layers, 2, config.num_attention_heads, -1)
    layers = prefixed(parts, kind)
    for block in (block for layer in parts.layers for block in layer.attentions):
        attention = model.get_submodule(names[block.attention])
        own = attention.prefix
        if block not in layers:
            attention.prefix = Prefix(own.keys[:0], own.values[:0])
            continue
        index = source(layers, layers.index(block))
        if kind == "encoder-decoder":
            index = 2 * index % len(layers)
        for to, each in zip((own.keys, own.values), rows[:, index].unbind(1), strict=True):
            to.copy_(each[:, : to.shape[1], : to.shape[2]])  # Gemma 4 has layers of two widths


def source(layers: tuple[Layer, ...], index: int) -> int:
    """The entry of the cache that a layer's keys and values are in."""
    attention = layers[index].attention
    if not getattr(attention, "is_kv_shared_layer", False):
        return getattr(attention, "layer_idx", index)
    kept = [layer.attention for layer in layers if not layer.attention.is_kv_shared_layer]
    return max(each.layer_idx for each in kept if each.layer_type == attention.layer_type)


def shift(model: PreTrainedModel) -> None:
    """Let a decoder count the positions of its text from the length of the prefix."""

    def counted(module, args, kwargs):
        given = kwargs.get("position_ids")
        if given is not None:
            kwargs = kwargs | {"position_ids": given + LENGTH}
        return (*args[:-1], args[-1] + LENGTH), kwargs

    model.get_decoder().embed_positions.register_forward_pre_hook(counted, with_kwargs=True)
