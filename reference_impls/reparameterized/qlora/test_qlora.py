"""QLoRA: the quantizer against brute force, and the equations recomputed by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers.pytorch_utils import Conv1D

from reference_impls.anatomy import anatomy, numel
from reference_impls.core.method import trainable
from reference_impls.reparameterized.qlora.qlora import QLoRA
from reference_impls.shared.nf4 import BLOCK, LEVELS, QuantizedLinear, dequantize, quantize
from tests.methods import models

# the published table (bitsandbytes), float32
PUBLISHED_LEVELS = """
-1.0 -0.6961928009986877 -0.5250730514526367 -0.39491748809814453 -0.28444138169288635
-0.18477343022823334 -0.09105003625154495 0.0 0.07958029955625534 0.16093020141124725
0.24611230194568634 0.33791524171829224 0.44070982933044434 0.5626170039176941
0.7229568362236023 1.0
"""
R, ALPHA = 3, 7.0
every_model = pytest.mark.parametrize("name", ["bert", "gpt2", "llama-lm"])


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return 0.05 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def rows(weight: Tensor) -> Tensor:
    """The blocks of a matrix whose size is a multiple of the block's."""
    return weight.reshape(-1, BLOCK)


def codes(weight: Tensor) -> Tensor:
    """One code for each weight, unpacked."""
    packed = quantize(weight)[0]
    return torch.stack([packed >> 4, packed & 15], dim=1).flatten()


def constants(weight: Tensor) -> Tensor:
    """The constants (k, 1) after their own quantization, read off where the level is 1."""
    _, *rest = quantize(weight)
    ones = torch.full((weight.numel() // 2,), 0xFF, dtype=torch.uint8)
    return rows(dequantize(ones, *rest, tuple(weight.shape)))[:, :1]


def test_the_levels_are_the_published_ones_to_the_bit():
    assert torch.equal(LEVELS, torch.tensor([float(v) for v in PUBLISHED_LEVELS.split()]))
    assert ((LEVELS < 0).sum(), (LEVELS == 0).sum(), (LEVELS > 0).sum()) == (7, 1, 8)
    assert (LEVELS.diff().max() / 2).item() == pytest.approx(0.1519036, abs=1e-6)


def test_every_weight_gets_the_nearest_level():
    weight = gaussian(96, 64)
    largest = rows(weight).abs().amax(1, keepdim=True)
    distances = (rows(weight) / largest).double()[..., None] - LEVELS.double()
    best = distances.abs().min(-1).values
    chosen = (rows(weight) / largest - LEVELS[codes(weight).long()].view(-1, BLOCK)).abs()
    torch.testing.assert_close(chosen.double(), best, atol=1e-7, rtol=0)


def test_quantization_is_idempotent_and_keeps_zeros_and_extremes():
    weight = gaussian(96, 64)
    weight[::3, ::2] = 0
    again = dequantize(*quantize(weight), tuple(weight.shape))
    assert torch.equal(codes(again), codes(weight))
    assert not again[weight == 0].any()
    largest = rows(weight).abs().amax(1, keepdim=True)
    extreme = rows(weight).abs() == largest
    expected = rows(weight).sign() * constants(weight)
    assert torch.equal(rows(again)[extreme], expected[extreme])
    assert (again < 0).any()


def test_the_error_is_bounded():
    weight = gaussian(512, 64)
    largest, stored = rows(weight).abs().amax(1, keepdim=True), constants(weight)
    error = (rows(dequantize(*quantize(weight), (512, 64))) - rows(weight)).abs()
    assert (error <= 0.15191 * largest + (stored - largest).abs() + 1e-7).all()
    spread = (largest - largest.mean()).abs()
    assert ((stored - largest).abs() <= spread / 16 + 1e-6).all()
    assert (stored - largest).abs().max() > 1e-5
    # a Gaussian matrix: the figure for blocks of 64 is 0.092 standard deviations
    assert error.square().mean().sqrt() / 0.05 == pytest.approx(0.0920, abs=0.001)


def test_changing_a_block_leaves_the_codes_of_the_others():
    weight = gaussian(96, 64)
    other = weight.clone()
    other[5] *= -3
    same = (codes(weight) == codes(other)).view(96, 64).all(1)
    assert same.tolist() == [row != 5 for row in range(96)]


def test_a_block_of_zeros_and_a_size_that_is_no_multiple_of_the_block():
    weight = gaussian(7, 33)
    weight[1:6] = 0  # two whole blocks, and parts of two others
    restored = dequantize(*quantize(weight), (7, 33))
    assert restored.isfinite().all()
    assert not restored[1:6].any()
    assert (restored - weight).abs().max() < 0.16 * weight.abs().max() + 0.02
    assert not dequantize(*quantize(torch.zeros(8, 8)), (8, 8)).any()


def test_bits_for_each_weight():
    quantized = quantize(gaussian(1024, 512))
    bits = sum(8 * tensor.numel() * tensor.element_size() for tensor in quantized)
    assert bits == 1024 * 512 * (4 + 8 / 64 + 32 / (64 * 256)) + 32  # and one mean
    assert 4 + 8 / 64 + 32 / (64 * 256) == 4.126953125


def adapted(name: str):
    torch.manual_seed(0)
    model = models.build(name)
    method = QLoRA(r=R, alpha=ALPHA, dropout=0.0)
    method.setup(model)
    return method, models.shake(model, seed=1)


@every_model
def test_output_and_gradients_are_those_of_the_equation(name):
    _, model = adapted(name)
    for layer in anatomy(model).layers:
        for p in layer.linear_maps:
            module = p.module
            assert isinstance(module, QuantizedLinear)
            x = gaussian(2, 5, p.d_in, seed=2).requires_grad_(True)
            update = torch.cat([ALPHA / R * pair.b @ pair.a for pair in module.qlora])
            weight = (module.weight + update).detach()
            bias = 0 if module.bias is None else module.bias
            output = module(x)
            torch.testing.assert_close(output, x @ weight.T + bias, atol=1e-6, rtol=1e-5)
            upstream = torch.randn(output.shape, generator=torch.Generator().manual_seed(3))
            pairs = list(module.qlora.parameters())
            of_x, *others = torch.autograd.grad(output, [x, *pairs], upstream)
            torch.testing.assert_close(of_x, upstream @ weight, atol=1e-5, rtol=1e-5)
            assert all(gradient.any() for gradient in others)


@every_model
def test_the_start_is_the_model_with_rounded_weights(name):
    inputs = models.batch(name)
    rounded = models.build(name)
    seen = set()
    with torch.no_grad():
        for layer in anatomy(rounded).layers:
            for p in layer.linear_maps:
                if p.module not in seen:
                    seen.add(p.module)
                    whole = p.module.weight
                    whole = whole.T if isinstance(p.module, Conv1D) else whole
                    whole.copy_(dequantize(*quantize(whole), tuple(whole.shape)))
    model = models.build(name)
    QLoRA(r=R).setup(model)
    output, expected = (models.logits(m.eval(), inputs) for m in (model, rounded))
    torch.testing.assert_close(output, expected, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(output, models.logits(models.build(name), inputs), atol=1e-3)


@every_model
def test_no_full_size_weight_is_held(name):
    _, model = adapted(name)
    layers = anatomy(model).layers
    modules = {p.module for layer in layers for p in layer.linear_maps}
    for module in modules:
        size = module.shape[0] * module.shape[1]
        assert all(p.numel() < size for p in module.parameters())
        held = [t for t in module.buffers() if t.is_floating_point()]
        assert sum(t.numel() for t in held) <= 1 + size // (64 * 256) + 1
        saved = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, to=saved: to.append(t) or t, id):
            module(gaussian(1, 3, module.shape[1]).requires_grad_(True))
        kept = [t for t in saved if t.is_floating_point()]
        assert saved
        assert all(t.numel() < size for t in kept)
    linear = (torch.nn.Linear, Conv1D)
    assert not any(isinstance(m, linear) for layer in layers for m in layer.block.modules())


def test_in_t5_cross_attention_is_quantized_too():
    _, model = adapted("t5-lm")
    for stack, maps in zip(anatomy(model).stacks, (7, 11), strict=True):
        for layer in stack.layers:
            modules = [*layer.block.modules()]
            assert sum(isinstance(module, QuantizedLinear) for module in modules) == maps
            assert not any(isinstance(module, torch.nn.Linear) for module in modules)


def test_training_leaves_the_codes_and_constants():
    method, model = adapted("bert")
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    assert sum(buffer.dtype == torch.uint8 for buffer in before.values()) == 2 * 6 * 2
    optimizer = method.optimizer(trainable(model))
    for step in range(3):
        method.step(model, models.batch("bert", seed=step), optimizer, step)
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())


def test_a_quantized_model_is_not_quantized_again():
    _, model = adapted("bert")
    with pytest.raises(ValueError, match="QLoRA is on this model"):
        QLoRA().setup(model)
    assert not model.base_model.embeddings.word_embeddings.weight.requires_grad


def test_the_base_shrinks_to_an_eighth():
    _, model = adapted("bert")
    quantized = [m for m in model.modules() if isinstance(m, QuantizedLinear)]
    weights = sum(m.shape[0] * m.shape[1] for m in quantized)
    layers = anatomy(models.build("bert")).layers
    assert weights == numel(p.weight for layer in layers for p in layer.linear_maps)
    held = sum(b.numel() * b.element_size() for m in quantized for b in m.buffers())
    assert held < 4 * weights / 7  # of float32: 32 bits to little more than 4
