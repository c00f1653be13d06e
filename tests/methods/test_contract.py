"""What every registered method promises, on every family of models.

One test a method and model, in which each promise is a subtest. Promises that read the adapted
model share one; those that train or change it get one of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.methods import changing, models, reading
from tests.methods.case import Case
from tests.methods.settings import CASES, REFUSED, batches, make

# One of each anatomy; the others, whose modules have the same names, have their turn at night.
GATE = ("bert", "gpt2-lm", "llama-lm", "t5-lm")


PROMISES: tuple[Callable[[Case], None], ...] = (
    reading.start_equals_base_iff_declared,
    reading.trained_and_stored_counts_equal_the_closed_forms,
    reading.setup_twice_is_refused,
    reading.a_second_method_is_refused_by_the_name_of_the_first,
    reading.saving_the_model_loses_nothing,
    reading.a_delta_that_does_not_fit_is_refused,
    reading.the_amount_of_padding_does_not_matter,
    reading.padding_on_the_left_does_not_matter,
    reading.rows_of_a_batch_do_not_mix,
    reading.no_token_sees_the_future,
    reading.generation_with_a_cache_equals_generation_without,
    reading.every_trained_tensor_gets_a_gradient_and_no_other,
    reading.a_deep_copy_is_independent,
    reading.eager_attention_equals_sdpa,
    changing.training_keeps_the_base_and_a_delta_brings_it_back,
    changing.training_goes_on_from_a_delta,
    changing.gradients_do_not_change_with_checkpointing,
    changing.a_bfloat16_base_is_finite_and_close,
    changing.the_same_seed_gives_the_same_weights,
    changing.all_that_setup_adds_is_on_the_models_device,
)


# What hangs on the method and the trainer more than on the model: at the gate on each method's
# first model.
ONCE = (
    changing.training_goes_on_from_a_delta,
    changing.the_same_seed_gives_the_same_weights,
    changing.a_bfloat16_base_is_finite_and_close,
    changing.gradients_do_not_change_with_checkpointing,
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
