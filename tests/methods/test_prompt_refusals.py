"""Which models take embedded text in front of tokens, and why others do not."""

from __future__ import annotations

import pytest
import torch

from reference_impls import architectures
from reference_impls.anatomy import anatomy
from reference_impls.prompt.prompt_tuning.prompt_tuning import PromptTuning
from reference_impls.shared.input_prompt import check_room

torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("vit", "ViTModel has no table of tokens: it reads no text"),
        ("ibert", "IBertModel has no table of tokens: it embeds text in another way"),
        ("canine", "CanineModel has no table of tokens: it embeds text in another way"),
        ("mamba", "MambaModel has no layers that were found"),
        ("whisper", "WhisperEncoder takes no inputs_embeds"),
        ("esmc", "EsmcModel takes no inputs_embeds"),
        (
            "funnel",
            "FunnelBaseModel takes no prompt: it pools its text, so that of a prompt no rows",
        ),
        ("longformer", "LongformerModel takes no prompt: its head counts tokens to say which"),
        ("gemma3n_text", "Gemma3nTextModel takes no prompt: its layers look tokens up as well"),
        ("paligemma", "PaliGemmaModel takes no prompt: it gives its layers a mask of its own"),
        ("gemma3", "Gemma3Model takes no prompt: it gives its layers a mask of its own making"),
        ("t5gemma2", "T5Gemma2Model has several towers, and a prompt is for one of them"),
    ],
)
def test_a_model_that_takes_no_prompt_is_refused_with_the_reason(name, complaint):
    model = architectures.build(name)
    flags = [p.requires_grad for p in model.parameters()]
    with pytest.raises(ValueError, match=complaint):
        check_room(anatomy(model), 3)
    with pytest.raises(ValueError, match=complaint):
        PromptTuning(length=3, init="uniform").setup(model)
    assert [p.requires_grad for p in model.parameters()] == flags


@pytest.mark.parametrize("name", ["bert", "gpt2", "t5", "llava", "qwen2_vl", "mixtral", "electra"])
def test_others_take_one(name):
    check_room(anatomy(architectures.build(name)), 3)


def test_a_prompt_that_takes_every_position_is_refused():
    parts = anatomy(architectures.build("bert"))
    check_room(parts, 63)
    with pytest.raises(ValueError, match="a prompt of 64 leaves no room in the 64 positions of"):
        check_room(parts, 64)


@pytest.mark.parametrize("name", ["bert", "gpt2", "t5", "electra"])
def test_a_prompt_of_words_is_what_the_words_say(name):
    """What is embedded text for the model says as much as the tokens that it is of."""
    model = architectures.build(name)
    parts = anatomy(model)
    batch = {key: value[1:] for key, value in architectures.batch(name).items()}
    text = {key: batch[key] for key in ("attention_mask", "labels") if key in batch}
    with torch.no_grad():
        embedded = parts.embedding(batch["input_ids"])
        expected = architectures.logits(model, batch)
        found = architectures.logits(model, {"inputs_embeds": embedded, **text})
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
