"""Batches are counted, parted and moved whatever is in them."""

from __future__ import annotations

import torch

from reference_impls.core.batches import moved, rows, singles


def images() -> dict[str, torch.Tensor]:
    return {"pixel_values": torch.arange(24.0).view(3, 2, 4), "labels": torch.tensor([5, 6, 7])}


def test_rows_are_those_of_any_tensor():
    assert rows(images()) == 3


def test_each_example_is_a_batch_of_its_own():
    batch = images()
    parts = list(singles(batch))
    assert [rows(part) for part in parts] == [1, 1, 1]
    for key, value in batch.items():
        assert torch.equal(torch.cat([part[key] for part in parts]), value)


def test_every_tensor_is_moved():
    assert {value.device.type for value in moved(images(), torch.device("meta")).values()} == {
        "meta"
    }
