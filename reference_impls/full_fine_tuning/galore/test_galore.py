"""GaLore: the subspaces, Adam inside them, and what the optimizer keeps."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from transformers import LlamaConfig

from reference_impls.anatomy import anatomy, model_on_meta, numel
from reference_impls.core.method import trainable
from reference_impls.full_fine_tuning.galore import galore
from reference_impls.full_fine_tuning.galore.galore import (
    GaLore,
    GaLoreAdamW,
    matrices,
    project,
    project_back,
    projection,
)
from reference_impls.reparameterized.lora.lora import LoRA
from tests.methods import models
from tests.methods.settings import batches

SHAPES = [(6, 10), (10, 6), (8, 8)]
every_shape = pytest.mark.parametrize("shape", SHAPES)


def gradients(shape: tuple[int, ...], number: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(number)]


def optimizer_of(matrix: nn.Parameter, *plain: nn.Parameter, **settings) -> GaLoreAdamW:
    settings = {"rank": 3, "period": 2, "alpha": 0.25} | settings
    groups = [{"params": [matrix], **settings}, {"params": list(plain)}]
    return GaLoreAdamW([group for group in groups if group["params"]], lr=0.1)


def run(optimizer, parameter: nn.Parameter, steps: list[Tensor]) -> list[Tensor]:
    """The values of a parameter after each step."""
    values = []
    for gradient in steps:
        parameter.grad = gradient.clone()
        optimizer.step()
        values.append(parameter.detach().clone())
    return values


@every_shape
def test_the_projection_is_the_best_of_its_rank_on_the_shorter_side(shape):
    (gradient,) = gradients(shape, 1)
    p = projection(gradient, 3)
    assert p.shape == (min(shape), 3)
    torch.testing.assert_close(p.T @ p, torch.eye(3, dtype=p.dtype), atol=1e-12, rtol=0)
    small = project(gradient, p)
    assert small.numel() == 3 * max(shape)
    u, s, vh = torch.linalg.svd(gradient, full_matrices=False)
    best = u[:, :3] @ torch.diag(s[:3]) @ vh[:3]
    torch.testing.assert_close(project_back(small, p, shape), best, atol=1e-12, rtol=0)
    assert torch.allclose(p @ p.T @ p @ p.T, p @ p.T, atol=1e-12)


@every_shape
def test_with_full_rank_the_projection_loses_nothing(shape):
    (gradient,) = gradients(shape, 1)
    p = projection(gradient, 99)
    assert p.shape == (min(shape),) * 2
    torch.testing.assert_close(
        project_back(project(gradient, p), p, shape), gradient, atol=1e-12, rtol=0
    )


@every_shape
def test_steps_are_those_of_the_equation(shape):
    """Five steps by hand: a new subspace in the first, third and fifth, moments that stay."""
    matrix = nn.Parameter(torch.ones(shape, dtype=torch.float64))
    steps = gradients(shape, 5)
    found = run(optimizer_of(matrix), matrix, steps)
    left = shape[0] < shape[1]
    value, m, v = torch.ones(shape, dtype=torch.float64), 0.0, 0.0
    for t, gradient in enumerate(steps):
        if t % 2 == 0:
            u, _, vh = torch.linalg.svd(gradient)
            p = u[:, :3] if left else vh[:3].T
        small = p.T @ gradient if left else gradient @ p
        m, v = 0.9 * m + 0.1 * small, 0.999 * v + 0.001 * small**2
        rate = 0.1 * math.sqrt(1 - 0.999 ** (t + 1)) / (1 - 0.9 ** (t + 1))
        normal = m / (v**0.5 + 1e-6)
        value = value - 0.25 * rate * (p @ normal if left else normal @ p.T)
        torch.testing.assert_close(found[t], value, atol=1e-12, rtol=0)


def test_plain_parameters_get_adam_without_the_scale():
    matrix, plain = (nn.Parameter(torch.ones(4, 4, dtype=torch.float64)) for _ in range(2))
    twin = nn.Parameter(plain.detach().clone())
    optimizer = optimizer_of(matrix, plain)
    matrix.grad = torch.ones_like(matrix)
    # where the small constant is added makes a difference of at most 3e-5 / |gradient|
    adam = torch.optim.Adam([twin], lr=0.1, eps=1e-6)
    for gradient in gradients((4, 4), 5):
        plain.grad, twin.grad = (1e6 * gradient).clone(), (1e6 * gradient).clone()
        optimizer.step()
        adam.step()
    torch.testing.assert_close(plain, twin, atol=1e-8, rtol=0)


def test_the_small_constant_is_added_before_the_bias_correction():
    plain = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    plain.grad = torch.full_like(plain, 1e-6)
    GaLoreAdamW([{"params": [plain]}], lr=1.0).step()
    root = math.sqrt(0.001)
    assert plain.item() == pytest.approx(-root * 1e-6 / (root * 1e-6 + 1e-6), rel=1e-9)


@every_shape
def test_full_rank_is_adam_only_in_the_basis_of_the_matrix(shape, monkeypatch):
    steps = [1e6 * gradient for gradient in gradients(shape, 4)]
    start = torch.zeros(shape, dtype=torch.float64)
    adam, rotated, straight = (nn.Parameter(start.clone()) for _ in range(3))
    expected = run(torch.optim.Adam([adam], lr=0.1), adam, steps)[-1]
    settings = {"rank": min(shape), "alpha": 1.0}
    other = run(optimizer_of(rotated, **settings), rotated, steps)[-1]
    assert (other - expected).abs().max() > 0.05
    identity = torch.eye(min(shape), dtype=torch.float64)
    monkeypatch.setattr(galore, "projection", lambda gradient, rank: identity)
    same = run(optimizer_of(straight, **settings), straight, steps)[-1]
    torch.testing.assert_close(same, expected, atol=1e-8, rtol=0)


@every_shape
def test_a_subspace_lasts_a_period_in_which_the_change_has_its_rank(shape):
    matrix = nn.Parameter(torch.zeros(shape, dtype=torch.float64))
    optimizer = optimizer_of(matrix, rank=2, period=3)
    bases, values = [], []
    for gradient in gradients(shape, 7):
        values += run(optimizer, matrix, [gradient])
        bases.append(optimizer.state[matrix]["projection"])
    assert [a is b for a, b in pairwise(bases)] == [True, True, False, True, True, False]
    ranks = [torch.linalg.matrix_rank(v, rtol=1e-9).item() for v in (values[2], values[5])]
    assert ranks == [2, 4]
    change = torch.linalg.matrix_rank(values[5] - values[2], rtol=1e-9)
    assert change == 2


def test_bfloat16_gradients_are_decomposed_in_float32():
    (gradient,) = gradients((6, 10), 1)
    p = projection(gradient.bfloat16(), 3)
    assert p.dtype == torch.bfloat16
    expected = projection(gradient.bfloat16().float(), 3)
    torch.testing.assert_close(p.float(), expected, atol=4e-3, rtol=0)


@pytest.mark.parametrize("name", models.MODELS)
def test_attention_and_feed_forward_matrices_are_projected_and_nothing_else(name):
    model = models.build(name)
    method = GaLore(rank=3)
    method.setup(model)
    plain, projected = method.optimizer(iter(trainable(model))).param_groups
    assert len(plain["params"]) + len(projected["params"]) == len(list(model.parameters()))
    names = {id(p): name for name, p in model.named_parameters()}
    found = {names[id(p)] for p in projected["params"]}
    inside = ("layer.", "layers.", "h.", "block.")
    expected = {
        name
        for name, p in model.named_parameters()
        if p.ndim == 2 and any(f".{part}" in name for part in inside) and "relative" not in name
    }
    assert found == expected
    assert (projected["rank"], projected["period"], projected["alpha"]) == (3, 500, 4.0)
    assert "rank" not in plain


@pytest.mark.parametrize("name", models.MODELS)
def test_the_closed_form_of_the_optimizers_state(name):
    model = models.build(name)
    method = GaLore(rank=3)
    method.setup(model)
    optimizer = method.optimizer(trainable(model))
    method.step(model, models.batch(name), optimizer, 0)
    parts = anatomy(model)
    head = {id(p) for p in parts.head_parameters()}
    kept = sum(
        numel([value for value in state.values() if isinstance(value, Tensor)])
        for parameter, state in optimizer.state.items()
        if id(parameter) not in head
    )
    assert kept == method.states(parts)


def test_state_of_the_papers_table_1():
    """For a matrix (m, n), m <= n: mr + 2nr, against 2mr + 2nr of Adam on LoRA's two factors."""
    config = LlamaConfig(
        vocab_size=32000,
        hidden_size=512,
        intermediate_size=1376,
        num_hidden_layers=8,
        num_attention_heads=8,
        tie_word_embeddings=False,
    )
    parts = anatomy(model_on_meta(config))
    rank, full = 128, GaLore().trained(parts)
    assert full == 58_073_600
    small = 8 * rank * (4 * (512 + 2 * 512) + 3 * (512 + 2 * 1376))
    in_matrices = numel(matrices(parts))
    assert GaLore(rank=rank).states(parts) == small + 2 * (full - in_matrices)
    targets = ("query", "key", "value", "attention_output", "feed_forward_up", "feed_forward_down")
    assert in_matrices == 8 * (4 * 512**2 + 3 * 512 * 1376)
    lora = 2 * LoRA(r=rank, targets=targets).trained(parts)
    assert lora - small == 8 * 7 * rank * 512  # mr for each of seven matrices
    # more rank than there is: r = m
    assert GaLore(rank=9999).states(parts) == GaLore(rank=512).states(parts)


def test_it_lowers_the_loss_through_several_subspaces():
    model = models.build("bert")
    method = GaLore(rank=2, period=3, lr=3e-3)
    method.setup(model)
    optimizer = method.optimizer(trainable(model))
    batch = next(batches("bert"))
    losses = [method.step(model, batch, optimizer, step) for step in range(15)]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("wrong", [{"rank": 0}, {"period": 0}])
def test_a_rank_or_a_period_of_zero_is_refused(wrong):
    model = models.build("bert")
    with pytest.raises(ValueError, match="at least 1"):
        GaLore(**wrong).setup(model)
