"""Closed forms as Python evaluates them, of a small file and of the committed one."""

from __future__ import annotations

import pytest

from tools.data.closed_forms import (
    Counts,
    FormError,
    architectures,
    counts,
    derive,
    derived,
    evaluate,
    faults,
    read,
    term,
    value,
)

PHASE = {
    "weights": {"base": 4, "trained": 4},
    "gradients": {"trained": 4},
    "optimizer": {"trained": 8},
    "activations": {"B*S*d": 2},
    "other": {},
}
FILE = {
    "batch": {"B": 8, "S": 16},
    "families": {
        "plain": {
            "derived": {"e": {"floor": ["d", "H"]}},
            "rules": [
                {"field": "H", "first": "H", "must": "divide", "second": "d", "message": "uneven"},
                {"field": "S", "first": "S", "must": "at most", "second": "P", "message": "long"},
            ],
            "base": {"L*d*d": 12, "d": 1},
            "head": {"2*d": 1},
        }
    },
    "methods": {
        "rank": {
            "inputs": {"r": {"default": 4}, "b": {"default": 1}},
            "derived": {"twice": {"sum": {"r": 2}}},
            "rules": [
                {"field": "r", "first": "r", "must": "at most", "second": "e", "message": "high"},
                {"field": "b", "first": "b", "must": "at most", "second": "e", "message": "wide"},
            ],
            "refused": {"other": "it has no ranks"},
            "choices": {
                "few": {
                    "inputs": ["r"],
                    "forms": {
                        "plain": {
                            "trained": {"L*twice*d": 1},
                            "stored": {"trained": 1},
                            "phases": [PHASE, {**PHASE, "other": {"S": 100}, "gradients": {}}],
                        }
                    },
                },
                "more": {
                    "inputs": ["r", "b"],
                    "forms": {
                        "plain": {
                            "candidates": {"d": 5},
                            "trained": {"candidates": 1, "b": 1},
                            "stored": {"trained": 2},
                            "phases": [PHASE],
                        }
                    },
                },
            },
        }
    },
}
DIMENSIONS = {"L": 3, "d": 20, "H": 2, "P": 32}


def of(**inputs: object) -> Counts:
    return evaluate(FILE, "rank", "plain", DIMENSIONS, inputs)


def test_sums_of_products() -> None:
    values = {"a": 3, "b": 5}
    assert [term(t, values) for t in ("1", "a", "2*a*b", "a*a")] == [1, 3, 30, 9]
    assert value({"a*b": 2, "1": -7}, values) == 23
    assert value({}, values) == 0


@pytest.mark.parametrize(
    ("rule", "result"),
    [
        ({"sum": {"a": 2, "1": 1}}, 15),
        ({"max": ["a", "b", "0"]}, 7),
        ({"min": ["a", "2*b"]}, 6),
        ({"floor": ["a", "b"]}, 2),
        ({"ceil": ["a", "b"]}, 3),
        ({"ceil": ["6", "b"]}, 2),
        ({"floor": ["share*a", "1"]}, 2),
    ],
)
def test_derived_names(rule: dict, result: int) -> None:
    found = derived(rule, {"a": 7, "b": 3, "share": 0.3})
    assert found == result
    assert isinstance(found, int)


def test_derived_names_may_use_those_before_them() -> None:
    rules = {"x": {"sum": {"a": 1, "1": 1}}, "y": {"floor": ["x", "2"]}}
    given = {"a": 4}
    assert derive(rules, given) == {"a": 4, "x": 5, "y": 2}
    assert given == {"a": 4}


def test_broken_rules_name_their_field() -> None:
    rules = FILE["families"]["plain"]["rules"]
    assert faults(rules, {"H": 2, "d": 20, "S": 32, "P": 32}) == []
    assert faults(rules, {"H": 3, "d": 20, "S": 33, "P": 32}) == [("H", "uneven"), ("S", "long")]


def test_a_method_is_counted_with_its_defaults_or_with_what_is_given() -> None:
    found = of()
    assert (found.base, found.head) == (3600 * 4 + 20, 40)
    assert found.trained == found.stored == 3 * 8 * 20
    assert found.share == 480 / 14420
    assert of(r=2, B=1).trained == 240
    assert of(choice="more").stored == 2 * (100 + 1)
    assert of(choice="more", b=3).trained == 103


def test_the_phase_that_takes_most_counts() -> None:
    found = of()
    assert found.phase == (1, 2)
    assert found.ledger["gradients"] == 4 * 480
    longer = of(S=32)
    assert longer.phase == (2, 2)
    assert (longer.ledger["other"], longer.ledger["gradients"]) == (3200, 0)
    assert longer.total == sum(longer.ledger.values())
    assert of(choice="more").phase == (1, 1)


@pytest.mark.parametrize(
    ("inputs", "field", "message"),
    [
        ({"r": 11}, "r", "high"),
        ({"S": 33}, "S", "long"),
        ({"choice": "more", "b": 11}, "b", "wide"),
        ({"size": 3}, "size", "no input 'size'"),
        ({"choice": "odd"}, "choice", "no choice 'odd'"),
    ],
)
def test_what_does_not_fit_is_named(inputs: dict, field: str, message: str) -> None:
    with pytest.raises(FormError, match=message) as caught:
        of(**inputs)
    assert caught.value.field == field


def test_a_rule_about_an_unused_input_is_not_asked_for() -> None:
    assert of(choice="few", b=11).trained == of().trained


def test_a_family_may_be_refused() -> None:
    with pytest.raises(FormError, match="it has no ranks"):
        evaluate(FILE, "rank", "other", DIMENSIONS, {})


def test_the_committed_file_counts_lora() -> None:
    found = counts("lora", "bert-base")
    assert found.trained == 12 * 2 * 8 * 2 * 768
    assert found.head == 2 * 769
    assert counts("lora", "bert-base", r=1).trained == found.trained // 8
    every = counts("lora", "llama-2-7b", choice="every linear map", r=16)
    assert every.trained == 32 * 16 * (4 * 8192 + 3 * (4096 + 11008))
    own = {"family": "bert", "dimensions": architectures()["bert-base"]["dimensions"]}
    assert counts("lora", own) == found


def test_what_the_committed_file_refuses() -> None:
    with pytest.raises(FormError, match="has none"):
        counts("bitfit", "llama-2-7b")
    with pytest.raises(FormError, match="more positions") as caught:
        counts("prompt_tuning", "bert-base", S=500)
    assert caught.value.field == "length"
    with pytest.raises(FormError, match="fewer positions"):
        counts("lora", "roberta-base", S=513)
    assert counts("lora", "roberta-base", S=512).trained
    with pytest.raises(FormError, match="not a low one"):
        counts("lora", "bert-base", r=769)
    with pytest.raises(FormError, match="no weight to train"):
        counts("fish_mask", "bert-base", density=1e-9)


def test_every_method_has_a_form_or_a_reason_for_every_family() -> None:
    file = read()
    for name, entry in file["methods"].items():
        for chosen in entry["choices"].values():
            assert set(chosen["forms"]) | set(entry["refused"]) == set(file["families"]), name
            assert not set(chosen["forms"]) & set(entry["refused"]), name
    assert {known["family"] for known in architectures().values()} == set(file["families"])
    assert all(known["source"].startswith("https://") for known in architectures().values())
