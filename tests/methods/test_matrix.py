"""What becomes of a method on an architecture: each promise is broken once, and told."""

from __future__ import annotations

import pytest
import torch

from reference_impls.measure import matrix
from reference_impls.measure.base import Base
from tests.methods.toy_methods import (
    CrashesAtOnce,
    CrashesLater,
    Detached,
    Diverges,
    Leaves,
    LeavesAndSaysSo,
    LosesTheGradient,
    MergesAndLeaves,
    MergesTwice,
    MiscountsStorage,
    MiscountsTraining,
    Refuses,
    RefusesTooLate,
    Rounds,
    SeesPadding,
    SeesTheCache,
    Shift,
    StandsAside,
    StandsStill,
    StartsElsewhere,
    StartsElsewhereAndSaysSo,
)

torch.set_num_threads(1)


@pytest.fixture
def fast(monkeypatch):
    """Steps that are large enough to be seen."""
    monkeypatch.setattr(matrix, "sizes", lambda method: {"lr": 0.1})


FAULT, REFUSED, RUNS = matrix.FAULT, matrix.REFUSED, matrix.RUNS


@pytest.mark.parametrize("name", ["bert", "llama", "t5", "vit"])
@pytest.mark.parametrize(
    "method", [Detached, StartsElsewhereAndSaysSo, LeavesAndSaysSo], ids=lambda m: m.__name__
)
def test_a_method_that_keeps_its_promises_runs(fast, method, name):
    mergeable = name == "bert"  # the others' maps have no bias to merge into, or are images
    method = type(method.__name__, (method,), {"mergeable": mergeable and method is not Detached})
    expected = (RUNS, "") if not issubclass(method, LeavesAndSaysSo) else cell_of_leaving(mergeable)
    assert matrix.cell(method, name) == expected


def cell_of_leaving(mergeable: bool) -> tuple[str, str]:
    """Detaching is not asked of what says that it cannot; merging is."""
    return (FAULT, "merging leaves something behind") if mergeable else (RUNS, "")


@pytest.mark.parametrize(
    ("method", "name", "state", "words"),
    [
        (Shift, "bert", RUNS, ""),
        (MiscountsTraining, "bert", FAULT, "64 numbers are trained, the form says 65"),
        (MiscountsStorage, "bert", FAULT, "64 numbers are stored, the form says 63"),
        (LosesTheGradient, "bert", FAULT, "62 numbers are trained, the form says 64"),
        (StandsStill, "bert", FAULT, "bert.encoder.layer.0.output.dense.added.spare did not move"),
        (StartsElsewhere, "bert", FAULT, "the start is not the model itself"),
        (MergesTwice, "bert", FAULT, "merging changes the outputs"),
        (MergesAndLeaves, "bert", FAULT, "merging leaves something behind"),
        (Shift, "llama", FAULT, "merging leaves something behind"),  # biases that it lacks
        (Leaves, "bert", FAULT, "detaching leaves something behind"),
        (
            Rounds,
            "bert",
            FAULT,
            "detaching does not bring back bert.embeddings.word_embeddings.weight",
        ),
        (SeesPadding, "bert", FAULT, "more padding on the right changes the outputs"),
        (SeesTheCache, "llama", FAULT, "a cache changes what is written"),
        (Refuses, "bert", REFUSED, "this model has no wheels"),
        (CrashesAtOnce, "bert", FAULT, "setup: TypeError: no such thing"),
        (CrashesLater, "bert", FAULT, "KeyError: 'wheels'"),
        (
            StandsAside,
            "llama",
            REFUSED,
            "Shift: the loss of this batch depends on nothing that is trained: what it trains is "
            "in parts of the model that the batch does not run through",
        ),
        (StandsAside, "bert", FAULT, "bert.encoder.layer.0.output.dense.added.row did not move"),
        (RefusesTooLate, "bert", FAULT, "ValueError: this model has no wheels"),
        (Diverges, "bert", FAULT, "the loss of step 3 is not finite"),
        (
            Shift,
            "mamba",
            REFUSED,
            "MambaModel has no layers that were found: no attention was seen that adds to a "
            "residual stream",
        ),
    ],
)
def test_each_promise_that_is_broken_is_told(fast, method, name, state, words):
    assert matrix.cell(method, name) == (state, words)


def test_what_an_architecture_does_not_keep_by_itself_is_not_asked(fast, monkeypatch):
    known = Base("bert")
    known.padded = {}
    monkeypatch.setattr(matrix, "base", lambda name: known)
    monkeypatch.setattr(SeesPadding, "mergeable", False)
    assert matrix.cell(SeesPadding, "bert") == (RUNS, "")
    key = "bert.embeddings.word_embeddings.weight"
    known.moving = {key}
    assert matrix.cell(Rounds, "bert") == (RUNS, "")


def test_what_is_of_no_use_to_the_model_may_stand_still(fast, monkeypatch):
    known = Base("bert")
    monkeypatch.setattr(matrix, "base", lambda name: known)
    for key in known.used:
        if key.startswith("bert.encoder.layer.0.output.dense"):
            known.used[key] = torch.zeros_like(known.used[key])
    second = "bert.encoder.layer.1.output.dense.added.spare did not move"
    assert matrix.cell(StandsStill, "bert") == (FAULT, second)


def test_options_are_those_of_the_card_but_for_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(matrix.inspect, "getfile", lambda method: str(tmp_path / "shift.py"))
    card = tmp_path / "card.toml"
    card.write_text('[contract.arguments]\nsize = 3\nshape = [2, 3]\ntargets = ["query"]\n')
    assert matrix.sizes(Shift) == {"size": 3, "shape": (2, 3)}
    card.write_text("")
    assert matrix.sizes(Shift) == {}
