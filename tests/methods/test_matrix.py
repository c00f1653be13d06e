"""What becomes of a method on an architecture: each promise is broken once, and told.

Of the committed cells a few of each method are tried again at the gate, those whose names have the
least CRC-32; at night all.
"""

from __future__ import annotations

import math
from pathlib import Path
from zlib import crc32

import pytest
import torch

from reference_impls import architectures
from reference_impls.core.registry import load_method, load_methods
from reference_impls.measure import files, matrix
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

AT_THE_GATE = 2  # architectures of each method


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
    known = matrix.Base("bert")
    known.padded = {}
    monkeypatch.setattr(matrix, "base", lambda name: known)
    monkeypatch.setattr(SeesPadding, "mergeable", False)
    assert matrix.cell(SeesPadding, "bert") == (RUNS, "")
    key = "bert.embeddings.word_embeddings.weight"
    known.moving = {key}
    assert matrix.cell(Rounds, "bert") == (RUNS, "")


def test_what_is_of_no_use_to_the_model_may_stand_still(fast, monkeypatch):
    known = matrix.Base("bert")
    monkeypatch.setattr(matrix, "base", lambda name: known)
    for key in known.used:
        if key.startswith("bert.encoder.layer.0.output.dense"):
            known.used[key] = torch.zeros_like(known.used[key])
    second = "bert.encoder.layer.1.output.dense.added.spare did not move"
    assert matrix.cell(StandsStill, "bert") == (FAULT, second)


def test_what_is_known_of_an_architecture():
    bert, xlm = matrix.Base("bert"), matrix.Base("mamba")
    assert list(bert.padded) == list(xlm.padded) == ["on the right"]
    longer = bert.padded["on the right"]
    assert longer["input_ids"].shape == longer["attention_mask"].shape == (4, 12)
    assert not longer["attention_mask"][:, 9:].any()
    assert not bert.writes
    assert not bert.moving
    words = bert.used["bert.embeddings.word_embeddings.weight"]
    assert words.any()
    assert not words.all()  # tokens that no text of the batch has
    assert not matrix.Base("mobilebert").padded  # padding changes that model itself
    assert matrix.Base("llama").writes
    labels = matrix.Base("llama").padded["on the right"]["labels"]
    assert bool((labels[:, 9:] == -100).all())
    assert matrix.Base("t5").padded["on the right"]["labels"].shape == (4, 9)
    assert matrix.Base("vit").padded == {}


def test_outputs_are_the_same_by_their_largest():
    one = torch.tensor([0.0, 100.0])
    assert matrix.close(one, one + 0.019)
    assert not matrix.close(one, one + 0.021)
    assert matrix.close(one / 1e4, one / 1e4 + 1.9e-4)
    assert not matrix.close(one / 1e4, one / 1e4 + 2.1e-4)
    assert not matrix.close(one, one[:1])
    assert not matrix.close(one, one + float("nan"))


def test_options_are_those_of_the_card_but_for_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(matrix.inspect, "getfile", lambda method: str(tmp_path / "shift.py"))
    card = tmp_path / "card.toml"
    card.write_text('[contract.arguments]\nsize = 3\nshape = [2, 3]\ntargets = ["query"]\n')
    assert matrix.sizes(Shift) == {"size": 3, "shape": (2, 3)}
    card.write_text("")
    assert matrix.sizes(Shift) == {}


# what is kept


@pytest.fixture
def kept(tmp_path: Path, monkeypatch) -> Path:
    """A file of its own, and three architectures, which are not tried."""
    path = tmp_path / "measured" / "architectures.json"
    states = {"bert": (RUNS, ""), "gpt2": (REFUSED, "no"), "llama": (FAULT, "off by one")}
    tried: list[str] = []

    def cell(method, name: str) -> tuple[str, str]:
        tried.append(name)
        return states[name]

    monkeypatch.setattr(matrix, "path_of", lambda method: path)
    monkeypatch.setattr(matrix, "sources_of", lambda method: {"shift.py": "1"})
    monkeypatch.setattr(matrix, "cell", cell)
    monkeypatch.setattr(matrix.architectures, "names", lambda: list(states))
    monkeypatch.setattr(Shift, "tried", tried, raising=False)
    monkeypatch.setattr(Shift, "states", states, raising=False)
    return path


def test_cells_are_kept_by_what_became_of_them_and_a_stale_file_is_seen(kept, monkeypatch):
    assert matrix.is_stale(Shift)
    made = matrix.record(Shift)
    assert (made[RUNS], made[REFUSED]) == (["bert"], {"gpt2": "no"})
    assert made[FAULT] == {"llama": "off by one"}
    assert made["versions"]["torch"] in torch.__version__
    matrix.write(Shift, made)
    assert files.read(kept) == made
    assert not matrix.is_stale(Shift)
    monkeypatch.setattr(matrix, "sources_of", lambda method: {"shift.py": "2"})
    assert matrix.is_stale(Shift)


def test_a_new_architecture_is_tried_alone_and_new_code_tries_all(kept, monkeypatch):
    matrix.write(Shift, matrix.record(Shift))
    Shift.states["t5"] = (RUNS, "")
    assert matrix.is_stale(Shift)
    Shift.tried.clear()
    made = matrix.record(Shift)
    assert Shift.tried == ["t5"]
    assert made[RUNS] == ["bert", "t5"]
    assert made[FAULT] == {"llama": "off by one"}
    matrix.write(Shift, made)
    Shift.tried.clear()
    matrix.record(Shift)  # asked for, though it is not stale
    assert Shift.tried == ["bert", "gpt2", "llama", "t5"]
    monkeypatch.setattr(matrix, "sources_of", lambda method: {"shift.py": "2"})
    Shift.states["mt5"] = (RUNS, "")
    Shift.tried.clear()
    matrix.record(Shift)
    assert Shift.tried == ["bert", "gpt2", "llama", "t5", "mt5"]


@pytest.fixture
def renewed(kept, monkeypatch) -> dict[str, str]:
    """Cells whose code is no longer the same, of which a method's tenth is `gpt2`."""
    made = matrix.record(Shift)
    matrix.write(Shift, made)
    monkeypatch.setattr(matrix, "sources_of", lambda method: {"shift.py": "2"})
    monkeypatch.setattr(matrix, "tenth", lambda method, names: ["gpt2"])
    Shift.tried.clear()
    return made


def test_cells_are_tied_to_new_code_that_repeats_a_tenth(renewed):
    assert matrix.renew(Shift) == renewed | {"sources": {"shift.py": "2"}}
    assert Shift.tried == ["gpt2"]


def test_a_new_architecture_is_tried_when_cells_are_renewed(renewed):
    Shift.states["t5"] = (RUNS, "")
    assert matrix.renew(Shift)[RUNS] == ["bert", "t5"]
    assert Shift.tried == ["gpt2", "t5"]


@pytest.mark.parametrize("now", [(REFUSED, "for another reason"), (FAULT, "no"), (RUNS, "")])
def test_where_one_cell_differs_all_are_tried(renewed, now):
    Shift.states["gpt2"] = now
    made = matrix.renew(Shift)
    assert matrix.told(made, "gpt2") == now
    assert Shift.tried == ["gpt2", "bert", "gpt2", "llama"]


def test_of_other_models_all_cells_are_tried(renewed, monkeypatch):
    monkeypatch.setitem(matrix.architectures._tables(), "bert", ("encoder", {"hidden_size": 16}))
    matrix.renew(Shift)
    assert Shift.tried == ["bert", "gpt2", "llama"]


def test_without_cells_all_are_tried(kept):
    assert matrix.renew(Shift)[RUNS] == ["bert"]
    assert Shift.tried == ["bert", "gpt2", "llama"]


def test_a_tenth_is_the_same_each_time_and_that_of_all_methods_together_leaves_little_out():
    names = architectures.names()
    tenths = {method: matrix.tenth(method, set(names)) for method in load_methods()}
    assert {len(found) for found in tenths.values()} == {math.ceil(len(names) / 10)}
    assert tenths == {method: matrix.tenth(method, names) for method in tenths}
    assert len({name for found in tenths.values() for name in found}) > 0.9 * len(names)


def test_other_sizes_of_a_model_try_all(kept, monkeypatch):
    matrix.write(Shift, matrix.record(Shift))
    monkeypatch.setitem(matrix.architectures._tables(), "bert", ("encoder", {"hidden_size": 16}))
    assert matrix.is_stale(Shift)
    Shift.tried.clear()
    matrix.record(Shift)
    assert Shift.tried == ["bert", "gpt2", "llama"]


def test_cells_depend_on_the_method_and_on_what_tries_it():
    found = matrix.sources_of(load_method("lora"))
    assert {"reparameterized/lora/lora.py", "measure/matrix.py", "anatomy/watch.py"} <= found.keys()
    assert matrix.path_of(load_method("lora")).parts[-3:] == (
        "lora",
        "measured",
        "architectures.json",
    )


# the committed cells

EVERY = [(method, name) for method in load_methods() for name in architectures.names()]
SAMPLE = {
    pair
    for method in load_methods()
    for pair in sorted(
        (pair for pair in EVERY if pair[0] == method),
        key=lambda pair: crc32(" ".join(pair).encode()),
    )[:AT_THE_GATE]
}


@pytest.mark.parametrize(
    ("method", "name"),
    [pytest.param(*p, marks=() if p in SAMPLE else (pytest.mark.night,)) for p in EVERY],
)
def test_a_committed_cell_is_what_becomes_of_the_method(method, name):
    made = load_method(method)
    kept = files.read(matrix.path_of(made))
    assert matrix.told(kept, name) == matrix.cell(made, name)


@pytest.mark.parametrize("method", load_methods())
def test_the_committed_cells_are_of_all_architectures_and_of_this_code(method):
    assert not matrix.is_stale(load_method(method))
