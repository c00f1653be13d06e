"""In every architecture the parts are the ones that the model computes with.

Noise at one token tells query from key from value, and a causal layer from one that is not; what
the blocks return adds up to what the layer returns. Where the meaning does not carry over, the
reason stands beside the name.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from reference_impls import architectures
from reference_impls.anatomy import ATTENTION, Attention, Layer, Stack
from tests.methods.zoo import Seen, batch_of, close, every, first_of, model_of, with_hook

torch.set_num_threads(1)

GROUPED = "its output projection multiplies groups of features, each by a matrix of its own"
AROUND = {  # a layer is not its input plus what its two or three ends return
    **dict.fromkeys(
        ("doge", "minimax", "zaya", "beam", "gemma4_text", "gemma4_text-moe", "gemma4"),
        "it multiplies the residual stream, or what is added to it, by trained factors",
    ),
    **dict.fromkeys(
        ("esmc", "minicpm3", "falcon_h1", "beit", "data2vec-vision"),
        "what its blocks return is multiplied before it is added",
    ),
    **dict.fromkeys(
        ("granitemoeshared", "granitemoehybrid", "llama4_text", "llama4"),
        "its experts and a shared block are added to each other behind their ends",
    ),
    **dict.fromkeys(
        ("wav2vec2-conformer", "wav2vec2-bert"), "it has two feed-forward blocks, by half each"
    ),
    **dict.fromkeys(
        ("deepseek_v4", "qwen4_exp_text", "gemma3n_text", "hy_v4"),
        "it has several residual streams side by side",
    ),
    "flaubert": "its attention and its feed-forward block are in lists of their own",
    "gpt_neox_japanese": "it adds the output's bias with the residual",
    "hiera": "it pools tokens within the layer",
    "levit": "a layer between its stages leaves tokens out",
    "ibert": "its linear maps are quantized, and its parts not found",
    "longcat_flash": "it has two attentions and three feed-forward blocks",
    "luke": "its layer returns words and entities that it cut apart",
    "pegasus_x": "it shifts its blocks of tokens on the way",
    "timesformer": "it attends over time and over space, with other rows of tokens",
    "xlm": "its attention and its feed-forward block are in lists of their own",
    "xlnet": "tokens are its first dimension, and its attention multiplies by tensors",
    "xmod": "it has an adapter for each language behind the feed-forward block",
}
NO_ROWS = {  # what its query returns is not (batch, tokens, features) of the tokens that attend
    "deepseek_v4": "its output projection reads groups of features",
    "fsmt": "tokens are its first dimension",
    "led": "tokens are its first dimension",
    "longformer": "tokens are its first dimension",
    "prophetnet": "its decoder attends from several streams of tokens at once",
    "deberta-v2": "its key's map is run on positions as well",
    "sew-d": "its query's map is run on positions as well",
    "albert": "its layer runs twice, and noise enters both times",
    "hiera": "its tokens attend by windows that are a dimension of their own",
    "zaya": "a convolution over tokens follows its query",
}
AROUND_PREFIX = {
    "git": "an image in front of the text is seen by all of it",
    "paligemma": "an image in front of the text is seen by all of it",
}
MORE_THAN_VALUES = {
    "convbert": "a convolution stands beside attention",
    "deberta": "a bias of its own is added to the value",
    "levit": "its values have a norm with a bias",
    "diffllama": "a norm follows, which divides by what is next to nothing",
    "longformer": "its classifier's first token attends by maps of its own",
}


def own_blocks(stack: Stack) -> list[tuple[Attention, bool]]:
    """The attention blocks of the first layer that attends, and whether each is causal."""
    for layer in stack.layers:
        if layer.has("query"):
            blocks = [(block, stack.causal and block is layer) for block in layer.attentions]
            return [(block, causal) for block, causal in blocks if block.has("attention_output")]
    return []


def mixed(model, batch, block: Attention) -> Tensor:
    """What attention returns, (tokens, features): what its output projection reads."""
    seen = Seen(model, batch, block.attention_output.module)
    states = seen.given[block.attention_output.module]
    return states.reshape(-1, *states.shape[-2:])


def moved_by_noise(model, batch, block: Attention, part: str, token: int) -> set[int]:
    """The tokens for which attention returns something else, with noise on one token's part."""
    projection = getattr(block, part)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(projection.d_out, generator=generator)

    def change(output: Tensor) -> Tensor:
        where = output.new_zeros(*output.shape[:-1], projection.d_out)
        where[..., token, :] = noise
        return output + projection.widen(where)

    before = mixed(model, batch, block)
    handle = with_hook(projection.module, change)
    try:
        after = mixed(model, batch, block)
    finally:
        handle.remove()
    return set(((after - before).abs().amax((0, -1)) > 1e-6).nonzero().flatten().tolist())


@every(but=NO_ROWS)
def test_noise_on_a_query_moves_its_token_and_on_a_key_or_value_those_that_see_it(name):
    model, parts = model_of(name)
    batch = batch_of(name)
    for block, causal in [pair for stack in parts.found_stacks for pair in own_blocks(stack)]:
        assert moved_by_noise(model, batch, block, "query", 1) == {1}
        last = Seen(model, batch, block.key.module).returned[block.key.module].shape[-2] - 1
        for part in ("key", "value"):
            moved = moved_by_noise(model, batch, block, part, 1)
            assert 1 in moved or block not in parts.layers
            assert moved - {1}, f"{part} of {block.place} is seen by no other token"
            assert not (causal and 0 in moved) or name in AROUND_PREFIX
            if name not in AROUND_PREFIX:
                alone = moved_by_noise(model, batch, block, part, last) <= {last}
                # the weight of the only key is one, whatever the key
                assert alone == causal, f"{part} of the last token in {block.place}"


@every(but=[*MORE_THAN_VALUES, "zaya", "deepseek_v4"])
def test_without_values_attention_returns_nothing(name):
    model, parts = model_of(name)
    batch = batch_of(name)
    for block, _ in [pair for stack in parts.found_stacks for pair in own_blocks(stack)]:
        assert mixed(model, batch, block).any()
        p = block.value
        p.write(torch.zeros(p.d_out, p.d_in), None if p.bias is None else torch.zeros(p.d_out))
        assert not mixed(model, batch, block).any(), f"{block.place} has values elsewhere"


def maps_of(layer: Layer) -> list[tuple[str, object]]:
    """All linear maps of a layer that were found."""
    found = [(p, getattr(b, p)) for b in layer.attentions for p in ATTENTION if b.has(p)]
    if layer.has("feed_forward_up"):
        found += [("up", up) for up in layer.feed_forward_up]
    return [*found, ("down", layer.feed_forward_down)] if layer.has("feed_forward_down") else found


@every(but={"deepseek_v4": GROUPED})
def test_a_projection_multiplies_out_to_what_the_model_computes(name):
    model, parts = model_of(name)
    stacks = parts.found_stacks
    maps = [(*found, layer) for s in stacks for layer in s.layers for found in maps_of(layer)]
    seen = Seen(model, batch_of(name), *[p.module for _, p, _ in maps])
    for part, p, layer in maps:
        bias = 0 if p.bias is None else p.bias
        expected = seen.given[p.module] @ p.weight.T + bias
        assert close(seen.returned[p.module][..., p.columns], expected), f"{layer.place}: {part}"


@every()
def test_writing_to_a_projection_changes_that_slice_of_the_model_and_nothing_else(name):
    model, parts = model_of(name)
    for stack in parts.found_stacks:
        for part, p in maps_of(stack.layers[-1]):
            before = {key: value.clone() for key, value in model.state_dict().items()}
            weight, bias = p.weight.detach() + 1, None if p.bias is None else p.bias.detach() + 1
            p.write(weight, bias)
            assert torch.equal(p.weight, weight)
            assert bias is None or torch.equal(p.bias, bias)
            changed = sum(int((before[k] != v).sum()) for k, v in model.state_dict().items())
            assert changed == p.d_out * p.d_in + (0 if bias is None else p.d_out), part
            with torch.no_grad():
                for key, value in model.state_dict().items():
                    value.copy_(before[key])


def normed(layer: Layer, seen: Seen, states: Tensor) -> Tensor:
    """What the norm behind a block returned, being given these states."""
    for norm in layer.norms:
        if norm in seen.returned and seen.returned[norm].shape == states.shape:
            with torch.no_grad():
                if close(norm(states), seen.returned[norm]):
                    return seen.returned[norm]
    raise AssertionError(f"{layer.place}: no norm is given the input and what is added to it")


@every(but=AROUND)
def test_the_ends_of_the_blocks_are_what_is_added_to_the_residual_stream(name):
    model, parts = model_of(name)
    batch = batch_of(name)
    for layer in [layer for stack in parts.found_stacks for layer in stack.layers]:
        ends = [block.attention_end for block in layer.attentions if block.has("attention_end")]
        ends += [layer.feed_forward_end] if layer.has("feed_forward_end") else []
        seen = Seen(model, batch, layer.block, layer.end, *ends, *layer.norms)
        given, returned = seen.given[layer.block], seen.returned[layer.block]
        assert torch.equal(seen.returned[layer.end], returned), layer.place
        states = given
        for end in ends:
            states = states + seen.returned[end].reshape(given.shape)
            states = normed(layer, seen, states) if layer.post_norm else states
        assert close(states, returned), layer.place


@every(but={"nemotron_h": "its state-space layer reads parts of what its map up returns"})
def test_where_the_feed_forward_block_begins(name):
    model, parts = model_of(name)
    for layer in [layer for stack in parts.found_stacks for layer in stack.layers]:
        if layer.has("feed_forward_input") and layer.has("feed_forward_up"):
            ups = [up.module for up in layer.feed_forward_up]
            seen = Seen(model, batch_of(name), layer.feed_forward_input, *ups)
            first = seen.given[layer.feed_forward_input]
            assert all(torch.equal(seen.given[up], first) for up in ups), layer.place


# its model returns no last hidden states, or the head calls the parts of the base model
NO_LAST = ("clip", "siglip", "chinese_clip", "altclip", "opt", "llama4_text", "llama4", "blip-2")


@every(but=NO_LAST)
def test_the_final_module_returns_the_last_hidden_states(name):
    model, parts = model_of(name)
    if parts.found_final is None:
        with pytest.raises(ValueError, match=r"no module of .* returns its last hidden states"):
            _ = parts.final
        return
    seen: dict[str, object] = {}
    handles = [
        module.register_forward_hook(lambda m, a, output, key=key: seen.update({key: output}))
        for key, module in (("base", parts.base), ("final", parts.final))
    ]
    with torch.no_grad():
        model(**architectures.batch(name))
    for handle in handles:
        handle.remove()
    base, final = seen.get("base"), seen["final"]
    last = getattr(base, "last_hidden_state", None)
    if last is not None:  # an encoder-decoder's base may be the model itself
        assert torch.equal(getattr(final, "last_hidden_state", first_of_any(final)), last)


def first_of_any(output: object) -> Tensor | None:
    return first_of(output) if isinstance(output, Tensor | tuple | list) else None


@every()
def test_the_head_is_what_is_beside_the_base_model(name):
    model, parts = model_of(name)
    head = {id(p) for p in parts.head_parameters()}
    base = {id(p) for p in parts.base.parameters()}
    own = {id(p) for p in parts.base_parameters()}
    assert not head & base
    assert not head & own
    assert head | own == {id(p) for p in model.parameters()}
    if model.get_output_embeddings() is None and model is not parts.base:
        assert head == {id(p) for p in model.parameters()} - base
    else:
        assert not head


@every()
def test_what_begins_the_feed_forward_block_multiplies_by_matrices(name):
    # a norm or a dropout behind the block reads what it returns, not what it is given
    for stack in model_of(name)[1].found_stacks:
        for layer in stack.layers:
            if "feed_forward_input" not in layer.missing:
                weights = layer.feed_forward_input.parameters()
                assert any(weight.ndim > 1 for weight in weights), layer.place
