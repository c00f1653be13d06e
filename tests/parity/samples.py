"""One adapted model of a library: its weights, gradients and logits, and the same of ours."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn
from transformers import PreTrainedModel

from reference_impls.anatomy import anatomy
from reference_impls.core.method import Batch, Method
from tests.methods import models
from tests.parity.conftest import TOLERANCE, Outcomes

ADAPTERS = Path(__file__).parents[2] / ".parity" / "adapters"
Tensors = dict[str, Tensor]


@dataclass
class Sample:
    """What a library computes for `batch`; `weights` and `gradients` are those of its method.

    bare: the logits without the method. trained: how many numbers it trains, the head's not
    counted. start: its weights before they were shaken. merged: the logits after merging.
    """

    library: str
    version: str | None
    model: str
    config: dict[str, object]
    attention: str
    base: Tensors
    batch: Batch
    weights: Tensors
    gradients: Tensors
    logits: Tensor
    bare: Tensor
    trained: int
    start: Tensors
    merged: Tensor | None = None

    def ours(self) -> PreTrainedModel:
        """The base model that the library adapted."""
        model = models.build(self.model, **self.config)
        model.load_state_dict(self.base)
        model.set_attn_implementation(self.attention)
        return model


def from_adapters(name: str) -> Sample:
    """A case that `adapters_oracle.py` wrote down."""
    with safe_open(ADAPTERS / f"{name}.safetensors", "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        facts = json.loads(file.metadata()["facts"])

    def part(prefix: str) -> Tensors:
        return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

    return Sample(
        library="adapters",
        version=facts["versions"]["adapters"],
        model=facts["model"],
        config={},
        attention=facts["attention"],
        base=part("base."),
        batch=part("batch."),
        weights=part("method."),
        gradients=part("gradient."),
        logits=tensors["logits.adapted"],
        bare=tensors["logits.base"],
        trained=sum(facts["trained"].values()),
        start=part("initial."),
        merged=tensors.get("logits.merged"),
    )


def from_model(
    library: str,
    model: str,
    adapt: Callable[[PreTrainedModel], nn.Module],
    merge: Callable[[nn.Module], nn.Module] | None = None,
    change: Callable[[Tensors], None] | None = None,
    batch: Batch | None = None,
    training: bool = False,
    config: dict[str, object] | None = None,
) -> Sample:
    """A library that lives in this environment: `adapt` applies it to a base model.

    `change` may still change its shaken weights, in place. `training`: use the model in training
    mode (no model here has dropout). `config`: where the base model differs from the tiny one.
    """
    base = models.build(model, **config or {})
    batch = models.batch(model) if batch is None else batch
    adapted = adapt(copy.deepcopy(base)).train(training)
    method = {
        name: parameter
        for name, parameter in adapted.named_parameters()
        if parameter.requires_grad and not {"classifier", "score"} & set(name.split("."))
    }
    start = {name: p.detach().clone() for name, p in method.items()}
    shake(method)
    if change:
        with torch.no_grad():
            change(method)
    output = adapted(**batch)
    output.loss.backward()
    return Sample(
        library=library,
        version=None,
        model=model,
        config=config or {},
        attention="sdpa",
        base=base.state_dict(),
        batch=batch,
        weights={name: p.detach().clone() for name, p in method.items()},
        gradients={name: p.grad for name, p in method.items()},
        logits=output.logits.detach(),
        bare=base(**batch).logits.detach(),
        trained=sum(p.numel() for p in method.values()),
        start=start,
        merged=None if merge is None else merge(adapted)(**batch).logits.detach(),
    )


@torch.no_grad()
def shake(parameters: dict[str, Tensor]) -> None:
    """Defaults hide bugs: a LoRA whose B is zero is equal to any other."""
    generator = torch.Generator().manual_seed(1)
    for parameter in parameters.values():
        parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))


@torch.no_grad()
def load(model: PreTrainedModel, weights: Tensors) -> None:
    """Give our method the library's weights: to all that it adds to the model.

    Layer norms that it trains stay as they are: no library trains them.
    """
    norms = tuple(f"{named(model, norm)}." for norm in anatomy(model).norms)
    missing = [
        name for name in trained(model).keys() - weights.keys() if not name.startswith(norms)
    ]
    assert not missing, f"no weights for {sorted(missing)}"
    parameters = dict(model.named_parameters())
    for name, weight in weights.items():
        assert parameters[name].shape == weight.shape, name
        parameters[name].copy_(weight)


def trained(model: PreTrainedModel) -> dict[str, nn.Parameter]:
    """Our method's parameters, the head's left out."""
    head = {id(p) for p in anatomy(model).head_parameters()}
    named = model.named_parameters()
    return {name: p for name, p in named if p.requires_grad and id(p) not in head}


def count(model: PreTrainedModel) -> int:
    """How many numbers our method trains."""
    return sum(parameter.numel() for parameter in trained(model).values())


def named(model: PreTrainedModel, module: nn.Module) -> str:
    """The name that a module has in the model."""
    return next(name for name, other in model.named_modules() if other is module)


def difference(ours: Tensor | Tensors, theirs: Tensor | Tensors) -> float:
    """The largest absolute difference."""
    if isinstance(ours, Tensor):
        assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
        return (ours - theirs).abs().max().item()
    assert ours.keys() == theirs.keys(), sorted(ours.keys() ^ theirs.keys())
    return max(difference(value, theirs[name]) for name, value in ours.items())


def real(logits: Tensor, batch: Batch) -> Tensor:
    """Logits of a language model at real tokens; those of a classifier as they are."""
    mask = batch.get("decoder_attention_mask", batch["attention_mask"])
    return logits[mask.bool()] if logits.ndim == 3 else logits


def logits(model: nn.Module, batch: Batch, **more) -> Tensor:
    with torch.no_grad():
        return real(model(**batch | more).logits, batch)


def gradients(model: PreTrainedModel, batch: Batch, **more) -> Tensors:
    """Of our method's parameters."""
    model.zero_grad()
    model(**batch | more).loss.backward()
    return {name: p.grad for name, p in trained(model).items()}


# our names and the library's weights (or gradients) for them
Mapping = Callable[[PreTrainedModel, Tensors], Tensors]


def adapted(sample: Sample, method: Method, mapping: Mapping) -> PreTrainedModel:
    """The sample's base model with our method on it, and the library's weights in it."""
    model = sample.ours()
    method.setup(model)
    model.eval()
    load(model, mapping(model, sample.weights))
    return model


def distance(sample: Sample, model: PreTrainedModel, **more) -> float:
    """The largest difference between our model's logits and the sample's."""
    return difference(logits(model, sample.batch, **more), real(sample.logits, sample.batch))


class Comparison:
    """Our method in `model` beside a library's `sample`; every step records what it finds.

    mapping: from the library's weights to ours. `more` is passed to our model's forward.
    """

    def __init__(
        self, outcomes: Outcomes, sample: Sample, method: Method, mapping: Mapping, **more
    ) -> None:
        self.sample, self.method, self.mapping, self.more = sample, method, mapping, more
        self.model = adapted(sample, method, mapping)
        self.outcomes = outcomes
        self.effect = difference(
            logits(sample.ours(), sample.batch), real(sample.logits, sample.batch)
        )

    def equal(
        self, compared: str, difference: float, after: str = "", scale: float = math.inf
    ) -> None:
        """`scale`: of what is compared; rounding is a small part of it."""
        method, sample = self.method.name, self.sample
        tolerance = min(TOLERANCE, 1e-4 * scale)
        about = {"after": after, "tolerance": tolerance, "installed": sample.version}
        self.outcomes.equal(method, sample.library, compared, sample.model, difference, **about)

    def deviates(self, compared: str, difference: float | None, note: str) -> None:
        method, sample = self.method.name, self.sample
        about = {"note": note, "installed": sample.version}
        self.outcomes.deviates(method, sample.library, compared, sample.model, difference, **about)

    def distance(self) -> float:
        return distance(self.sample, self.model, **self.more)

    def logits(self, after: str = "") -> None:
        assert self.effect > 1e-2, "the library's method does nothing: nothing is compared"
        self.equal("logits", self.distance(), after, scale=self.effect)

    def gradients(self, after: str = "") -> None:
        theirs = self.mapping(self.model, self.sample.gradients)
        ours = gradients(self.model, self.sample.batch, **self.more)
        scale = max(gradient.abs().max().item() for gradient in theirs.values())
        found = difference({name: ours[name] for name in theirs}, theirs)
        self.equal("gradients", found, after, scale)

    def counts(self, more: int = 0, note: str = "") -> None:
        """The library trains as many numbers as we do, or so many `more`."""
        found = self.sample.trained - count(self.model)
        assert found == more
        if more:
            self.deviates("number trained", found, note)
        else:
            self.equal("number trained", found)

    def merged(self) -> None:
        merged = real(self.sample.merged, self.sample.batch)
        self.method.merge(self.model)
        found = difference(logits(self.model, self.sample.batch), merged)
        self.equal("merged model", found, scale=self.effect)
