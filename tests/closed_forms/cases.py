"""A method on random tiny models of a family: what is counted and measured of it there."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import torch
from transformers import PretrainedConfig

from reference_impls.anatomy import Anatomy, anatomy, built, model_on_meta, numel
from reference_impls.core.method import Batch, Method
from reference_impls.core.quiet import quiet
from reference_impls.measure.any_batch import batch_for
from reference_impls.measure.given import stand_ins
from reference_impls.measure.ledger import Ledger, step_ledger
from reference_impls.measure.reports import Metered
from reference_impls.shared.masks import MaskedMethod
from tests.closed_forms.families import FAMILIES, Family
from tests.closed_forms.terms import Spec, derived_of, spec_of
from tools.data.closed_forms import Values, derive, faults

BATCHES = 3  # of different shapes, for each model


@contextmanager
def with_masks() -> Iterator[None]:
    """Models build their attention masks even where nothing is masked, as for other batches."""
    with patch("transformers.masking_utils.is_tracing", lambda tensor=None: True):
        yield


@dataclass
class Several(Metered):
    """Measures each phase on several batches."""

    several: list[Batch] = field(default_factory=list)

    def run(self, method: Method, model) -> None:
        self.phases += [step_ledger(method, model, batch, steps=1) for batch in self.several]


def measure(
    method_class: type[Method],
    config: PretrainedConfig,
    batches: list[tuple[int, int]],
    arguments: dict[str, Any],
    sources: int = 1,
) -> list[list[Ledger]]:
    """The ledgers of all phases, for each shape (rows, length) of a batch."""
    model = built(config)
    several = [_first_is_special(batch_for(model, *shape)) for shape in batches]
    given = {**stand_ins(method_class, model, several[0]), **arguments}
    if "sources" in given:
        given["sources"] *= sources
    method = method_class(**given)
    loop = Several(
        lambda seed: iter(lambda: several[0], None), steps=1, progress=False, several=several
    )
    torch.manual_seed(0)
    with with_masks():
        method.setup(model, iter([{key: rows[:1] for key, rows in several[0].items()}]))
        method.fit(model, loop)
    return [loop.phases[i :: len(batches)] for i in range(len(batches))]


def _first_is_special(batch: Batch) -> Batch:
    """The batch with token 0, which stands for special ones, only where a text begins."""
    for name in batch.keys() & {"input_ids", "decoder_input_ids"}:
        batch[name][:, 1:] = 3
    return batch


def draw(family: Family, spec: Spec, generator: random.Random) -> Values:
    """Random dimensions, hyper-parameters and batch that break no rule."""
    number = generator.randint
    while True:
        values = family.draw(generator, spec.wider)
        values |= {n: number(size.least, size.most) for n, size in spec.sizes.items()}
        values |= {"B": number(1, 6), "S": number(2, 12)}
        if spec.density:
            values |= {"density": generator.choice((0.05, 0.1, 0.3, 0.7)), "candidates": 1}
        values = derive(derived_of(spec), derive(family.derived, values))
        if not faults([*family.rules, *spec.rules], values):
            return values


def with_parts(family: Family, values: Values) -> tuple[Anatomy, Values]:
    """A model of these dimensions, and the values with what is counted of it."""
    with quiet():
        parts = anatomy(model_on_meta(family.config(values)))
    base, head = numel(parts.base_parameters()), numel(parts.head_parameters())
    return parts, {**values, "base": base, "head": head}


class Case:
    """A method with one of its choices on a family: random models, and what is measured of them."""

    def __init__(self, method: type[Method], family: str, choice: str, seed: int = 0) -> None:
        self.method, self.family = method, FAMILIES[family]
        self.spec = spec_of(method)
        self.arguments = self.spec.choices[choice]
        self.random = random.Random(f"{method.name} {family} {choice} {seed}")
        self._counted: list[Values] = []
        self._measured: list[tuple[Values, list[Ledger]]] = []

    def given(self, values: Values) -> dict[str, Any]:
        """The method's arguments."""
        sizes = {name: values[name] for name in self.spec.sizes}
        return {**self.spec.arguments(sizes), **self.arguments}

    def count(self, values: Values) -> Values:
        """The values with all that is counted of the model and the method. Raises ValueError."""
        parts, values = with_parts(self.family, values)
        arguments = self.given(values)
        if self.spec.density:
            arguments["density"] = values["density"]
        if "sources" in values:
            arguments["sources"] = (None,) * values["sources"]
        method = self.method(**arguments)
        method.check(parts)
        if isinstance(method, MaskedMethod):
            values["candidates"] = numel(method.candidates(parts).values())
            values = derive(derived_of(self.spec), values)
        return {**values, "trained": method.trained(parts), "stored": method.stored(parts)}

    def counted(self, number: int) -> list[Values]:
        """The counts of this many random models."""
        while len(self._counted) < number:
            drawn = draw(self.family, self.spec, self.random)
            self._counted.append(self.count(drawn))
        return self._counted[:number]

    def ledgers(self, values: Values, shapes: list[tuple[int, int]]) -> list[list[Ledger]]:
        """For each shape of a batch the ledgers of all phases."""
        config, arguments = self.family.config(values), self.given(values)
        if self.spec.density:
            arguments["density"] = 1.0  # an entry in every tensor
        together = [[shape] for shape in shapes] if self.spec.alone else [shapes]
        with quiet():
            return [
                ledgers
                for some in together
                for ledgers in measure(
                    self.method, config, some, arguments, values.get("sources", 1)
                )
            ]

    def measured(self, number: int) -> list[tuple[Values, list[Ledger]]]:
        """Random models on random batches, at least this many, with the ledgers of all phases."""
        while len(self._measured) < number:
            values = self.counted(len(self._measured) // BATCHES + 1)[-1]
            longest = values["S"]
            shapes = [(values["B"], longest)]
            while len(shapes) < BATCHES:
                shape = (self.random.randint(1, 6), self.random.randint(2, longest))
                shapes.append(shape)
            for (rows, length), phases in zip(shapes, self.ledgers(values, shapes), strict=True):
                at = derive(self.family.derived, {**values, "B": rows, "S": length})
                at = derive(derived_of(self.spec), at)
                self._measured.append((at, phases))
        return self._measured
