"""Prompt tuning in peft and adapters."""

from __future__ import annotations

from dataclasses import replace

import torch
from peft import PromptTuningConfig, get_peft_model

from reference_impls.prompt.prompt_tuning.prompt_tuning import PromptTuning
from tests.methods import models
from tests.parity import samples
from tests.parity.conftest import TOLERANCE
from tests.parity.prompts import DECODERS, LENGTH, ignore_first_token, task
from tests.parity.samples import Comparison, difference, logits


def prompt_mapping(pattern: str):
    def mapping(model, tensors):
        ours = next(name for name in samples.trained(model) if name.endswith("prompt.rows"))
        (theirs,) = (tensors[name] for name in tensors if name.endswith(pattern))
        return {ours: theirs}

    return mapping


PEFT_PROMPT = prompt_mapping("prompt_encoder.default.embedding.weight")
ADAPTERS_PROMPT = prompt_mapping("prompt_embedding.weight")


def our_prompt() -> PromptTuning:
    return PromptTuning(length=LENGTH, init="uniform")


def peft_prompt(name: str, length: int = LENGTH, **more) -> samples.Sample:
    config = PromptTuningConfig(task_type=task(name), num_virtual_tokens=length, **more)
    return samples.from_model("peft", name, lambda model: get_peft_model(model, config))


@DECODERS
def test_peft_prompt_of_a_decoder(outcomes, name):
    sample = peft_prompt(name)
    sample.logits = sample.logits[:, LENGTH:]
    comparison = Comparison(outcomes, sample, our_prompt(), PEFT_PROMPT)
    comparison.logits(after="the logits of the prompt itself are cut off")
    comparison.counts()
    theirs = PEFT_PROMPT(comparison.model, sample.gradients)
    found = difference(samples.gradients(comparison.model, sample.batch), theirs)
    note = "also trains the prompt to predict the first token of the text"
    comparison.deviates("gradients", found, note)


@DECODERS
def test_peft_prompt_gradients(outcomes, name):
    config = PromptTuningConfig(task_type=task(name), num_virtual_tokens=LENGTH)
    batch = ignore_first_token(name)
    sample = samples.from_model(
        "peft", name, lambda model: get_peft_model(model, config), batch=batch
    )
    comparison = Comparison(
        outcomes, replace(sample, logits=sample.logits[:, LENGTH:]), our_prompt(), PEFT_PROMPT
    )
    comparison.gradients(after="the first token of the text is no label")


def test_peft_prompt_of_an_encoder_decoder(outcomes):
    sample = peft_prompt("t5-lm", num_transformer_submodules=1)
    comparison = Comparison(outcomes, sample, our_prompt(), PEFT_PROMPT)
    comparison.logits()
    comparison.gradients()
    comparison.counts()
    by_default = peft_prompt("t5-lm")
    found = by_default.trained - sample.trained
    assert found == LENGTH * 32
    note = "by default prompts the decoder as well, with rows of its own"
    outcomes.deviates(
        "prompt_tuning", "peft", "number trained by default", "t5-lm", found, note=note
    )


def test_peft_pools_a_row_of_the_prompt(outcomes):
    sample = peft_prompt("bert")
    comparison = Comparison(outcomes, sample, our_prompt(), PEFT_PROMPT)
    note = "the pooler reads the first row of the prompt, not [CLS]"
    comparison.deviates("logits", comparison.distance(), note)
    comparison.counts()
    config = PromptTuningConfig(task_type="FEATURE_EXTRACTION", num_virtual_tokens=LENGTH)
    theirs = get_peft_model(sample.ours().base_model, config).eval()
    prompt = next(p for n, p in theirs.named_parameters() if "prompt_encoder" in n)
    prompt.data.copy_(next(iter(sample.weights.values())))
    inputs = {key: sample.batch[key] for key in ("input_ids", "attention_mask")}
    with torch.no_grad():
        states = theirs(**inputs).last_hidden_state[:, LENGTH:]
        found = difference(comparison.model.base_model(**inputs).last_hidden_state, states)
    comparison.equal("last hidden states", found, after="those of the prompt itself are cut off")


def test_peft_prompt_starts_as_standard_normal(outcomes):
    rows = next(iter(peft_prompt("gpt2-lm", length=40).start.values()))
    method = PromptTuning(length=40, init="uniform")
    model = models.build("gpt2-lm")
    method.setup(model)
    (ours,) = samples.trained(model).values()
    note = "starts as standard normal, none of the paper's three starts (this one: uniform)"
    found = (rows.std() - ours.std()).item()
    compared = "standard deviation of the initial rows"
    outcomes.deviates("prompt_tuning", "peft", compared, "gpt2-lm", found, note=note)


def test_adapters_prompt_has_no_positions(outcomes):
    sample = samples.from_adapters("prompt-bert")
    comparison = Comparison(outcomes, sample, our_prompt(), ADAPTERS_PROMPT)
    note = (
        "goes in behind the embedding layer, without positions or layer norm; its rows attend to "
        "padding, and the pooler reads the first of them"
    )
    comparison.deviates("logits", comparison.distance(), note)
    comparison.counts()
    # the same by hand: that explains all of the difference
    model, prompt = sample.ours(), next(iter(sample.weights.values()))
    seen = torch.nn.functional.pad(sample.batch["attention_mask"].bool(), (LENGTH, 0), value=True)
    seen = seen[:, None, None].expand(-1, -1, seen.shape[1], -1).clone()
    seen[:, :, :LENGTH] = True
    mask = torch.where(seen, 0.0, torch.finfo(torch.float32).min)
    model.bert.embeddings.register_forward_hook(
        lambda module, args, output: torch.cat([prompt.expand(len(output), -1, -1), output], 1)
    )
    for layer in model.bert.encoder.layer:
        layer.register_forward_pre_hook(lambda module, args: (args[0], mask, *args[2:]))
    assert difference(logits(model, sample.batch), sample.logits) < TOLERANCE
