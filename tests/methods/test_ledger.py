"""The ledger: what is counted, against hand counts, closed forms, and what is committed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import nn

from reference_impls.__main__ import main
from reference_impls.anatomy import anatomy, model_on_meta, numel
from reference_impls.core.method import METHODS, Method
from reference_impls.core.registry import load_methods
from reference_impls.measure import files, ledgers, reports
from reference_impls.measure.ledger import Activations, Gradients
from reference_impls.measure.ledgers import tasks_of
from reference_impls.measure.reports import on_config, on_model, on_task
from reference_impls.measure.shapes import shapes_only
from reference_impls.shared.masks import MaskedMethod
from tests.methods import models
from tests.methods.ledgers import ARCHITECTURES, FILES, LAB, beside_full, kept
from tests.methods.settings import BASELINES, CONTRACTS

ROOT = Path(__file__).parents[2]
NAMES = list(load_methods())
SAMPLE = NAMES[::10]  # at the gate; all of them at night


def test_saved_tensors_are_counted_once_without_weights_until_they_are_freed():
    weight, bias = nn.Parameter(torch.ones(6, 5)), nn.Parameter(torch.ones(6))
    x = torch.ones(4, 5, requires_grad=True)
    saved = Activations([weight, bias])
    with saved:
        hidden = torch.addmm(bias, x, weight.T)  # saves x (80 bytes); weight is a weight
        y = hidden.relu()  # saves its result (96)
        z = (y * y.view(4, 6)).sum()  # saves both factors: the same memory again
        assert saved._now == saved.peak == 4 * (4 * 5 + 4 * 6)
        z.backward()
    del hidden, y, z
    assert (saved._now, saved.peak) == (0, 176)


def test_a_view_keeps_the_whole_memory_that_it_is_in():
    x = torch.ones(100, requires_grad=True)
    saved = Activations([])
    with saved:
        y = (2 * x)[:1].square()
    assert saved.peak == 400
    assert y.requires_grad


def test_gradients_are_seen_even_where_they_are_dropped_at_once():
    small, large = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(10))

    def drop(parameter):
        parameter.grad = None

    handles = [p.register_post_accumulate_grad_hook(drop) for p in (small, large)]
    seen = Gradients([small, large])
    (small.sum() + large.sum()).backward()
    assert seen.peak == 40
    for handle in handles:
        handle.remove()
    (small.sum() + large.sum()).backward()
    assert seen.peak == 52
    seen.stop()
    seen.peak = 0
    large.sum().backward()
    assert seen.peak == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_ledger_is_whole_and_of_the_code_that_is_here(name):
    assert list(LAB[name]) == tasks_of(METHODS[name])
    assert FILES[name]["architectures"].keys() == ledgers.ARCHITECTURES.keys()
    assert not ledgers.is_stale(METHODS[name]), f"run `python -m reference_impls measure {name}`"


@pytest.mark.parametrize(
    ("name", "task"),
    [
        pytest.param(name, task, marks=() if name in SAMPLE and not i else pytest.mark.night)
        for name in NAMES
        for i, task in enumerate(tasks_of(METHODS[name]))
    ],
)
def test_committed_ledger_of_the_lab(name, task):
    assert on_task(METHODS[name], task) == LAB[name][task]


@pytest.mark.parametrize(
    ("name", "architecture"),
    [
        pytest.param(
            name, architecture, marks=() if name in SAMPLE and not i else pytest.mark.night
        )
        for name in NAMES
        for i, architecture in enumerate(ledgers.ARCHITECTURES)
    ],
)
def test_committed_ledger_of_real_architectures(name, architecture):
    config = ledgers.ARCHITECTURES[architecture]()
    report = reports.on_architecture(METHODS[name], config, ledgers.ROWS, ledgers.LENGTH)
    assert report == ARCHITECTURES[architecture][name]


@pytest.mark.parametrize(
    ("name", "model_name"),
    [
        pytest.param(name, "bert", marks=() if name in SAMPLE else pytest.mark.night)
        for name in NAMES
    ]
    + [
        pytest.param(name, model_name, marks=pytest.mark.night)
        for model_name in ("gpt2-lm", "llama-lm", "t5-lm")
        for name in ("ladder_side_tuning", "lora", "prefix_tuning", "qlora")
    ],
)
def test_shapes_alone_give_what_values_give(name, model_name):
    config = deepcopy(models.MODELS[model_name][1])  # making a model writes to it
    arguments = CONTRACTS[name].arguments
    model = type(model_on_meta(config))(config)
    try:
        METHODS[name](**arguments).check(anatomy(model_on_meta(config)))
        expected = on_model(METHODS[name], model, 3, 7, **arguments)
    except ValueError:
        with pytest.raises(ValueError, match=r".+"):
            on_config(METHODS[name], config, 3, 7, **arguments)
        return
    if CONTRACTS[name].needs_values:
        with pytest.raises(ValueError, match="depends on its data"):
            on_config(METHODS[name], config, 3, 7, **arguments)
        return
    found = on_config(METHODS[name], config, 3, 7, **arguments)
    if issubclass(METHODS[name], MaskedMethod):  # as if the mask had an entry in each tensor
        for key, value in expected.pop("ledger").items():
            assert value <= found["ledger"][key]
        del found["ledger"]
    else:
        found["ledger"]["activations"] -= CONTRACTS[name].masks_kept * 3 * 7 * 4
    assert found == expected


# what trains whole tensors with AdamW, in one phase, and more than the head
PLAIN = [
    name
    for name, method in METHODS.items()
    if name != BASELINES["lower"]
    and method.optimizer is Method.optimizer
    and method.fit is Method.fit
    and method.on_grad is Method.on_grad
    and all("refused" not in found[name] for found in ARCHITECTURES.values())
]


def test_closed_forms_of_adam():
    assert len(PLAIN) > 5
    for name in PLAIN:
        for architecture in ARCHITECTURES:
            report = ARCHITECTURES[architecture][name]
            counts, parts = report["counts"], kept(report)
            trained = counts["trained"] + counts["head"]
            assert parts.gradients == 4 * trained
            steps, rest = divmod(parts.optimizer - 8 * trained, 4)  # one number a tensor besides
            assert rest == 0
            assert 0 < steps < 1000
            assert parts.other == 0


def test_weights_are_those_of_the_architecture():
    """With BERT's buffers, two rows of ids; with Llama's, the rotary frequencies (twice)."""
    for architecture, buffers in (("bert-base", 2 * 8 * 512), ("llama-2-7b", 2 * 4 * 64)):
        beside = [n for n in PLAIN if METHODS[n].frozen_base and METHODS[n].init_noop]
        for name in (BASELINES["upper"], *beside):
            report = ARCHITECTURES[architecture][name]
            counts = report["counts"]
            model = model_on_meta(ledgers.ARCHITECTURES[architecture]())
            own = {id(p) for p in model.parameters()}
            METHODS[name]().setup(model)
            added = numel(p for p in model.parameters() if id(p) not in own)
            assert kept(report).weights == 4 * (counts["base"] + counts["head"] + added) + buffers


def test_masks_save_no_memory():
    masked = [name for name, method in METHODS.items() if issubclass(method, MaskedMethod)]
    assert len(masked) > 2
    for name in masked:
        for own, full in beside_full(name):  # some leave norms and an output layer alone
            assert own.total > full.total
            assert own.gradients > 0.95 * full.gradients
            assert own.activations > 0.9 * full.activations


def test_merged_models_cost_what_the_base_costs():
    found = [report for by_task in LAB.values() for report in by_task.values()]
    for report in found:
        inference = report["inference"]
        assert inference["merged"] in (None, inference["base"])
        assert inference["adapted"] >= inference["base"]
    assert any(report["inference"]["positions"] for report in found)


@pytest.mark.night
def test_numbers_do_not_depend_on_threads():
    threads = torch.get_num_threads()
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            for name in ("lora", "ladder_side_tuning"):
                found = on_task(METHODS[name], "first-clause")
                assert found == LAB[name]["first-clause"]
    finally:
        torch.set_num_threads(threads)


@pytest.mark.night
def test_numbers_do_not_depend_on_vector_instructions():
    """On a processor without any; there a fused attention kernel would save other tensors."""
    settings = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}
    command = [sys.executable, "-m", "reference_impls", "ledger", "prefix_tuning", "--json"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=600,
    )
    for report in json.loads(done.stdout):
        method, task = report.pop("method"), report.pop("on")
        assert report == LAB[method][task]


def test_measuring_leaves_no_hook_behind():
    move = nn.Module.to
    with pytest.raises(ValueError, match="positions"):
        on_config(METHODS["lora"], models.BERT, 1, 65)
    with pytest.raises(RuntimeError), shapes_only():
        raise RuntimeError
    assert nn.Module.to is move
    assert torch.backends.mkldnn.enabled == torch.backends.mkldnn.is_available()


def test_the_command_line_gives_the_ledger_of_any_architecture(tmp_path, capsys):
    models.BERT.save_pretrained(tmp_path)
    config = ["--config", str(tmp_path / "config.json")]
    arguments = ["ledger", "--batch", "2", "lora", *config, "--tokens", "6", "--r", "3", "--json"]
    assert main(arguments) == 0
    (report,) = json.loads(capsys.readouterr().out)
    assert (report.pop("method"), report.pop("on")) == ("lora", "config.json")
    assert report == on_config(METHODS["lora"], models.BERT, 2, 6, r=3)
    assert (report["rows"], report["length"]) == (2, 6)

    assert main(["ledger", "lora", *config, "--tokens", "6", "--dtype", "bfloat16"]) == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert line.startswith("lora")
    half = on_config(METHODS["lora"], models.BERT, 8, 6, dtype=torch.bfloat16)
    assert f"{half['ledger']['weights']:,}" in line

    assert main(["ledger", "lora", *config, "--tokens", "65"]) == 2
    assert "64 positions" in capsys.readouterr().err
    assert main(["ledger", "lora", *config, "--batch", "0"]) == 2
    assert "at least one row" in capsys.readouterr().err


def test_what_is_committed_of_a_method(tmp_path, monkeypatch):
    lora, path = METHODS["lora"], tmp_path / "measured" / "ledger.json"
    monkeypatch.setattr(ledgers, "path_of", lambda method: path)
    monkeypatch.setattr(ledgers, "ARCHITECTURES", {"bert-base": lambda: models.BERT})
    monkeypatch.setattr(ledgers, "LENGTH", 5)
    monkeypatch.setattr(ledgers, "TASKS", ("cue",))
    assert ledgers.is_stale(lora)
    ledgers.write(lora, ledgers.record(lora))
    written = files.read(path)
    assert not ledgers.is_stale(lora)
    assert written["lab"] == {"cue": LAB["lora"]["cue"]}
    assert written["architectures"]["bert-base"]["length"] == 5
    assert written["versions"].keys() == {"torch", "transformers"}
    files.write(path, {**written, "sources": {}}, depth=2)
    assert ledgers.is_stale(lora)
