"""P-tuning in peft."""

from __future__ import annotations

from dataclasses import replace

from peft import PromptEncoderConfig, get_peft_model

from reference_impls.prompt.p_tuning.p_tuning import PTuning
from tests.methods import models
from tests.parity import samples
from tests.parity.prompts import DECODERS, LENGTH, ignore_first_token, task
from tests.parity.samples import Comparison


def p_tuning_mapping(model, tensors):
    """From peft's encoder with an LSTM."""
    prefix = next(n for n in samples.trained(model) if n.endswith("encoder.rows"))
    prefix = prefix.removesuffix("rows")
    found = {}
    for name, tensor in tensors.items():
        name = name.split("prompt_encoder.default.")[1]
        for theirs, ours in (
            ("embedding.weight", "rows"),
            ("lstm_head", "lstm"),
            ("mlp_head", "mlp"),
        ):
            name = name.replace(theirs, ours)
        found[prefix + name] = tensor
    return found


def peft_p_tuning(name: str, **more) -> samples.Sample:
    config = PromptEncoderConfig(task_type=task(name), num_virtual_tokens=LENGTH, **more)
    sample = samples.from_model(
        "peft", name, lambda model: get_peft_model(model, config), batch=ignore_first_token(name)
    )
    return replace(sample, logits=sample.logits[:, LENGTH:])


def in_front() -> PTuning:
    return PTuning(template=(LENGTH,), places=(0,))


@DECODERS
def test_peft_p_tuning(outcomes, name):
    lstm = {"encoder_reparameterization_type": "LSTM", "encoder_hidden_size": 16}
    sample = peft_p_tuning(name, **lstm)
    comparison = Comparison(outcomes, sample, in_front(), p_tuning_mapping)
    after = "an LSTM as encoder, all pseudo-tokens in front, and their logits cut off"
    comparison.logits(after)
    comparison.gradients(f"{after}; the first token of the text is no label")
    comparison.counts()
    method = PTuning(template=(LENGTH,), places=(1,))
    inside = Comparison(outcomes, sample, method, p_tuning_mapping)
    note = "has no template: pseudo-tokens stand in front of all (ours, here: behind one token)"
    inside.deviates("logits", inside.distance(), note)


def test_peft_p_tuning_encoder(outcomes):
    sample = peft_p_tuning("gpt2-lm")
    model = models.build("gpt2-lm")
    in_front().setup(model)
    assert not any("lstm" in name for name in sample.weights)
    found = sample.trained - samples.count(model)
    note = "by default the encoder has no LSTM, but a perceptron of three linear maps"
    outcomes.deviates("p_tuning", "peft", "number trained by default", "gpt2-lm", found, note=note)
