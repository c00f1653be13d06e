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

import json
import random
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Any
from unittest.mock import patch

import torch
from tqdm import tqdm
from transformers import PretrainedConfig

from reference_impls.anatomy import anatomy, model_on_meta, numel
from reference_impls.core.method import METHODS, Batch, Method
from reference_impls.core.training import seed_everything
from reference_impls.lab.backbones import quiet
from reference_impls.measure.ledger import Ledger, Metered, batch_for, stand_ins, step_ledger
from reference_impls.shared.masks import MaskedMethod
from tests.closed_forms.specs import (
    ARCHITECTURES,
    FAMILIES,
    OTHER_DEFAULTS,
    SPECS,
    SYMBOLS,
    Spec,
    derived_of,
    rule,
)
from tools.data.closed_forms import (
    COMMITTED,
    KINDS,
    Form,
    Values,
    derive,
    evaluate,
    faults,
    term,
    value,
)

PRIME = 2**31 - 1  # products of two remainders are 64-bit numbers
HELD_OUT = 8  # random models that a form is not made of, and must leave no remainder on
BATCHES = 3  # of different shapes, for each model


@dataclass
class Point:
    """One measurement: the names' values, and the number that a form is sought for."""

    values: Values
    number: int


class NoFormError(Exception):
    """The terms that are tried do not make up a number."""


def solve(terms: Iterable[str], points: list[Point], held_out: int) -> Form | None:
    """The form whose value is the number at every point, or None.

    It is made of all points but the last `held_out`. Of terms that depend on others the earlier
    ones are used.
    """
    terms = list(dict.fromkeys(terms))
    rows = [[int(term(t, p.values)) for t in terms] + [p.number] for p in points[:-held_out]]
    left = torch.tensor(rows) % PRIME
    pivots: list[int] = []
    for column in range(len(terms)):
        done = len(pivots)
        below = left[done:, column].nonzero()
        if not len(below):
            continue
        pivot = done + int(below[0])
        left[[done, pivot]] = left[[pivot, done]]
        left[done] = left[done] * pow(int(left[done, column]), -1, PRIME) % PRIME
        factors = left[:, column].clone()
        factors[done] = 0
        left = (left - factors[:, None] * left[done]) % PRIME
        pivots.append(column)
    found = {terms[column]: int(left[i, -1]) for i, column in enumerate(pivots)}
    form = {t: c - PRIME if c > PRIME // 2 else c for t, c in found.items() if c}
    exact = all(value(form, point.values) == point.number for point in points)
    return form if exact else None


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
    # texts without labels are as long as the batch's
    if "unlabeled" in method_class.__dataclass_fields__ and len(batches) > 1:
        return [measure(method_class, config, [shape], arguments)[0] for shape in batches]
    model = type(model_on_meta(config))(config)
    several = [_first_is_special(batch_for(model, *shape)) for shape in batches]
    given = {**stand_ins(method_class, model, several[0]), **arguments}
    if "sources" in given:
        given["sources"] *= sources
    method = method_class(**given)
    loop = Several(
        lambda seed: iter(lambda: several[0], None), steps=1, progress=False, several=several
    )
    seed_everything(0)
    with with_masks():
        method.setup(model, iter([{key: rows[:1] for key, rows in several[0].items()}]))
        method.fit(model, loop)
    return [loop.phases[i :: len(batches)] for i in range(len(batches))]


def _first_is_special(batch: Batch) -> Batch:
    """The batch with token 0, which stands for special ones, only where a text begins."""
    for name in batch.keys() & {"input_ids", "decoder_input_ids"}:
        batch[name][:, 1:] = 3
    return batch


class Case:
    """A method with one of its choices on a family: random models, and what is measured of them."""

    def __init__(self, method: type[Method], family: str, choice: str, seed: int = 0) -> None:
        self.method, self.family = method, FAMILIES[family]
        self.spec = SPECS.get(method.name, Spec())
        self.arguments = self.spec.choices[choice]
        self.random = random.Random(f"{method.name} {family} {choice} {seed}")
        self._counted: list[Values] = []
        self._measured: list[tuple[Values, list[Ledger]]] = []

    def draw(self) -> Values:
        """Random dimensions, hyper-parameters and batch that break no rule."""
        draw = self.random.randint
        while True:
            values = self.family.draw(self.random, self.spec.wider)
            values |= {n: draw(size.least, size.most) for n, size in self.spec.sizes.items()}
            values |= {"B": draw(1, 6), "S": draw(2, 12)}
            if self.spec.density:
                values |= {"density": self.random.choice((0.05, 0.1, 0.3, 0.7)), "candidates": 1}
            values = derive(derived_of(self.spec), derive(self.family.derived, values))
            if not faults([*self.family.rules, *self.spec.rules], values):
                return values

    def build(self, values: Values) -> tuple[PretrainedConfig, dict[str, Any]]:
        """The architecture, and the method's arguments."""
        sizes = {name: values[name] for name in self.spec.sizes}
        return self.family.config(values), {**self.spec.arguments(sizes), **self.arguments}

    def count(self, values: Values) -> Values:
        """The values with all that is counted of the model and the method. Raises ValueError."""
        config, arguments = self.build(values)
        with quiet():
            parts = anatomy(model_on_meta(config))
        if self.spec.density:
            arguments["density"] = values["density"]
        if "sources" in values:
            arguments["sources"] = (None,) * values["sources"]
        method = self.method(**arguments)
        method.check(parts)
        values = {
            **values,
            "base": numel(parts.base_parameters()),
            "head": numel(parts.head_parameters()),
        }
        if isinstance(method, MaskedMethod):
            values["candidates"] = numel(method.candidates(parts).values())
            values = derive(derived_of(self.spec), values)
        return {**values, "trained": method.trained(parts), "stored": method.stored(parts)}

    def counted(self, number: int) -> list[Values]:
        """The counts of this many random models."""
        while len(self._counted) < number:
            self._counted.append(self.count(self.draw()))
        return self._counted[:number]

    def ledgers(self, values: Values, shapes: list[tuple[int, int]]) -> list[list[Ledger]]:
        """For each shape of a batch the ledgers of all phases."""
        config, arguments = self.build(values)
        if self.spec.density:
            arguments["density"] = 1.0  # an entry in every tensor
        with quiet():
            return measure(self.method, config, shapes, arguments, values.get("sources", 1))

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


def find(attempts: list[Iterable[str]], points: Callable[[int], list[Point]], batches: int) -> Form:
    """A form of the first terms that suffice.

    `points` gives the measurements of so many models, of each `batches`.

    Raises:
        NoFormError: none of them do.
    """
    for more, terms in (*((1, terms) for terms in attempts), (2, attempts[-1])):
        known = points(1)[0].values
        terms = [t for t in terms if all(f.isdigit() or f in known for f in t.split("*"))]
        # what a batch does not change takes a model each; some measurements follow from others, and
        # where there are many of those, the last attempt is repeated with twice as many models
        fixed = sum(not {"B", "S", "longer"} & set(t.split("*")) for t in terms)
        needed = 5 * more * max(fixed, len(terms) // batches) // 4 + HELD_OUT
        form = solve(terms, points(needed), HELD_OUT * batches)
        if form is not None:
            return form
    raise NoFormError


def times(*factors: Iterable[str]) -> list[str]:
    """All products of a term from each; the empty term is 1."""
    found = [""]
    for terms in factors:
        found = [f"{a}*{b}".strip("*") for a in found for b in terms]
    return [product or "1" for product in found]


class Terms:
    """What the forms of a case may be made of, the likelier first."""

    def __init__(self, case: Case) -> None:
        family, sizes = case.family, list(case.spec.sizes)
        pairs = [f"{a}*{b}" for i, a in enumerate(sizes) for b in sizes[i:]]
        cubes = [f"{a}*{a}*{a}" for a in sizes]
        derived = [name for name in case.spec.derived if "_" not in name]
        plain = ["", *family.widths, *family.matrices, "H"]
        self.outside = ["1", "V", "V*d", "u*V*d", "P*d", "P", "u", "e", "d", "d*d", "H"]
        self.sizes = ["", *sizes, *pairs, *cubes, *derived, *(f"{n}*{n}" for n in derived)]
        self.sizes += [f"{a}*{b}" for a in derived for b in derived if a < b]
        self.layers = times(["L", ""], plain, self.sizes)
        self.extra = list(case.spec.terms)
        self.few = ["base", "head", "candidates", "trained", "stored", "largest"]
        if case.spec.density:
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
    terms = Terms(case).counts()
    attempts = {"trained": terms, "stored": [["trained"], *terms]}
    if case.spec.density:
        attempts = {"candidates": [["base"], terms[-1]], **attempts}
    return {name: _named(name, tried, _counted(case, name)) for name, tried in attempts.items()}


def phase_forms(case: Case) -> list[dict[str, Form]]:
    """The forms of the first and of the last phase, which is one where they are the same."""
    terms, found = Terms(case), []
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


def family_forms(family: str) -> dict[str, Form]:
    """The closed forms of the base's and the head's number of parameters."""
    case = Case(METHODS["linear_probe"], family, "")
    terms = Terms(case)
    wide = [
        *terms.outside,
        *times(["L", ""], ["", *case.family.widths, *case.family.matrices, "H"]),
    ]

    return {name: find([wide], _counted(case, name), 1) for name in ("base", "head")}


def on_family(family: str, methods: dict[str, type[Method]]) -> dict[str, dict[str, Any]]:
    """For each method its forms by choice, or {"refused": why}.

    Raises:
        NoFormError: naming the number that has none.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, method in tqdm(methods.items(), desc=family, unit="method"):
        try:
            choices = SPECS.get(name, Spec()).choices
            found[name] = {choice: forms(Case(method, family, choice)) for choice in choices}
        except ValueError as error:
            found[name] = {"refused": str(error)}
        except NoFormError as error:
            raise NoFormError(f"{name} on {family}: {error}") from None
    return found


def document(methods: dict[str, type[Method]], found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What closed_forms.json holds; `found` has by family what `on_family` returns."""
    return {
        "symbols": SYMBOLS,
        "batch": {"B": 8, "S": 256},
        "families": {
            name: {
                "title": family.title,
                "dimensions": family.dimensions,
                "derived": family.derived,
                "rules": list(family.rules),
                **found[name]["family"],
            }
            for name, family in FAMILIES.items()
        },
        "architectures": ARCHITECTURES,
        "methods": {name: _entry(method, found) for name, method in methods.items()},
    }


def _entry(method: type[Method], found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    spec = SPECS.get(method.name, Spec())
    own = {family: forms[method.name] for family, forms in found.items()}
    inputs = {
        name: {
            "default": OTHER_DEFAULTS.get(name) or getattr(method, name),
            "least": size.least,
            "meaning": size.meaning,
        }
        for name, size in spec.sizes.items()
    }
    rules = list(spec.rules)
    if spec.density:
        inputs["density"] = {"default": spec.density, "meaning": SYMBOLS["density"]}
        rules.append(rule("density", "density", "at most", "1", "A share is at most 1."))
        rules.append(rule("density", "1", "at most", "chosen", "That leaves no weight to train."))
    choices = {
        choice: {name: forms[choice] for name, forms in own.items() if "refused" not in forms}
        for choice in spec.choices
    }
    return {
        "inputs": inputs,
        "derived": derived_of(spec),
        "rules": rules,
        "refused": {f: forms["refused"] for f, forms in own.items() if "refused" in forms},
        "choices": {
            choice: {"inputs": _used(spec, inputs, by_family), "forms": by_family}
            for choice, by_family in choices.items()
        },
    }


def _used(spec: Spec, inputs: Iterable[str], forms: dict[str, Any]) -> list[str]:
    """Those inputs that the forms depend on."""
    names = set(re.findall(r"\w+", json.dumps(forms)))
    for name, derivation in reversed(derived_of(spec).items()):
        if name in names:
            names |= set(re.findall(r"\w+", json.dumps(derivation)))
    return [name for name in inputs if name in names]


def dumps(value: Any, margin: str = "") -> str:
    """JSON with a line for each object of numbers."""
    if not isinstance(value, dict) or not any(isinstance(v, dict | list) for v in value.values()):
        return json.dumps(value, ensure_ascii=False)
    inner = margin + " "
    lines = (f"{inner}{json.dumps(key)}: {dumps(v, inner)}" for key, v in value.items())
    return "{\n" + ",\n".join(lines) + f"\n{margin}}}"


def write(methods: dict[str, type[Method]]) -> None:
    """Replace closed_forms.json. Raises NoFormError."""
    found = {name: {"family": family_forms(name), **on_family(name, methods)} for name in FAMILIES}
    draft = COMMITTED.with_suffix(".new")
    draft.write_text(dumps(document(methods, found)) + "\n", encoding="utf-8")
    draft.replace(COMMITTED)


def comparisons(
    methods: dict[str, type[Method]], seed: int, families: Iterable[str] = tuple(FAMILIES)
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """What the committed forms say of a fresh random model, and what is measured of it.

    One for each method, choice and family: (which, said, measured).
    """
    file = json.loads(COMMITTED.read_text(encoding="utf-8"))
    for name, method in methods.items():
        entry = file["methods"][name]
        for choice, family in product(entry["choices"], families):
            if family in entry["refused"]:
                continue
            case = Case(method, family, choice, seed)
            values = case.counted(1)[0]
            shape = (values["B"], values["S"])
            measured = max(case.ledgers(values, [shape])[0], key=lambda phase: phase.total)
            inputs = {key: values[key] for key in (*entry["inputs"], "B", "S")}
            dimensions = {key: values[key] for key in file["families"][family]["dimensions"]}
            said = evaluate(file, name, family, dimensions, {**inputs, "choice": choice})
            keys = ("trained", "stored", "head", "base")
            yield (
                f"{name} {choice} on {family}: {dimensions} {inputs}",
                {**{key: getattr(said, key) for key in keys}, **said.ledger},
                {**{key: values[key] for key in keys}, **asdict(measured)},
            )
