"""Counts that papers and libraries print, recomputed from the methods themselves.

The cards of the methods have what the site shows; here each number in them that is ours is counted
anew. How it must compare with the printed one is `tools.published.verdict`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from transformers import AutoConfig

from reference_impls.anatomy import Anatomy, anatomy, model_on_meta, numel
from reference_impls.core.method import METHODS, Method
from reference_impls.core.registry import load_methods
from reference_impls.prompt.prompt_tuning.prompt_tuning import PromptTuning
from tools.cards import read_cards
from tools.data.published import Published

load_methods()
CARDS = read_cards(Path(__file__).parents[2])
COUNTS = [(name, entry) for name, card in CARDS.items() for entry in card.published]
# What a source counts besides, or leaves out.
TERMS = {
    "norms": lambda method, parts: sum(numel(norm.parameters()) for norm in parts.norms),
    "head": lambda method, parts: numel(parts.head_parameters()),
    "adapter biases": lambda method, parts: adapter_biases(method, parts),
    "one factor of a gated block": lambda method, parts: sum(
        method.r * (layer.feed_forward_up[1].d_in + layer.feed_forward_up[1].d_out)
        for layer in parts.layers
    ),
    "a prompt of 12 rows": lambda method, parts: PromptTuning(length=12).trained(parts),
    "the same again": lambda method, parts: method.trained(parts),
    "a vector as wide as the model in each layer": lambda method, parts: (
        len(parts.layers) * parts.hidden_size
    ),
    "a norm with a bias": lambda method, parts: 2 * parts.hidden_size,
    "two rows as wide as the model": lambda method, parts: 2 * parts.hidden_size,
}


def adapter_biases(method: Method, parts: Anatomy) -> int:
    """The biases that `setup` brings along, those of a prefix's perceptron apart."""
    model = model_on_meta(parts.model.config)
    own = {id(parameter) for parameter in model.parameters()}
    method.setup(model)
    return numel(
        parameter
        for name, parameter in model.named_parameters()
        if id(parameter) not in own and name.endswith("bias") and ".prefix." not in name
    )


@cache
def parts_of(name: str, architecture: str) -> Anatomy:
    """The parts of an architecture of a method's card."""
    config = CARDS[name].architectures[architecture]
    return anatomy(model_on_meta(AutoConfig.for_model(**config)))


def identity(name: str, entry: Published) -> str:
    values = [f"{key}={value}" for key, value in entry.settings.items()]
    return " ".join([name, entry.architecture, *values, entry.printed])


def recount(name: str, entry: Published) -> dict[str, int]:
    """Every number of an entry that is ours."""
    parts, method = parts_of(name, entry.architecture), METHODS[name](**entry.settings)
    found = {"ours": getattr(method, entry.counted)(parts), "base": numel(parts.base_parameters())}
    if entry.adjusted:
        terms = entry.adjusted.terms.items()
        found["adjusted"] = found["ours"] + sum(n * TERMS[t](method, parts) for t, n in terms)
    return found


@pytest.mark.parametrize(("name", "entry"), COUNTS, ids=[identity(*count) for count in COUNTS])
def test_our_count_is_what_the_method_gives(name, entry):
    found = recount(name, entry)
    assert entry.ours == found["ours"]
    if entry.adjusted:
        assert entry.adjusted.value == found["adjusted"]
    if entry.share and entry.share.what == "the base model":
        assert entry.share.value == found["base"]


def test_no_count_comes_twice_and_every_term_is_used():
    assert len({identity(*count) for count in COUNTS}) == len(COUNTS) > 60
    used = {term for _, entry in COUNTS if entry.adjusted for term in entry.adjusted.terms}
    assert used == set(TERMS)


def test_shares_of_other_sizes_are_those_of_known_models():
    """What UniPELT's table calls BERT-base."""
    known = {"110M, as printed": 110_000_000}
    shares = [entry.share for _, entry in COUNTS if entry.share]
    for share in shares:
        if share.what != "the base model":
            assert share.value == known[share.what]
    assert {share.what for share in shares} == {"the base model", *known}


def test_all_but_a_few_are_reproduced():
    differ = [entry for _, entry in COUNTS if entry.verdict == "differs"]
    assert len(differ) < len(COUNTS) / 6
