"""Hooks on hidden states, whatever holds them; training mode without statistics of batches."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers.modeling_outputs import BaseModelOutput, BaseModelOutputWithPooling

from reference_impls.core.training import train_mode
from reference_impls.shared.outputs import on_states, replaced

STATES = torch.arange(6.0).reshape(1, 2, 3)
OTHER = torch.ones(1, 2)
OUTPUTS = {
    "tensor": lambda: STATES.clone(),
    "tuple": lambda: (STATES.clone(), OTHER, None),
    "tuple of one": lambda: (STATES.clone(),),
    "output": lambda: BaseModelOutput(last_hidden_state=STATES.clone(), attentions=(OTHER,)),
    "pooled": lambda: BaseModelOutputWithPooling(STATES.clone(), pooler_output=OTHER),
}
every = pytest.mark.parametrize("make", OUTPUTS.values(), ids=OUTPUTS)


class Returns(nn.Module):
    def __init__(self, make) -> None:
        super().__init__()
        self.make = make

    def forward(self, x, *, scale=1):
        return self.make()


def states_and_rest(output):
    """The hidden states, and what is beside them."""
    if isinstance(output, torch.Tensor):
        return output, ()
    values = output.to_tuple() if hasattr(output, "to_tuple") else output
    return values[0], values[1:]


@every
def test_a_hook_gets_the_states_and_replaces_them_alone(make):
    module, seen = Returns(make), []

    @on_states
    def double(module, args, kwargs, states):
        """Twice."""
        seen.append((module, args, kwargs, states.clone()))
        return 2 * states

    assert (double.__name__, double.__doc__) == ("double", "Twice.")
    module.register_forward_hook(double, with_kwargs=True)
    output = module(STATES, scale=3)
    states, rest = states_and_rest(output)
    assert type(output) is type(make())
    assert torch.equal(states, 2 * STATES)
    before = states_and_rest(make())[1]
    assert len(rest) == len(before)
    for one, other in zip(rest, before):
        assert one is other or torch.equal(torch.stack(tuple(one)), torch.stack(tuple(other)))
    ((who, args, kwargs, given),) = seen
    assert who is module
    assert args[0] is STATES
    assert kwargs == {"scale": 3}
    assert torch.equal(given, STATES)


@every
def test_two_hooks_follow_one_another(make):
    module = Returns(make)
    for factor in (2, 5):
        module.register_forward_hook(
            on_states(lambda module, args, kwargs, states, factor=factor: states * factor + 1),
            with_kwargs=True,
        )
    assert torch.equal(states_and_rest(module(STATES))[0], 5 * (2 * STATES + 1) + 1)


def test_more_arguments_reach_the_hook():
    hook = on_states(lambda module, args, kwargs, states, *, by: states * by)
    assert torch.equal(hook(None, (), {}, STATES, by=4), 4 * STATES)


def test_the_states_of_an_output_are_reached_by_every_name():
    output = replaced(BaseModelOutput(last_hidden_state=STATES), OTHER)
    assert output.last_hidden_state is output[0] is output["last_hidden_state"] is OTHER


@pytest.mark.parametrize("kind", [tuple, list])
def test_states_that_are_the_last_of_all_are_replaced_there_too(kind):
    first, second = STATES, OTHER
    output = BaseModelOutput(last_hidden_state=second, hidden_states=kind((first, second)))
    new = torch.zeros(1)
    changed = replaced(output, new)
    assert changed.last_hidden_state is changed.hidden_states[-1] is new
    assert changed.hidden_states[0] is first
    assert type(changed.hidden_states) is kind
    plain = replaced((second, kind((second, first))), new)
    assert plain[0] is new
    assert plain[1][0] is second


def test_a_list_of_states_is_kept_as_it_is_returned():
    output = (STATES, [OTHER])
    assert replaced(output, OTHER)[1] is output[1]
    assert output[0] is STATES


# training


NORMS = (nn.BatchNorm1d(3), nn.BatchNorm2d(3), nn.BatchNorm3d(3), nn.SyncBatchNorm(3))


@pytest.mark.parametrize("norm", NORMS, ids=lambda norm: type(norm).__name__)
def test_in_training_mode_statistics_of_batches_stay(norm):
    model = nn.Sequential(nn.Dropout(0.5), nn.Sequential(norm, nn.LayerNorm(3)), nn.GroupNorm(1, 3))
    model.eval()
    train_mode(model)
    assert not norm.training
    assert all(m.training for m in model.modules() if m is not norm)


def test_what_a_batch_norm_knows_is_what_it_returns():
    model = nn.Sequential(nn.BatchNorm1d(3))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    x = torch.randn(8, 3)
    expected = model.eval()(x)
    train_mode(model)
    assert torch.equal(model(x), expected)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    model.train()
    model(x)
    assert not torch.equal(model[0].running_mean, before["0.running_mean"])
