"""P-tuning: the encoder, what is left of it, and where pseudo-tokens stand in a text."""

from __future__ import annotations

import copy
from itertools import groupby

import pytest
import torch
from torch.nn.functional import pad
from transformers import BertConfig, GPT2Config

from reference_impls.anatomy import anatomy, model_on_meta, numel
from reference_impls.core.method import METHODS, trainable
from reference_impls.core.training import Loop, train
from reference_impls.prompt.p_tuning.p_tuning import Encoder, PseudoTokens
from tests.methods import models
from tests.methods.settings import CARDS, batches

PTuning = METHODS["p_tuning"]
WORDS = (5, 9, 7)
HERE = [name for name in models.MODELS if name not in models.ENCODER_DECODERS]


def pseudo_of(model) -> PseudoTokens:
    return next(m for m in model.modules() if isinstance(m, PseudoTokens))


def tuned(name: str, template=(2, 1), places=(), **config):
    """A shaken model with pseudo-tokens in it; returns the method too."""
    model = models.build(name, **config)
    torch.manual_seed(2)
    method = PTuning(template=template, places=places)
    method.setup(model)
    return method, model


def spelled(name: str, places=(), **config):
    """Pseudo-tokens that are the embeddings of WORDS, in two blocks, and an untouched model."""
    _, model = tuned(name, places=places, **config)
    pseudo_of(model).fold()
    pseudo_of(model).rows.data.copy_(anatomy(model).embedding.weight[list(WORDS)])
    return model, models.build(name, **config)


def hard(ids: torch.Tensor, places=(1, -1)) -> torch.Tensor:
    """WORDS in two blocks at the places of each row of ids, none of which is padding."""
    words = torch.tensor(WORDS).expand(len(ids), -1)
    first, second = (place % ids.shape[1] for place in places)
    return torch.cat(
        [ids[:, :first], words[:, :2], ids[:, first:second], words[:, 2:], ids[:, second:]], 1
    )


def without(states: torch.Tensor, places=(1, -1)) -> torch.Tensor:
    """States of a `hard` text, those of WORDS taken out."""
    length = states.shape[1] - len(WORDS)
    first, second = (place % length for place in places)
    return torch.cat(
        [states[:, :first], states[:, first + 2 : second + 2], states[:, second + 3 :]], 1
    )


def by_default(name: str) -> tuple[int, int]:
    return (1, 2) if name in models.CAUSAL else (1, -1)


def lstm(x: torch.Tensor, weights: dict[str, torch.Tensor], suffix: str, *, back: bool):
    """One direction of an LSTM layer over rows (k, d), by its equations."""
    w, u, b, c = (
        weights[f"{kind}_{suffix}"] for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    hidden = cell = torch.zeros(u.shape[1], dtype=x.dtype)
    states = []
    for row in x.flip(0) if back else x:
        i, f, g, o = (w @ row + b + u @ hidden + c).chunk(4)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        states.append(hidden)
    return torch.stack(states[::-1] if back else states)


def test_the_encoder_is_a_bidirectional_lstm_and_a_perceptron():
    torch.manual_seed(0)
    encoder = Encoder(5, 6).double()
    weights, x = dict(encoder.lstm.named_parameters()), encoder.rows
    for layer in ("l0", "l1"):
        both = lstm(x, weights, layer, back=False), lstm(x, weights, f"{layer}_reverse", back=True)
        x = torch.cat(both, dim=1)
    first, _, second = encoder.mlp
    expected = (x @ first.weight.T + first.bias).relu() @ second.weight.T + second.bias
    torch.testing.assert_close(encoder(), expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", ["bert-mlm", "gpt2-lm", "llama-lm"])
def test_it_computes_the_model_on_the_encoders_rows_among_the_embeddings(name):
    inputs = {k: v[1:] for k, v in models.batch(name).items()}
    _, model = tuned(name)
    base, last = models.build(name), by_default(name)[1] % 9
    e, rows = base.get_input_embeddings()(inputs["input_ids"]), pseudo_of(model).encoder()
    rows = rows.expand(len(e), -1, -1)
    longer = torch.cat([e[:, :1], rows[:, :2], e[:, 1:last], rows[:, 2:], e[:, last:]], dim=1)
    with torch.no_grad():
        outputs = model(**inputs)
        expected = without(base(inputs_embeds=longer).logits, by_default(name))
    torch.testing.assert_close(outputs.logits, expected, atol=1e-6, rtol=1e-6)
    if name != "bert-mlm":
        shifted = expected[:, :-1].flatten(0, 1), inputs["labels"][:, 1:].flatten()
        torch.testing.assert_close(outputs.loss, torch.nn.functional.cross_entropy(*shifted))


@pytest.mark.parametrize("padding", [(0, 2), (2, 0)])
@pytest.mark.parametrize("name", HERE)
def test_embeddings_of_words_equal_the_words_in_the_template(name, padding):
    places = by_default(name)
    model, base = spelled(name)
    ids = models.batch(name)["input_ids"][1:]
    longer = hard(ids, places)
    real = pad(torch.ones_like(ids), padding)
    with torch.no_grad():
        outputs = model.base_model(pad(ids, padding), attention_mask=real).last_hidden_state
        expected = base.base_model(
            pad(longer, padding), attention_mask=pad(torch.ones_like(longer), padding)
        ).last_hidden_state
    expected = without(expected[:, padding[0] : padding[0] + longer.shape[1]], places)
    outputs = outputs[:, padding[0] : padding[0] + ids.shape[1]]
    torch.testing.assert_close(outputs, expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("places", [(0, 3), (2, -3), (-3, -1), (-1, -1), (4, 4)])
def test_any_two_places(places):
    model, base = spelled("bert", places=places)
    ids = models.batch("bert")["input_ids"][1:]
    with torch.no_grad():
        outputs = model.bert(ids).last_hidden_state
        expected = base.bert(hard(ids, places)).last_hidden_state
    torch.testing.assert_close(outputs, without(expected, places), atol=1e-6, rtol=1e-6)


def test_three_blocks_around_two_anchors():
    """[CLS] h h text h a [MASK] h [SEP], for texts of different lengths."""
    _, model = tuned("bert-mlm", template=(2, 1, 1), places=(1, -3, -1))
    pseudo_of(model).fold()
    pseudo_of(model).rows.data.copy_(anatomy(model).embedding.weight[[5, 9, 7, 8]])
    base = models.build("bert-mlm")
    for text in ([10, 11, 12], [10]):
        ids = torch.tensor([[1, *text, 30, 4, 2]])
        longer = torch.tensor([[1, 5, 9, *text, 7, 30, 4, 8, 2]])
        kept = [0, *range(3, 3 + len(text)), -5 + longer.shape[1] + 1, longer.shape[1] - 3, -1]
        with torch.no_grad():
            padded = pad(ids, (0, 3)), pad(torch.ones_like(ids), (0, 3))
            outputs = model(padded[0], attention_mask=padded[1]).logits[:, : ids.shape[1]]
            expected = base(longer).logits[:, kept]
        torch.testing.assert_close(outputs, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", [name for name in HERE if name in models.CLASSIFIERS])
def test_classifiers_read_the_same_token_as_before(name):
    model, base = spelled(name)
    ids = models.batch(name)["input_ids"][1:]
    with torch.no_grad():
        outputs = model(ids).logits
        longer = base.base_model(hard(ids, by_default(name))).last_hidden_state
        if name == "bert":
            expected = base.classifier(base.bert.pooler(longer))
        elif name == "roberta":
            expected = base.classifier(longer)
        else:
            expected = base.score(longer[:, -1])
    torch.testing.assert_close(outputs, expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", ["gpt2-lm", "llama-lm"])
def test_left_padding_with_its_positions_changes_nothing(name):
    _, model = tuned(name)
    ids = models.batch(name)["input_ids"][1:]
    mask = pad(torch.ones_like(ids), (2, 0))
    with torch.no_grad():
        expected = model(ids).logits
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        outputs = model(pad(ids, (2, 0)), attention_mask=mask, position_ids=positions).logits
    torch.testing.assert_close(outputs[:, 2:], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", HERE)
def test_every_way_to_pass_the_same_input(name):
    _, model = tuned(name)
    model = model.base_model
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


def test_pseudo_tokens_have_the_segment_of_the_token_that_follows():
    model, base = spelled("bert", places=(1, 6))
    ids = models.batch("bert")["input_ids"][1:]
    types = (torch.arange(9) >= 6).long().expand(len(ids), -1)
    longer = torch.tensor([0] * 8 + [1] * 4).expand(len(ids), -1)
    with torch.no_grad():
        outputs = model.bert(ids, token_type_ids=types).last_hidden_state
        expected = base.bert(hard(ids, (1, 6)), token_type_ids=longer).last_hidden_state
    torch.testing.assert_close(outputs, without(expected, (1, 6)), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", ["gpt2-lm", "llama-lm"])
def test_steps_with_a_cache_equal_one_pass(name, masked):
    _, model = tuned(name)
    ids = models.batch(name)["input_ids"][1:]
    with torch.no_grad():
        at_once = model(ids).logits
        first = model(ids[:, :2], use_cache=True)
        mask = {"attention_mask": torch.ones_like(ids)} if masked else {}
        second = model(ids[:, 2:], past_key_values=first.past_key_values, **mask)
    assert first.past_key_values.layers[0].keys.shape[2] == len(WORDS) + ids.shape[1]
    steps = torch.cat([first.logits, second.logits], dim=1)
    torch.testing.assert_close(steps, at_once, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["gpt2-lm", "llama-lm"])
def test_generation_with_left_padding_equals_generation_from_the_words(name):
    model, base = spelled(name)
    texts = [torch.tensor([[11, 12, 13, 14, 15]]), torch.tensor([[16, 17, 18]])]
    ids = torch.cat([texts[0], pad(texts[1], (2, 0))])
    settings = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": -1}
    outputs = model.generate(ids, attention_mask=(ids != 0).long(), **settings)
    for text, output in zip(texts, outputs):
        longer = hard(text, (1, 2))
        expected = base.generate(longer, attention_mask=torch.ones_like(longer), **settings)
        assert output[-6:].tolist() == expected[0, -6:].tolist()


@pytest.mark.parametrize("name", ["bert", "gpt2-lm", "llama-lm"])
def test_dropping_the_encoder_changes_no_bit(name):
    inputs = models.batch(name)
    method, model = tuned(name)
    before, stored = models.logits(model, inputs), method.tensors(model)
    pseudo_of(model).fold()
    assert not hasattr(pseudo_of(model), "encoder")
    assert torch.equal(models.logits(model, inputs), before)
    (rows,) = stored.values()
    assert stored.keys() == method.tensors(model).keys()
    assert torch.equal(rows, pseudo_of(model).rows)


def test_training_ends_without_the_encoder_and_has_trained_it():
    seen = []

    @torch.no_grad()
    def look(model) -> float:
        seen.append(pseudo_of(model)().clone())
        return 0.0

    loop = Loop(lambda seed: batches("bert"), steps=3, progress=False, evaluate=look)
    model, method = models.build("bert"), PTuning(lr=1e-2)
    train(method, model, loop)
    assert (seen[-1] - seen[0]).abs().max() > 1e-3
    assert torch.equal(pseudo_of(model).rows, seen[-1])
    head = {id(p) for p in anatomy(model).head_parameters()}
    left = numel(p for p in trainable(model) if id(p) not in head)
    assert left == method.stored(anatomy(model)) == 6 * 32


def test_a_delta_that_does_not_fit_leaves_the_encoder():
    method, model = tuned("bert")
    with pytest.raises(ValueError, match="does not fit"):
        method.load_delta(model, {"no.such.tensor": torch.zeros(1)})
    assert pseudo_of(model).rows is None


def test_nothing_of_a_pass_stays():
    _, model = tuned("bert")
    model(**models.batch("bert")).loss.backward()
    assert pseudo_of(copy.deepcopy(model)).kept is None


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("bert", {"template": (3,)}, "needs a positive size for each place"),
        ("bert", {"template": (3, 0)}, "needs a positive size for each place"),
        ("bert", {"template": (3, 3, 3), "places": (1, 2)}, "needs a positive size for each place"),
        ("gpt2", {"places": (1, -1)}, "count places from its start"),
    ],
)
def test_bad_templates_are_refused_and_leave_the_model_alone(name, arguments, message):
    model = models.build(name)
    with pytest.raises(ValueError, match=message):
        PTuning(**arguments).setup(model)
    assert all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("places", [(1, 5), (-5, 1)])
def test_a_text_shorter_than_the_template_is_refused(places):
    _, model = tuned("bert", places=places)
    ids = torch.tensor([[1, 10, 11, 12, 2], [1, 13, 14, 2, 0]])
    model(ids[:1])
    with pytest.raises(ValueError, match="too short"):
        model(ids, attention_mask=(ids != 0).long())


def test_sizes_and_places_may_come_from_the_command_line():
    assert PTuning(template=("3", "2"), places=("1", "-1")) == PTuning(
        template=(3, 2), places=(1, -1)
    )


@pytest.mark.parametrize("width", [8, 32, 64])
def test_the_count_of_the_encoder(width):
    config = BertConfig(hidden_size=width, num_hidden_layers=1, num_attention_heads=4)
    method, parts = PTuning(template=(3, 3, 3), places=(1, 2, 3)), anatomy(model_on_meta(config))
    assert method.trained(parts) == numel(Encoder(9, width).parameters())
    assert method.stored(parts) == 9 * width


def test_the_count_of_the_official_sizes():
    """GPT-2 medium with blocks of three: as `PromptEncoder` of the official code makes them."""
    d = 1024
    layer = 2 * (4 * (d // 2) * (d + d // 2) + 2 * 4 * (d // 2))
    expected = 6 * d + 2 * layer + 2 * (d * d + d)
    parts = anatomy(model_on_meta(GPT2Config(n_embd=d, n_layer=24, n_head=16)))
    assert PTuning().trained(parts) == expected


def test_pseudo_tokens_stand_where_they_are_drawn():
    model = models.build("bert")
    method, text, expected = PTuning(), 6, []
    method.setup(model)
    for column in range(text + 1):
        expected += ["h" for place in method._places(anatomy(model)) if place % text == column]
        expected += ["e"] if column < text else []
    drawn = CARDS["p_tuning"].drawn.tokens
    assert [kind for kind, _ in groupby(drawn)] == [kind for kind, _ in groupby(expected)]
