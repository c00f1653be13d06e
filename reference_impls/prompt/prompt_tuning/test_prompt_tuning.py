"""Prompt tuning: what it computes, where it starts, how inputs and outputs stay aligned."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch.nn.functional import pad
from transformers import T5Config

from reference_impls.anatomy import Anatomy, anatomy, model_on_meta, numel
from reference_impls.core.method import METHODS
from reference_impls.prompt.prompt_tuning.prompt_tuning import Prompt
from tests.methods import models
from tests.methods.settings import CARDS
from tools.data.published import Share, verdict

PromptTuning = METHODS["prompt_tuning"]
WORDS = (5, 9, 7)
K = len(WORDS)


def rows_of(model) -> torch.nn.Parameter:
    return next(m.rows for m in model.modules() if isinstance(m, Prompt))


def prompted(name: str, init: str = "uniform", **config):
    """A model with a prompt of length K."""
    model = models.build(name, **config)
    torch.manual_seed(2)
    PromptTuning(length=K, init=init).setup(model)
    return model


def spelled(name: str, **config):
    """The same with the embeddings of WORDS for a prompt, and an untouched model."""
    model = prompted(name, **config)
    rows_of(model).data.copy_(anatomy(model).embedding.weight[list(WORDS)])
    return model, models.build(name, **config)


def hard(ids: torch.Tensor) -> torch.Tensor:
    return torch.cat([torch.tensor(WORDS).expand(len(ids), -1), ids], dim=1)


@pytest.mark.parametrize("name", ["bert-mlm", "gpt2-lm", "llama-lm"])
def test_it_computes_the_model_on_prompt_and_embeddings(name):
    inputs = models.batch(name)
    model, base = prompted(name), models.build(name)
    embedded = base.get_input_embeddings()(inputs["input_ids"])
    rows = rows_of(model).detach().expand(len(embedded), -1, -1)
    mask = pad(inputs["attention_mask"], (K, 0), value=1)
    with torch.no_grad():
        outputs = model(**inputs)
        expected = base(inputs_embeds=torch.cat([rows, embedded], 1), attention_mask=mask).logits
    assert torch.equal(outputs.logits, expected[:, K:])
    if name != "bert-mlm":  # the loss compares a token with the next one: none of the prompt
        shifted = expected[:, K:-1].flatten(0, 1), inputs["labels"][:, 1:].flatten()
        torch.testing.assert_close(outputs.loss, torch.nn.functional.cross_entropy(*shifted))


@pytest.mark.parametrize("name", [name for name in models.CLASSIFIERS if name != "t5"])
def test_classifiers_read_the_same_token_as_before(name):
    inputs = models.batch(name)
    model, base = spelled(name)
    outputs = models.logits(model, inputs)
    with torch.no_grad():
        longer = base.base_model(
            hard(inputs["input_ids"]),
            attention_mask=pad(inputs["attention_mask"], (K, 0), value=1),
        ).last_hidden_state[:, K:]
        if name == "bert":
            expected = base.classifier(base.bert.pooler(longer))
        elif name == "roberta":
            expected = base.classifier(longer)
        else:
            last = inputs["attention_mask"].sum(1) - 1
            expected = base.score(longer[torch.arange(len(last)), last])
    torch.testing.assert_close(outputs, expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("padding", [(0, 2), (2, 0)])
@pytest.mark.parametrize("name", ["bert-mlm", "gpt2-lm", "llama-lm", "mistral-lm", "roberta"])
def test_embeddings_of_words_equal_the_words(name, padding):
    model, base = spelled(name)
    ids = models.batch(name)["input_ids"][1:]
    mask = pad(torch.ones_like(ids), padding)
    ids = pad(ids, padding)
    with torch.no_grad():
        outputs = model.base_model(ids, attention_mask=mask).last_hidden_state
        longer = base.base_model(hard(ids), attention_mask=pad(mask, (K, 0), value=1))
    expected = longer.last_hidden_state[:, K:]
    assert torch.equal(outputs[mask.bool()], expected[mask.bool()])


@pytest.mark.parametrize("name", ["roberta", "gpt2-lm", "llama-lm"])
def test_left_padding_changes_nothing(name):
    model = prompted(name)
    ids = models.batch(name)["input_ids"][1:]
    mask = pad(torch.ones_like(ids), (2, 0))
    positions = {} if name == "roberta" else {"position_ids": (mask.cumsum(1) - 1).clamp(min=0)}
    with torch.no_grad():
        outputs = model.base_model(pad(ids, (2, 0)), attention_mask=mask, **positions)
        expected = model.base_model(ids).last_hidden_state
    torch.testing.assert_close(outputs.last_hidden_state[:, 2:], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("mask", [None, (0, 2), (2, 0)])
def test_in_t5_the_encoder_has_the_prompt_and_the_decoder_reads_it(mask):
    model, base = spelled("t5-lm")
    inputs = {k: v[1:] for k, v in models.batch("t5-lm").items() if not k.endswith("mask")}
    longer = {**inputs, "input_ids": hard(inputs["input_ids"])}
    if mask:
        real = pad(torch.ones_like(inputs["input_ids"]), mask)
        inputs |= {"input_ids": pad(inputs["input_ids"], mask), "attention_mask": real}
        longer |= {"input_ids": hard(inputs["input_ids"])}
        longer["attention_mask"] = pad(real, (K, 0), value=1)
    with torch.no_grad():
        outputs, expected = model(**inputs), base(**longer)
    assert torch.equal(outputs.logits, expected.logits)
    assert torch.equal(outputs.loss, expected.loss)


def test_t5_takes_embeddings_too():
    model = prompted("t5-lm")
    inputs = models.batch("t5-lm")
    embedded = {**inputs, "inputs_embeds": model.shared(inputs["input_ids"])}
    del embedded["input_ids"]
    assert torch.equal(models.logits(model, inputs), models.logits(model, embedded))


@pytest.mark.parametrize("name", [n for n in models.MODELS if n not in models.ENCODER_DECODERS])
def test_every_way_to_pass_the_same_input(name):
    model = prompted(name).base_model
    ids = models.batch(name)["input_ids"][1:]
    first = 1 if name == "roberta" else 0  # its positions start behind the padding id, 0
    positions = torch.arange(first, first + ids.shape[1])[None]
    with torch.no_grad():
        expected = model(input_ids=ids).last_hidden_state
        ways = [
            model(ids).last_hidden_state,
            model(ids, return_dict=False)[0],
            model(inputs_embeds=model.get_input_embeddings()(ids)).last_hidden_state,
            model(ids, position_ids=positions).last_hidden_state,
            model(ids, attention_mask=torch.ones_like(ids)).last_hidden_state,
        ]
    assert expected.shape[:2] == ids.shape
    for way in ways:
        torch.testing.assert_close(way, expected, atol=1e-6, rtol=1e-6)


def test_token_types_of_the_text_stay_with_the_text():
    model, base = spelled("bert")
    ids = models.batch("bert")["input_ids"][1:]
    types = torch.zeros_like(ids)
    types[:, 4:] = 1
    with torch.no_grad():
        outputs = model.bert(ids, token_type_ids=types).last_hidden_state
        expected = base.bert(hard(ids), token_type_ids=pad(types, (K, 0))).last_hidden_state
    assert torch.equal(outputs, expected[:, K:])


@pytest.mark.parametrize("name", ["gpt2-lm", "llama-lm"])
def test_steps_with_a_cache_equal_one_pass(name):
    model = prompted(name)
    ids = models.batch(name)["input_ids"][1:]
    with torch.no_grad():
        at_once = model(ids).logits
        first = model(ids[:, :4], use_cache=True)
        mask = torch.ones_like(ids)
        second = model(ids[:, 4:], past_key_values=first.past_key_values, attention_mask=mask)
    assert first.past_key_values.layers[0].keys.shape[2] == K + ids.shape[1]
    steps = torch.cat([first.logits, second.logits], dim=1)
    torch.testing.assert_close(steps, at_once, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["gpt2-lm", "llama-lm"])
def test_generation_equals_generation_after_the_words(name):
    model, base = spelled(name)
    ids = models.batch(name)["input_ids"][1:, :5]
    ids, mask = pad(ids, (2, 0)), pad(torch.ones_like(ids), (2, 0))
    ids[0], mask[0] = models.batch(name)["input_ids"][1, :7], 1
    settings = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": -1}
    outputs = model.generate(ids, attention_mask=mask, **settings)
    longer = pad(mask, (K, 0), value=1)
    expected = base.generate(hard(ids), attention_mask=longer, **settings)
    assert torch.equal(outputs, expected[:, K:])


def test_uniform_start():
    model = models.build("bert")
    torch.manual_seed(0)
    PromptTuning(length=60, init="uniform").setup(model)
    rows = rows_of(model)
    assert -0.5 <= rows.min() < -0.49
    assert 0.49 < rows.max() <= 0.5


@pytest.mark.parametrize(("length", "population", "distinct"), [(6, 6, 6), (8, 3, 3)])
def test_vocabulary_start_draws_among_the_first_ids(length, population, distinct):
    model = models.build("bert")
    torch.manual_seed(0)
    PromptTuning(length=length, init="vocabulary", population=population).setup(model)
    embedding = anatomy(model).embedding.weight
    drawn = [(embedding == row).all(1).nonzero().item() for row in rows_of(model)]
    assert len(drawn) == length
    assert set(drawn) <= set(range(population))
    assert len(set(drawn)) <= distinct
    if length <= population:
        assert len(set(drawn)) == length


def test_labels_start_is_the_mean_of_each_name_and_the_vocabulary():
    model = models.build("bert")
    names = ((30,), (31, 35, 39))
    PromptTuning(length=4, population=6, verbalizer=names).setup(model)
    embedding, rows = anatomy(model).embedding.weight, rows_of(model)
    assert torch.equal(rows[0], embedding[30])
    torch.testing.assert_close(rows[1], (embedding[31] + embedding[35] + embedding[39]) / 3)
    for row in rows[2:]:
        assert (embedding[:6] == row).all(1).any()


def test_names_beyond_the_length_are_left_out():
    model = models.build("bert")
    PromptTuning(length=1, verbalizer=((30,), (31,))).setup(model)
    assert torch.equal(rows_of(model)[0], anatomy(model).embedding.weight[30])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"init": "zeros"}, "'zeros' is none of"), ({}, "needs a verbalizer")],
)
def test_bad_starts_are_refused_and_leave_the_model_alone(arguments, message):
    model = models.build("bert")
    with pytest.raises(ValueError, match=message):
        PromptTuning(**arguments).setup(model)
    assert all(p.requires_grad for p in model.parameters())


def test_the_optimizer_is_adafactor_at_a_constant_rate():
    method = PromptTuning()
    optimizer = method.optimizer([torch.nn.Parameter(torch.zeros(2, 2))])
    assert type(optimizer).__name__ == "Adafactor"
    assert optimizer.defaults["lr"] == 0.3
    assert not optimizer.defaults["scale_parameter"]
    assert optimizer.defaults["weight_decay"] == 1e-5
    assert method.schedule(0.0) == method.schedule(0.9) == 1.0


SIZES = {  # of T5 v1.1: width, feed-forward width, layers of each stack, heads
    "small": (512, 1024, 8, 6),
    "base": (768, 2048, 12, 12),
    "large": (1024, 2816, 24, 16),
    "xl": (2048, 5120, 24, 32),
    "xxl": (4096, 10240, 24, 64),
}
# Lester et al., Table 4: size, length, trained, all with the model, and trained as a share of that
PRINTED = """\
small 1 512 76,961,664 0.00067%
small 5 2,560 76,963,712 0.00333%
small 20 10,420 76,971,572 0.01330%
small 50 25,600 76,986,752 0.03325%
small 100 51,200 77,012,352 0.06648%
small 150 76,800 77,037,952 0.09969%
base 1 768 247,578,624 0.00031%
base 5 3,840 247,581,696 0.00155%
base 20 15,360 247,593,216 0.00620%
base 50 38,400 247,616,256 0.01551%
base 100 76,800 247,654,656 0.03101%
base 150 115,200 247,693,056 0.04651%
large 1 1,024 783,151,104 0.00013%
large 5 5,120 783,155,200 0.00065%
large 20 20,480 783,170,560 0.00262%
large 50 51,200 783,201,280 0.00654%
large 100 102,400 783,252,480 0.01907%
large 150 153,600 783,303,680 0.01961%
xl 1 2,048 2,849,759,232 0.00007%
xl 5 10,240 2,849,767,424 0.00036%
xl 20 40,960 2,849,798,144 0.00143%
xl 50 102,400 2,849,859,584 0.00359%
xl 100 204,800 2,849,961,984 0.00718%
xl 150 307,200 2,850,064,384 0.01078%
xxl 1 4,096 11,135,336,448 0.00004%
xxl 5 20,480 11,135,352,832 0.00018%
xxl 20 81,920 11,135,414,272 0.00074%
xxl 50 204,800 11,137,380,352 0.00184%
xxl 100 409,600 11,135,741,952 0.00368%
xxl 150 614,400 11,135,946,752 0.00552%"""
MISPRINTS = {  # of that table, and the number that its other columns and rows agree with
    "10,420": "10,240",
    "76,971,572": "76,971,392",
    "0.01907%": "0.01307%",
    "11,137,380,352": "11,135,537,152",
}


@cache
def t5(size: str) -> Anatomy:
    width, inner, layers, heads = SIZES[size]
    config = T5Config(
        vocab_size=32128,
        d_model=width,
        d_kv=64,
        d_ff=inner,
        num_layers=layers,
        num_heads=heads,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
    )
    return anatomy(model_on_meta(config))


@pytest.mark.parametrize("row", PRINTED.splitlines())
def test_published_counts_and_shares(row):
    size, length, *printed = row.split()
    trained, total, percent = (MISPRINTS.get(number, number) for number in printed)
    parts = t5(size)
    ours, base = PromptTuning(length=int(length)).trained(parts), numel(parts.base_parameters())
    assert (f"{ours:,}", f"{base + ours:,}") == (trained, total)
    share = Share(what="all with the model", value=base, added=True)
    assert verdict(percent, ours, share) in ("equal", "cut off")


def test_the_prompt_stands_where_it_is_drawn():
    *prompt, last = CARDS["prompt_tuning"].drawn.tokens
    assert prompt == sorted(prompt, reverse=True)  # p before e
    assert (prompt[0], last) == ("p", "e")
