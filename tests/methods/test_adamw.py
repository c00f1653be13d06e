"""AdamW in one pass is AdamW, and leaves alone what is not its own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from reference_impls.core.adamw import adamw


def moved(optimizer_of, steps: int = 5) -> list[nn.Parameter]:
    """A matrix that decays and a bias that does not, after steps along the same gradients."""
    generator = torch.Generator().manual_seed(0)
    matrix, bias = (nn.Parameter(torch.randn(size, generator=generator)) for size in ((9, 7), (7,)))
    groups = [{"params": [matrix], "weight_decay": 0.1}, {"params": [bias], "weight_decay": 0.0}]
    optimizer = optimizer_of(groups, lr=0.01, eps=1e-6)
    for _ in range(steps):
        for p in (matrix, bias):
            p.grad = torch.randn(p.shape, generator=generator)
        optimizer.step()
    return [matrix, bias]


def test_it_moves_weights_as_the_plain_one_does():
    for ours, plain in zip(moved(adamw), moved(torch.optim.AdamW), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-6, atol=1e-7)


def test_it_takes_one_pass():
    optimizer = adamw(iter([nn.Parameter(torch.ones(3))]), lr=0.1)
    assert optimizer.param_groups[0]["fused"]


@pytest.mark.parametrize("grouped", [False, True])
def test_of_a_view_with_gaps_nothing_between_its_entries_moves(grouped: bool):
    whole = torch.ones(6, 8)
    view = nn.Parameter(whole[:, ::2])
    optimizer = adamw([{"params": [view]}] if grouped else [view], lr=0.1, weight_decay=0.0)
    view.sum().backward()
    optimizer.step()
    assert torch.equal(whole[:, 1::2], torch.ones(6, 4))
    torch.testing.assert_close(whole[:, ::2], torch.full((6, 4), 0.9))


def test_a_matrix_that_lies_transposed_gets_each_gradient_where_it_belongs():
    matrix = nn.Parameter(torch.zeros(4, 6).t())
    matrix.grad = torch.arange(24.0).view(6, 4) - 11.5
    adamw([matrix], lr=0.1, weight_decay=0.0).step()
    torch.testing.assert_close(matrix.detach(), -0.1 * matrix.grad.sign())
