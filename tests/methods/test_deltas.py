"""A file of `deltas` says how it is to be read, and what it does not fit stays as it was."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from reference_impls import deltas
from reference_impls.core.method import METHODS
from tests.methods import models
from tests.methods.settings import CASES, NAMES, adapt, stand_ins


def saved(folder: Path, name: str = "lora", model_name: str = "bert"):
    method, model = adapt(name, model_name)
    deltas.save(model, folder / "delta.safetensors")
    return method, model, folder / "delta.safetensors"


@pytest.mark.parametrize("name", NAMES)
def test_a_file_alone_brings_a_method_and_its_head_back(name, tmp_path):
    model_name = next(model for method, model in CASES if method == name)
    method, model, path = saved(tmp_path, name, model_name)
    fresh = models.build(model_name)
    data = {  # what no file holds
        key: value
        for key, value in stand_ins(name, model_name).items()
        if not deltas._is_setting(METHODS[name].__dataclass_fields__[key].type)
    }
    found = deltas.load(fresh, path, **data)
    for option in fields(method):
        if option.name not in data:
            assert getattr(found, option.name) == getattr(method, option.name), option.name
    inputs = models.batch(model_name)
    expected = models.logits(model.eval(), inputs)
    assert torch.equal(models.logits(fresh.eval(), inputs), expected)
    assert fresh.adapted_by is found


def test_the_metadata_names_method_settings_base_and_version(tmp_path):
    method, _, path = saved(tmp_path)
    about, tensors = deltas.read(path)
    assert about["method"] == "lora"
    settings = json.loads(about["settings"])
    assert settings["r"] == method.r
    assert tuple(settings["targets"]) == method.targets
    assert {"base_model", "fine_tuning_atlas"} <= about.keys()
    assert [name for name in tensors if name.startswith("head:")] == [
        "head:classifier.bias",
        "head:classifier.weight",
    ]
    assert [file.name for file in tmp_path.iterdir()] == ["delta.safetensors"]


def test_settings_may_be_others(tmp_path):
    _, _, path = saved(tmp_path)
    assert deltas.load(models.build("bert"), path, lr=0.5).lr == 0.5


def refused(path: Path, match: str, model_name: str = "bert", **config) -> None:
    model = models.build(model_name, **config)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ValueError, match=match):
        deltas.load(model, path)
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not hasattr(model, "adapted_by")


def test_what_does_not_fit_is_refused_and_the_model_is_as_it_was(tmp_path):
    _, _, path = saved(tmp_path)
    refused(path, "its head is not that of this model", num_labels=5)
    refused(path, "does not fit LoRA", num_hidden_layers=3)
    tensors = load_file(path)
    about, _ = deltas.read(path)
    save_file(tensors, path, about | {"settings": "["})
    refused(path, "delta.safetensors: its metadata has no settings that can be read")
    save_file(tensors, path, about | {"method": "lorra"})
    refused(path, "did you mean 'lora'")
    save_file(tensors, path)
    refused(path, "delta.safetensors: its metadata names no method")
    path.write_bytes(b"no tensors")
    refused(path, "delta.safetensors: not a safetensors file")
    with pytest.raises(OSError, match="no such file"):
        deltas.load(models.build("bert"), tmp_path / "none")


def test_a_model_without_a_method_has_nothing_to_save(tmp_path):
    with pytest.raises(ValueError, match="no method is on this BertForSequenceClassification"):
        deltas.save(models.build("bert"), tmp_path / "delta.safetensors")
    assert not [*tmp_path.iterdir()]
