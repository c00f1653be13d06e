"""Promises of every method that read an adapted model, which they share and leave as it is."""

from __future__ import annotations

import copy
import re

import pytest
import torch

from reference_impls.anatomy import anatomy, numel
from reference_impls.core.method import METHODS, trainable
from tests.methods import models
from tests.methods.case import Case, close
from tests.methods.settings import CASES, CONTRACTS, batches, make, shake


def start_equals_base_iff_declared(case: Case) -> None:
    _, model = case.adapt(shaken=False)
    assert not any(module.training for module in model.modules())  # nor does it start to train
    found, before = (models.logits(m, case.inputs) for m in (model, case.pristine))
    assert torch.equal(found, before) == METHODS[case.name].init_noop


def trained_and_stored_counts_equal_the_closed_forms(case: Case) -> None:
    method, model = case.shared
    parts = anatomy(model)
    head = {id(p) for p in parts.head_parameters()}
    for parameter in trainable(model):  # a mask on the gradients counts by what passes it
        parameter.grad = torch.ones_like(parameter)
    method.on_grad(model, 0)
    trained = sum(int(p.grad.count_nonzero()) for p in trainable(model) if id(p) not in head)
    model.zero_grad()
    assert trained == method.trained(parts)
    assert numel(method.tensors(model).values()) == method.stored(parts)


def setup_twice_is_refused(case: Case) -> None:
    method, model = case.shared
    with pytest.raises(ValueError, match="detach it first"):
        method.setup(model, batches(case.model_name))
    assert torch.equal(models.logits(model, case.inputs), case.expected)


def a_second_method_is_refused_by_the_name_of_the_first(case: Case) -> None:
    method, model = case.shared
    other = next(n for n, m in CASES if m == case.model_name and n != case.name)
    with pytest.raises(ValueError, match=re.escape(f"{method.title} is on this model")):
        make(other, case.model_name).setup(model, batches(case.model_name))
    assert torch.equal(models.logits(model, case.inputs), case.expected)


def saving_the_model_loses_nothing(case: Case) -> None:
    """Where a file would lack what the method added, none is written."""
    method, model = case.shared
    folder = case.folder / "saved"
    if method._attached:
        with pytest.raises(ValueError, match="save_pretrained would lose"):
            model.save_pretrained(folder)
        assert not folder.exists()
        return
    model.save_pretrained(folder)
    again = type(model).from_pretrained(folder).eval()
    assert torch.equal(models.logits(again, case.inputs), case.expected)


def a_delta_that_does_not_fit_is_refused(case: Case) -> None:
    method, model = case.shared
    with pytest.raises(ValueError, match="does not fit"):
        method.load_delta(model, {"no.such.tensor": torch.zeros(1)})


def the_amount_of_padding_does_not_matter(case: Case) -> None:
    longer = {k: torch.nn.functional.pad(v, (0, 4)) for k, v in case.unlabeled.items()}
    close(models.logits(case.shared[1], longer), case.expected)


def padding_on_the_left_does_not_matter(case: Case) -> None:
    # BERT's classifiers read position 0, and T5's decoder starts with a mask of ones: padding on
    # the left is not theirs.
    if case.model_name in ("bert", "roberta", "t5"):
        return
    if case.model_name in CONTRACTS[case.name].left_padding_matters:
        return
    _, model = case.shared
    inputs = {k: v[1:] for k, v in case.unlabeled.items()}
    tokens, mask = (
        torch.nn.functional.pad(inputs[key], (3, 0)) for key in ("input_ids", "attention_mask")
    )
    padded = {**inputs, "input_ids": tokens, "attention_mask": mask}
    if case.model_name not in models.ENCODER_DECODERS:
        padded["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)
    close(models.logits(model, padded), models.logits(model, inputs))


def rows_of_a_batch_do_not_mix(case: Case) -> None:
    _, model = case.shared
    alone = {k: v[1:2] for k, v in case.unlabeled.items()}
    with torch.no_grad():
        close(model(**case.unlabeled).logits[1:2], model(**alone).logits)


def no_token_sees_the_future(case: Case) -> None:
    if not case.generates:
        return
    _, model = case.shared
    tokens, inputs = case.continued()
    changed = inputs[tokens].clone()
    changed[:, -1] = (changed[:, -1] + 1) % models.VOCABULARY
    with torch.no_grad():
        before, after = model(**inputs).logits, model(**inputs | {tokens: changed}).logits
    torch.testing.assert_close(before[:, :-1], after[:, :-1], atol=1e-6, rtol=1e-6)
    assert not torch.equal(before[:, -1], after[:, -1])


def generation_with_a_cache_equals_generation_without(case: Case) -> None:
    if not case.generates:
        return
    _, model = case.shared
    tokens, inputs = case.continued()
    inputs[tokens] = inputs[tokens][:, :5]
    settings = {"max_new_tokens": 5, "do_sample": False, "use_cache": True}
    mask = torch.ones_like(inputs["input_ids"])
    with_cache = model.generate(**inputs, attention_mask=mask, **settings)
    for _ in range(5):
        with torch.no_grad():
            following = model(**inputs).logits[:, -1]
        inputs[tokens] = torch.cat([inputs[tokens], following.argmax(-1, keepdim=True)], dim=1)
    without = inputs[tokens]
    done = (with_cache == model.config.eos_token_id).cumsum(-1).cumsum(-1) > 1
    assert torch.equal(with_cache[~done], without[:, : with_cache.shape[1]][~done])


def every_trained_tensor_gets_a_gradient_and_no_other(case: Case) -> None:
    method, model = case.shared
    method.before_step(model, 0)
    method.loss(model, case.inputs).backward()
    gradients = {name: (p.requires_grad, p.grad) for name, p in model.named_parameters()}
    model.zero_grad()
    for name, (trained, gradient) in gradients.items():
        assert (gradient is not None) == trained, name
        assert not trained or gradient.abs().max() > 0, name


def a_deep_copy_is_independent(case: Case) -> None:
    _, model = case.shared
    twin = copy.deepcopy(model)
    kept = {name: p.detach().clone() for name, p in model.named_parameters()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        found = models.logits(twin, case.inputs)
        for name, parameter in model.named_parameters():
            parameter.copy_(kept[name])
    assert torch.equal(found, case.expected)


def eager_attention_equals_sdpa(case: Case) -> None:
    model = models.build(case.model_name)
    model.set_attn_implementation("eager")
    method = make(case.name, case.model_name)
    method.setup(model, batches(case.model_name))
    close(models.logits(shake(method, model).eval(), case.inputs), case.expected)
