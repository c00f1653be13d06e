"""What `official.toml` says of this side of the checklist is what the code does."""

from __future__ import annotations

import pytest
import torch

from reference_impls.core.method import METHODS, trainable
from tests.methods.settings import CASES, NAMES, adapt, batches
from tools.data.files import ROOT
from tools.data.official import Setting, read_officials
from tools.data.printed_numbers import printed

SETTINGS = {name: official.settings for name, official in read_officials(ROOT).items()}
KIND = dict(reversed(CASES))  # the first on which each method runs


def holds(setting: Setting, value: float) -> bool:
    """Whether this side of a setting is the number: none is zero, and 'equal' is any other."""
    if setting.here == "equal":
        return value > 0
    return (printed(setting.here) or [0.0])[0] == pytest.approx(value)


@pytest.mark.parametrize("name", NAMES)
def test_schedule_and_warm_up(name):
    method, settings = METHODS[name](), SETTINGS[name]
    assert holds(settings.warm_up, method.warmup)
    constant = method.schedule(0.9) == method.schedule(0.99)
    if settings.schedule.differs:
        assert settings.schedule.here.startswith("constant" if constant else "linear")


@pytest.mark.parametrize("name", NAMES)
def test_decay_and_clipping_and_smoothing(name, monkeypatch):
    method, model = adapt(name, KIND[name], shaken=False)
    settings, parameters = SETTINGS[name], trainable(model)
    optimizer = method.optimizer(parameters)
    decays = [group.get("weight_decay", 0.0) for group in optimizer.param_groups]
    assert holds(settings.decay, max(decays))
    norms = [getattr(method, "clip", 0.0)]
    clip = torch.nn.utils.clip_grad_norm_
    monkeypatch.setattr(
        torch.nn.utils, "clip_grad_norm_", lambda p, norm: norms.append(norm) or clip(p, norm)
    )
    method.step(model, next(batches(KIND[name])), optimizer, 0)
    assert holds(settings.clipping, max(norms))
    assert settings.label_smoothing.here == "none"


def test_a_number_that_is_not_the_codes_is_seen():
    assert holds(Setting.model_validate({"official": "none [§1]", "here": "10 %"}), 0.1)
    assert not holds(Setting.model_validate({"official": "none [§1]", "here": "6 %"}), 0.1)
    assert not holds(Setting.model_validate("none"), 0.1)
    assert not holds(Setting.model_validate("equal"), 0.0)
