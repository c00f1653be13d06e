"""On which architectures a method runs: each tried on a tiny model of its own.

A cell is what became of a method on an architecture: it runs, it is refused with a reason, or a
promise is broken, which is a fault. The promises: four steps of training are finite and move
everything that was added; what is counted is the closed form; where declared the start changes
nothing; more padding changes nothing; a cache changes nothing; merging keeps the outputs, and
detaching brings the model back to the bit. A promise that the architecture breaks by itself is not
asked of a method on it.
"""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from .. import architectures
from ..anatomy import anatomy, numel
from ..core.batches import Batch
from ..core.method import Method, trainable
from ..core.refusals import NothingTrainedError
from ..core.training import train_mode
from .base import base, close, logits, same_with_a_cache, states
from .given import stand_ins

RUNS, REFUSED, FAULT = "runs", "refused", "fault"
STEPS = 4


class BrokenError(Exception):
    """A promise that was not kept."""


def cell(method_class: type[Method], name: str) -> tuple[str, str]:
    """What became of a method on an architecture: RUNS, REFUSED or FAULT, and the reason."""
    model, batch = architectures.build(name), architectures.batch(name)
    try:
        method = method_class(**stand_ins(method_class, model, batch), **sizes(method_class))
        torch.manual_seed(0)
        method.setup(model, batches(name))
    except ValueError as error:
        return REFUSED, str(error)
    except Exception as error:  # any other is a crash
        return FAULT, f"setup: {type(error).__name__}: {error}"
    try:
        promises(method, model, batch, name)
    except NothingTrainedError as error:
        return REFUSED, str(error)
    except BrokenError as error:
        return FAULT, str(error)
    except Exception as error:
        return FAULT, f"{type(error).__name__}: {error}"
    return RUNS, ""


def sizes(method_class: type[Method]) -> dict[str, Any]:
    """Options that fit tiny models, from the method's card."""
    card = Path(inspect.getfile(method_class)).with_name("card.toml")
    table = tomllib.loads(card.read_text(encoding="utf-8")).get("contract", {})
    given = table.get("arguments", {}).items()
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in given}
    return {key: value for key, value in given.items() if not _names(value)}


def _names(value: Any) -> bool:
    """Whether an option's value names parts: such a choice stays the default."""
    return isinstance(value, tuple) and any(isinstance(item, str) for item in value)


def batches(name: str) -> Iterator[Batch]:
    """Endless different batches for an architecture."""
    for seed in count():
        yield architectures.batch(name, seed=seed)


def promises(method: Method, model: PreTrainedModel, batch: Batch, name: str) -> None:
    """Hold a method that was just set up to what it promises.

    Raises:
        BrokenError: naming the promise.
    """
    known = base(name)
    if method.init_noop:
        _demand(known.logits, logits(model, batch), "the start is not the model itself")
    _train(method, model, name, _count(method, model))
    after = logits(model.eval(), batch)
    if states(model, batch) != known.states:
        raise BrokenError("the base model returns states of another shape")
    for which, longer in known.padded.items():
        _demand(after, logits(model, longer), f"more padding {which} changes the outputs")
    if known.writes and not same_with_a_cache(model, batch):
        raise BrokenError("a cache changes what is written")
    if method.mergeable:
        method.merge(model)
        _demand(after, logits(model, batch), "merging changes the outputs")
        if model.state_dict().keys() != known.state.keys():
            raise BrokenError("merging leaves something behind")
    elif method.detachable:
        method.detach(model)
        state = model.state_dict()
        if state.keys() != known.state.keys():
            raise BrokenError("detaching leaves something behind")
        kept = (key for key in state if key not in known.moving)
        if changed := [key for key in kept if not torch.equal(state[key], known.state[key])]:
            raise BrokenError(f"detaching does not bring back {changed[0]}")


def _demand(expected: Tensor, found: Tensor, otherwise: str) -> None:
    if not close(expected, found):
        raise BrokenError(otherwise)


def _count(method: Method, model: PreTrainedModel) -> dict[str, Tensor]:
    """What is trained, by what passes its mask, is what the closed form says; the masks."""
    parts = anatomy(model)
    head = {id(p) for p in parts.head_parameters()}
    for parameter in trainable(model):
        parameter.grad = torch.ones_like(parameter)
    method.on_grad(model, 0)
    named = [(key, p) for key, p in model.named_parameters() if p.requires_grad]
    passed = {key: p.grad != 0 for key, p in named}
    counted = sum(int(passed[key].sum()) for key, p in named if id(p) not in head)
    model.zero_grad()
    if counted != method.trained(parts):
        raise BrokenError(f"{counted} numbers are trained, the form says {method.trained(parts)}")
    if (stored := numel(method.tensors(model).values())) != method.stored(parts):
        raise BrokenError(f"{stored} numbers are stored, the form says {method.stored(parts)}")
    return passed


def _train(method: Method, model: PreTrainedModel, name: str, trained: dict[str, Tensor]) -> None:
    """Some steps; all that is trained moves, unless it is of no use to the model itself."""
    idle = useless(method, model, name)
    before = {key: p.detach().clone() for key, p in model.named_parameters() if p.requires_grad}
    optimizer, source = method.optimizer(trainable(model)), batches(name)
    train_mode(model)
    for step in range(STEPS):
        method.before_step(model, step)
        if not torch.isfinite(torch.tensor(method.step(model, next(source), optimizer, step))):
            raise BrokenError(f"the loss of step {step + 1} is not finite")
    used = base(name).used
    for key, parameter in model.named_parameters():
        still = key in trained.keys() & before.keys() and torch.equal(parameter, before[key])
        of_use = (trained[key] & used[key]).any() if key in used and still else True
        if still and of_use and id(parameter) not in idle:
            raise BrokenError(f"{key} did not move")


def useless(method: Method, model: PreTrainedModel, name: str) -> set[int]:
    """The parameters that the model itself does not use, and what was added to such modules."""
    used = base(name).used
    idle = {id(p) for key, p in model.named_parameters() if key in used and not used[key].any()}
    known = dict(model.named_modules())
    names = {module: name for name, module in known.items()}
    own = {id(p) for key, p in model.named_parameters() if key in base(name).state}
    for parent, child in method._attached:
        place = names[parent]
        while not (around := [p for p in known[place].parameters() if id(p) in own]):
            place = place.rpartition(".")[0]
        if all(id(p) in idle for p in around):
            idle |= {id(p) for p in getattr(parent, child).parameters()}
    return idle
