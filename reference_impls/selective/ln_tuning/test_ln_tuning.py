"""LN-tuning: gains and biases of all norms, and nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers import BertConfig, GPT2Config, LlamaConfig, T5Config

from reference_impls import architectures
from reference_impls.additive.pfeiffer.pfeiffer import Pfeiffer
from reference_impls.anatomy import anatomy, model_on_meta, numel
from reference_impls.core.method import trainable
from reference_impls.selective.ln_tuning import LnTuning
from tests.methods import models

every_model = pytest.mark.parametrize("name", models.MODELS)


def affine_of_norms(model) -> set[str]:
    """By their class, not by the anatomy: the parameters of the base's norms, by name."""
    head = {id(p) for p in anatomy(model).head_parameters()}
    inside = {id(p) for p in model.base_model.parameters()} - head
    return {
        f"{place}.{name}"
        for place, module in model.named_modules()
        if isinstance(module, nn.LayerNorm) or type(module).__name__.endswith("Norm")
        for name, parameter in module.named_parameters(recurse=False)
        if id(parameter) in inside
    }


def body(model) -> dict[str, nn.Parameter]:
    head = {id(p) for p in anatomy(model).head_parameters()}
    return {k: p for k, p in model.named_parameters() if id(p) not in head}


@every_model
def test_training_moves_the_norms_and_no_other_weight(name):
    model = models.build(name)
    method = LnTuning()
    method.setup(model)
    before = {k: p.detach().clone() for k, p in body(model).items()}
    optimizer = method.optimizer(trainable(model))
    for step in range(2):
        method.step(model, models.batch(name, seed=step), optimizer, step)
    moved = {k for k, p in body(model).items() if not torch.equal(p, before[k])}
    assert moved == affine_of_norms(model)


@pytest.mark.parametrize(("name", "scales"), [("bert", 2), ("gpt2", 2), ("llama", 1), ("qwen2", 1)])
def test_a_norm_has_a_gain_and_where_it_subtracts_the_mean_a_bias(name, scales):
    """Two norms in each of two layers of width 32, and one more."""
    assert LnTuning().trained(anatomy(models.build(name))) == scales * (2 * 2 + 1) * 32


def test_the_equation():
    """With the gain and the bias that were trained, the norm of BERT's embeddings."""
    model = models.build("bert")
    LnTuning().setup(model)
    norm = model.base_model.embeddings.LayerNorm
    assert norm.weight.requires_grad
    assert norm.bias.requires_grad
    x = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(2))
    sigma = (x.var(-1, correction=0, keepdim=True) + norm.eps).sqrt()
    expected = norm.weight * (x - x.mean(-1, keepdim=True)) / sigma + norm.bias
    torch.testing.assert_close(norm(x), expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (BertConfig(), 2 * 768 * (2 * 12 + 1)),
        (GPT2Config(), 2 * 768 * (2 * 12 + 1)),
        (LlamaConfig(hidden_size=4096, num_hidden_layers=32), 4096 * (2 * 32 + 1)),
        (T5Config(d_model=512, num_layers=6), 512 * (2 * 6 + 1 + 3 * 6 + 1)),
    ],
    ids=["bert-base", "gpt2", "llama-7b", "t5-small"],
)
def test_the_count_is_the_closed_form(config, expected):
    assert LnTuning().trained(anatomy(model_on_meta(config))) == expected


def test_the_count_is_the_share_that_the_abstract_prints():
    large = BertConfig(
        hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096
    )
    model = model_on_meta(large)
    share = LnTuning().trained(anatomy(model)) / model.base_model.num_parameters()
    assert round(100 * share, 2) == 0.03


def test_norms_without_weights_are_refused():
    with pytest.raises(ValueError, match="those of OlmoModel have no weights"):
        LnTuning().setup(architectures.build("olmo"))


def test_a_norm_that_layers_share_is_trained_once():
    """Zamba runs one layer that attends in several places."""
    model = architectures.build("zamba")
    method, head = LnTuning(), {id(p) for p in anatomy(model).head_parameters()}
    method.setup(model)
    trained = numel(p for p in trainable(model) if id(p) not in head)
    assert method.trained(anatomy(model)) == trained


def test_an_adapter_that_was_put_into_a_norm_is_no_weight_of_it():
    model = models.build("bert")
    before = LnTuning().trained(anatomy(model))
    Pfeiffer().setup(model)
    assert hasattr(anatomy(model).layers[0].norms[-1], "adapter")
    assert LnTuning().trained(anatomy(model)) == before
