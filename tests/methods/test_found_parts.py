"""What is told of an architecture: `python -m reference_impls parts`, and what it is made of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import LlamaConfig

from reference_impls import architectures
from reference_impls.__main__ import main
from reference_impls.anatomy import anatomy
from reference_impls.core.registry import load_method, load_methods
from reference_impls.measure.found_parts import described, lines, refusal, report, shortened
from tests.methods.toy_methods import CrashesAtOnce


def told(name: str) -> dict:
    return described(anatomy(architectures.build(name)))


def test_layers_that_are_alike_are_told_once():
    (layer,) = told("bert")["layers"]
    assert layer["names"] == ["encoder.layer.0", "encoder.layer.1"]
    assert layer["parts"]["query"] == "attention.self.query"
    assert layer["parts"]["end"] == "output.LayerNorm"
    assert layer["missing"] == {}
    encoder, decoder = told("t5")["layers"]
    assert encoder["parts"].keys() < decoder["parts"].keys()
    assert decoder["parts"]["cross-attention: value"] == "layer.1.EncDecAttention.v"


def test_slices_of_a_fused_map_are_told_with_their_features():
    (layer,) = told("gpt2")["layers"]
    assert layer["parts"]["key"] == "attn.c_attn, features 32 to 64"
    (layer,) = told("gpt_neox")["layers"]  # head by head
    assert layer["parts"]["query"].endswith("features 0 to 8, 24 to 32, 48 to 56, …")


def test_what_a_layer_lacks_is_told_with_the_reason():
    linear, attending = told("qwen3_5_text")["layers"]
    assert linear["names"] == ["layers.0"]
    assert linear["missing"]["query"] == "it has no attention"
    assert "query" not in linear["parts"]
    assert attending["missing"] == {}


def test_a_model_without_layers_says_why():
    found = told("mamba")
    assert found["layers"] == []
    assert lines(found)[0] == f"MambaForCausalLM: {found['none']}"
    assert found["around"]["width"].startswith("missing: MambaModel has no layers")


def test_names_of_layers_are_shortened():
    names = ["h.0", "h.1", "h.2", "h.9", "g.10", "norm"]
    assert shortened(names) == "h.0 to h.2, h.9, g.10, norm"


@pytest.mark.parametrize(
    ("architecture", "method", "reason"),
    [
        ("llama", "lora", ""),
        ("llama", "bitfit", "BitFit trains biases"),
        ("vit", "prompt_tuning", "it reads no text"),
        ("vit", "adaptersoup", "asks for unlabeled text"),
        ("xmod", "ia3", "2 linear maps lead down"),
    ],
)
def test_a_method_is_refused_as_on_a_model_with_weights(architecture, method, reason):
    found = refusal(load_method(method), architectures.config(architecture))
    assert reason in found
    assert bool(found) is bool(reason)


def test_experts_are_run_on_tensors_without_values():
    assert refusal(load_method("child_tuning_d"), architectures.config("gpt_oss")) == ""


def test_a_class_without_a_loss_is_refused_by_what_needs_one_at_once():
    config = architectures.config("deit")
    config.architectures = ["DeiTForImageClassificationWithTeacher"]
    found = refusal(load_method("child_tuning_d"), config)
    assert (
        found == "DeiTForImageClassificationWithTeacher gives no loss to train on: it computes none"
    )


def test_what_is_raised_is_told_and_ends_nothing():
    assert refusal(CrashesAtOnce, architectures.config("bert")) == "TypeError: no such thing"


def test_every_method_runs_or_is_refused():
    config = LlamaConfig(
        hidden_size=32, num_hidden_layers=6, num_attention_heads=4, intermediate_size=48,
        vocab_size=40,
    )  # fmt: skip
    before = config.to_dict()
    found = report(config, load_methods().values())
    assert sorted([*found["runs"], *found["refused"]]) == sorted(load_methods())
    assert "full_fine_tuning" in found["runs"]
    assert config.to_dict() == before


def test_the_command_prints_what_is_found_and_what_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    architectures.config("qwen3_5_text").save_pretrained(tmp_path)
    methods = {name: load_method(name) for name in ("lora", "ln_tuning")}
    monkeypatch.setattr("reference_impls.core.registry.load_methods", lambda: methods)
    assert main(["parts", "--config", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "layers.0 (1 of 2)" in shown
    assert "missing: it has no attention" in shown
    assert "methods that run: ln_tuning" in shown
    assert "  lora: targets = ('query', 'value'): Qwen3_5TextModel's layer 'layers.0'" in shown
    assert main(["parts", "--config", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == ["ln_tuning"]
    assert main(["parts", "--config", str(tmp_path / "none")]) == 2
    assert "no such file" in capsys.readouterr().err
