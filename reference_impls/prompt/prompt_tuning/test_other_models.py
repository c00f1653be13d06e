"""Prompts in models that read more than text, and where embeddings are not the layers' width."""

from __future__ import annotations

import pytest
import torch

from reference_impls import architectures
from reference_impls.anatomy import anatomy, numel
from reference_impls.prompt.prompt_tuning.prompt_tuning import Prompt, PromptTuning


def prompted(name: str) -> tuple[PromptTuning, torch.nn.Module]:
    """A model with a prompt of three rows, which are the embeddings of tokens 5, 9 and 7."""
    model = architectures.build(name)
    method = PromptTuning(length=3, init="uniform")
    method.setup(model)
    (prompt,) = (module for module in model.modules() if isinstance(module, Prompt))
    prompt.rows.data.copy_(anatomy(model).embedding.weight[[5, 9, 7]])
    return method, model


@pytest.mark.parametrize("name", ["qwen2_vl", "qwen3_vl"])
def test_images_stay_with_their_tokens(name):
    """Their positions are of three dimensions, and a mark says which tokens they are."""
    _, model = prompted(name)
    base, batch = architectures.build(name), architectures.batch(name)
    batch = {k: v[1:] for k, v in batch.items() if k not in ("labels", "attention_mask")}
    text = {k: v for k, v in batch.items() if v.shape[:2] == batch["input_ids"].shape}
    front = torch.tensor([5, 9, 7]).expand(len(batch["input_ids"]), -1)
    longer = {
        k: torch.cat([front if k == "input_ids" else torch.zeros_like(front), v], dim=1)
        for k, v in text.items()
    }
    found = architectures.logits(model, batch)
    expected = architectures.logits(base, batch | longer)
    torch.testing.assert_close(found, expected[:, 3:], atol=1e-5, rtol=1e-5)


def test_a_prompt_is_as_wide_as_embeddings():
    method, model = prompted("albert")
    parts = anatomy(model)
    (prompt,) = (module for module in model.modules() if isinstance(module, Prompt))
    assert parts.embedding.embedding_dim == parts.hidden_size // 2
    assert method.trained(parts) == numel(prompt.parameters()) == 3 * 16
