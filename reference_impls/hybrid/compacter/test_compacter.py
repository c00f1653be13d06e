"""Compacter: sums of Kronecker products, what is shared, where adapters sit, start and counts."""

import math

import pytest
import torch
from torch import nn
from transformers import BertConfig, T5Config

from reference_impls.anatomy import anatomy, model_on_meta
from reference_impls.core.method import trainable
from reference_impls.hybrid.compacter.compacter import LPHM, Adapter, Compacter, Slow
from tests.methods import models
from tests.methods.settings import adapt

every_family = pytest.mark.parametrize("name", list(models.CLASSIFIERS))


def lphm(d_in: int, d_out: int, n: int, seed: int = 0) -> LPHM:
    """A map in double precision, every tensor away from its start."""
    torch.manual_seed(seed)
    return models.shake(LPHM(d_in, d_out, Slow(n, std=0.5)), seed).double()


def weight(map_: LPHM) -> torch.Tensor:
    """W (d_in, d_out): the sum of Kronecker products, formed."""
    slow = map_.slow.matrices
    return sum(torch.kron(slow[i], torch.outer(map_.s[i], map_.t[i])) for i in range(len(slow)))


def by_hand(adapter: nn.Module, h: torch.Tensor) -> torch.Tensor:
    """h + U(GELU(D(h))), with GELU's tanh form written out."""
    x = h @ weight(adapter.down) + adapter.down.bias
    gelu = 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))
    return h + gelu @ weight(adapter.up) + adapter.up.bias


@torch.no_grad()
@pytest.mark.parametrize(("d_in", "d_out", "n"), [(12, 8, 4), (8, 12, 4), (6, 10, 2), (3, 6, 3)])
def test_a_map_is_the_sum_of_kronecker_products(d_in, d_out, n):
    map_ = lphm(d_in, d_out, n)
    x = torch.randn(2, 5, d_in).double()
    torch.testing.assert_close(map_(x), x @ weight(map_) + map_.bias, atol=1e-12, rtol=0)


@torch.no_grad()
def test_with_n_1_and_a_1_it_is_a_plain_map_of_rank_1():
    map_ = lphm(12, 8, 1)
    map_.slow.matrices.fill_(1.0)
    x = torch.randn(5, 12).double()
    expected = (x @ map_.s[0])[:, None] * map_.t[0] + map_.bias
    torch.testing.assert_close(map_(x), expected, atol=1e-12, rtol=0)


@torch.no_grad()
def test_with_quaternion_matrices_it_is_the_hamilton_product():
    def hamilton(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        a, b, c, d = p
        e, f, g, h = q
        return torch.stack(
            [
                a * e - b * f - c * g - d * h,
                a * f + b * e + c * h - d * g,
                a * g - b * h + c * e + d * f,
                a * h + b * g - c * f + d * e,
            ]
        )

    map_ = lphm(4, 4, 4)
    units = torch.eye(4).double()
    for i in range(4):  # row r of A_i: what the unit r becomes when multiplied by the unit i
        map_.slow.matrices[i] = torch.stack([hamilton(units[r], units[i]) for r in range(4)])
    map_.t.fill_(1.0)
    map_.bias.zero_()
    x = torch.randn(4).double()
    torch.testing.assert_close(map_(x), hamilton(x, map_.s[:, 0]), atol=1e-12, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("rank", [1, 2])
def test_the_rank_is_at_most_that_of_all_shared_matrices_together(rank):
    n = 2
    map_ = lphm(16, 12, n)
    for i in range(n):
        factors = torch.randn(2, n, rank).double()
        map_.slow.matrices[i] = factors[0] @ factors[1].T
    values = torch.linalg.svdvals(weight(map_))
    assert (values > 1e-9 * values[0]).sum() == n * rank <= n**2


@torch.no_grad()
def test_an_adapter_computes_the_equation():
    torch.manual_seed(0)
    adapter = models.shake(Adapter(16, 12, Slow(4, std=0.7))).double()
    h = 3 * torch.randn(2, 5, 16).double()
    torch.testing.assert_close(adapter(h), by_hand(adapter, h), atol=1e-10, rtol=0)


@torch.no_grad()
def test_bert_normalizes_input_plus_adapter_of_each_block():
    _, model = adapt("compacter", "bert")
    block = model.eval().double().bert.encoder.layer[0]
    x = torch.randn(2, 5, 32).double()
    attention, output = block.attention.output, block.output
    mixed = block.attention.self(x)[0]
    h = mixed @ attention.dense.weight.T + attention.dense.bias
    after_attention = attention.LayerNorm(x + by_hand(attention.dense.adapter, h))
    h = block.intermediate(after_attention) @ output.dense.weight.T + output.dense.bias
    expected = output.LayerNorm(after_attention + by_hand(output.dense.adapter, h))
    torch.testing.assert_close(block(x), expected, atol=1e-10, rtol=0)


@torch.no_grad()
@every_family
@pytest.mark.parametrize("attention", [True, False])
def test_adapters_follow_self_attention_and_the_feed_forward_block(name, attention):
    model = models.build(name)
    Compacter(size=12, attention=attention).setup(model)
    places = {n for n, m in model.named_modules() if isinstance(m, Adapter)}
    names = {id(m): n for n, m in model.named_modules()}
    expected = set()
    for layer in anatomy(model).layers:
        ends = [layer.feed_forward_down] + ([layer.attention_output] if attention else [])
        expected |= {f"{names[id(end.module)]}.adapter" for end in ends}
    assert places == expected
    assert len(places) == len(anatomy(model).layers) * (2 if attention else 1)
    assert not any("EncDecAttention" in place for place in places)


@torch.no_grad()
def test_an_adapter_acts_in_front_of_dropout():
    model = models.build("bert", hidden_dropout_prob=0.5)
    Compacter(size=12).setup(model)
    models.shake(model)
    output = model.bert.encoder.layer[0].output
    x, seen = torch.randn(3, 48), []
    output.dropout.register_forward_pre_hook(lambda m, args: seen.append(args[0]))
    output.train()(x, torch.zeros(3, 32))
    h = x @ output.dense.weight.T + output.dense.bias
    torch.testing.assert_close(seen[0], by_hand(output.dense.adapter, h), atol=1e-5, rtol=1e-5)


@every_family
def test_all_maps_share_one_tensor_and_keep_sharing_it(name):
    method, model = adapt("compacter", name)
    maps = [m for m in model.modules() if isinstance(m, LPHM)]
    assert len(maps) == 4 * len(anatomy(model).layers)
    assert len({m.slow.matrices.data_ptr() for m in maps}) == 1
    assert len({m.s.data_ptr() for m in maps}) == len(maps)
    delta = method.delta(model)
    assert sum(key.endswith("matrices") for key in delta) == 1
    method.loss(model, models.batch(name)).backward()
    optimizer = method.optimizer(trainable(model))
    before = maps[0].slow.matrices.clone()
    optimizer.step()
    assert not torch.equal(maps[-1].slow.matrices, before)
    method.load_delta(model, delta)
    assert all(torch.equal(m.slow.matrices, before) for m in maps)


def test_the_shared_tensor_gets_the_gradients_of_all_maps():
    method, model = adapt("compacter", "bert")
    inputs = models.batch("bert")
    method.loss(model, inputs).backward()
    maps = [m for m in model.modules() if isinstance(m, LPHM)]
    shared = maps[0].slow.matrices
    total = shared.grad.clone()
    parts = torch.zeros_like(total)
    for map_ in maps:  # each map in turn with a copy of its own
        copy, kept = Slow(4, 0.0), map_.slow
        copy.matrices.data.copy_(shared.data)
        map_.slow = copy
        method.loss(model, inputs).backward()
        map_.slow = kept
        parts += copy.matrices.grad
    torch.testing.assert_close(parts, total, atol=1e-6, rtol=1e-4)


def test_every_norm_is_trained_and_no_other_weight_of_the_model():
    _, model = adapt("compacter", "t5-lm")
    trained = {n for n, p in model.named_parameters() if p.requires_grad and ".adapter." not in n}
    assert trained == {n for n, _ in model.named_parameters() if "layer_norm" in n}
    assert len(trained) == 2 * 2 + 1 + 2 * 3 + 1


@torch.no_grad()
def test_start():
    torch.manual_seed(0)
    slow = Slow(12, std=1e-4)
    assert slow.matrices.std() == pytest.approx(1e-4, rel=0.05)
    map_ = LPHM(768, 48, slow)
    for factor, size in ((map_.s, 64), (map_.t, 4)):
        assert factor.shape == (12, size)
        bound = math.sqrt(2 * 6 / (1 + size))  # Glorot's, times the square root of 2
        assert 0.9 * bound < factor.abs().max() <= bound
        assert factor.std() == pytest.approx(bound / 3**0.5, rel=0.15)
    assert not map_.bias.any()


@torch.no_grad()
def test_a_fresh_adapter_is_nearly_the_identity():
    torch.manual_seed(0)
    adapter = Adapter(768, 24, Slow(4, std=Compacter().std)).double()
    h = torch.randn(50, 768).double()
    moved = (adapter(h) - h).norm() / h.norm()
    assert 0 < moved < 1e-6  # measured 3e-8: the standard deviation enters twice


@pytest.mark.parametrize(
    ("arguments", "what"), [({"size": 10}, "size = 10"), ({"n": 3, "size": 12}, "width = 32")]
)
def test_sizes_that_n_does_not_divide_are_refused(arguments, what):
    model = models.build("bert")
    with pytest.raises(ValueError, match=what):
        Compacter(**arguments).setup(model)
    assert all(p.requires_grad for p in model.parameters())


T5_BASE = T5Config(d_model=768, d_kv=64, d_ff=3072, num_layers=12, num_heads=12)


@pytest.mark.parametrize(("attention", "blocks"), [(True, 2), (False, 1)])
def test_count_by_parts(attention, blocks):
    norms = 768 * (12 * 2 + 1 + 12 * 3 + 1)  # RMS norms of encoder and decoder
    vectors, biases = blocks * 24 * 2 * (768 + 48), blocks * 24 * (768 + 48)
    method = Compacter(size=48, n=12, attention=attention)
    assert method.trained(anatomy(model_on_meta(T5_BASE))) == 12**3 + vectors + biases + norms
    bert = 2 * 768 * (2 * 12 + 1)
    expected = 4**3 + blocks * 12 * 3 * (768 + 24) + bert
    assert Compacter(attention=attention).trained(anatomy(model_on_meta(BertConfig()))) == expected


def test_the_defaults_are_those_of_the_official_script():
    method = Compacter()
    assert (method.n, method.std, method.lr, method.size) == (4, 1e-4, 3e-3, 768 // 32)


def test_rate_rises_first():
    shares = [Compacter().schedule(step / 100) for step in range(101)]
    assert shares[:11] == pytest.approx([step / 10 for step in range(11)])
    assert shares[10:] == pytest.approx([(100 - step) / 90 for step in range(10, 101)])
