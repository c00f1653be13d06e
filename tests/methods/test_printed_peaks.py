"""Peaks that others print: those beside them that are ours are predicted anew."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoConfig

from reference_impls.core.registry import load_method
from reference_impls.measure.memory import Setting, predicted
from reference_impls.measure.polynomials import value
from tools.cards import read_cards
from tools.data.printed_peaks import PrintedPeak

CARDS = read_cards(Path(__file__).parents[2])
PEAKS = [(name, entry) for name, card in CARDS.items() for entry in card.peak]


@pytest.mark.night
@pytest.mark.parametrize(("name", "entry"), PEAKS, ids=[f"{n} {e.printed}" for n, e in PEAKS])
def test_our_peak_is_what_is_predicted(name: str, entry: PrintedPeak) -> None:
    config = AutoConfig.for_model(**CARDS[name].architectures[entry.architecture])
    setting = Setting(getattr(torch, entry.weights))
    told = predicted(load_method(name), config, setting, **entry.settings)
    assert max(value(one, entry.rows, entry.length) for one in told) == entry.ours
