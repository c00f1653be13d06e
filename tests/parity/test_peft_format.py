"""peft reads what is written here, and what peft writes is read here, with the same outputs."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from peft import (
    IA3Config,
    LoraConfig,
    PeftModel,
    PromptTuningConfig,
    get_peft_model,
)

from reference_impls import peft_format
from reference_impls.core.method import METHODS
from reference_impls.core.registry import load_methods
from reference_impls.shared.nf4 import QuantizedLinear
from tests.methods import models
from tests.methods.peft_cases import CASES, DECODERS, FAMILIES, MADE
from tests.methods.settings import shake
from tests.parity import samples
from tests.parity.prompts import task
from tests.parity.samples import difference

load_methods()
THERE, HERE = "our files, read there", "its files, read here"


def logits(model, name: str) -> torch.Tensor:
    """Those of real tokens; a prompt that peft leaves in the output is cut off."""
    batch = models.batch(name)
    with torch.no_grad():
        found = model.eval()(**batch).logits
    if found.ndim == 3 and name != "t5-lm":
        return found[:, -batch["input_ids"].shape[1] :][batch["attention_mask"].bool()]
    return found


def dequantized(model, base):
    """The base with the weights that a quantized model computes with."""
    with torch.no_grad():
        for name, module in model.named_modules():
            if isinstance(module, QuantizedLinear):
                own = base.get_submodule(name).weight
                is_conv = not isinstance(base.get_submodule(name), torch.nn.Linear)
                own.copy_(module.weight.T if is_conv else module.weight)
    return base


@pytest.mark.parametrize(("method", "name"), CASES)
def test_peft_reads_our_files(outcomes, tmp_path: Path, method: str, name: str) -> None:
    base = models.build(name)
    model = copy.deepcopy(base)
    own = METHODS[method](**MADE[method])
    own.setup(model)
    shake(own, model)
    peft_format.export(model, tmp_path)
    read = PeftModel.from_pretrained(dequantized(model, base), tmp_path)
    found = difference(logits(model, name), logits(read, name))
    outcomes.equal(method, "peft", THERE, name, found)


def configured(method: str, name: str):
    """A configuration as a user of peft writes it."""
    kind = task(name)
    if method == "ia3":
        ends = {"gpt2-lm": ["c_attn", "mlp.c_proj"], "t5-lm": ["k", "v", "wo"]}
        names = ends.get(name, ["k_proj", "v_proj", "down_proj"])
        return IA3Config(task_type=kind, target_modules=names, feedforward_modules=names[-1:])
    if method == "prompt_tuning":
        return PromptTuningConfig(task_type=kind, num_virtual_tokens=4)
    return LoraConfig(task_type=kind, r=4, lora_alpha=6, use_rslora=True)


@pytest.mark.parametrize(
    ("method", "name"),
    [
        *(("lora", name) for name in FAMILIES),
        *(("ia3", name) for name in ("llama-lm", "t5-lm")),
        *(("prompt_tuning", name) for name in DECODERS),
    ],
)
def test_we_read_pefts_files(outcomes, tmp_path: Path, method: str, name: str) -> None:
    base = models.build(name)
    model = get_peft_model(copy.deepcopy(base), configured(method, name))
    samples.shake({n: p for n, p in model.named_parameters() if p.requires_grad})
    model.save_pretrained(tmp_path)
    peft_format.load(base, tmp_path, method)
    found = difference(logits(base, name), logits(model, name))
    outcomes.equal(method, "peft", HERE, name, found)


def test_we_refuse_what_peft_scales_more(tmp_path: Path) -> None:
    model = get_peft_model(models.build("gpt2-lm"), configured("ia3", "gpt2-lm"))
    samples.shake({n: p for n, p in model.named_parameters() if p.requires_grad})
    model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="scales queries too"):
        peft_format.load(models.build("gpt2-lm"), tmp_path, "ia3")
