"""Where training starts: what a method attaches is drawn as the official code draws it.

`official.toml` beside a method has, tensor by tensor, what the official model holds once its script
has built it: the law, and the mean and standard deviation that were measured there. Here the laws
are held to those numbers, and what `setup` attaches is held to the laws. Where ours is another law
on purpose, the table says which, and that one is tested.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

from reference_impls.anatomy import anatomy
from reference_impls.core.method import METHODS
from tests.methods import models
from tests.methods.settings import CONTRACTS, NAMES, REFUSED, batches, stand_ins
from tests.methods.starts import misfit, parse
from tools.data.official import Start, read_officials

SEEDS = 20  # so that a small tensor has enough numbers to tell one law from another
MODELS = ("bert", "gpt2-lm", "t5-lm")
OFFICIALS = read_officials(Path(__file__).parents[2])
STARTS = {name: official.start for name, official in OFFICIALS.items() if official.start}
ITEMS = [(name, start) for name, starts in STARTS.items() for start in starts]


def settings_of(name: str) -> list[dict[str, object]]:
    """The options with which a method is set up: those of its tables, each once, or its card's."""
    if name not in STARTS:
        return [CONTRACTS[name].arguments]
    found: list[dict[str, object]] = []
    for start in STARTS[name]:
        if (start.settings or {}) not in found:
            found.append(start.settings or {})
    return found


CASES = [
    (name, model_name, settings)
    for name in NAMES
    for model_name in MODELS
    for settings in settings_of(name)
    if (name, model_name) not in REFUSED
]


def attached(name: str, model_name: str, settings: dict[str, object], seed: int):
    """A model with the method on it, and the tensors that came along, by name."""
    positions = "n_positions" if model_name.startswith("gpt2") else "max_position_embeddings"
    room = {} if model_name.startswith("t5") else {positions: 512}  # for prompts of any default
    model = models.build(model_name, **room)
    method = METHODS[name](**stand_ins(name, model_name), **settings)
    torch.manual_seed(seed)
    method.setup(model, batches(model_name))
    added = {
        id(p) for parent, child in method._attached for p in getattr(parent, child).parameters()
    }
    tensors = {n: p.detach() for n, p in model.named_parameters() if id(p) in added}
    return model, tensors


def matching(name: str, settings: dict[str, object], tensor: str) -> list[Start]:
    return [
        start
        for start in STARTS.get(name, [])
        if start.settings in (None, settings) and re.search(start.ours, f".{tensor}")
    ]


def inputs_of(name: str, tensors: dict[str, Tensor]) -> int:
    """d_in: of a bias, that of the weight beside it."""
    weight = tensors.get(re.sub(r"bias$", "weight", name), tensors[name])
    return weight.shape[-1] if weight.ndim else 1


@cache
def used() -> set[tuple[str, str]]:
    """The tables that some tensor belongs to."""
    return {
        (name, start.ours)
        for name, model_name, settings in CASES
        for tensor in attached(name, model_name, settings, 0)[1]
        for start in matching(name, settings, tensor)
    }


def identity(case: tuple) -> str:
    name, model_name, settings = case
    return " ".join([name, model_name, *(f"{key}={value}" for key, value in settings.items())])


@pytest.mark.parametrize("case", CASES, ids=identity)
def test_what_setup_attaches_is_drawn_as_its_table_says(case):
    name, model_name, settings = case
    samples: dict[int, list[tuple[Tensor, int]]] = defaultdict(list)
    for seed in range(SEEDS if name in STARTS and model_name == MODELS[0] else 1):
        model, tensors = attached(name, model_name, settings, seed)
        for tensor, values in tensors.items():
            tables = matching(name, settings, tensor)
            assert len(tables) == 1, f"{tensor}: {len(tables)} [[start]] tables, not one"
            index = STARTS[name].index(tables[0])
            samples[index].append((values, inputs_of(tensor, tensors)))
    table = anatomy(model).embedding.weight.detach()
    embeddings = table.mean().item(), table.std(correction=0).item()
    for index, sample in samples.items():
        start = STARTS[name][index]
        wrong = misfit(start.ours_law or start.law, sample, embeddings)
        assert not wrong, f"{start.ours}: {wrong}"


@pytest.mark.parametrize(("name", "start"), ITEMS, ids=[f"{n} {s.ours}" for n, s in ITEMS])
def test_the_law_gives_the_numbers_measured_in_the_official_model(name, start):
    assert (name, start.ours) in used(), "no tensor of ours is of this name"
    assert bool(start.ours_law) == bool(start.differs)
    assert start.ours_law != start.law
    if start.official == "none":
        assert start.ours_law
        return
    law = parse(start.law, start.d_in, start.d_out)
    assert not law.misfit(start.mean, start.std, start.largest, start.numbers)
