"""BitFit: biases, all of them and nothing else."""

from __future__ import annotations

import pytest
import torch
from transformers import GPT2Config, RobertaConfig

from reference_impls import architectures
from reference_impls.anatomy import anatomy, model_on_meta
from reference_impls.core.method import trainable
from reference_impls.selective.bitfit.bitfit import BitFit, biases
from tests.methods import models

every_model = pytest.mark.parametrize("name", ["bert", "roberta", "gpt2", "bert-mlm", "gpt2-lm"])


def body_and_head(model) -> tuple[dict, dict]:
    """The model's parameters by name: the pretrained ones, and the task head's."""
    head = {id(p) for p in anatomy(model).head_parameters()}
    named = dict(model.named_parameters())
    return (
        {k: p for k, p in named.items() if id(p) not in head},
        {k: p for k, p in named.items() if id(p) in head},
    )


@every_model
def test_every_bias_of_the_base_and_the_head_is_trained_and_nothing_else(name):
    model = models.build(name)
    BitFit().setup(model)
    body, head = body_and_head(model)
    inside = {id(p) for p in model.base_model.parameters()}
    trained = {k for k, p in body.items() if p.requires_grad}
    assert trained == {k for k, p in body.items() if p.ndim == 1 and k.endswith("bias")} - {
        k for k, p in body.items() if id(p) not in inside
    }
    assert all(p.requires_grad for p in head.values())


@every_model
def test_training_moves_every_bias_and_no_weight(name):
    model = models.build(name)
    method = BitFit()
    method.setup(model)
    body, _ = body_and_head(model)
    before = {k: p.detach().clone() for k, p in body.items()}
    optimizer = method.optimizer(trainable(model))
    for step in range(2):
        method.step(model, models.batch(name, seed=step), optimizer, step)
    for k, p in body.items():
        assert torch.equal(p, before[k]) != p.requires_grad, k


@every_model
def test_a_bias_shifts_the_output_of_its_map(name):
    model = models.build(name)
    BitFit().setup(model)
    layer = anatomy(model).layers[1]
    x = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(2))
    shift = torch.randn(32, generator=torch.Generator().manual_seed(3))
    before = layer.query.module(x)[..., layer.query.columns]
    with torch.no_grad():
        layer.query.bias.add_(shift)
    after = layer.query.module(x)[..., layer.query.columns]
    torch.testing.assert_close(after, before + shift, atol=1e-6, rtol=1e-6)


def test_a_model_without_biases_is_refused():
    with pytest.raises(ValueError, match="BitFit trains biases, and LlamaModel has none"):
        BitFit().setup(models.build("llama"))


def test_counts_follow_what_an_architecture_has():
    roberta, gpt2 = (anatomy(model_on_meta(c)) for c in (RobertaConfig(), GPT2Config()))
    assert BitFit().trained(roberta) == 12 * (7 * 768 + 3072) + 768  # its classifier has no pooler
    assert BitFit().trained(gpt2) == 12 * (7 * 768 + 3072) + 768  # one final norm, no pooler


def test_what_is_added_to_scores_is_no_bias_of_a_map():
    """XLNet adds `r_w_bias` and others to the queries of its attention."""
    parts = anatomy(architectures.build("xlnet"))
    others = {id(p) for n, p in parts.base.named_parameters() if n.endswith("_bias")}
    assert others
    assert not others & {id(p) for p in biases(parts)}
