"""UniPELT: gates averaged over real tokens, and what they let through."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from transformers import BertConfig

from reference_impls import architectures
from reference_impls.anatomy import Anatomy, anatomy, model_on_meta
from reference_impls.hybrid.unipelt.unipelt import Tokens, UniPELT
from reference_impls.shared.prefix_attention import Prefix
from tests.methods import models

every_model = pytest.mark.parametrize("name", ["bert", "roberta", "bert-mlm"])


class Constant(nn.Module):
    """A gate that is forced to a value."""

    def __init__(self, value: float, tokens: nn.Module) -> None:
        super().__init__()
        self.value, self.tokens = value, tokens

    def forward(self, x: Tensor) -> Tensor:
        return torch.full((len(x), 1, 1), self.value)


def adapted(name: str = "bert"):
    torch.manual_seed(0)
    model = models.build(name)
    method = UniPELT(r=3, prefix_length=4, bottleneck=5, size=6)
    method.setup(model)
    return method, models.shake(model, seed=1).eval(), anatomy(model)


def force(parts: Anatomy, low_rank: float, prefix: float, adapter: float) -> None:
    """Replace the gates of every layer by constants."""
    for layer in parts.layers:
        for module, value in (
            (layer.query.module.low_rank, low_rank),
            (layer.value.module.low_rank, low_rank),
            (layer.attention.prefix, prefix),
            (layer.norms[-1].adapter, adapter),
        ):
            module.gate = Constant(value, module.gate.tokens)


def by_hand(layer, s: Tensor, real: Tensor, heads: int) -> Tensor:
    """One layer's output for its input (batch, n, d), in plain tensor operations."""

    def gate(module: nn.Module, x: Tensor) -> Tensor:
        linear = module.gate.linear
        opened = torch.sigmoid(x @ linear.weight.T + linear.bias)
        return torch.stack([row[keep].mean() for row, keep in zip(opened, real, strict=True)])

    def project(p, x: Tensor) -> Tensor:
        return x @ p.weight.T + p.bias

    def adapt(p, x: Tensor) -> Tensor:
        pair = p.module.low_rank
        return project(p, x) + gate(pair, x)[:, None, None] * (x @ pair.a.T @ pair.b.T)

    def split(x: Tensor) -> Tensor:
        return x.unflatten(-1, (heads, -1)).transpose(1, 2)

    opening = gate(layer.attention.prefix, s)[:, None, None, None]
    front = [opening * rows.transpose(0, 1) for rows in layer.attention.prefix.prefix()]
    query, key, value = adapt(layer.query, s), project(layer.key, s), adapt(layer.value, s)
    key = torch.cat([front[0], split(key)], dim=2)
    value = torch.cat([front[1], split(value)], dim=2)
    scores = split(query) @ key.transpose(-1, -2) / (s.shape[-1] // heads) ** 0.5
    seen = nn.functional.pad(real, (front[0].shape[2], 0), value=True)
    weights = scores.masked_fill(~seen[:, None, None], -torch.inf).softmax(-1)
    attended = (weights @ value).transpose(1, 2).flatten(2)
    first, last = (
        lambda x, norm=norm: nn.functional.layer_norm(
            x, norm.normalized_shape, norm.weight, norm.bias, norm.eps
        )
        for norm in layer.norms
    )
    s = first(s + project(layer.attention_output, attended))
    inner = nn.functional.gelu(project(layer.feed_forward_up[0], s))
    s = s + project(layer.feed_forward_down, inner)
    adapter, normed = layer.norms[-1].adapter, last(s)
    update = adapter.up(torch.relu(adapter.down(normed)))
    return last(s + gate(adapter, normed)[:, None, None] * update)


@every_model
@torch.no_grad()
def test_a_layer_computes_the_equations(name):
    _, _, parts = adapted(name)
    inputs = models.batch(name)
    real = inputs["attention_mask"].bool()
    output = parts.base(
        input_ids=inputs["input_ids"], attention_mask=real.long(), output_hidden_states=True
    ).hidden_states
    for index, layer in enumerate(parts.layers):
        expected = by_hand(layer, output[index], real, parts.heads)
        torch.testing.assert_close(output[index + 1][real], expected[real], atol=5e-6, rtol=1e-5)


@every_model
def test_closed_gates_of_low_rank_and_adapter_leave_what_is_there_without_them(name):
    inputs = models.batch(name)
    _, model, parts = adapted(name)
    force(parts, 0.0, 0.5, 0.0)
    closed = models.logits(model, inputs)
    for layer in parts.layers:
        for module in (layer.query.module, layer.value.module):
            nn.init.zeros_(module.low_rank.b)
        nn.init.zeros_(layer.norms[-1].adapter.up.weight)
        nn.init.zeros_(layer.norms[-1].adapter.up.bias)
    force(parts, 1.0, 0.5, 1.0)
    torch.testing.assert_close(models.logits(model, inputs), closed, atol=2e-6, rtol=1e-5)


def test_a_closed_prefix_gate_leaves_keys_and_values_of_zero():
    inputs = models.batch("bert")
    _, model, parts = adapted()
    force(parts, 0.5, 0.0, 0.5)
    closed = models.logits(model, inputs)
    force(parts, 0.5, 1.0, 0.5)
    opened = models.logits(model, inputs)
    for layer in parts.layers:
        layer.attention.prefix.prefix = Prefix(*torch.zeros(2, 4, 4, 8))
    assert torch.equal(models.logits(model, inputs), closed)
    assert not torch.allclose(opened, closed, atol=1e-4)


def test_open_gates_give_the_plain_methods():
    inputs = models.batch("bert")
    _, model, parts = adapted()
    force(parts, 1.0, 1.0, 0.0)
    opened = models.logits(model, inputs)
    merged = copy.deepcopy(model)
    with torch.no_grad():
        for layer in anatomy(merged).layers:
            for p in (layer.query, layer.value):
                pair = p.module.low_rank
                p.weight.add_(pair.b @ pair.a)
                pair.b.zero_()
            layer.attention.prefix = Prefix(*layer.attention.prefix.prefix())
            layer.attention._forward_pre_hooks.clear()
    torch.testing.assert_close(models.logits(merged, inputs), opened, atol=2e-6, rtol=1e-5)


def test_gates_average_the_sigmoids_of_real_tokens():
    _, model, parts = adapted()
    layer = parts.layers[0]
    seen = {}
    layer.query.module.low_rank.gate.register_forward_hook(
        lambda module, args, output: seen.update(x=args[0], opened=output)
    )
    inputs = models.batch("bert")
    models.logits(model, inputs)
    linear, real = layer.query.module.low_rank.gate.linear, inputs["attention_mask"].bool()
    assert seen["opened"].shape == (4, 1, 1)
    assert not real.all()
    for x, opened, keep in zip(seen["x"], seen["opened"].flatten(), real, strict=True):
        expected = torch.sigmoid(x[keep] @ linear.weight[0] + linear.bias).mean()
        torch.testing.assert_close(opened, expected, atol=1e-6, rtol=0)
        assert 0 < opened < 1


def test_one_gate_of_each_kind_in_a_layer():
    _, _, parts = adapted()
    for layer in parts.layers:
        low_rank, same = (p.module.low_rank.gate for p in (layer.query, layer.value))
        assert low_rank is same
        gates = {low_rank, layer.attention.prefix.gate, layer.norms[-1].adapter.gate}
        assert len(gates) == 3
        assert len({gate.tokens for gate in gates}) == 1
    others = [layer.attention.prefix.gate for layer in parts.layers]
    assert others[0] is not others[1]


def test_padding_on_the_left_does_not_open_the_gates():
    _, model, _ = adapted("bert-mlm")
    ids = models.batch("bert-mlm")["input_ids"][1:]
    mask = torch.ones_like(ids)
    positions = torch.arange(ids.shape[1]).expand_as(ids)
    padded = [nn.functional.pad(t, (3, 0)) for t in (ids, mask, positions)]
    with torch.no_grad():
        expected = model(input_ids=ids, attention_mask=mask).logits
        output = model(**dict(zip(("input_ids", "attention_mask", "position_ids"), padded))).logits
    torch.testing.assert_close(output[:, 3:], expected, atol=1e-5, rtol=1e-5)


def test_a_model_that_has_run_with_gradients_can_be_copied():
    method, model, _ = adapted()
    for checkpointing in (False, True):
        if checkpointing:
            model.train().activation_checkpointing_enable()
        method.loss(model, models.batch("bert")).backward()
        copy.deepcopy(model)


def test_causal_models_are_refused():
    with pytest.raises(ValueError, match=r"must not see; use an encoder"):
        UniPELT().setup(models.build("gpt2-lm"))


def test_published_counts():
    config = BertConfig()
    parts = anatomy(model_on_meta(config))
    method = UniPELT()
    layers, d, base = 12, 768, 109_482_240
    stored = method.stored(parts)
    r, length, m = 8, 10, 48
    each = 4 * r * d + 2 * length * d + 2 * d * m + d + m + 3 * (d + 1)
    assert stored == layers * each == 1_401_444
    # the paper: 0.99 % without LoRA and its gate, 1.26 % with, of all parameters (truncated)
    without = stored - layers * (4 * r * d + d + 1)
    assert without == 1_097_304
    assert int(1e4 * without / (base + without)) == 99
    assert int(1e4 * stored / (base + stored)) == 126
    mlp = length * d + (d + 1) * 512 + 513 * 2 * layers * d
    assert method.trained(parts) == stored - 2 * layers * length * d + mlp


def test_tokens_that_a_mask_with_biases_lets_see_are_real():
    least = torch.finfo(torch.float32).min
    mask = torch.tensor([[[[-1.5, 0.25, least], [-0.5, 2.0, least], [0.0, 1.0, least]]]])
    x = torch.tensor([[[1.0], [3.0], [100.0]]])
    for given in (mask, mask > -10):
        tokens = Tokens()
        tokens.look(given)
        assert tokens(x).item() == 2.0


def test_query_and_value_of_one_map_are_refused():
    model = architectures.build("modernbert")
    with pytest.raises(ValueError, match="ModernBertModel has others"):
        UniPELT().setup(model)
    assert all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["eurobert", "esm"])
@torch.no_grad()
def test_where_norms_open_the_blocks_the_adapter_reads_the_layers_output(name, dtype):
    """EuroBERT's attention is given its states by name."""
    model = architectures.build(name).to(dtype)
    UniPELT(r=3, prefix_length=4, bottleneck=5, size=6).setup(model)
    layer, seen = anatomy(model).layers[0], []
    models.shake(layer.end.adapter)
    layer.end.register_forward_hook(lambda module, args, output: seen.append(output))
    adapters = layer.end._forward_hooks.pop(next(iter(layer.end._forward_hooks)))
    batch = {key: value[1:] for key, value in architectures.batch(name).items()}
    model(**batch)  # without the adapter, but with its weights
    layer.end._forward_hooks.clear()
    handle = layer.end.register_forward_hook(adapters, with_kwargs=True)
    layer.end.register_forward_hook(lambda module, args, output: seen.append(output))
    model(**batch)
    handle.remove()
    assert seen[1].dtype == dtype
    expected = seen[0] + layer.end.adapter(seen[0])
    torch.testing.assert_close(seen[1], expected, atol=1e-6, rtol=1e-6)
