"""Committed cells are kept, renewed or made anew by what made them, and are what they say.

A few of each method are tried again at the gate, those whose names have the least CRC-32; at night
all.
"""

from __future__ import annotations

import math
from pathlib import Path
from zlib import crc32

import pytest
import torch

from reference_impls import architectures
from reference_impls.core.registry import load_method, load_methods
from reference_impls.measure import cells, files, matrix
from reference_impls.measure.matrix import FAULT, REFUSED, RUNS
from tests.methods.toy_methods import Shift

torch.set_num_threads(1)

AT_THE_GATE = 2  # architectures of each method


@pytest.fixture
def kept(tmp_path: Path, monkeypatch) -> Path:
    """A file of its own, and three architectures, which are not tried."""
    path = tmp_path / "measured" / "architectures.json"
    states = {"bert": (RUNS, ""), "gpt2": (REFUSED, "no"), "llama": (FAULT, "off by one")}
    tried: list[str] = []

    def cell(method, name: str) -> tuple[str, str]:
        tried.append(name)
        return states[name]

    monkeypatch.setattr(cells, "path_of", lambda method: path)
    monkeypatch.setattr(cells, "sources_of", lambda method: {"shift.py": "1"})
    monkeypatch.setattr(matrix, "cell", cell)
    monkeypatch.setattr(architectures, "names", lambda: list(states))
    monkeypatch.setattr(Shift, "tried", tried, raising=False)
    monkeypatch.setattr(Shift, "states", states, raising=False)
    return path


def test_cells_are_kept_by_what_became_of_them_and_a_stale_file_is_seen(kept, monkeypatch):
    assert cells.is_stale(Shift)
    made = cells.record(Shift)
    assert (made[RUNS], made[REFUSED]) == (["bert"], {"gpt2": "no"})
    assert made[FAULT] == {"llama": "off by one"}
    assert made["versions"]["torch"] in torch.__version__
    cells.write(Shift, made)
    assert files.read(kept) == made
    assert not cells.is_stale(Shift)
    monkeypatch.setattr(cells, "sources_of", lambda method: {"shift.py": "2"})
    assert cells.is_stale(Shift)


def test_a_new_architecture_is_tried_alone_and_new_code_tries_all(kept, monkeypatch):
    cells.write(Shift, cells.record(Shift))
    Shift.states["t5"] = (RUNS, "")
    assert cells.is_stale(Shift)
    Shift.tried.clear()
    made = cells.record(Shift)
    assert Shift.tried == ["t5"]
    assert made[RUNS] == ["bert", "t5"]
    assert made[FAULT] == {"llama": "off by one"}
    cells.write(Shift, made)
    Shift.tried.clear()
    cells.record(Shift)  # asked for, though it is not stale
    assert Shift.tried == ["bert", "gpt2", "llama", "t5"]
    monkeypatch.setattr(cells, "sources_of", lambda method: {"shift.py": "2"})
    Shift.states["mt5"] = (RUNS, "")
    Shift.tried.clear()
    cells.record(Shift)
    assert Shift.tried == ["bert", "gpt2", "llama", "t5", "mt5"]


@pytest.fixture
def renewed(kept, monkeypatch) -> dict[str, str]:
    """Cells whose code is no longer the same, of which a method's tenth is `gpt2`."""
    made = cells.record(Shift)
    cells.write(Shift, made)
    monkeypatch.setattr(cells, "sources_of", lambda method: {"shift.py": "2"})
    monkeypatch.setattr(cells, "tenth", lambda method, names: ["gpt2"])
    Shift.tried.clear()
    return made


def test_cells_are_tied_to_new_code_that_repeats_a_tenth(renewed):
    assert cells.renew(Shift) == renewed | {"sources": {"shift.py": "2"}}
    assert Shift.tried == ["gpt2"]


def test_a_new_architecture_is_tried_when_cells_are_renewed(renewed):
    Shift.states["t5"] = (RUNS, "")
    assert cells.renew(Shift)[RUNS] == ["bert", "t5"]
    assert Shift.tried == ["gpt2", "t5"]


@pytest.mark.parametrize("now", [(REFUSED, "for another reason"), (FAULT, "no"), (RUNS, "")])
def test_where_one_cell_differs_all_are_tried(renewed, now):
    Shift.states["gpt2"] = now
    made = cells.renew(Shift)
    assert cells.told(made, "gpt2") == now
    assert Shift.tried == ["gpt2", "bert", "gpt2", "llama"]


def test_of_other_models_all_cells_are_tried(renewed, monkeypatch):
    monkeypatch.setitem(architectures._tables(), "bert", ("encoder", {"hidden_size": 16}))
    cells.renew(Shift)
    assert Shift.tried == ["bert", "gpt2", "llama"]


def test_without_cells_all_are_tried(kept):
    assert cells.renew(Shift)[RUNS] == ["bert"]
    assert Shift.tried == ["bert", "gpt2", "llama"]


def test_a_tenth_is_the_same_each_time_and_that_of_all_methods_together_leaves_little_out():
    names = architectures.names()
    tenths = {method: cells.tenth(method, set(names)) for method in load_methods()}
    assert {len(found) for found in tenths.values()} == {math.ceil(len(names) / 10)}
    assert tenths == {method: cells.tenth(method, names) for method in tenths}
    assert len({name for found in tenths.values() for name in found}) > 0.9 * len(names)


def test_other_sizes_of_a_model_try_all(kept, monkeypatch):
    cells.write(Shift, cells.record(Shift))
    monkeypatch.setitem(architectures._tables(), "bert", ("encoder", {"hidden_size": 16}))
    assert cells.is_stale(Shift)
    Shift.tried.clear()
    cells.record(Shift)
    assert Shift.tried == ["bert", "gpt2", "llama"]


def test_cells_depend_on_the_method_and_on_what_tries_it():
    found = cells.sources_of(load_method("lora"))
    assert {"reparameterized/lora/lora.py", "measure/matrix.py", "anatomy/watch.py"} <= found.keys()
    assert cells.path_of(load_method("lora")).parts[-3:] == (
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
    kept = files.read(cells.path_of(made))
    assert cells.told(kept, name) == matrix.cell(made, name)


@pytest.mark.parametrize("method", load_methods())
def test_the_committed_cells_are_of_all_architectures_and_of_this_code(method):
    assert not cells.is_stale(load_method(method))
