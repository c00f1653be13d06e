"""Layers that are alike are found as if each had been watched, and nothing else is taken for it."""

from __future__ import annotations

import importlib

import pytest
import torch
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2Model

from reference_impls import architectures
from reference_impls.anatomy.alike import DifferentError, Kind, spread, twins
from reference_impls.anatomy.found import Found, FoundAttention, FoundLayer, Map
from reference_impls.reparameterized.lora.lora import LoRA
from tests.methods import models
from tests.methods.zoo import every

torch.set_num_threads(1)

find, watch = (importlib.import_module(f"reference_impls.anatomy.{n}") for n in ("find", "watch"))


@every()
def test_what_is_found_is_what_is_found_in_each_layer(name, monkeypatch):
    base = architectures.build(name).base_model
    found = find.find(base)
    monkeypatch.setattr(watch, "twins", lambda model: ())
    assert found == find.find(base)


def test_of_layers_that_are_alike_one_runs():
    seen, _ = watch.watch(models.build("bert").base_model, {"input_ids": torch.ones(1, 6).long()})
    assert seen.alike == {"encoder.layer.1": "encoder.layer.0"}
    ran = {call.name for call in seen.calls}
    assert "encoder.layer.1" in ran
    assert not any(name.startswith("encoder.layer.1.") for name in ran)


class Layer(nn.Module):
    """A map, in a layer that knows its number."""

    def __init__(self, number: int = 0, width: int = 4, bias: bool = True, **own: object) -> None:
        super().__init__()
        self.layer_idx, self.map = number, nn.Linear(width, width, bias=bias)
        self.register_buffer("seen", own.pop("seen", torch.ones(2)))
        vars(self).update(own)

    def forward(self, x: Tensor, *more: object) -> Tensor:
        return x + self.map(x)


class Other(Layer):
    pass


class Model(nn.Module):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)


def adapted() -> Layer:
    layer = Layer(1)
    layer.map.add_module("added", nn.Linear(4, 4))
    layer.map._added = {"added"}
    return layer


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        (lambda: Layer(1), True),
        (lambda: Layer(1).eval(), True),
        (lambda: Layer(1).requires_grad_(False), True),
        (adapted, True),
        (lambda: Layer(2), False),
        (lambda: Other(1), False),
        (lambda: Layer(1, width=5), False),
        (lambda: Layer(1, bias=False), False),
        (lambda: Layer(1).bfloat16(), False),
        (lambda: Layer(1, seen=torch.tensor([1.0, 0.0])), False),
        (lambda: Layer(1, window=4), False),
        (lambda: nn.Sequential(Layer(1)), False),
    ],
)
def test_layers_are_alike_that_differ_in_their_number_alone(other, alike):
    assert dict(twins(Model(Layer(), other()))) == ({"layers.1": "layers.0"} if alike else {})


def test_layers_of_growing_windows_are_not_alike():
    assert not dict(twins(Model(Layer(window=4), Layer(1, window=5))))


def test_a_setting_that_differs_is_a_difference_and_a_hook_is_none():
    one, other = Layer(window=4), Layer(1, window=4)
    other.register_forward_hook(lambda *_: None)
    assert dict(twins(Model(one, other)))
    other.window = 5
    assert not dict(twins(Model(one, other)))


def test_each_layer_has_the_first_that_it_is_like():
    model = Model(Layer(), Layer(1, window=4), Layer(2), Layer(3, window=4))
    assert dict(twins(model)) == {"layers.2": "layers.0", "layers.3": "layers.1"}


def test_what_is_in_a_layer_is_no_layer():
    # experts, of which a text uses some
    one, other = Layer(), Layer(1)
    one.experts = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
    assert not dict(twins(Model(one, other)))


@pytest.mark.parametrize(
    "given",
    [
        (torch.ones(1, 3, device="meta"),),
        (torch.ones(1, 2, device="meta"), torch.tensor([1, 2])),
        (torch.ones(1, 2, device="meta"), None, 5),
        (torch.ones(1, 2, device="meta"), None),
        (torch.ones(1, 2),),
    ],
    ids=["shape", "values", "number", "fewer", "with values"],
)
def test_a_layer_that_is_given_something_else_is_another(given):
    kind = Kind("layers.0", lambda x, *more: x * 2)
    first = (torch.ones(1, 2, device="meta"), *(torch.tensor([1, 3]), 4)[: len(given) - 1])
    kind.first(*first)
    assert kind.other(*first).shape == (1, 2)
    with pytest.raises(DifferentError) as told:
        kind.other(*given) if len(given) != 2 or given[1] is not None else kind.other(given[0])
    assert told.value.first == "layers.0"


def test_a_layer_before_the_first_is_another():
    with pytest.raises(DifferentError):
        Kind("layers.0", lambda x: x).other(torch.ones(1))


def test_a_layer_that_returns_values_is_watched_each_time():
    kind = Kind("layers.0", lambda x: (x * 2, torch.ones(1)))
    x = torch.ones(1, device="meta")
    kind.first(x)
    with pytest.raises(DifferentError):
        kind.other(x)


def test_what_a_layer_passes_on_is_passed_on():
    kind = Kind("layers.0", lambda x, bias: (x * 2, bias, None))
    x, mine, its = (torch.ones(1, device="meta") for _ in range(3))
    kind.first(x, mine)
    states, passed, nothing = kind.other(x, its)
    assert passed is its
    assert nothing is None
    assert states is not x


def test_lists_that_a_model_goes_through_by_itself_are_watched():
    base = architectures.build("funnel").base_model
    seen, _ = watch.watch(base, {"input_ids": torch.ones(1, 6).long()})
    assert "encoder.blocks.1" not in seen.alike


def test_layers_that_are_called_otherwise_do_not_hold_up_the_others():
    # its convolutions are alike, and each makes the sound shorter
    with torch.device("meta"):
        base = Wav2Vec2Model(Wav2Vec2Config(num_hidden_layers=3))
    assert any("conv_layers" in name for name, _ in twins(base))
    seen, _ = watch.watch(base, {"input_values": torch.zeros(1, 1600)})
    assert list(seen.alike) == ["encoder.layers.1", "encoder.layers.2"]


def test_what_is_found_is_told_of_the_others_in_their_names():
    layer = FoundLayer(
        parts={"end": "a.0", "feed_forward_up": (Map("a.0.up", ((0, 4),)),)},
        missing={"query": "it does not show which outputs of 'a.0.qkv' are its query"},
        block="a.0",
        norms=("a.0.norm",),
        own=FoundAttention(parts={"attention": "a.0.attend"}),
    )
    found = Found(layers=[layer], norms=("a.0.norm", "last"), final="last")
    names = ["a", "a.0", "a.0.norm", "a.1", "a.1.norm", "last"]
    told = spread(found, {"a.1": "a.0"}, {name: i for i, name in enumerate(names)})
    assert told.norms == ("a.0.norm", "a.1.norm", "last")
    assert told.layers[0] is layer
    other = told.layers[1]
    assert other.block == "a.1"
    assert other.parts == {"end": "a.1", "feed_forward_up": (Map("a.1.up", ((0, 4),)),)}
    assert other.missing["query"].count("'a.1.qkv'") == 1
    assert (other.norms, other.own.parts) == (("a.1.norm",), {"attention": "a.1.attend"})


def test_an_adapted_model_is_watched_alike():
    model = models.build("bert")
    LoRA().setup(model)
    assert dict(twins(model.base_model)) == {"encoder.layer.1": "encoder.layer.0"}
