"""What every registered method promises, on every family of models."""

from __future__ import annotations

import copy

import pytest
import torch
from safetensors.torch import load_file, save_file

from reference_impls.anatomy import anatomy, numel
from reference_impls.method import METHODS, Method, trainable
from reference_impls.training import Loop, train
from tests.methods import models
from tests.methods.settings import CASES, NAMES, REFUSED, adapt, batches, make, shake

every_case = pytest.mark.parametrize(("name", "model_name"), CASES)
every_generator = pytest.mark.parametrize(
    ("name", "model_name"), [case for case in CASES if case[1] in models.GENERATORS]
)


def base_parameters(method: Method, model) -> dict[str, torch.Tensor]:
    """The parameters that the model came with, head apart, by name."""
    parts = anatomy(model)
    added = {id(p) for parent, name in method._attached for p in getattr(parent, name).parameters()}
    head = {id(p) for p in parts.head_parameters()}
    return {
        name: parameter
        for name, parameter in model.named_parameters()
        if id(parameter) not in added | head
    }


def some_steps(method: Method, model, model_name: str, steps: int = 3) -> None:
    """A few plain training steps, without the phases of `fit`."""
    optimizer = method.optimizer(trainable(model))
    source = batches(model_name)
    for step in range(steps):
        method.before_step(model, step)
        method.step(model, next(source), optimizer, step)


@every_case
def test_start_equals_base_iff_declared(name, model_name):
    inputs = models.batch(model_name)
    before = models.logits(models.build(model_name), inputs)
    _, model = adapt(name, model_name, shaken=False)
    assert not any(module.training for module in model.modules())  # nor does it start to train
    same = torch.equal(models.logits(model.eval(), inputs), before)
    assert same == METHODS[name].init_noop


@every_case
def test_trained_and_stored_counts_equal_the_closed_forms(name, model_name):
    method, model = adapt(name, model_name)
    parts = anatomy(model)
    head = {id(p) for p in parts.head_parameters()}
    for parameter in trainable(model):  # a mask on the gradients counts by what passes it
        parameter.grad = torch.ones_like(parameter)
    method.on_grad(model, 0)
    trained = sum(int(p.grad.count_nonzero()) for p in trainable(model) if id(p) not in head)
    assert trained == method.trained(parts)
    assert numel(method.delta(model).values()) == method.stored(parts)


@every_case
def test_every_trained_tensor_gets_a_gradient_and_no_other(name, model_name):
    method, model = adapt(name, model_name)
    method.before_step(model, 0)
    method.loss(model, models.batch(model_name)).backward()
    for parameter_name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, parameter_name
            assert parameter.grad.abs().max() > 0, parameter_name
        else:
            assert parameter.grad is None, parameter_name


@every_case
def test_training_leaves_the_base_as_it_was_iff_declared(name, model_name):
    method, model = adapt(name, model_name)
    before = {k: v.detach().clone() for k, v in base_parameters(method, model).items()}
    some_steps(method, model, model_name)
    after = base_parameters(method, model)
    changed = [k for k in before if not torch.equal(before[k], after[k])]
    assert (not changed) == method.frozen_base, changed[:3]


@every_case
def test_detach_restores_the_model(name, model_name):
    inputs = models.batch(model_name)
    pristine = models.build(model_name)
    method, model = adapt(name, model_name)
    some_steps(method, model, model_name)
    if not method.detachable:
        with pytest.raises(ValueError, match="reload"):
            method.detach(model)
        return
    method.detach(model)
    state, expected = model.state_dict(), pristine.state_dict()
    assert state.keys() == expected.keys()
    head = {id(p) for p in anatomy(model).head_parameters()}
    names = [n for n, p in model.named_parameters() if id(p) not in head]
    assert all(torch.equal(state[n], expected[n]) for n in names)
    model.load_state_dict(expected)
    assert torch.equal(models.logits(model.eval(), inputs), models.logits(pristine, inputs))


@every_case
def test_merge_is_exact_where_declared_and_refused_elsewhere(name, model_name):
    inputs = models.batch(model_name)
    method, model = adapt(name, model_name)
    model.eval()
    before = models.logits(model, inputs)
    if not method.mergeable:
        with pytest.raises(ValueError, match="cannot be merged"):
            method.merge(model)
        return
    method.merge(model)
    assert model.state_dict().keys() == models.build(model_name).state_dict().keys()
    torch.testing.assert_close(models.logits(model, inputs), before, atol=2e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="merged already"):
        method.merge(model)


@every_case
def test_delta_on_a_fresh_base_gives_the_same_outputs(name, model_name, tmp_path):
    inputs = models.batch(model_name)
    method, model = adapt(name, model_name)
    some_steps(method, model, model_name)
    save_file(method.delta(model), tmp_path / "delta.safetensors")
    other, fresh = adapt(name, model_name, shaken=False)
    for ours, theirs in zip(
        anatomy(fresh).head_parameters(), anatomy(model).head_parameters(), strict=True
    ):
        ours.data.copy_(theirs)
    other.load_delta(fresh, load_file(tmp_path / "delta.safetensors"))
    expected = models.logits(model.eval(), inputs)
    assert torch.equal(models.logits(fresh.eval(), inputs), expected)


@every_case
def test_a_delta_that_does_not_fit_is_refused(name, model_name):
    method, model = adapt(name, model_name)
    with pytest.raises(ValueError, match="does not fit"):
        method.load_delta(model, {"no.such.tensor": torch.zeros(1)})


@every_case
def test_a_deep_copy_is_independent(name, model_name):
    inputs = models.batch(model_name)
    _, model = adapt(name, model_name)
    twin = copy.deepcopy(model).eval()
    before = models.logits(twin, inputs)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert torch.equal(models.logits(twin, inputs), before)


@every_case
def test_padding_side_and_amount_do_not_matter(name, model_name):
    _, model = adapt(name, model_name)
    model.eval()
    inputs = {k: v for k, v in models.batch(model_name).items() if k != "labels"}
    longer = {k: torch.nn.functional.pad(v, (0, 4)) for k, v in inputs.items()}
    expected = models.logits(model, inputs)
    torch.testing.assert_close(models.logits(model, longer), expected, atol=1e-5, rtol=1e-5)


# BERT's classifiers read position 0, and T5's decoder starts with a mask of ones: padding on the
# left is not theirs. A prompt stands before the padding, and T5 has no positions but relative ones.
LEFT_PADDED = [
    case
    for case in CASES
    if case[1] not in ("bert", "roberta", "t5")
    and case not in {(name, "t5-lm") for name in ("prompt_tuning", "p_tuning")}
]


@pytest.mark.parametrize(("name", "model_name"), LEFT_PADDED)
def test_padding_on_the_left_does_not_matter(name, model_name):
    _, model = adapt(name, model_name)
    model.eval()
    inputs = {k: v[1:] for k, v in models.batch(model_name).items() if k != "labels"}
    expected = models.logits(model, inputs)
    tokens, mask = (
        torch.nn.functional.pad(inputs[key], (3, 0)) for key in ("input_ids", "attention_mask")
    )
    padded = {**inputs, "input_ids": tokens, "attention_mask": mask}
    if model_name not in models.ENCODER_DECODERS:
        padded["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)
    torch.testing.assert_close(models.logits(model, padded), expected, atol=1e-5, rtol=1e-5)


@every_case
def test_rows_of_a_batch_do_not_mix(name, model_name):
    _, model = adapt(name, model_name)
    model.eval()
    inputs = {k: v for k, v in models.batch(model_name).items() if k != "labels"}
    alone = {k: v[1:2] for k, v in inputs.items()}
    with torch.no_grad():
        together = model(**inputs).logits[1:2]
        expected = model(**alone).logits
    torch.testing.assert_close(together, expected, atol=1e-5, rtol=1e-5)


def generator_inputs(model_name: str) -> tuple[str, dict[str, torch.Tensor]]:
    """Which argument holds the tokens that a model continues, and arguments without padding."""
    inputs = {k: v[1:] for k, v in models.batch(model_name).items() if not k.endswith("mask")}
    del inputs["labels"]
    return ("input_ids" if len(inputs) == 1 else "decoder_input_ids"), inputs


@every_generator
def test_no_token_sees_the_future(name, model_name):
    _, model = adapt(name, model_name)
    model.eval()
    tokens, inputs = generator_inputs(model_name)
    changed = inputs[tokens].clone()
    changed[:, -1] = (changed[:, -1] + 1) % models.VOCABULARY
    with torch.no_grad():
        before, after = model(**inputs).logits, model(**inputs | {tokens: changed}).logits
    torch.testing.assert_close(before[:, :-1], after[:, :-1], atol=1e-6, rtol=1e-6)
    assert not torch.equal(before[:, -1], after[:, -1])


@every_generator
def test_generation_with_a_cache_equals_generation_without(name, model_name):
    _, model = adapt(name, model_name)
    model.eval()
    tokens, inputs = generator_inputs(model_name)
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


@every_case
def test_gradients_do_not_change_with_checkpointing(name, model_name):
    inputs = models.batch(model_name)
    gradients = []
    for checkpointing in (False, True):
        method, model = adapt(name, model_name)
        model.train()
        if checkpointing:
            model.activation_checkpointing_enable()
        method.before_step(model, 0)
        method.loss(model, inputs).backward()
        gradients.append([p.grad for p in trainable(model)])
    for plain, checkpointed in zip(*gradients, strict=True):
        # the largest difference is 4e-6, in float64 1e-14: T5 adds up its shared position bias anew
        torch.testing.assert_close(plain, checkpointed, atol=1e-5, rtol=1e-5)


@every_case
def test_eager_attention_equals_sdpa(name, model_name):
    inputs = models.batch(model_name)
    outputs = []
    for implementation in ("eager", "sdpa"):
        model = models.build(model_name)
        model.set_attn_implementation(implementation)
        method = make(name)
        method.setup(model, batches(model_name))
        outputs.append(models.logits(shake(method, model).eval(), inputs))
    torch.testing.assert_close(*outputs, atol=1e-5, rtol=1e-5)


@every_case
def test_bfloat16_base_is_finite_and_close(name, model_name):
    inputs = models.batch(model_name)
    outputs, deltas = [], []
    for dtype in (torch.float32, torch.bfloat16):
        # both start from the same rounded weights: only the precision of the computation differs
        model = models.build(model_name).to(torch.bfloat16).to(dtype)
        method = make(name)
        method.setup(model, batches(model_name))
        shake(method, model).eval()
        deltas.append(method.delta(model))
        method.load_delta(model, deltas[0])  # a mask may rank other weights in other precision
        outputs.append(models.logits(model, inputs).float())
    reference, output = outputs
    assert output.isfinite().all()
    assert (output - reference).abs().mean() < 0.02 * reference.abs().max()
    method.loss(model, inputs).backward()
    assert all(p.grad.isfinite().all() for p in trainable(model))


@every_case
def test_same_seed_gives_the_same_weights(name, model_name):
    states = []
    for _ in range(2):
        model = models.build(model_name)
        loop = Loop(lambda seed: batches(model_name), steps=2, seed=5, progress=False)
        train(make(name, model_name), model, loop)
        states.append(model.state_dict())
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])


@pytest.mark.parametrize(
    ("name", "model_name"),
    [case for case in CASES if case[0] != "fish_mask"],  # it adds nothing, and looks at values
)
def test_all_that_setup_adds_is_on_the_models_device(name, model_name):
    model = models.build(model_name).to("meta")
    make(name, model_name).setup(model)
    assert {p.device.type for p in (*model.parameters(), *model.buffers())} == {"meta"}


@pytest.mark.parametrize("name", NAMES)
def test_setup_twice_is_refused(name):
    method, model = adapt(name, "bert")
    with pytest.raises(ValueError, match="detach it first"):
        method.setup(model, batches("bert"))


@pytest.mark.parametrize(("name", "model_name"), REFUSED)
def test_models_without_what_the_method_needs_are_refused_and_left_alone(name, model_name):
    model, method = models.build(model_name), make(name)
    with pytest.raises(ValueError, match=REFUSED[name, model_name]):
        method.setup(model, batches(model_name))
    pristine = models.build(model_name)
    assert model.state_dict().keys() == pristine.state_dict().keys()
    assert all(p.requires_grad for p in model.parameters())
    method.setup(models.build("bert"), batches("bert"))  # a refusal is not remembered
