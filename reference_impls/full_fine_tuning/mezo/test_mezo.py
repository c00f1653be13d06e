"""MeZO: slopes along directions that are drawn again and again from their seeds."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from transformers import BertConfig

from reference_impls.anatomy import anatomy, model_on_meta
from reference_impls.core.method import trainable
from reference_impls.core.training import Loop, train
from reference_impls.full_fine_tuning.mezo.mezo import MeZO, ZerothOrderSGD, shift
from reference_impls.measure.ledger import Ledger
from tests.methods import models
from tests.methods.ledgers import beside_full
from tests.methods.settings import batches


def adapted(name: str, dtype=torch.float32, **arguments):
    model = models.build(name).to(dtype)
    method = MeZO(**{"lr": 1e-3, **arguments})
    method.setup(model)
    return method, model, method.optimizer(trainable(model))


def direction(parameters: list[nn.Parameter], seed: int) -> list[Tensor]:
    """z of a seed: how far a step of 1 moves each parameter."""
    moved = [nn.Parameter(torch.zeros_like(p)) for p in parameters]
    shift(moved, (seed, 1.0))
    return [p.detach() for p in moved]


def displaced(model, directions: list[Tensor], distance: float):
    """A copy of a model, moved out of place."""
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for parameter, z in zip(twin.parameters(), directions, strict=True):
            parameter.copy_(parameter + distance * z)
    return twin


def difference(model, twin) -> float:
    pairs = zip(model.parameters(), twin.parameters(), strict=True)
    return max((a - b).abs().max().item() for a, b in pairs)


def quadratic(size: int = 5) -> tuple[list[nn.Parameter], Tensor, Tensor]:
    """Two parameters, and the matrix and vector of the loss x·Ax/2 + b·x of both together."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(2 * size, 2 * size, generator=generator, dtype=torch.float64)
    vector = torch.randn(2 * size, generator=generator, dtype=torch.float64)
    start = torch.randn(2, size, generator=generator, dtype=torch.float64)
    return [nn.Parameter(row.clone()) for row in start], matrix + matrix.T, vector


@pytest.mark.parametrize("eps", [1.0, 1e-3])
def test_the_slope_is_exact_on_a_quadratic(eps):
    parameters, matrix, vector = quadratic()
    x = torch.cat([p.detach() for p in parameters])

    def loss() -> Tensor:
        x = torch.cat(parameters)
        return x @ matrix @ x / 2 + vector @ x

    moves = []
    ZerothOrderSGD(parameters, moves, lr=0.1, eps=eps, samples=1).step(loss)
    ((seed, distance),) = moves
    z = torch.cat(direction(parameters, seed))
    slope = z @ (matrix @ x + vector)
    assert distance == pytest.approx(-0.1 * slope.item(), abs=1e-10)
    moved = torch.cat([p.detach() for p in parameters])
    torch.testing.assert_close(moved, x - 0.1 * slope * z, atol=1e-10, rtol=0)


def test_on_average_it_is_the_gradient():
    parameters, _, vector = quadratic()
    start = [p.detach().clone() for p in parameters]
    torch.manual_seed(0)
    estimates = []
    for _ in range(4000):
        optimizer = ZerothOrderSGD(parameters, [], lr=1.0, eps=1e-3, samples=1)
        optimizer.step(lambda: vector @ torch.cat(parameters))
        estimates.append(torch.cat([s - p.detach() for s, p in zip(start, parameters)]))
        for parameter, value in zip(parameters, start):
            parameter.data.copy_(value)
    estimates = torch.stack(estimates)
    error = estimates.std(0) / len(estimates) ** 0.5
    assert ((estimates.mean(0) - vector).abs() < 5 * error).all()
    # of a linear loss, z's fourth moment: E[s² z_i²] = |g|² + 2 g_i² for a normal z
    second = estimates**2
    error = second.std(0) / len(second) ** 0.5
    assert ((second.mean(0) - vector @ vector - 2 * vector**2).abs() < 5 * error).all()


@pytest.mark.parametrize("name", ["bert", "gpt2-lm", "t5-lm"])
@pytest.mark.parametrize("samples", [1, 3])
def test_a_step_is_that_of_the_equation(name, samples):
    method, model, optimizer = adapted(name, torch.float64, samples=samples)
    start, batch = copy.deepcopy(model), models.batch(name)
    loss = method.step(model, batch, optimizer, 0)
    assert len(method.moves) == samples
    expected, losses = copy.deepcopy(start), []
    for seed, _ in method.moves:
        z = direction(trainable(start), seed)
        with torch.no_grad():
            above, below = (
                displaced(start, z, sign * method.eps)(**batch).loss.item() for sign in (1, -1)
            )
        slope = (above - below) / (2 * method.eps)
        expected = displaced(expected, z, -method.lr * slope / samples)
        losses += [above, below]
    # 2e-15 was measured; a loss in which T5's norms round another way, in float32, is worth 1e-8
    assert difference(model, expected) < 1e-7
    assert difference(model, start) > 1e-5
    assert loss == pytest.approx(sum(losses) / len(losses), abs=1e-7)


def test_directions_differ_between_steps_and_samples_and_are_normal():
    method, model, optimizer = adapted("bert", samples=2)
    for step in range(3):
        method.step(model, models.batch("bert"), optimizer, step)
    seeds = [seed for seed, _ in method.moves]
    assert len(set(seeds)) == 6
    values = [torch.cat([z.flatten() for z in direction(trainable(model), s)]) for s in seeds[:2]]
    size = values[0].numel()
    for z in values:
        assert abs(z.mean()) < 5 / size**0.5
        assert abs(z.var() - 1) < 5 * (2 / size) ** 0.5
    assert abs(values[0] @ values[1]) / size < 5 / size**0.5


def test_moving_there_and_back_restores_float32_to_the_last_bit_and_bfloat16_not():
    """Weights of size 0.02: the error is one unit in the last place in either format."""
    for dtype, bits in ((torch.float32, 24), (torch.bfloat16, 8)):
        torch.manual_seed(0)
        weights = nn.Parameter((0.02 * torch.randn(100_000)).to(dtype))
        before = weights.detach().clone()
        for distance in (1e-3, -2e-3, 1e-3):
            shift([weights], (7, distance))
        error = (weights.detach().double() - before.double()).abs()
        # a unit in the last place, of the largest number met: below 2**-3
        assert 0 < error.max() <= 2.0 ** (-3 - bits + 1)
        assert 0.4 < (error > 0).double().mean() < 0.5


def test_dropout_is_off_and_the_mode_restored():
    batch = models.batch("bert")
    results = []
    for probability in (0.0, 0.5):
        method, model, optimizer = adapted("bert")
        for module in model.train().modules():
            if isinstance(module, nn.Dropout):
                module.p = probability
        torch.manual_seed(0)
        method.step(model, batch, optimizer, 0)
        assert model.training
        method.step(model.eval(), batch, optimizer, 1)
        assert not model.training
        results.append(model)
    assert difference(*results) == 0.0


def test_no_graph_is_built_and_no_gradient_kept():
    class Watched(MeZO):
        def loss(self, model, batch):
            loss = super().loss(model, batch)
            assert not loss.requires_grad
            return loss

    model = models.build("bert")
    method = Watched()
    method.setup(model)
    optimizer = method.optimizer(trainable(model))
    method.step(model, models.batch("bert"), optimizer, 0)
    assert all(p.grad is None for p in model.parameters())
    assert not optimizer.state


def test_pytorchs_own_generator_gives_one_number_a_direction():
    method, model, optimizer = adapted("bert", samples=3)
    torch.manual_seed(5)
    method.step(model, models.batch("bert"), optimizer, 0)
    after = torch.rand(())
    torch.manual_seed(5)
    seeds = [int(torch.randint(2**31, ())) for _ in range(3)]
    assert [seed for seed, _ in method.moves] == seeds
    assert torch.equal(torch.rand(()), after)


@pytest.mark.parametrize("name", ["bert", "gpt2-lm", "llama"])
def test_the_moves_replay_a_training(name):
    model, start = models.build(name), models.build(name)
    method = MeZO(lr=1e-3, samples=2)
    train(method, model, Loop(lambda seed: batches(name), 10, progress=False))
    assert len(method.moves) == 20
    other = MeZO()
    other.setup(start)
    assert difference(start, model) > 1e-3
    other.replay(start, method.moves)
    assert difference(start, model) < 1e-5  # rounding of the moves there and back


def test_the_rate_is_constant():
    rates = []

    class Watched(MeZO):
        def step(self, model, batch, optimizer, step):
            rates.append(optimizer.param_groups[0]["lr"])
            return super().step(model, batch, optimizer, step)

    train(
        Watched(lr=1e-3),
        models.build("bert"),
        Loop(lambda seed: batches("bert"), 5, progress=False),
    )
    assert rates == [1e-3] * 5


def test_count_on_bert_base():
    assert MeZO().trained(anatomy(model_on_meta(BertConfig()))) == 109_482_240


def test_its_ledger_holds_the_weights_alone():
    for own, full in beside_full("mezo"):
        assert own == Ledger(full.weights, 0, 0, 0, 0)
