"""Committed peaks are added, renewed or told anew by what told them, and are what they say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, LlamaConfig

from reference_impls.__main__ import main
from reference_impls.core.method import METHODS
from reference_impls.core.registry import load_method, load_methods
from reference_impls.measure import command, files, memory
from reference_impls.measure.command import Job, measured
from reference_impls.measure.polynomials import TERMS, value
from tests.methods.toy_methods import Shift

torch.set_num_threads(1)

TOLD = [[9, 0, 0, 8, 4, 0]]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch) -> Path:
    """A file of its own, and two architectures of which something is told at once."""
    path, told = tmp_path / "measured" / "memory.json", []

    def peaks(method, config, setting):
        told.append((config.hidden_size, setting))
        if config.hidden_size == 8:
            raise ValueError("it is too narrow")
        return [tuple(TOLD[0])]

    sizes = {"narrow": 8, "wide": 16}
    monkeypatch.setattr(memory, "path_of", lambda method: path)
    monkeypatch.setattr(memory, "sources_of", lambda method: {"shift.py": "1"})
    monkeypatch.setattr(memory, "ARCHITECTURES", sizes)
    monkeypatch.setattr(memory, "config_of", lambda name: BertConfig(hidden_size=sizes[name]))
    monkeypatch.setattr(memory.peaks, "peaks", peaks)
    monkeypatch.setattr(command, "load_method", lambda name: Shift)
    monkeypatch.setattr(Shift, "told", told, raising=False)
    monkeypatch.setattr(Shift, "sizes", sizes, raising=False)
    return path


def make(what: str, *, renew: bool = False) -> None:
    """As the command does."""
    job = Job("shift", what)
    command.keep(job, measured(job, renew))


def test_what_is_told_of_an_architecture_is_added_to_what_is_there(kept):
    assert memory.missing(Shift) == ["narrow", "wide"]
    assert not memory.of_other_code(Shift)
    make("memory on wide")
    assert memory.missing(Shift) == ["narrow"]
    make("memory on narrow")
    assert memory.missing(Shift) == []
    found = files.read(kept)["architectures"]
    assert list(found) == ["narrow", "wide"]
    assert [found["wide"][setting] for setting in memory.SETTINGS] == [TOLD] * len(memory.SETTINGS)
    assert set(found["narrow"].values()) > {"it is too narrow"}
    assert {setting for _, setting in Shift.told} == {*memory.SETTINGS.values()}


def test_what_other_code_told_goes_and_what_another_architecture_was_is_told_anew(
    kept, monkeypatch
):
    make("memory on narrow")
    make("memory on wide")
    Shift.sizes["wide"] = 24
    assert memory.missing(Shift) == ["wide"]
    monkeypatch.setattr(memory, "sources_of", lambda method: {"shift.py": "2"})
    assert memory.of_other_code(Shift)
    assert memory.missing(Shift) == ["narrow", "wide"]
    make("memory on narrow")
    assert [*files.read(kept)["architectures"]] == ["narrow"]


def test_a_setting_more_makes_all_of_it_missing(kept, monkeypatch):
    make("memory on wide")
    monkeypatch.setitem(memory.SETTINGS, "float64", memory.Setting(torch.float64))
    assert memory.missing(Shift) == ["narrow", "wide"]


def test_other_code_that_tells_a_sample_as_it_was_is_taken_for_the_rest(kept, monkeypatch):
    make("memory on narrow")
    make("memory on wide")
    monkeypatch.setattr(memory, "sources_of", lambda method: {"shift.py": "2"})
    Shift.told.clear()
    make("memory", renew=True)
    assert len(Shift.told) == memory.REPEATED
    assert not memory.of_other_code(Shift)
    assert memory.missing(Shift) == []
    changed = files.read(kept)
    changed["architectures"]["wide"] |= {key: [[1, 0, 0, 0, 0, 0]] for key in memory.SETTINGS}
    changed["architectures"]["narrow"] |= dict.fromkeys(memory.SETTINGS, "it is wide")
    files.write(kept, changed, depth=3)
    make("memory", renew=True)
    assert files.read(kept)["architectures"]["wide"]["float32"] == TOLD
    assert files.read(kept)["architectures"]["narrow"]["float32"] == "it is too narrow"


def test_fused_attention_has_no_dropout_to_keep(kept, monkeypatch):
    seen = []
    monkeypatch.setattr(memory.peaks, "peaks", lambda _, config, __: seen.append(config) or [])
    memory.record(Shift, "wide")
    assert {config.attention_probs_dropout_prob for config in seen} == {0.0}
    assert {config.hidden_dropout_prob for config in seen} == {BertConfig().hidden_dropout_prob}


def test_the_command_line_says_the_peak_of_a_step_on_any_architecture(tmp_path, capsys):
    config = LlamaConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        vocab_size=101,
        max_position_embeddings=512,
    )
    config.save_pretrained(tmp_path)
    where = ["--config", str(tmp_path)]
    usual = [*where, "--batch", "3", "--tokens", "40", "--r", "2"]
    for setting, more in (
        (memory.Setting(), []),
        (memory.Setting(checkpointing=True), ["--checkpointing"]),
        (memory.Setting(torch.float32, "eager"), ["--dtype", "float32", "--eager"]),
    ):
        told = memory.predicted(METHODS["lora"], config, setting, r=2)
        peak = max(value(form, 3, 40) for form in told)
        assert main(["peak", "lora", *usual, *more]) == 0
        assert capsys.readouterr().out == f"lora: {peak:,} bytes for 3 rows of 40 tokens\n"
    assert main(["peak", "lora", *usual, *more, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["peak"], found["polynomials"]) == (peak, told)
    assert found["terms"] == list(TERMS)
    for wrong, why in (
        (["lora", *where, "--tokens", "513"], "this architecture has 512 positions"),
        (["lora", *where, "--batch", "0"], "at least one row"),
        (["bitfit", *where], "biases"),
    ):
        assert main(["peak", *wrong]) == 2
        assert why in capsys.readouterr().err


@pytest.mark.parametrize("name", load_methods())
def test_what_is_committed_is_of_the_code_as_it_is(name):
    method = load_method(name)
    told = files.read(memory.path_of(method))
    assert told["sources"] == memory.sources_of(method), f"run `... measure {name} --stale --renew`"
    for architecture, cells in told["architectures"].items():
        assert cells["of"] == memory._digest(architecture)
        assert cells.keys() == {"of", *memory.SETTINGS}


@pytest.mark.night
@pytest.mark.parametrize("name", load_methods())
def test_what_is_committed_is_told_again(name):
    method = load_method(name)
    kept = files.read(memory.path_of(method))["architectures"]
    renewed = memory.renew(method)
    assert renewed == {architecture: kept[architecture] for architecture in renewed}
