"""Closed forms of what methods train, store and keep in memory, evaluated without torch.

`python -m tests.closed_forms NAME --write` finds them and proves them on random models; the
calculator page evaluates the same forms in the browser. A form is a sum of products, such as
{"2*L*r*d": 2}: products of names and whole numbers, and the coefficient of each.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from math import floor, prod
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[2] / "reference_impls"
SHARED = PACKAGE / "measure" / "architectures.json"
KINDS = ("weights", "gradients", "optimizer", "activations", "other")
Form = Mapping[str, int]
Values = dict[str, float]


class FormError(ValueError):
    """A value does not fit; `field` is the name of the input that it is about."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.field = name


@dataclass(frozen=True)
class Counts:
    """Numbers of parameters, and the bytes of a training step by kind.

    `phase` is the phase that takes most, from 1, and the number of phases with other numbers.
    """

    trained: int
    stored: int
    head: int
    base: int
    ledger: dict[str, int] = field(default_factory=dict)
    phase: tuple[int, int] = (1, 1)

    @property
    def share(self) -> float:
        """Trained, as a share of the base."""
        return self.trained / self.base

    @property
    def total(self) -> int:
        """What a step keeps, in bytes."""
        return sum(self.ledger.values())


def term(product: str, values: Mapping[str, float]) -> float:
    """The value of a product such as "2*L*d"."""
    return prod(
        int(factor) if factor.isdigit() else values[factor] for factor in product.split("*")
    )


def value(form: Form, values: Mapping[str, float]) -> int:
    """The value of a sum of products."""
    return sum(coefficient * term(product, values) for product, coefficient in form.items())


def derived(rule: Mapping[str, Any], values: Mapping[str, float]) -> int:
    """The value of a derived name: a sum, a largest or smallest product, or a rounded quotient."""
    ((operation, operands),) = rule.items()
    if operation == "sum":
        return value(operands, values)
    numbers = [term(operand, values) for operand in operands]
    if operation in ("max", "min"):
        return max(numbers) if operation == "max" else min(numbers)
    quotient = numbers[0] // numbers[1]
    if operation == "ceil":
        quotient = -(-numbers[0] // numbers[1])
    return floor(quotient)


def derive(rules: Mapping[str, Mapping[str, Any]], values: Values) -> Values:
    """The values with the derived names, each of which may use those before it."""
    values = dict(values)
    for name, rule in rules.items():
        values[name] = derived(rule, values)
    return values


def faults(rules: Iterable[Mapping[str, str]], values: Values) -> list[tuple[str, str]]:
    """(input, message) for each rule that the values break."""
    found = []
    for rule in rules:
        first, second = term(rule["first"], values), term(rule["second"], values)
        fits = second % first == 0 if rule["must"] == "divide" else first <= second
        if not fits:
            found.append((rule["field"], rule["message"]))
    return found


@cache
def read() -> dict[str, Any]:
    """What methods share, and under `methods` the forms of each that has any."""
    found = {}
    for path in PACKAGE.glob("*/*/measured/forms.json"):
        found[path.parents[1].name] = json.loads(path.read_text(encoding="utf-8"))
    return {
        **json.loads(SHARED.read_text(encoding="utf-8")),
        "methods": dict(sorted(found.items())),
    }


def architectures() -> dict[str, dict[str, Any]]:
    """The well-known architectures: title, family, dimensions and where these are published."""
    return read()["architectures"]


def counts(method: str, architecture: str | Mapping[str, Any], **inputs: Any) -> Counts:
    """What a method trains and stores on an architecture, and what a training step keeps.

    `architecture` is a name in `architectures()` or {"family": …, "dimensions": {…}}; `inputs` are
    hyper-parameters, choices, and `rows` and `length` of the batch, by default those of the file.

    Raises:
        FormError: the method does not run on the family, or an input does not fit.
    """
    file = read()
    known = architectures()[architecture] if isinstance(architecture, str) else architecture
    return evaluate(file, method, known["family"], known["dimensions"], inputs)


def evaluate(
    file: Mapping[str, Any],
    method: str,
    family_name: str,
    dimensions: Mapping[str, int],
    inputs: Mapping[str, Any],
) -> Counts:
    """As `counts`, of another file. Raises FormError."""
    entry = file["methods"][method]
    if family_name in entry["refused"]:
        raise FormError("method", entry["refused"][family_name])
    family = file["families"][family_name]
    odd = inputs.keys() - entry["inputs"].keys() - {"choice", "B", "S"}
    if odd:
        raise FormError(min(odd), f"{method} has no input '{min(odd)}'")
    choice = inputs.get("choice", next(iter(entry["choices"])))
    if choice not in entry["choices"]:
        raise FormError("choice", f"{method} has no choice '{choice}'")
    chosen = entry["choices"][choice]
    form = chosen["forms"][family_name]
    defaults = {name: given["default"] for name, given in entry["inputs"].items()}
    values = {**file["batch"], **defaults, **dimensions}
    values |= {name: given for name, given in inputs.items() if name != "choice"}
    values = derive(family["derived"], values)
    values |= {name: value(family[name], values) for name in ("base", "head")}
    if "candidates" in form:
        values["candidates"] = value(form["candidates"], values)
    values = derive(entry["derived"], values)
    unused = entry["inputs"].keys() - set(chosen["inputs"])
    rules = [r for r in (*family["rules"], *entry["rules"]) if r["field"] not in unused]
    if broken := faults(rules, values):
        raise FormError(*broken[0])
    for name in ("trained", "stored"):
        values[name] = value(form[name], values)
    ledgers = [{kind: value(phase[kind], values) for kind in KINDS} for phase in form["phases"]]
    totals = [sum(ledger.values()) for ledger in ledgers]
    most = totals.index(max(totals))
    return Counts(
        **{name: values[name] for name in ("trained", "stored", "head", "base")},
        ledger=ledgers[most],
        phase=(most + 1, len(totals)),
    )
