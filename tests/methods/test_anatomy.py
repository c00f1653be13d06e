"""The parts that `anatomy` names are the ones that the models compute with."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel, T5EncoderModel, T5ForTokenClassification

from reference_impls.anatomy import Projection, anatomy, families, shape
from reference_impls.anatomy.inputs import inputs as inputs_of
from reference_impls.reparameterized.lora.lora import LoRA
from tests.methods import models
from tests.methods.models import logits

every_model = pytest.mark.parametrize("name", models.MODELS)


def plain(name: str) -> dict[str, torch.Tensor]:
    """Real tokens only, no labels."""
    inputs = {k: v[1:] for k, v in models.batch(name).items() if not k.endswith("mask")}
    del inputs["labels"]
    return inputs


def record(name: str, model: PreTrainedModel, *modules: torch.nn.Module) -> list[tuple]:
    """Run the model on real tokens; (first argument, first output) of each module."""
    seen = {}

    def keep(module, args, kwargs, output):
        first = args[0] if args else kwargs["hidden_states"]
        seen[module] = (first, output[0] if isinstance(output, tuple) else output)

    handles = [m.register_forward_hook(keep, with_kwargs=True) for m in modules]
    with torch.no_grad():
        model(**plain(name))
    for handle in handles:
        handle.remove()
    return [seen[module] for module in modules]


@every_model
def test_a_models_shape_is_that_of_its_stacks(name):
    model = models.build(name)
    stacks = ["decoder" if stack.causal else "encoder" for stack in anatomy(model).stacks]
    assert shape(model.config) == "-".join(stacks)


@every_model
def test_inputs_are_taken_by_the_model(name):
    model = models.build(name)
    inputs = inputs_of(model, 3, 5)
    if name in models.CLASSIFIERS and models.tiny(name).ends:
        inputs["input_ids"][:, -1] = model.config.eos_token_id
        del inputs["decoder_input_ids"]
    assert len(logits(model, inputs)) in (3, 3 * 5)


@pytest.mark.parametrize("model_type", families.known())
def test_a_family_is_found_by_its_file(model_type):
    (path,) = families.files_of(model_type, "bert")
    assert path.parent == Path(families.__file__).parent
    module = sys.modules[f"{families.__name__}.{path.stem}"]
    assert families.family_of(model_type) is module.FAMILY
    assert model_type in module.FAMILY.types


@every_model
def test_sizes(name):
    model = models.build(name)
    parts = anatomy(model)
    causal = name in models.CAUSAL
    grouped = parts.kv_heads == 2
    assert parts.kv_heads == models.MODELS[name][1].to_dict().get("num_key_value_heads", 4)
    both = name in models.ENCODER_DECODERS
    assert (parts.hidden_size, parts.heads, parts.causal) == (32, 4, causal)
    assert parts.head_dim == (6 if both else 8)
    assert parts.embedding.weight.shape == (models.VOCABULARY, 32)
    assert [len(stack.layers) for stack in parts.stacks] == ([2, 2] if both else [2])
    assert [stack.causal for stack in parts.stacks] == ([False, True] if both else [causal])
    assert parts.encoder_decoder == both
    norms = 2 * 2 + 2 * 3 + 2 if both else 5
    assert len({id(norm) for norm in parts.norms}) == len(parts.norms) == norms
    inner, kv = parts.heads * parts.head_dim, parts.kv_heads * parts.head_dim
    for layer in parts.layers:
        sizes = [(p.d_in, p.d_out) for p in layer.linear_maps]
        block, up = [(32, inner), (32, kv), (32, kv), (inner, 32)], (32, 48)
        blocks = len(layer.attentions)
        assert sizes[: 4 * blocks] == block * blocks
        assert sizes[4 * blocks :] == [up] * len(layer.feed_forward_up) + [(48, 32)]
        assert len(layer.feed_forward_up) == (2 if grouped or both else 1)


@every_model
def test_only_the_layers_of_a_second_stack_attend_across(name):
    parts = anatomy(models.build(name))
    across = [layer.cross is not None for layer in parts.layers]
    assert across == [stack is not parts.stacks[0] for stack in parts.stacks for _ in stack.layers]
    for layer in parts.layers:
        assert len({id(block.attention) for block in layer.attentions}) == len(layer.attentions)
        queries = tuple(block.query for block in layer.attentions)
        assert layer.projections("query") == queries
        assert layer.projections("feed_forward_down") == (layer.feed_forward_down,)
        assert layer.projections("feed_forward_up") == layer.feed_forward_up
        for odd in ("quary", "norms", "attention"):
            with pytest.raises(ValueError, match=f"no projection '{odd}'"):
                layer.projections(odd)


@every_model
def test_a_projection_multiplies_out_to_what_the_model_computes(name):
    model = models.build(name)
    found = [p for layer in anatomy(model).layers for p in layer.linear_maps]
    for p, (x, output) in zip(found, record(name, model, *[p.module for p in found]), strict=True):
        bias = 0 if p.bias is None else p.bias
        expected = x @ p.weight.T + bias
        torch.testing.assert_close(output[..., p.columns], expected, atol=2e-6, rtol=1e-5)
        widened = p.widen(expected)
        assert widened.shape == output.shape
        torch.testing.assert_close(widened[..., p.columns], expected, atol=0, rtol=0)


def clear(projection: Projection) -> None:
    with torch.no_grad():
        projection.weight.zero_()
        if projection.bias is not None:
            projection.bias.zero_()


@every_model
@pytest.mark.parametrize("part", ["query", "key", "value"])
def test_query_key_and_value_are_what_their_names_say(name, part):
    model = models.build(name)
    parts = anatomy(model)
    for module in model.modules():  # T5's scores are not those of query and key alone
        if hasattr(module, "relative_attention_bias"):
            torch.nn.init.zeros_(module.relative_attention_bias.weight)
    for stack in parts.stacks:
        layer = stack.layers[0]
        for block in layer.attentions:
            clear(getattr(block, part))
            value, end = block.value, block.attention_output
            (_, values), (mixed, _) = record(name, model, value.module, end.module)
            if part == "value":
                assert not mixed.any()
                continue
            # scores of zero: every token takes the mean of the values that it sees
            n, m = mixed.shape[1], values.shape[1]
            seen = torch.ones(n, m)
            seen = seen.tril() if stack.causal and block is layer else seen
            mean = (seen / seen.sum(1, keepdim=True)) @ values[..., value.columns]
            groups = mean.unflatten(-1, (parts.kv_heads, parts.head_dim))
            expected = groups.repeat_interleave(parts.heads // parts.kv_heads, dim=2).flatten(2)
            torch.testing.assert_close(mixed, expected, atol=2e-6, rtol=1e-5)


@every_model
def test_writing_to_a_projection_changes_that_slice_of_the_model_and_nothing_else(name):
    model = models.build(name)
    layer = anatomy(model).layers[1]
    before = {key: value.clone() for key, value in model.state_dict().items()}
    for p in layer.linear_maps:
        assert p.weight.shape == (p.d_out, p.d_in)
        with torch.no_grad():
            p.weight.add_(1)
            if p.bias is not None:
                assert p.bias.shape == (p.d_out,)
                p.bias.add_(1)
        changed = sum((before[k] != v).sum().item() for k, v in model.state_dict().items())
        assert changed == p.d_out * p.d_in + (0 if p.bias is None else p.d_out)
        with torch.no_grad():
            for key, value in model.state_dict().items():
                value.copy_(before[key])


@every_model
def test_the_ends_of_the_sub_blocks_are_what_is_added_to_the_residual_stream(name):
    model = models.build(name)
    for layer in anatomy(model).layers:
        ends = [*(block.attention_end for block in layer.attentions), layer.feed_forward_end]
        (x, y), (_, last), *added = record(name, model, layer.block, layer.end, *ends)
        branches = [output for _, output in added]
        with torch.no_grad():
            if layer.post_norm:
                first, second = layer.norms
                expected = second(first(x + branches[0]) + branches[1])
            else:
                expected = x + sum(branches)
        torch.testing.assert_close(y, expected, atol=2e-6, rtol=1e-5)
        assert torch.equal(last, y)


@every_model
def test_where_the_attention_and_the_feed_forward_block_begin(name):
    model = models.build(name)
    for layer in anatomy(model).layers:
        for block in layer.attentions:
            modules = (block.attention, block.query.module)
            (attended, _), (queried, _) = record(name, model, *modules)
            assert torch.equal(attended, queried)
        ups = [p.module for p in layer.feed_forward_up]
        (fed, _), *up = record(name, model, layer.feed_forward_input, *ups)
        assert all(torch.equal(x, fed) for x, _ in up)


@every_model
def test_the_final_module_returns_the_last_hidden_states(name):
    model = models.build(name)
    parts = anatomy(model)
    handle_output = {}
    handle = parts.final.register_forward_hook(lambda m, a, o: handle_output.update(out=o))
    with torch.no_grad():
        inputs = plain(name)
        if parts.encoder_decoder and name in models.CLASSIFIERS:
            inputs["decoder_input_ids"] = inputs["input_ids"]
        returned = parts.base(**inputs, output_hidden_states=True)
    expected = (
        returned.decoder_hidden_states[-1] if parts.encoder_decoder else returned.last_hidden_state
    )
    handle.remove()
    output = handle_output["out"]
    assert torch.equal(output if torch.is_tensor(output) else output[0], expected)


@every_model
def test_the_head_is_what_a_task_adds(name):
    model = models.build(name)
    parts = anatomy(model)
    head = {id(p) for p in parts.head_parameters()}
    named = {key for key, p in model.named_parameters() if id(p) in head}
    place = models.tiny(name).head if name in models.CLASSIFIERS else ()
    assert named == {key for key, _ in model.named_parameters() if key.startswith(place)}
    assert bool(named) == (name in models.CLASSIFIERS)


@pytest.mark.parametrize("model_class", [T5EncoderModel, T5ForTokenClassification])
def test_an_encoder_of_a_model_that_has_both_is_a_model(model_class):
    config = copy.deepcopy(models.TINY["t5"].config)  # the class writes to it
    model = models.shake(model_class(config)).eval()
    parts = anatomy(model)
    assert (len(parts.stacks), parts.encoder_decoder, parts.causal) == (1, False, False)
    ids = torch.arange(3, 12)[None]
    before = model(input_ids=ids)[0]
    method = LoRA(r=2)
    method.setup(model)
    models.shake(model)
    moved = model(input_ids=ids)[0]
    assert not torch.equal(moved, before)
    method.merge(model)
    torch.testing.assert_close(model(input_ids=ids)[0], moved, atol=1e-5, rtol=1e-5)
