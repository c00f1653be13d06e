"""Bytes that are alive, to the byte."""

from __future__ import annotations

import torch
from torch import nn

from reference_impls.measure.live import Live


def test_memory_counts_from_an_operation_until_it_dies() -> None:
    with Live() as live:
        one = torch.zeros(1000)
        assert live.now == 4000
        two = one + 1
        assert live.now == 8000
        del two
        assert (live.now, live.peak) == (4000, 8000)
        view = one.view(10, 100)[2:]
        one.add_(1)
        assert live.now == 4000
        del one
        assert live.now == 4000  # the view holds it
        del view
        assert live.now == 0


def test_what_was_there_before_does_not_count() -> None:
    weight = nn.Parameter(torch.zeros(100, 100))
    inputs = torch.ones(100, 100)
    with Live() as live:
        loss = (inputs @ weight).sum()
        assert (live.now, live.peak) == (4, 40_004)  # a sum needs no product for its gradient
        loss.backward()
        assert live.now == 40_004
    assert weight.grad is not None
