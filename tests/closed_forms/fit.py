"""Closed forms of what each method trains, stores and keeps, in an architecture's dimensions.

`reference_impls/measure/ledger.py` measures a step of any model. Here the same is measured on many
tiny models of random sizes, and each number is written as a sum of products of the dimensions with
whole coefficients. These are the exact solution of linear equations (modulo a large prime, so
without rounding); a form is accepted only if it leaves no remainder on further random models. A web
page can evaluate such forms where it cannot run a model.

What is measured is what `ledger.on_config` measures: 32-bit weights, full batches, attention by its
formula and with a mask, two classes where the model is a classifier. Where a method computes a
mask, it counts as if every tensor had an entry in it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from reference_impls.core.method import Method
from tests.closed_forms.cases import BATCHES, Case, draw, with_parts
from tests.closed_forms.families import FAMILIES, Family
from tests.closed_forms.solve import NoFormError, Point, find, times
from tests.closed_forms.terms import Spec, spec_of
from tools.data.closed_forms import KINDS, Form, Values


class Terms:
    """What the forms of a case may be made of, the likelier first."""

    def __init__(self, family: Family, spec: Spec) -> None:
        sizes = list(spec.sizes)
        pairs = [f"{a}*{b}" for i, a in enumerate(sizes) for b in sizes[i:]]
        cubes = [f"{a}*{a}*{a}" for a in sizes]
        derived = [name for name in spec.derived if "_" not in name]
        plain = ["", *family.widths, *family.matrices, "H"]
        self.outside = ["1", "V", "V*d", "u*V*d", "P*d", "P", "u", "e", "d", "d*d", "H"]
        self.sizes = ["", *sizes, *pairs, *cubes, *derived, *(f"{n}*{n}" for n in derived)]
        self.sizes += [f"{a}*{b}" for a in derived for b in derived if a < b]
        self.layers = times(["L", ""], plain, self.sizes)
        self.extra = list(spec.terms)
        self.few = ["base", "head", "candidates", "trained", "stored", "largest"]
        if spec.density:
            self.few = ["base", "head", "candidates"]
        self.few += ["1", "L", "u", "P", "e", "d", "V", *sizes]
        self.inner = ["", *family.widths, "H", *sizes, *derived]

    def numbers(self) -> list[list[str]]:
        """For what does not depend on the batch."""
        wide = [*self.few, *self.outside, *self.extra]
        return [self.few, wide, [*wide, *times(["L"], self.inner)], [*wide, *self.layers]]

    def counts(self) -> list[list[str]]:
        """For numbers of parameters."""
        wide = [*self.outside, *self.layers]
        return [["base"], ["chosen"], [*wide, *self.extra]]

    def activations(self) -> list[list[str]]:
        """For what depends on the batch."""
        tokens = [*times(["L*B*S", "B*S"], self.inner), "B*S*V"]
        scores = times(["B*S*S"], ["", "L", "H", "L*H"])
        rest = ["B", "B*d", "single", "S*e", "B*S*e", "S*S", "S*S*H", "S", "1", "L*B", "L*S*S"]
        first = [*tokens, *scores, *rest]
        more = [*first, *self.extra, "S*d", *self.outside, *times(["L", ""], self.inner)]
        return [first, more, [*more, *times(["L*B", "B"], self.inner), *self.layers]]


def forms(case: Case) -> dict[str, Any]:
    """All forms of a case.

    Raises:
        NoFormError: naming the number that has none.
        ValueError: the method does not run on the family.
    """
    return {**count_forms(case), "phases": phase_forms(case)}


def count_forms(case: Case) -> dict[str, Form]:
    """The forms of what is trained and stored. Raises as `forms`."""
    terms = Terms(case.family, case.spec).counts()
    attempts = {"trained": terms, "stored": [["trained"], *terms]}
    if case.spec.density:
        attempts = {"candidates": [["base"], terms[-1]], **attempts}
    return {name: _named(name, tried, _counted(case, name)) for name, tried in attempts.items()}


def phase_forms(case: Case) -> list[dict[str, Form]]:
    """The forms of the first and of the last phase, which is one where they are the same."""
    terms, found = Terms(case.family, case.spec), []
    for index in (0, -1):
        phase = {}
        for kind in KINDS:
            changing = kind == "activations"
            attempts = terms.activations() if changing else terms.numbers()
            batches = BATCHES if changing else 1
            points = _measured(case, index, kind, batches)
            phase[kind] = _named(kind, attempts, points, batches)
        found.append(phase)
    return found[:1] if found[0] == found[1] else found


def _counted(case: Case, name: str) -> Callable[[int], list[Point]]:
    return lambda models: [Point(v, v[name]) for v in case.counted(models)]


def _measured(case: Case, phase: int, kind: str, batches: int) -> Callable[[int], list[Point]]:
    """Measurements of what a phase keeps."""

    def points(models: int) -> list[Point]:
        measured = case.measured(models * BATCHES)[:: BATCHES // batches]
        return [Point(values, getattr(phases[phase], kind)) for values, phases in measured]

    return points


def _named(name: str, attempts: list[list[str]], points: Callable, batches: int = 1) -> Form:
    try:
        return find(attempts, points, batches)
    except NoFormError:
        raise NoFormError(name) from None


def family_forms(name: str) -> dict[str, Form]:
    """The closed forms of the base's and the head's number of parameters."""
    family, generator = FAMILIES[name], random.Random(name)
    drawn: list[Values] = []

    def points(models: int, part: str) -> list[Point]:
        while len(drawn) < models:
            drawn.append(with_parts(family, draw(family, Spec(), generator))[1])
        return [Point(values, values[part]) for values in drawn[:models]]

    by_layer = times(["L", ""], ["", *family.widths, *family.matrices, "H"])
    wide = [*Terms(family, Spec()).outside, *by_layer]
    return {part: find([wide], partial(points, part=part), 1) for part in ("base", "head")}


def on_family(method: type[Method], family: str) -> dict[str, Any]:
    """A method's forms by choice, or {"refused": why}.

    Raises:
        NoFormError: naming the number that has none.
    """
    try:
        choices = spec_of(method).choices
        return {choice: forms(Case(method, family, choice)) for choice in choices}
    except ValueError as error:
        return {"refused": str(error)}
    except NoFormError as error:
        raise NoFormError(f"{method.name} on {family}: no form of {error}") from None
