"""An adapted model knows what is on it, and gets back all that it had."""

from __future__ import annotations

import copy

import pytest
import torch
from transformers import BertForSequenceClassification

from reference_impls.core.method import METHODS, register
from reference_impls.core.training import Loop, train
from reference_impls.prompt.prefix_tuning.prefix_tuning import PrefixTuning
from reference_impls.reparameterized.lora.lora import LoRA
from reference_impls.reparameterized.qlora.qlora import QLoRA
from reference_impls.selective.bitfit.bitfit import BitFit
from tests.methods import models

INPUTS = models.batch("bert")


def state_of(model) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def flags_of(model) -> dict[str, bool]:
    return {name: p.requires_grad for name, p in model.named_parameters()}


def equal(ours, theirs) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[n], theirs[n]) for n in ours)


def partly_frozen():
    """A model of which the user has frozen something."""
    model = models.build("bert")
    model.get_input_embeddings().weight.requires_grad_(False)
    model.classifier.bias.requires_grad_(False)
    return model


@pytest.mark.parametrize("method", [LoRA, BitFit, PrefixTuning])
def test_detach_gives_back_the_head_and_what_was_frozen(method):
    model, method = partly_frozen(), method()
    state, flags = state_of(model), flags_of(model)
    method.setup(model)
    models.shake(model)
    method.detach(model)
    assert equal(model.state_dict(), state)
    assert flags_of(model) == flags


def test_merge_keeps_the_trained_head_and_gives_back_what_was_frozen():
    model, method = partly_frozen(), LoRA()
    flags = flags_of(model)
    method.setup(model)
    models.shake(model)
    head = model.classifier.weight.clone()
    method.merge(model)
    assert torch.equal(model.classifier.weight, head)
    assert flags_of(model) == flags


@pytest.fixture
def failing():
    @register
    class Failing(LoRA):
        """LoRA whose setup fails when all is done."""

        name = "failing"

        def setup(self, model, batches=None) -> None:
            super().setup(model, batches)
            with torch.no_grad():
                model.classifier.bias.add_(1.0)
            raise RuntimeError("no more")

    yield Failing
    del METHODS["failing"]


def test_a_setup_that_fails_half_way_leaves_the_model_as_it_was(failing):
    model, method = partly_frozen(), failing()
    state, flags = state_of(model), flags_of(model)
    logits = models.logits(model, INPUTS)
    with pytest.raises(RuntimeError, match="no more"):
        method.setup(model)
    assert equal(model.state_dict(), state)
    assert flags_of(model) == flags
    assert torch.equal(models.logits(model, INPUTS), logits)
    assert not vars(model).keys() & {"adapted_by", "save_pretrained"}
    LoRA().setup(model)


def test_a_setup_that_is_refused_leaves_the_method_that_is_on():
    first, model = LoRA(), models.build("bert")
    first.setup(model)
    for second in (first, LoRA(), PrefixTuning()):
        with pytest.raises(ValueError, match=r"on this model|on a model already"):
            second.setup(model)
        assert model.adapted_by is first


@pytest.mark.parametrize("kind", [LoRA, BitFit, PrefixTuning])
def test_a_copy_has_its_own_method_which_takes_itself_off(kind):
    pristine, model, method = models.build("bert"), models.build("bert"), kind()
    method.setup(model)
    models.shake(model)
    twin, logits = copy.deepcopy(model), models.logits(model, INPUTS)
    with pytest.raises(ValueError, match="a copy's is `adapted_by`"):
        method.detach(twin)
    twin.adapted_by.detach(twin)
    assert equal(twin.state_dict(), pristine.state_dict())
    assert torch.equal(models.logits(twin, INPUTS), models.logits(pristine, INPUTS))
    assert torch.equal(models.logits(model, INPUTS), logits)
    method.detach(model)
    assert equal(model.state_dict(), pristine.state_dict())


@pytest.mark.parametrize("method", [LoRA, QLoRA, PrefixTuning])
def test_parts_that_a_class_lacks_are_not_saved_with_it(method, tmp_path):
    model, method = models.build("bert"), method()
    method.setup(model)
    for adapted in (model, copy.deepcopy(model)):
        with pytest.raises(ValueError, match="carries a method, which save_pretrained would lose"):
            adapted.save_pretrained(tmp_path)
    assert not list(tmp_path.iterdir())
    if method.detachable:
        method.detach(model)
        model.save_pretrained(tmp_path)


def test_a_model_whose_own_weights_are_trained_is_saved_as_it_is(tmp_path):
    model = models.build("bert")
    BitFit().setup(model)
    models.shake(model)
    model.save_pretrained(tmp_path)
    again = BertForSequenceClassification.from_pretrained(tmp_path).eval()
    assert torch.equal(models.logits(again, INPUTS), models.logits(model.eval(), INPUTS))


def test_training_goes_on_with_the_method_that_is_on_the_model():
    def run(*steps):
        model, method = models.build("bert"), LoRA(lr=0.01)
        for count in steps:
            loop = Loop(lambda seed: iter(lambda: INPUTS, None), count, progress=False)
            train(method, model, loop)
        return method.tensors(model)

    once, twice = run(2), run(2, 2)
    assert not equal(once, twice)
