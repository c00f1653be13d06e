"""Linear probe: what it reads, and that it is linear in it."""

import pytest
import torch
from transformers import BertConfig, BertModel

from reference_impls import architectures
from reference_impls.anatomy import anatomy, model_on_meta
from reference_impls.core.method import trainable
from reference_impls.probing.linear_probe.linear_probe import LinearProbe
from tests.methods import models

POOLINGS = ("cls", "mean")


def probed(model_name: str, **arguments):
    """A model with a shaken probe, and an untouched twin."""
    model = models.build(model_name)
    LinearProbe(**arguments).setup(model)
    return models.shake(model, seed=1).eval(), models.build(model_name)


def last_states(twin, inputs) -> torch.Tensor:
    inputs = {key: value for key, value in inputs.items() if key != "labels"}
    with torch.no_grad():
        output = twin(**inputs, output_hidden_states=True)
    return output.get("decoder_hidden_states", output.get("hidden_states"))[-1]


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("model_name", models.CLASSIFIERS)
def test_logits_are_linear_in_the_pooled_last_hidden_state(model_name, pooling):
    model, twin = probed(model_name, pooling=pooling)
    inputs = models.batch(model_name)
    probe = model.base_model.linear_probe
    hidden = last_states(twin, inputs)
    rows = []
    for vectors, mask in zip(hidden, inputs["attention_mask"].bool()):
        real = vectors[mask]
        if pooling == "mean":
            pooled = real.mean(0)
        else:
            pooled = real[-1] if anatomy(twin).stacks[-1].causal else real[0]
        rows.append(pooled @ probe.weight.T + probe.bias)
    expected = torch.stack(rows)
    torch.testing.assert_close(models.logits(model, inputs), expected, atol=1e-6, rtol=1e-6)
    loss = torch.nn.functional.cross_entropy(expected, inputs["labels"])
    torch.testing.assert_close(model(**inputs).loss, loss, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("model_name", ["gpt2", "llama"])
def test_left_padding_does_not_matter_to_causal_models(model_name, pooling):
    model, _ = probed(model_name, pooling=pooling)
    ids = models.batch(model_name)["input_ids"][1:]
    mask = torch.ones_like(ids)
    padded, padded_mask = (torch.nn.functional.pad(t, (3, 0)) for t in (ids, mask))
    positions = (padded_mask.cumsum(1) - 1).clamp(min=0)
    with torch.no_grad():
        expected = model(input_ids=ids).logits  # no mask: all tokens are real
        logits = model(input_ids=padded, attention_mask=padded_mask, position_ids=positions).logits
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("model_name", models.LANGUAGE_MODELS)
def test_on_language_models_it_is_a_new_output_matrix(model_name):
    model, twin = probed(model_name)
    inputs = models.batch(model_name)
    probe = model.base_model.linear_probe
    assert probe.weight is not model.get_input_embeddings().weight
    hidden = last_states(twin, inputs)
    with torch.no_grad():
        logits = hidden @ probe.weight.T + probe.bias
        output = model(**inputs)
    torch.testing.assert_close(output.logits, logits, atol=1e-5, rtol=1e-5)
    labels = inputs["labels"]
    if anatomy(twin).causal:
        logits, labels = logits[:, :-1], labels[:, 1:]
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
    torch.testing.assert_close(output.loss, loss, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("model_name", models.CLASSIFIERS)
def test_the_models_own_head_is_frozen_and_plays_no_part(model_name):
    model, _ = probed(model_name)
    inputs = models.batch(model_name)
    before = models.logits(model, inputs)
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    assert {name.split(".", 1)[1] for name in names} == {
        "linear_probe.weight",
        "linear_probe.bias",
    }
    with torch.no_grad():
        for parameter in anatomy(model).head_parameters():
            parameter.fill_(7.0)
    assert torch.equal(models.logits(model, inputs), before)


def test_no_graph_is_built_through_the_model():
    model, _ = probed("bert")
    output = model(**models.batch("bert"))
    assert not output.hidden_states[-1].requires_grad
    assert len(trainable(model)) == 2


def test_count_on_bert_base():
    parts = anatomy(model_on_meta(BertConfig(num_labels=3)))
    assert LinearProbe().trained(parts) == 3 * 769


def test_initial_weights_are_small():
    model = models.build("bert", hidden_size=512, num_attention_heads=8, num_labels=50)
    LinearProbe().setup(model)
    probe = model.base_model.linear_probe
    # a normal of deviation 0.02, cut at two deviations
    assert probe.weight.std().item() == pytest.approx(0.0176, rel=0.03)
    assert 0.0395 < probe.weight.abs().max() <= 0.04
    assert not probe.bias.any()


def test_unknown_pooling_is_refused():
    model = models.build("bert")
    with pytest.raises(ValueError, match="'max' is not one of cls, mean"):
        LinearProbe(pooling="max").setup(model)
    assert all(p.requires_grad for p in model.parameters())


def test_a_row_of_padding_alone_has_a_finite_answer_and_loss():
    model = models.build("bert")
    LinearProbe(pooling="mean").setup(model)
    inputs = models.batch("bert")
    inputs["attention_mask"] = inputs["attention_mask"].clone()
    inputs["attention_mask"][0] = 0
    output = model(**inputs)
    assert output.logits.isfinite().all()
    assert output.loss.isfinite()


@pytest.mark.parametrize("name", ["opt", "llava"])
def test_it_reads_the_last_states_and_has_a_row_for_each_word(name):
    """OPT's last states are narrower than its layers; LLaVA's vocabulary is one of its parts'."""
    model, batch = architectures.build(name), architectures.batch(name)
    words = model.get_output_embeddings().weight
    method = LinearProbe()
    method.setup(model)
    parts = anatomy(model)
    assert parts.base.linear_probe.weight.shape == words.shape
    assert method.trained(parts) == words.numel() + len(words)
    assert model(**batch).loss.isfinite()


def test_a_model_that_tells_nothing_is_refused():
    base = BertModel(BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=4))
    with pytest.raises(ValueError, match="neither classes nor words for a probe to tell"):
        LinearProbe().setup(base)
