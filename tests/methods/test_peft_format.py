"""peft's files: what is written is read again, and what means something else is refused.

That peft itself reads and writes the same is measured in `tests/parity/test_peft_format.py`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from reference_impls import deltas, peft_format
from reference_impls.__main__ import main
from reference_impls.core.method import METHODS
from reference_impls.core.registry import load_methods
from tests.methods import models
from tests.methods.peft_cases import CASES, MADE
from tests.methods.settings import shake

load_methods()


def exported(folder: Path, name: str = "lora", model_name: str = "llama-lm", **settings):
    """The model, and the folder of its files."""
    method = METHODS[name](**{**MADE[name], **settings})
    model = models.build(model_name)
    method.setup(model)
    shake(method, model)
    peft_format.export(model, folder / "adapter")
    return model, folder / "adapter"


def config_of(folder: Path) -> dict:
    return json.loads((folder / peft_format.CONFIG).read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "model_name"), CASES)
def test_what_is_written_is_read_again(name, model_name, tmp_path):
    model, folder = exported(tmp_path, name, model_name)
    fresh = models.build(model_name)
    found = peft_format.load(fresh, folder, name)
    for option, value in MADE[name].items():
        assert getattr(found, option) == value
    inputs = models.batch(model_name)
    expected = models.logits(model.eval(), inputs)
    assert torch.equal(models.logits(fresh.eval(), inputs), expected)


def test_a_configuration_is_what_vllm_takes(tmp_path):
    """No module to save beside, and ends of names that are those of its layers."""
    _, folder = exported(tmp_path, targets=("query", "feed_forward_down"))
    config = config_of(folder)
    assert config["modules_to_save"] is None
    assert config["target_modules"] == ["down_proj", "q_proj"]
    assert (config["r"], config["lora_alpha"], config["bias"]) == (3, 7.0, "none")
    assert config["task_type"] == "CAUSAL_LM"
    names = load_file(folder / peft_format.TENSORS)
    assert "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight" in names


def test_a_name_that_others_end_with_is_longer(tmp_path):
    """BERT calls the attention's output and the feed-forward's `output.dense`."""
    _, folder = exported(tmp_path, "ia3", "bert")
    config = config_of(folder)
    assert set(config["feedforward_modules"]) == {"0.output.dense", "1.output.dense"}
    assert config["modules_to_save"] == ["classifier"]
    assert config["task_type"] == "SEQ_CLS"


def test_fused_maps_have_one_pair_of_the_sum_of_their_ranks(tmp_path):
    _, folder = exported(tmp_path, "lora", "gpt2-lm")
    config = config_of(folder)
    assert config["fan_in_fan_out"] is True
    assert {config["r"], *config["rank_pattern"].values()} == {3, 6}
    for key, rank in {**config["rank_pattern"]}.items():
        assert config["alpha_pattern"][key] / rank == 7 / 3


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"use_dora": True}, "adapter_config.json: use_dora = True is not done here"),
        ({"bias": "all"}, "bias = 'all' is not done here"),
        ({"peft_type": "IA3"}, "peft_type is 'IA3', of lora it is 'LORA'"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights = 'pissa' changed the base's own"),
        ({"alpha_pattern": {"layers.0.self_attn.q_proj": 3}}, "2 pairs of rank and scale"),
        ({"lora_alpha": "much"}, "adapter"),
    ],
)
def test_what_a_configuration_asks_for_and_is_not_done_is_refused(change, complaint, tmp_path):
    _, folder = exported(tmp_path)
    (folder / peft_format.CONFIG).write_text(json.dumps(config_of(folder) | change))
    model = models.build("llama-lm")
    with pytest.raises(ValueError, match=complaint):
        peft_format.load(model, folder, "lora")
    assert not hasattr(model, "adapted_by")


@pytest.mark.parametrize(
    ("drop", "complaint"),
    [
        ("layers.0.self_attn.q_proj.lora_B", "layers.0.self_attn.q_proj has a lora_A and no"),
        ("layers.0.self_attn.q_proj", "layers.0.self_attn.q_proj has no pair, and other maps"),
    ],
)
def test_what_lacks_a_tensor_is_refused(drop, complaint, tmp_path):
    _, folder = exported(tmp_path)
    path = folder / peft_format.TENSORS
    save_file({k: v for k, v in load_file(path).items() if drop not in k}, path)
    with pytest.raises(ValueError, match=complaint):
        peft_format.load(models.build("llama-lm"), folder, "lora")


def test_a_tensor_that_is_nothing_of_the_method_is_not_lost_without_a_word(tmp_path):
    _, folder = exported(tmp_path)
    path = folder / peft_format.TENSORS
    more = {"base_model.model.lm_head.weight": torch.zeros(2, 2)}
    save_file(load_file(path) | more, path)
    with pytest.raises(ValueError, match=r"lm_head.weight is nothing of lora on this model"):
        peft_format.load(models.build("llama-lm"), folder, "lora")


def test_another_base_is_refused(tmp_path):
    _, folder = exported(tmp_path)
    model = models.build("llama-lm", intermediate_size=64)
    with pytest.raises(ValueError, match="does not fit LoRA"):
        peft_format.load(model, folder, "lora")
    assert not hasattr(model, "adapted_by")
    _, folder = exported(tmp_path, "lora", "bert")
    with pytest.raises(ValueError, match=r"it lacks classifier.weight, or that of as many classes"):
        peft_format.load(models.build("bert", num_labels=5), folder, "lora")


def test_files_that_are_not_there_or_cannot_be_read_are_named(tmp_path):
    _, folder = exported(tmp_path)
    (folder / peft_format.CONFIG).write_text("[1]")
    with pytest.raises(ValueError, match=r"adapter_config.json: it is no table"):
        peft_format.read(folder)
    (folder / peft_format.CONFIG).write_text("[")
    with pytest.raises(ValueError, match="it cannot be read"):
        peft_format.read(folder)
    (folder / peft_format.TENSORS).unlink()
    with pytest.raises(OSError, match=r"adapter_model.safetensors: no such file"):
        peft_format.read(folder)


@pytest.mark.parametrize(
    ("name", "model_name", "settings", "why"),
    [
        ("prefix_tuning", "llama-lm", {"length": 3}, "is another function in peft: there the posi"),
        ("bitfit", "bert", {}, "peft has no BitFit"),
        ("prompt_tuning", "bert", MADE["prompt_tuning"], "the same on decoders only"),
        ("prompt_tuning", "t5-lm", MADE["prompt_tuning"], "the same on decoders only"),
    ],
)
def test_what_peft_computes_otherwise_is_refused(name, model_name, settings, why, tmp_path):
    model = models.build(model_name)
    METHODS[name](**settings).setup(model)
    with pytest.raises(ValueError, match=why):
        peft_format.export(model, tmp_path / "adapter")
    assert not (tmp_path / "adapter").exists()


def test_ia3_elsewhere_is_refused(tmp_path):
    _, folder = exported(tmp_path, "ia3", "gpt2-lm")
    path = folder / peft_format.TENSORS
    tensors = load_file(path)
    name = next(name for name in tensors if "c_attn" in name)
    save_file(tensors | {name: tensors[name] + 1}, path)
    with pytest.raises(ValueError, match="scales queries too"):
        peft_format.load(models.build("gpt2-lm"), folder, "ia3")
    save_file({key: value for key, value in tensors.items() if key != name}, path)
    with pytest.raises(ValueError, match="has no vector, and this method scales there"):
        peft_format.load(models.build("gpt2-lm"), folder, "ia3")
    save_file(tensors | {name: tensors[name].T.contiguous()}, path)
    with pytest.raises(ValueError, match="is for the other side of the map"):
        peft_format.load(models.build("gpt2-lm"), folder, "ia3")


@pytest.mark.parametrize("model_name", ["llama-lm", "bert"])
def test_the_commands_take_a_file_there_and_back(model_name, tmp_path, capsys):
    base = models.build(model_name)
    base.save_pretrained(tmp_path / "base")
    method = METHODS["lora"](**MADE["lora"])
    method.setup(base)
    shake(method, base)
    deltas.save(base, tmp_path / "one.safetensors")
    where = ["--model", str(tmp_path / "base"), "--out"]
    there = [str(tmp_path / "one.safetensors"), *where, str(tmp_path / "adapter")]
    assert main(["export-peft", *there]) == 0
    back = ["lora", str(tmp_path / "adapter"), *where, str(tmp_path / "two.safetensors")]
    assert main(["load-peft", *back]) == 0
    assert "adapter_config.json" in capsys.readouterr().out
    fresh = models.build(model_name)
    deltas.load(fresh, tmp_path / "two.safetensors")
    inputs = models.batch(model_name)
    expected = models.logits(base.eval(), inputs)
    assert torch.equal(models.logits(fresh.eval(), inputs), expected)
    assert main(["load-peft", "ia3", *back[1:]]) == 2
    assert "peft_type is 'LORA'" in capsys.readouterr().err
    assert main(["export-peft", str(tmp_path / "none"), *there[1:]]) == 2
    assert "no such file" in capsys.readouterr().err
