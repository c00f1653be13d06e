"""Counts and the ledger of every architecture, from its configuration alone."""

from __future__ import annotations

import pytest
import transformers

from reference_impls import architectures
from reference_impls.anatomy import anatomy, built, class_of, numel
from reference_impls.core.counting import count
from reference_impls.full_fine_tuning.full_fine_tuning.full_fine_tuning import FullFineTuning
from reference_impls.measure import reports
from reference_impls.measure.any_batch import batch_for
from reference_impls.reparameterized.lora.lora import LoRA
from tests.methods.zoo import NAMES, every

# models that transformers has no class with a loss for, of those that are made of a configuration
WITHOUT_A_LOSS = [
    name for name in NAMES if class_of(architectures.config(name)) is transformers.AutoModel
]


@every()
@pytest.mark.parametrize("method", [FullFineTuning(), LoRA(r=2)], ids=["all", "low-rank"])
def test_a_configuration_counts_as_its_model_with_weights(name, method):
    config = architectures.config(name)
    parts = anatomy(built(config))
    base, head = numel(parts.base_parameters()), numel(parts.head_parameters())
    assert base + head == numel(parts.model.parameters())
    try:
        trained = method.trained(parts)
    except ValueError:
        with pytest.raises(ValueError, match="has no "):
            count(method, config)
        return
    counted = count(method, config)
    assert counted == {"trained": trained, "stored": trained, "head": head, "base": base}


@every(but=WITHOUT_A_LOSS)
def test_the_ledger_of_a_configuration_holds_its_weights_and_their_gradients(name):
    config = architectures.config(name)
    parts = anatomy(built(config))
    report = reports.on_architecture(FullFineTuning, config, 2, 8)
    if "refused" in report:  # it looks at values, or needs inputs of its own
        assert report["refused"]
        return
    parts.model(**batch_for(parts.model, 2, 8))  # which may lengthen a table of positions
    buffers = {id(b): b for b in parts.model.buffers()}.values()
    weights = 4 * numel(parts.model.parameters()) + sum(b.nbytes for b in buffers)
    assert report["ledger"]["weights"] == weights
    assert 0 < report["ledger"]["gradients"] <= 4 * numel(parts.model.parameters())
    assert report["counts"]["base"] == numel(parts.base_parameters())


def test_what_is_trained_is_so_when_operations_have_been_counted():
    model = architectures.build("bert")
    frozen = model.get_input_embeddings().weight.requires_grad_(False)
    reports.inference(model, batch_for(model, 1, 8))
    assert [p is frozen for p in model.parameters()] == [
        not p.requires_grad for p in model.parameters()
    ]
