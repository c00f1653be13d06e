"""Both environments compute the same without any method, whatever transformers they have."""

from __future__ import annotations

import pytest

from tests.parity import samples
from tests.parity.conftest import TOLERANCE


@pytest.mark.parametrize("name", ["bert", "gpt2-lm", "llama-lm", "t5-lm"])
def test_base_model(name):
    sample = samples.from_adapters(f"lora-{name}")
    ours = samples.logits(sample.ours(), sample.batch)
    assert samples.difference(ours, samples.real(sample.bare, sample.batch)) < TOLERANCE
