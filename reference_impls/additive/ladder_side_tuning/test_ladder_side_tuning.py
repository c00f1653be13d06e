"""Ladder side-tuning: the ladder by hand, gates, no gradient in the model, cache, counts."""

import copy

import pytest
import torch
from transformers import AlbertConfig, BartConfig, BertConfig, XGLMConfig

from reference_impls import architectures
from reference_impls.additive.ladder_side_tuning.ladder_side_tuning import LadderSideTuning
from reference_impls.anatomy import anatomy, model_on_meta
from tests.methods import models
from tests.methods.ledgers import beside_full
from tests.methods.settings import adapt


def inputs_of(model_name: str) -> dict[str, torch.Tensor]:
    batch = models.batch(model_name)
    return {key: batch[key] for key in ("input_ids", "attention_mask")}


def block_by_hand(block, x: torch.Tensor, mask: torch.Tensor, causal: bool) -> torch.Tensor:
    """A pre-norm block on one row (length, width), head by head and token by token."""
    normed = torch.nn.functional.layer_norm(
        x, x.shape[-1:], block.norms[0].weight, block.norms[0].bias
    )
    size = x.shape[1] // block.heads
    q, k, v = (normed @ block.query_key_value.weight.T).split(x.shape[1], dim=-1)
    read = torch.zeros_like(x)
    for head in range(block.heads):
        part = slice(head * size, (head + 1) * size)
        for i in range(len(x)):
            seen = [j for j in range(len(x)) if j == i or (mask[j] and not (causal and j > i))]
            weights = (k[seen][:, part] @ q[i, part] / size**0.5).softmax(0)
            read[i, part] = weights @ v[seen][:, part]
    x = x + read @ block.output.weight.T + block.output.bias
    normed = torch.nn.functional.layer_norm(
        x, x.shape[-1:], block.norms[1].weight, block.norms[1].bias
    )
    return x + block.down(torch.nn.functional.gelu(block.up(normed)))


@pytest.mark.parametrize("model_name", ["bert", "llama", "gpt2-lm"])
@torch.no_grad()
def test_the_last_hidden_states_are_the_ladders_by_hand(model_name):
    _, model = adapt("ladder_side_tuning", model_name)
    side = model.base_model.side_network
    inputs = inputs_of(model_name)
    hidden = models.build(model_name).base_model(**inputs, output_hidden_states=True).hidden_states
    found = model.base_model(**inputs).last_hidden_state
    for row, mask in enumerate(inputs["attention_mask"]):
        g = side.ladders[0](hidden[0][row])
        for i, block in enumerate(side.blocks):
            mu = 1 / (1 + torch.exp(-side.gates[i] / 0.1))
            g = mu * g + (1 - mu) * side.ladders[i + 1](hidden[i + 1][row])
            g = block_by_hand(block, g, mask, anatomy(model).causal)
        expected = side.up(side.norm(g))
        real = mask.bool()
        torch.testing.assert_close(found[row][real], expected[real], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_beside_t5_a_side_decoder_reads_the_side_encoder():
    _, model = adapt("ladder_side_tuning", "t5-lm")
    inputs = {k: v for k, v in models.batch("t5-lm").items() if k != "labels"}
    states = models.build("t5-lm")(**inputs, output_hidden_states=True)
    row = 0  # the one with padding
    mask = inputs["attention_mask"][row]

    def climb(side, hidden, mask, causal, source=None):
        g = side.ladders[0](hidden[0][row])
        for i, block in enumerate(side.blocks):
            mu = 1 / (1 + torch.exp(-side.gates[i] / 0.1))
            g = mu * g + (1 - mu) * side.ladders[i + 1](hidden[i + 1][row])
            if source is not None:
                g = crossed_by_hand(block, g, mask, source)
            else:
                g = block_by_hand(block, g, mask, causal)
        return side.norm(g)

    def crossed_by_hand(block, x, mask, source):
        silent = copy.deepcopy(block)
        torch.nn.init.zeros_(silent.down.weight)
        torch.nn.init.zeros_(silent.down.bias)
        x = block_by_hand(silent, x, mask, causal=True)
        cross, size = block.cross, x.shape[1] // block.heads
        query = cross.query(cross.norm(x))
        key, value = (source @ cross.key_value.weight.T).split(x.shape[1], dim=-1)
        heads = [slice(h * size, (h + 1) * size) for h in range(block.heads)]
        read = [(query[:, h] @ key[:, h].T / size**0.5).softmax(-1) @ value[:, h] for h in heads]
        x = x + cross.output(torch.cat(read, dim=-1))
        return x + block.down(torch.nn.functional.gelu(block.up(block.norms[1](x))))

    source = climb(model.encoder.side_network, states.encoder_hidden_states, mask, causal=False)
    decoder, target = model.decoder.side_network, inputs["decoder_attention_mask"][row]
    g = climb(decoder, states.decoder_hidden_states, target, True, source[mask.bool()])
    scale = model.config.hidden_size**-0.5 if model.config.tie_word_embeddings else 1.0
    expected = model.lm_head(scale * decoder.up(g))
    found, real = model(**inputs).logits[row], target.bool()
    torch.testing.assert_close(found[real], expected[real], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_an_open_gate_ignores_the_ladder():
    _, model = adapt("ladder_side_tuning", "bert")
    side = model.base_model.side_network
    before = models.logits(model, inputs_of("bert"))
    side.ladders[2].weight.add_(1.0)
    assert not torch.equal(models.logits(model, inputs_of("bert")), before)
    side.gates[1] = 1000.0  # mu = 1
    before = models.logits(model, inputs_of("bert"))
    side.ladders[2].weight.add_(1.0)
    assert torch.equal(models.logits(model, inputs_of("bert")), before)


def test_gates_start_at_one_half():
    _, model = adapt("ladder_side_tuning", "bert", shaken=False)
    gates = model.base_model.side_network.gates
    assert torch.equal(gates, torch.zeros(2))


@pytest.mark.parametrize("model_name", models.MODELS)
def test_the_model_keeps_nothing_for_a_backward_pass(model_name):
    _, model = adapt("ladder_side_tuning", model_name)
    model.train()
    graphs = []
    for layer in anatomy(model).layers:
        layer.feed_forward_end.register_forward_hook(
            lambda module, args, output: graphs.append(output.requires_grad)
        )
    output = model(**models.batch(model_name))
    assert graphs == [False] * len(anatomy(model).layers)
    assert output.loss.requires_grad


@pytest.mark.parametrize("model_name", models.MODELS)
@torch.no_grad()
def test_the_model_beside_it_computes_what_it_did_to_the_last_bit(model_name):
    def states_of(model) -> list[torch.Tensor]:
        seen: list[torch.Tensor] = []
        for layer in anatomy(model).layers:
            layer.end.register_forward_hook(lambda module, args, output: seen.append(output))
        model(**models.batch(model_name))
        return seen

    _, model = adapt("ladder_side_tuning", model_name)
    expected = states_of(models.build(model_name))
    assert all(map(torch.equal, states_of(model.eval()), expected))


@torch.no_grad()
def test_a_pooler_reads_the_side_network():
    _, model = adapt("ladder_side_tuning", "bert")
    output = model.bert(**inputs_of("bert"))
    expected = torch.tanh(model.bert.pooler.dense(output.last_hidden_state[:, 0]))
    torch.testing.assert_close(output.pooler_output, expected)


@pytest.mark.parametrize("model_name", ["gpt2-lm", "llama-lm", "t5-lm"])
@pytest.mark.parametrize("settings", [{"num_beams": 3}, {"num_beams": 1}])
def test_cached_generation_with_left_padding_and_beams(model_name, settings):
    _, model = adapt("ladder_side_tuning", model_name)
    ids = models.batch(model_name)["input_ids"][1:, :5]
    mask = torch.ones_like(ids)
    mask[0, :2] = 0
    common = {"attention_mask": mask, "max_new_tokens": 6, "do_sample": False, **settings}
    cached = model.generate(ids, use_cache=True, **common)
    assert torch.equal(cached, model.generate(ids, use_cache=False, **common))


@torch.no_grad()
def test_cached_steps_need_no_mask():
    _, model = adapt("ladder_side_tuning", "llama-lm")
    ids = models.batch("llama-lm")["input_ids"][1:]
    expected = model(ids).logits
    first = model(ids[:, :4], use_cache=True)
    rest = model(ids[:, 4:], past_key_values=first.past_key_values)
    torch.testing.assert_close(rest.logits, expected[:, 4:], atol=1e-5, rtol=1e-5)


def test_count_on_bert_base_by_hand():
    d, w, f, layers = 768, 96, 384, 12
    block = 4 * w + 3 * w * w + w * (w + 1) + f * (w + 1) + w * (f + 1)
    expected = 13 * (d + 1) * w + layers * (1 + block) + 2 * w + d * (w + 1)
    assert LadderSideTuning().trained(anatomy(model_on_meta(BertConfig()))) == expected


def test_a_width_that_does_not_fit_the_heads_is_refused():
    model = models.build("bert")
    with pytest.raises(ValueError, match="choose another reduction"):
        LadderSideTuning(reduction=16).setup(model)
    assert all(p.requires_grad for p in model.parameters())


def test_a_four_dimensional_mask_is_refused():
    _, model = adapt("ladder_side_tuning", "bert")
    with pytest.raises(ValueError, match=r"needs a \(batch, tokens\) mask"):
        model(input_ids=torch.ones(1, 3, dtype=torch.long), attention_mask=torch.ones(1, 1, 3, 3))


@pytest.mark.parametrize("causal", [False, True])
def test_nobody_reads_padding_but_padding_itself(causal):
    _, model = adapt("ladder_side_tuning", "llama-lm")
    side = model.base_model.side_network
    side.causal = causal
    found = side.visible(torch.tensor([[0, 1, 1, 1]]), length=3)
    expected = [[0, 1, 0, 0], [0, 1, 1, 0], [0, 1, 1, 1]] if causal else [[0, 1, 1, 1]] * 3
    assert found[0, 0].int().tolist() == expected
    found = side.visible(torch.tensor([[0, 0, 1]]), length=3)
    expected = [[1, 0, 0], [0, 1, 0], [0, 0, 1]] if causal else [[1, 0, 1], [0, 1, 1], [0, 0, 1]]
    assert found[0, 0].int().tolist() == expected


def test_its_ledger_keeps_few_activations():
    for own, full in beside_full("ladder_side_tuning"):
        assert own.activations < 0.4 * full.activations


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("xlnet", "one text of one width, unlike XLNetModel"),  # its layers have batches second
        ("electra", "one text of one width, unlike ElectraModel"),  # embeddings are narrower
        ("llava", "one text of one width, unlike LlavaModel"),  # it reads images too
        ("jamba", "has no attention"),  # in some layers
    ],
)
def test_other_than_plain_text_through_plain_layers_is_refused(name, complaint):
    model = architectures.build(name)
    with pytest.raises(ValueError, match=complaint):
        LadderSideTuning(reduction=4).setup(model)
    assert all(p.requires_grad for p in model.parameters())


SMALL = {"d_model": 32, "encoder_attention_heads": 4, "decoder_attention_heads": 4}


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        (BartConfig(**SMALL, encoder_layerdrop=0.1), "load it with encoder_layerdrop=0"),
        (BartConfig(**SMALL, decoder_layerdrop=0.1), "load it with decoder_layerdrop=0"),
        (XGLMConfig(d_model=32, attention_heads=4, layerdrop=0.1), "load it with layerdrop=0"),
        (
            AlbertConfig(hidden_size=32, embedding_size=32, num_attention_heads=4),
            "from each layer, and AlbertModel shares some",
        ),
    ],
)
def test_layers_that_are_left_out_or_shared_are_refused(config, complaint):
    with pytest.raises(ValueError, match=complaint):
        LadderSideTuning(reduction=4).check(anatomy(model_on_meta(config)))
