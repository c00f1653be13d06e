"""PASTA: which token gets which vector, in which layer, and that all others get none."""

from __future__ import annotations

import math

import pytest
import torch
from transformers import BertConfig, RobertaConfig

from reference_impls import architectures
from reference_impls.anatomy import anatomy, model_on_meta
from reference_impls.selective.pasta.pasta import PASTA, SpecialTokens, add
from tests.methods import models
from tests.methods.settings import batches

CLS, SEP = 1, 3
LARGE = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
}
every_model = pytest.mark.parametrize("name", models.MODELS)


def adapted(name: str, **arguments):
    """A model with PASTA on it, its parts and the vectors of each layer."""
    torch.manual_seed(0)
    model = models.build(name)
    method = PASTA(**{"special_tokens": (CLS, SEP), "vectors": 3} | arguments)
    method.setup(model)
    parts = anatomy(model)
    return method, model, parts, [layer.block.pasta.rows for layer in parts.stacks[0].layers]


def pairs(name: str) -> dict[str, torch.Tensor]:
    """A pair of texts, a single one, and one without any special token."""
    inputs = {k: v[1:] for k, v in models.batch(name).items() if k != "labels"}
    ids = inputs["input_ids"]
    ids[ids == SEP] = 5
    ids[0, [0, 4, 7]] = torch.tensor([CLS, SEP, SEP])
    ids[1, [0, 6]] = torch.tensor([CLS, SEP])
    return inputs


def expected_places() -> torch.Tensor:
    places = torch.full((3, 9), -1)
    places[0, [0, 4, 7]] = torch.arange(3)
    places[1, [0, 6]] = torch.arange(2)
    return places


def layer_inputs(parts, model, inputs) -> list[torch.Tensor]:
    """What reaches the inside of each layer that reads the text."""
    seen = []
    handles = [
        layer.block.register_forward_pre_hook(lambda block, args: seen.append(args[0].detach()))
        for layer in parts.stacks[0].layers
    ]
    with torch.no_grad():
        model(**inputs)
    for handle in handles:
        handle.remove()
    return seen


@every_model
def test_a_layer_gets_its_input_plus_the_vectors_of_special_tokens_alone(name):
    """Layer by layer: with the vectors of this layer at zero, its input differs by just these."""
    _, model, parts, rows = adapted(name)
    inputs, places = pairs(name), expected_places()
    full = layer_inputs(parts, model, inputs)
    assert len(full) == len(rows) == 2
    for index, vectors in enumerate(rows):
        values = vectors.detach().clone()
        with torch.no_grad():
            vectors.zero_()
        plain = layer_inputs(parts, model, inputs)[index]
        with torch.no_grad():
            vectors.copy_(values)
        special = places >= 0
        assert torch.equal(full[index][~special], plain[~special])
        assert torch.equal(full[index][special], plain[special] + values[places[special]])


@every_model
def test_with_vectors_of_zero_the_model_is_the_pretrained_one(name):
    _, model, _, rows = adapted(name)
    with torch.no_grad():
        for vectors in rows:
            vectors.zero_()
    inputs = pairs(name)
    expected = models.logits(models.build(name), inputs)
    assert torch.equal(models.logits(model, inputs), expected)


def test_special_tokens_are_numbered_in_each_row():
    ids = torch.tensor([[1, 5, 2, 2], [5, 5, 5, 5], [2, 1, 5, 0]])
    places = SpecialTokens((1, 2), 3)(ids, cached=False)
    assert places.tolist() == [[0, -1, 1, 2], [-1] * 4, [0, 1, -1, -1]]


def test_the_two_separators_of_a_pair_have_vectors_of_their_own():
    method, model, _, rows = adapted("bert")
    inputs = pairs("bert") | {"labels": torch.tensor([0, 1, 1])}
    method.loss(model, {k: v[1:2] for k, v in inputs.items()}).backward()
    for vectors in rows:  # a single text leaves the third vector alone
        assert (vectors.grad[:2].abs().amax(-1) > 0).all()
        assert (vectors.grad[2] == 0).all()
    model.zero_grad()
    method.loss(model, {k: v[:1] for k, v in inputs.items()}).backward()
    assert all((vectors.grad.abs().amax(-1) > 0).all() for vectors in rows)
    assert not torch.allclose(rows[0].grad[1], rows[0].grad[2])


def test_a_text_that_goes_on_after_a_cache_is_counted_on():
    ids = torch.tensor([[1, 5, 2, 7, 2], [5, 2, 5, 1, 5]])
    whole = SpecialTokens((1, 2), 3)(ids, cached=False)
    tokens = SpecialTokens((1, 2), 3)
    pieces = [
        tokens(ids[:, :2], cached=False),
        tokens(ids[:, 2:3], cached=True),
        tokens(ids[:, 3:], cached=True),
    ]
    assert torch.equal(torch.cat(pieces, 1), whole)
    assert torch.equal(tokens(ids, cached=False), whole)  # a new text starts from the first


def test_vectors_start_like_embeddings_and_differ_from_layer_to_layer():
    _, _, _, rows = adapted("bert", vectors=16)
    values = torch.cat([vectors.detach().flatten() for vectors in rows])
    n = len(values)
    assert abs(values.mean()) < 5 * 0.02 / math.sqrt(n)
    assert abs(values.std() - 0.02) < 5 * 0.02 / math.sqrt(2 * n)
    assert not torch.equal(*rows)
    assert rows[0].data_ptr() != rows[1].data_ptr()


def test_dropout_acts_on_the_vectors_in_training_alone():
    _, model, parts, rows = adapted("bert", dropout=0.5)
    with torch.no_grad():
        for vectors in rows:
            vectors.fill_(1.0)
    inputs, special = pairs("bert"), expected_places() >= 0
    bare = layer_inputs(anatomy(twin := models.build("bert")), twin, inputs)[0]
    whole = layer_inputs(parts, model, inputs)[0] - bare
    torch.testing.assert_close(whole[special], torch.ones(5, 32))
    dropped = layer_inputs(parts, model.train(), inputs)[0] - bare
    assert set(dropped[special].round().unique().tolist()) == {0.0, 2.0}
    assert (dropped[~special] == 0).all()


def test_an_encoder_decoder_has_them_in_its_encoder():
    method, _, parts, rows = adapted("t5-lm")
    assert len(rows) == len(parts.stacks[0].layers) == 2
    assert not any(hasattr(layer.block, "pasta") for layer in parts.stacks[1].layers)
    assert method.trained(parts) == 2 * 3 * 32


@pytest.mark.parametrize(
    ("config", "vectors", "count"),
    [
        (BertConfig(**LARGE), 2, 49_152),  # one sentence
        (BertConfig(**LARGE), 3, 73_728),  # a pair
        (RobertaConfig(**LARGE), 4, 98_304),  # a pair of RoBERTa's, with </s></s> between them
        (BertConfig(), 2, 18_432),
    ],
)
def test_counts(config, vectors, count):
    parts = anatomy(model_on_meta(config))
    assert PASTA(special_tokens=(101, 102), vectors=vectors).trained(parts) == count


def test_more_special_tokens_than_vectors_are_refused():
    _, model, _, _ = adapted("bert", vectors=2)
    with pytest.raises(ValueError, match="has 3 special tokens, PASTA vectors for 2"):
        model(**pairs("bert"))


def test_a_batch_without_special_tokens_has_nothing_to_learn_from():
    method, model, _, _ = adapted("gpt2-lm", special_tokens=(1, 2))
    with pytest.raises(ValueError, match="no text of this batch"):
        method.loss(model, next(batches("gpt2-lm")))


def test_embeddings_in_place_of_ids_are_refused():
    _, model, _, _ = adapted("bert")
    with pytest.raises(ValueError, match="input_ids"):
        model(inputs_embeds=torch.zeros(1, 4, 32))


def test_no_special_tokens_at_all_are_refused():
    model = models.build("bert")
    with pytest.raises(ValueError, match="needs special_tokens"):
        PASTA().setup(model)
    assert all(p.requires_grad for p in model.parameters())


def test_generation_goes_on_counting_where_its_cache_ends():
    _, model, _, _ = adapted("llama-lm", special_tokens=tuple(range(3, 20)), vectors=20)
    ids = models.batch("llama-lm")["input_ids"][1:]
    with torch.no_grad():
        whole = model(ids).logits
        begun = model(ids[:, :5], use_cache=True)
        rest = model(ids[:, 5:], past_key_values=begun.past_key_values).logits
    torch.testing.assert_close(rest, whole[:, 5:], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("vit", "it reads no text"),
        ("llava", "are given embeddings and no tokens"),
        ("xlnet", "do not work on the tokens as they come"),
    ],
)
def test_layers_that_no_tokens_can_be_told_are_refused(name, complaint):
    model = architectures.build(name)
    with pytest.raises(ValueError, match=complaint):
        PASTA(special_tokens=(CLS, SEP)).setup(model)
    assert not any(hasattr(module, "pasta") for module in model.modules())


def test_a_model_within_a_model_is_told_its_tokens():
    """OPT's decoder is not the base model, and takes the tokens all the same."""
    model, batch = architectures.build("opt"), architectures.batch("opt")
    before = architectures.logits(model, batch)
    PASTA(special_tokens=tuple(range(60)), vectors=9).setup(model)
    assert not torch.equal(architectures.logits(model, batch), before)


def test_a_layer_may_be_given_its_input_by_name():
    _, model, parts, _ = adapted("bert")
    layer = parts.layers[0].block
    layer_inputs(parts, model, inputs := pairs("bert"))
    h = torch.randn(*inputs["input_ids"].shape, 32)
    args, kwargs = add(layer, (), {"hidden_states": h, "other": 1})
    (expected,), _ = add(layer, (h,), {})
    assert args == ()
    assert kwargs["other"] == 1
    assert torch.equal(kwargs["hidden_states"], expected)
