"""The base that is counted of well-known models has as many parameters as is printed of them."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from safetensors.torch import load_file
from transformers import AutoConfig, MT5Config, T5Config, T5ForConditionalGeneration

from reference_impls.__main__ import main
from reference_impls.anatomy import anatomy, built, model_on_meta, numel
from reference_impls.core.counting import read_config
from reference_impls.core.registry import load_method
from reference_impls.measure.reports import on_config
from tools.data.published import verdict

FILE = tomllib.loads(Path(__file__).with_name("base_totals.toml").read_text(encoding="utf-8"))
MODELS = {model["name"]: model for model in FILE["model"]}
# of tiny models
SIZES = {"d_model": 8, "d_kv": 4, "d_ff": 12, "num_heads": 2, "num_layers": 2, "vocab_size": 30}


def base_of(config) -> int:
    model = model_on_meta(config)
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}
    return numel(anatomy(model).base_parameters())


@pytest.mark.parametrize("name", MODELS)
def test_the_base_is_what_is_printed(name):
    model = MODELS[name]
    base = base_of(AutoConfig.for_model(**model["config"]))
    assert verdict(model["printed"], base + sum(model.get("besides", {}).values())) == "equal"


def test_every_total_is_in_a_line_of_its_source():
    assert len(MODELS) == len(FILE["model"]) >= 80
    for model in MODELS.values():
        line = re.sub(r"(?<=\d)_(?=\d)", "", model["source"]["line"])  # as Python writes 12_345
        assert re.search(rf"(?<![\d,]){model['printed']}(?![\d,]*\d)", line)
    used = {model["source"]["of"] for model in MODELS.values()}
    assert used == FILE["sources"].keys()


def test_what_is_known_of_released_models_is_in_their_file(tmp_path, capsys):
    """As it is released, with what transformers 5 overrides; and as transformers 5 saves it."""
    model = MODELS["T5 v1.1 small"]
    released, saved = tmp_path / "config.json", tmp_path / "saved"
    released.write_text(json.dumps(model["config"]), encoding="utf-8")
    read_config(released).save_pretrained(saved)
    for path in (released, saved):
        assert main(["count", "prompt_tuning", "--length", "1", "--config", str(path)]) == 0
        shown = dict(line.split() for line in capsys.readouterr().out.splitlines())
        assert shown["base"] == "76,961,152"
        assert shown["share"] == f"{512 / 76_961_152:.4%}"


@pytest.mark.parametrize(
    ("config", "untied"),
    [
        (T5Config(**SIZES), False),
        (T5Config(**SIZES, tie_word_embeddings=True), False),
        (T5Config(**SIZES, tie_word_embeddings=False), True),
        (MT5Config(**SIZES), True),
    ],
    ids=["T5", "T5 that says so", "T5 v1.1", "mT5"],
)
def test_only_an_output_matrix_that_is_released_apart_counts_apart(config, untied):
    model = built(config)
    assert (model.lm_head.weight is not model.shared.weight) == untied
    assert model.encoder.embed_tokens.weight is model.shared.weight
    assert model.decoder.embed_tokens.weight is model.shared.weight
    assert model.lm_head.weight.equal(model.shared.weight)  # as much as they know of words
    assert base_of(config) == numel(model.parameters())


def test_a_ledger_is_of_the_model_that_is_counted():
    config = T5Config(**SIZES, tie_word_embeddings=False)
    report = on_config(load_method("full_fine_tuning"), config, 2, 3)
    assert report["counts"]["base"] == base_of(config)
    assert report["ledger"]["weights"] == 4 * base_of(config)


def test_a_checkpoint_with_two_matrices_loads_as_it_is_counted(tmp_path):
    config = T5Config(**SIZES, tie_word_embeddings=False)
    model = built(config)
    model.lm_head.weight.data.add_(1)
    model.save_pretrained(tmp_path)
    assert "lm_head.weight" in load_file(tmp_path / "model.safetensors")
    loaded = T5ForConditionalGeneration.from_pretrained(tmp_path)
    assert numel(anatomy(loaded).base_parameters()) == base_of(config)
