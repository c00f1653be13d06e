"""Pseudo-tokens in models that read more than text, and where embeddings are narrower."""

from __future__ import annotations

import pytest
import torch

from reference_impls import architectures
from reference_impls.anatomy import anatomy, numel
from reference_impls.prompt.p_tuning.p_tuning import PseudoTokens, PTuning


def test_a_model_that_reads_images_beside_text_is_refused():
    model = architectures.build("llava")
    with pytest.raises(ValueError, match="no template for what LlavaModel reads beside text"):
        PTuning().setup(model)
    assert all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("name", ["albert", "opt"])
def test_pseudo_tokens_are_as_wide_as_embeddings(name):
    """In OPT what takes tokens is a model within the base model."""
    model, batch = architectures.build(name), architectures.batch(name)
    before = architectures.logits(model, batch)
    method = PTuning(template=(2, 1))
    method.setup(model)
    parts = anatomy(model)
    (pseudo,) = (module for module in model.modules() if isinstance(module, PseudoTokens))
    assert parts.embedding.embedding_dim == parts.hidden_size // 2
    assert method.trained(parts) == numel(pseudo.parameters())
    pseudo.fold()
    assert method.stored(parts) == pseudo.rows.numel() == 3 * 16
    after = architectures.logits(model, batch)
    assert after.shape == before.shape
    assert not torch.equal(after, before)
