"""Prompts at the input: what they take reaches the cache, the mask and the positions."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import torch
from transformers import DynamicCache

from reference_impls.anatomy import anatomy
from reference_impls.prompt.p_tuning.p_tuning import PTuning
from reference_impls.prompt.prompt_tuning.prompt_tuning import PromptTuning
from reference_impls.reparameterized.lora.lora import LoRA
from tests.methods import models

METHODS = {
    "prompt_tuning": partial(PromptTuning, length=4, init="uniform"),
    "p_tuning": partial(PTuning, template=(2, 2)),
}
prompts = pytest.mark.parametrize("make", METHODS.values(), ids=METHODS)
decoders = pytest.mark.parametrize("name", ["llama-lm", "gpt2-lm", "mistral-lm"])
ASK = {
    "max_new_tokens": 4,
    "do_sample": False,
    "pad_token_id": 0,
    "eos_token_id": None,
    "return_dict_in_generate": True,
    "output_logits": True,
}


def adapted(method, name: str, **config):
    model = models.build(name, **config)
    method.setup(model)
    return models.shake(model)


def ids(rows: int, length: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(3, models.VOCABULARY, (rows, length), generator=generator)


def ask(model, tokens, mask=None, **more):
    mask = torch.ones_like(tokens) if mask is None else mask
    return model.generate(input_ids=tokens, attention_mask=mask, **ASK, **more)


@prompts
@decoders
@pytest.mark.parametrize("padding", [0, 2])
@pytest.mark.parametrize("more", [1, 3, 9])
def test_a_second_turn_on_the_cache_of_the_first_is_one_without_it(make, name, padding, more):
    model = adapted(make(), name)
    tokens = ids(2, 6)
    mask = torch.ones_like(tokens)
    tokens[0, :padding] = mask[0, :padding] = 0
    first = ask(model, tokens, mask)
    said = torch.cat([first.sequences, ids(2, more)], dim=1)
    mask = torch.nn.functional.pad(mask, (0, said.shape[1] - 6), value=1)
    fresh = ask(model, said, mask)
    again = ask(model, said, mask, past_key_values=first.past_key_values)
    assert torch.equal(fresh.sequences, again.sequences)
    torch.testing.assert_close(fresh.logits, again.logits, atol=2e-6, rtol=1e-5)


@prompts
def test_a_cache_tells_its_tokens_alone(make):
    model = adapted(make(), "llama-lm")
    with torch.no_grad():
        cache = model(input_ids=ids(1, 6), use_cache=True).past_key_values
    assert cache.get_seq_length() == 6
    assert cache.layers[0].keys.shape[2] == 10
    model(input_ids=ids(1, 3), past_key_values=cache)
    assert cache.get_seq_length() == 9
    copied = copy.deepcopy(cache)
    copied.crop(-2)
    assert (copied.get_seq_length(), copied.layers[0].keys.shape[2]) == (7, 11)
    assert cache.get_seq_length() == 9


@prompts
@pytest.mark.parametrize("name", ["llama-lm", "bert"])
def test_a_mask_of_four_dimensions_is_refused(make, name):
    model = adapted(make(), name)
    mask = torch.ones(6, 6, dtype=torch.bool).tril().expand(2, 1, 6, 6)
    with pytest.raises(ValueError, match=r"mask of \(batch, tokens\)"):
        model(input_ids=ids(2, 6), attention_mask=mask)


@prompts
@pytest.mark.parametrize(("name", "room"), [("bert", 20), ("gpt2-lm", 20), ("roberta", 19)])
def test_more_than_the_models_positions_is_refused_with_the_numbers(make, name, room):
    places = "n_positions" if name == "gpt2-lm" else "max_position_embeddings"
    model = adapted(make(), name, **{places: 20})
    model(input_ids=ids(2, room - 4))
    complaint = f"{room - 3} tokens and a prompt of 4 are more than the {room} positions"
    with pytest.raises(ValueError, match=complaint):
        model(input_ids=ids(2, room - 3))


@pytest.mark.parametrize(
    ("name", "positions"),
    [("bert", 64), ("roberta", 63), ("gpt2-lm", 64), ("llama-lm", None), ("t5-lm", None)],
)
def test_learned_positions_are_counted_as_far_as_tokens_may_have_them(name, positions):
    model = models.build(name)
    parts = anatomy(model)
    assert parts.positions == positions
    if positions:
        ids = torch.full((1, positions), 9)
        model(input_ids=ids)
        with pytest.raises((IndexError, RuntimeError)):
            model(input_ids=torch.full((1, positions + 1), 9))


@prompts
def test_tokens_on_a_cache_count_among_the_positions(make):
    model = adapted(make(), "gpt2-lm", n_positions=20)
    cache = model(input_ids=ids(1, 14), use_cache=True).past_key_values
    cache = model(input_ids=ids(1, 2), past_key_values=cache).past_key_values
    for _ in range(2):  # a refusal leaves the cache as it was
        with pytest.raises(ValueError, match="17 tokens and a prompt of 4 are more than the 20"):
            model(input_ids=ids(1, 1), past_key_values=cache)
        assert cache.get_seq_length() == 16


@pytest.mark.parametrize("name", ["llama-lm", "t5-lm"])
def test_computed_positions_have_no_end(name):
    model = adapted(METHODS["prompt_tuning"](), name)
    more = {"decoder_input_ids": ids(1, 2)} if name == "t5-lm" else {}
    assert model(input_ids=ids(1, 200), **more).logits.isfinite().all()


@pytest.mark.parametrize(
    "method", [PromptTuning(length=64, init="uniform"), PTuning(template=(32, 32))]
)
def test_a_prompt_that_leaves_no_room_is_refused_by_setup_and_count(method):
    model = models.build("bert")
    with pytest.raises(ValueError, match="a prompt of 64 leaves no room in the 64 positions"):
        method.setup(model)
    assert all(p.requires_grad for p in model.parameters())


@prompts
def test_a_static_cache_without_room_is_refused_with_the_numbers(make):
    model = adapted(make(), "llama-lm")
    with pytest.raises(ValueError, match="6 tokens and a prompt of 4 are more than a static cache"):
        ask(model, ids(1, 6), cache_implementation="static")


@prompts
@pytest.mark.parametrize("told", [None, 6])
def test_a_cache_that_keeps_the_first_tokens_keeps_the_prompt_too(make, told):
    model = adapted(make(), "llama-lm")
    cache = DynamicCache(config=model.config)
    for layer in cache.layers:  # Unlimited-OCR's are told before they are filled, or not at all
        layer.prefill_length = told
    model(input_ids=ids(1, 6), past_key_values=cache)
    model(input_ids=ids(1, 1), past_key_values=cache)
    assert {layer.prefill_length for layer in cache.layers} == {told and 10}


def test_a_method_without_a_prompt_takes_a_static_cache():
    model = adapted(LoRA(), "llama-lm")
    ask(model, ids(1, 6), cache_implementation="static")
