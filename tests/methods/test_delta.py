"""What a delta says of itself, and what is refused for it."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest
import torch
from safetensors.torch import load_file, save_file

from reference_impls.anatomy import anatomy
from reference_impls.core import about
from reference_impls.core.method import METHODS, Method
from reference_impls.core.options import KINDS
from reference_impls.prompt.p_tuning.p_tuning import PTuning
from reference_impls.reparameterized.lora.lora import LoRA
from reference_impls.selective.fish_mask.fish_mask import FishMask
from tests.methods import models
from tests.methods.settings import CASES, CONTRACTS, NAMES, batches, shake, stand_ins

INPUTS = models.batch("bert")
OTHER = {
    "bool": lambda value: not value,
    "Count": lambda value: value + 1,
    "Whole": lambda value: value + 1,
    "Part": lambda value: (value + 1) / 2,
    "Share": lambda value: value / 2,
    "Finite": lambda value: value + 1.0,
    "Negative": lambda value: 2 * value,
    "NotNegative": lambda value: value + 0.5,
    "Positive": lambda value: 1.5 * value,
}
WORDS = {"pooling": "mean", "init": "uniform"}
TUPLES = {"targets": ("key", "value"), "template": (2, 4), "places": (2, -2)}


def adapted(method: Method, name: str = "bert"):
    model = models.build(name)
    method.setup(model, batches(name))
    return model


def test_every_kind_of_option_has_another_value():
    assert OTHER.keys() == KINDS.keys()


@pytest.mark.parametrize("name", NAMES)
def test_with_any_other_option_a_delta_is_refused_or_means_the_same(name):
    """The options that `read_with` must hold are those that neither names nor shapes show."""
    model_name = next(model for method, model in CASES if method == name)
    given = {**stand_ins(name, model_name), **CONTRACTS[name].arguments}
    method = METHODS[name](**given)
    model = adapted(method, model_name)
    delta = method.delta(shake(method, model).eval())
    head = torch.nn.ModuleList(anatomy(model).head).state_dict()
    inputs = models.batch(model_name)
    expected, tried = models.logits(model, inputs), 0
    for option in fields(method):
        value = getattr(method, option.name)
        if option.metadata.get("from_task"):
            continue
        if option.type in OTHER:
            changed = OTHER[option.type](value)
        else:
            changed = (WORDS | TUPLES)[option.name]
        other = METHODS[name](**given | {option.name: changed})
        tried += 1
        try:
            fresh = adapted(other, model_name)
            other.load_delta(fresh, delta)
        except ValueError:
            continue
        torch.nn.ModuleList(anatomy(fresh).head).load_state_dict(head)
        found = models.logits(fresh.eval(), inputs)
        assert torch.equal(found, expected), f"{option.name}: {value} as {changed}"
    assert tried


@pytest.mark.parametrize("name", NAMES)
def test_what_only_training_needs_may_differ(name):
    model_name = next(model for method, model in CASES if method == name)
    given = {**stand_ins(name, model_name), **CONTRACTS[name].arguments}
    method, other = METHODS[name](**given), METHODS[name](**given | {"lr": 0.123})
    model, fresh = adapted(method, model_name), adapted(other, model_name)
    other.load_delta(fresh, method.delta(shake(method, model)))
    assert set(method.read_with) <= {option.name for option in fields(method)}


def test_the_option_and_both_values_are_named():
    made, read = LoRA(alpha=16.0), LoRA()
    delta, fresh = made.delta(adapted(made)), adapted(read)
    before = {name: value.clone() for name, value in fresh.state_dict().items()}
    with pytest.raises(ValueError, match=r"made with alpha = 16\.0, this LoRA has 8\.0"):
        read.load_delta(fresh, delta)
    assert all(torch.equal(value, before[name]) for name, value in fresh.state_dict().items())


def test_places_of_a_template_come_back_from_a_file(tmp_path):
    method = PTuning(template=(2, 2), places=(1, -1))
    save_file(method.delta(adapted(method)), tmp_path / "delta")
    again = PTuning(template=[2, 2], places=[1, -1])
    again.load_delta(adapted(again), load_file(tmp_path / "delta"))
    other = PTuning(template=(2, 2), places=(2, -1))
    with pytest.raises(ValueError, match="made with places = "):
        other.load_delta(adapted(other), load_file(tmp_path / "delta"))


def test_a_tensor_of_another_shape_is_refused_with_both():
    made, read = LoRA(r=4), LoRA(r=8)
    with pytest.raises(ValueError, match=r"lora_query\.a is \(4, 32\), here \(8, 32\)"):
        read.load_delta(adapted(read), made.delta(adapted(made)))


@pytest.mark.parametrize("odd", [-1, 10**6])
def test_positions_that_a_tensor_lacks_are_refused(odd):
    method = FishMask(density=0.1, samples=4)
    model = adapted(method)
    delta = method.delta(model)
    name = next(key for key in delta if key.endswith(".positions"))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=name.removesuffix(".positions")):
        method.load_delta(model, delta | {name: delta[name].clone().fill_(odd)})
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_another_base_is_refused_by_the_name_of_what_differs():
    method, other = LoRA(), LoRA()
    delta, model = method.delta(adapted(method)), models.build("bert")
    with torch.no_grad():
        model.get_input_embeddings().weight[0, 0] += 0.1
    other.setup(model)
    with pytest.raises(ValueError, match=r"another base: bert\.embeddings\.word_embeddings"):
        other.load_delta(model, delta)


def test_tokens_that_were_added_and_drawn_otherwise_are_another_base():
    def grown(method, seed, rows):
        model = models.build("llama-lm")
        torch.manual_seed(seed)
        model.resize_token_embeddings(rows, mean_resizing=False)
        method.setup(model)
        return model

    first, again, fewer = LoRA(), LoRA(), LoRA()
    delta = first.delta(grown(first, 0, models.VOCABULARY + 8))
    with pytest.raises(ValueError, match=r"another base: model\.embed_tokens\.weight"):
        again.load_delta(grown(again, 1, models.VOCABULARY + 8), delta)
    with pytest.raises(ValueError, match=r"base has model\.embed_tokens\.weight \[48, 32\]"):
        fewer.load_delta(grown(fewer, 0, models.VOCABULARY + 4), delta)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_same_base_in_another_precision_is_the_same(dtype):
    method, other = LoRA(), LoRA()
    delta, model = method.delta(adapted(method)), models.build("bert").to(dtype)
    other.setup(model)
    other.load_delta(model, delta)


def test_a_base_that_the_delta_replaces_may_be_any():
    full = METHODS["full_fine_tuning"]
    method, other = full(), full()
    delta, model = method.delta(adapted(method)), models.build("bert", seed=9)
    other.setup(model)
    other.load_delta(model, delta)
    assert all(torch.equal(value, delta[name]) for name, value in other.tensors(model).items())


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        (None, "lacks its entry 'about'"),
        (torch.tensor([255, 0], dtype=torch.uint8), "'about' cannot be read"),
        (torch.tensor(list(b"[1]"), dtype=torch.uint8), "'about' cannot be read"),
        (torch.tensor(list(b'{"options": {}}'), dtype=torch.uint8), "'about' cannot be read"),
    ],
)
def test_a_delta_that_does_not_tell_is_refused(entry, complaint):
    method = LoRA()
    model = adapted(method)
    delta = method.tensors(model) | ({} if entry is None else {about.KEY: entry})
    with pytest.raises(ValueError, match=complaint):
        method.load_delta(model, delta)


def test_the_entry_is_small_and_readable():
    method = LoRA()
    entry = method.delta(adapted(method))[about.KEY]
    told = json.loads(bytes(entry.tolist()))
    assert (told["method"], told["options"]) == ("lora", {"alpha": 8.0})
    assert len(told["base"]) <= about.TENSORS + 1
    assert len(entry) < 4000
