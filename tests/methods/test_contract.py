"""What every registered method promises, on every family of models.

One test a method and model, in which each promise is a subtest. Promises that read the adapted
model share one; those that train or change it get one of their own.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel

from reference_impls.anatomy import anatomy, numel
from reference_impls.core.method import METHODS, Method, trainable
from reference_impls.core.training import Loop, train
from tests.methods import models
from tests.methods.case import Case, base_parameters, close
from tests.methods.settings import CASES, CONTRACTS, REFUSED, batches, make, shake

# One of each anatomy; the others, whose modules have the same names, have their turn at night.
GATE = ("bert", "gpt2-lm", "llama-lm", "t5-lm")


# promises that read the shared model


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
    assert numel(method.delta(model).values()) == method.stored(parts)


def setup_twice_is_refused(case: Case) -> None:
    method, model = case.shared
    with pytest.raises(ValueError, match="detach it first"):
        method.setup(model, batches(case.model_name))
    assert torch.equal(models.logits(model, case.inputs), case.expected)


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


# promises that change the model


def training_keeps_the_base_and_a_delta_brings_it_back(case: Case) -> None:
    """Training leaves the base as it was iff declared; its delta on a fresh base, from a file,
    gives the same outputs; and that is taken back, or merged."""
    method, model = case.adapt()
    before = {k: v.detach().clone() for k, v in base_parameters(method, model).items()}
    case.some_steps(method, model)
    after = base_parameters(method, model)
    changed = [k for k in before if not torch.equal(before[k], after[k])]
    assert (not changed) == method.frozen_base, changed[:3]

    save_file(method.delta(model), case.folder / "delta.safetensors")
    other, fresh = case.adapt(shaken=False)
    for ours, theirs in zip(
        anatomy(fresh).head_parameters(), anatomy(model).head_parameters(), strict=True
    ):
        ours.data.copy_(theirs)
    other.load_delta(fresh, load_file(case.folder / "delta.safetensors"))
    expected = models.logits(model.eval(), case.inputs)
    assert torch.equal(models.logits(fresh.eval(), case.inputs), expected)

    detaching_restores_the_model(case, method, model)
    merging_is_exact_where_declared(case, other, fresh, expected)


def detaching_restores_the_model(case: Case, method: Method, model: PreTrainedModel) -> None:
    if not method.detachable:
        with pytest.raises(ValueError, match="reload"):
            method.detach(model)
        return
    method.detach(model)
    state, expected = model.state_dict(), case.pristine.state_dict()
    assert state.keys() == expected.keys()
    head = {id(p) for p in anatomy(model).head_parameters()}
    names = [n for n, p in model.named_parameters() if id(p) not in head]
    assert all(torch.equal(state[n], expected[n]) for n in names)
    model.load_state_dict(expected)
    found = models.logits(model.eval(), case.inputs)
    assert torch.equal(found, models.logits(case.pristine, case.inputs))


def merging_is_exact_where_declared(
    case: Case, method: Method, model: PreTrainedModel, before: Tensor
) -> None:
    if not method.mergeable:
        with pytest.raises(ValueError, match="cannot be merged"):
            method.merge(model)
        return
    method.merge(model)
    assert model.state_dict().keys() == case.pristine.state_dict().keys()
    close(models.logits(model, case.inputs), before, within=2e-5)
    with pytest.raises(ValueError, match="merged already"):
        method.merge(model)


def gradients_do_not_change_with_checkpointing(case: Case) -> None:
    gradients = []
    for checkpointing in (False, True):
        method, model = case.adapt()
        model.train()
        if checkpointing:
            model.activation_checkpointing_enable()
        method.before_step(model, 0)
        method.loss(model, case.inputs).backward()
        gradients.append([p.grad for p in trainable(model)])
    for plain, checkpointed in zip(*gradients, strict=True):
        # the largest difference is 4e-6, in float64 1e-14: T5 adds up its shared position bias anew
        close(plain, checkpointed)


def a_bfloat16_base_is_finite_and_close(case: Case) -> None:
    outputs, deltas = [], []
    for dtype in (torch.float32, torch.bfloat16):
        # both start from the same rounded weights: only the precision of the computation differs
        model = models.build(case.model_name).to(torch.bfloat16).to(dtype)
        method = make(case.name, case.model_name)
        method.setup(model, batches(case.model_name))
        shake(method, model).eval()
        deltas.append(method.delta(model))
        method.load_delta(model, deltas[0])  # a mask may rank other weights in other precision
        outputs.append(models.logits(model, case.inputs).float())
    reference, output = outputs
    assert output.isfinite().all()
    assert (output - reference).abs().mean() < 0.02 * reference.abs().max()
    method.loss(model, case.inputs).backward()
    assert all(p.grad.isfinite().all() for p in trainable(model))


def the_same_seed_gives_the_same_weights(case: Case) -> None:
    states = []
    for _ in range(2):
        model = models.build(case.model_name)
        loop = Loop(lambda seed: batches(case.model_name), steps=2, seed=5, progress=False)
        train(make(case.name, case.model_name), model, loop)
        states.append(model.state_dict())
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])


def all_that_setup_adds_is_on_the_models_device(case: Case) -> None:
    if CONTRACTS[case.name].setup_needs_values:
        return
    model = models.build(case.model_name).to("meta")
    make(case.name, case.model_name).setup(model)
    assert {p.device.type for p in (*model.parameters(), *model.buffers())} == {"meta"}


PROMISES: tuple[Callable[[Case], None], ...] = (
    start_equals_base_iff_declared,
    trained_and_stored_counts_equal_the_closed_forms,
    setup_twice_is_refused,
    a_delta_that_does_not_fit_is_refused,
    the_amount_of_padding_does_not_matter,
    padding_on_the_left_does_not_matter,
    rows_of_a_batch_do_not_mix,
    no_token_sees_the_future,
    generation_with_a_cache_equals_generation_without,
    every_trained_tensor_gets_a_gradient_and_no_other,
    a_deep_copy_is_independent,
    eager_attention_equals_sdpa,
    training_keeps_the_base_and_a_delta_brings_it_back,
    gradients_do_not_change_with_checkpointing,
    a_bfloat16_base_is_finite_and_close,
    the_same_seed_gives_the_same_weights,
    all_that_setup_adds_is_on_the_models_device,
)


# What hangs on the method and the trainer more than on the model: at the gate on each method's
# first model.
ONCE = (
    the_same_seed_gives_the_same_weights,
    a_bfloat16_base_is_finite_and_close,
    gradients_do_not_change_with_checkpointing,
)


def at_the_gate(name: str, model_name: str) -> tuple[Callable[[Case], None], ...]:
    """The promises that are tested at the gate; the rest is at night."""
    if model_name not in GATE:
        return ()
    first = next(model for method, model in CASES if method == name and model in GATE)
    return PROMISES if model_name == first else tuple(p for p in PROMISES if p not in ONCE)


def parts() -> Iterator[Any]:
    """Each case with the promises of the gate, and with those that are left."""
    for case in CASES:
        now = at_the_gate(*case)
        later = tuple(promise for promise in PROMISES if promise not in now)
        if now:
            yield pytest.param(*case, now, id="-".join(case))
        if later:
            yield pytest.param(*case, later, marks=pytest.mark.night, id="-".join((*case, "night")))


@pytest.mark.parametrize(("name", "model_name", "promises"), list(parts()))
def test_contract(name, model_name, promises, tmp_path, subtests):
    case = Case(name, model_name, tmp_path)
    for promise in promises:
        with subtests.test(promise.__name__):
            promise(case)


@pytest.mark.parametrize(("name", "model_name"), REFUSED)
def test_models_without_what_the_method_needs_are_refused_and_left_alone(name, model_name):
    model, method = models.build(model_name), make(name)
    with pytest.raises(ValueError, match=REFUSED[name, model_name]):
        method.setup(model, batches(model_name))
    pristine = models.build(model_name)
    assert model.state_dict().keys() == pristine.state_dict().keys()
    assert all(p.requires_grad for p in model.parameters())
    method.setup(models.build("bert"), batches("bert"))  # a refusal is not remembered
