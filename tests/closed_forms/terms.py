"""What a method's closed forms are made of: its `forms.py` declares it with what is here.

A product such as "L*r*d" stands for itself; a rule says what inputs must fulfil, in words for the
reader; derived names are what is no product: rounded quotients, and the larger or the smaller of
two numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from reference_impls.core.method import Method
from tools.data.closed_forms import Values


def rule(field: str, first: str, must: str, second: str, message: str) -> dict[str, str]:
    """What inputs must fulfil: `first` divides `second`, or is at most `second`."""
    return {"field": field, "first": first, "must": must, "second": second, "message": message}


@dataclass(frozen=True)
class Size:
    """A hyper-parameter that changes the numbers, and between what values it is drawn."""

    least: int
    most: int
    meaning: str
    default: int | None = None  # where it is no field of the method


@dataclass(frozen=True)
class Spec:
    """What of a method can be chosen, and what its forms may be made of besides dimensions.

    sizes: what changes the numbers, also as arguments of the method.
    choices: the name of each, and the arguments that it stands for.
    terms: further products that the forms may contain.
    arguments: the method's arguments for sizes, where these have other names.
    density: the default share of `candidates` that a mask lets through.
    wider: how many times as wide models must be for the numbers to show all that they depend on.
    alone: whether batches of several shapes need a method each, since its data have their length.
    symbols: what derived names stand for, in words.
    """

    sizes: dict[str, Size] = field(default_factory=dict)
    choices: dict[str, dict[str, Any]] = field(default_factory=lambda: {"": {}})
    derived: dict[str, dict] = field(default_factory=dict)
    rules: tuple[dict[str, str], ...] = ()
    terms: tuple[str, ...] = ()
    arguments: Callable[[Values], dict[str, Any]] = dict
    density: float | None = None
    wider: int = 1
    alone: bool = False
    symbols: dict[str, str] = field(default_factory=dict)


def spec_of(method: type[Method]) -> Spec:
    """What the `forms.py` beside a method declares."""
    return import_module(method.__module__.rpartition(".")[0] + ".forms").SPEC


def low_rank(what: str) -> tuple[dict[str, str], ...]:
    """The rule of a rank of this name."""
    return (rule(what, what, "at most", "d", "A rank above the width is not a low one."),)


def over(product: str, factors: Iterable[str]) -> tuple[str, ...]:
    """The product, alone and times each factor."""
    return (product, *(f"{product}*{factor}" for factor in factors))


# what may come with a token
WIDTHS = ("d", "f", "k", "q", "g*d", "H", "size")
ADAPTER = {"size": Size(1, 9, "hidden units of an adapter")}
PREFIX = tuple(
    f"{layers}{product}"
    for layers in ("", "L*")
    for product in (
        *("p*d", "p*k", "p*q", "p*g*d", "p", "b", "d*b", "k*b", "q*b", "p*b"),
        *("B*p*d", "B*p*k", "B*p*q", "B*p*g*d", "B*S*p", "B*S*p*H", "S*p", "S*p*H", "B*p"),
    )
)


def prefix(length: str, bottleneck: str) -> tuple[str, ...]:
    """Terms of a prefix, whose length and bottleneck have these names."""
    names = {"p": length, "b": bottleneck}
    return tuple(
        "*".join(names.get(factor, factor) for factor in term.split("*")) for term in PREFIX
    )


WRITTEN = {"through a bottleneck": {}, "trained directly": {"reparametrize": False}}
DIRECT = {"trained directly": {}, "through a bottleneck": {"reparametrize": True}}
BOTTLENECK = Size(1, 9, "width of what writes the prefix in training")


def longer(by: str, *rules: dict[str, str]) -> dict[str, Any]:
    """What a spec says where the text is longer by so many tokens, which need positions."""
    message = "Text and added tokens together need more positions than the architecture has."
    return {
        "derived": {"longer": {"sum": {"S": 1, by: 1}}},
        "rules": (*rules, rule("S" if by == "1" else by, "longer", "at most", "room", message)),
        "terms": (
            *(*over("L*B*longer", WIDTHS), *over("B*longer", (*WIDTHS, "V"))),
            *(*over("B*longer*longer", ("L", "H", "L*H")), *over("L*B*longer*S", ("H",))),
            *(*over("longer*longer", ("H",)), *over("longer*S", ("H",))),
            *("B*longer*S", "longer", "longer*d", "longer*e", "B*longer*e"),
            *("B*V", f"{by}*d", f"B*{by}*d"),
        ),
    }


def derived_of(spec: Spec) -> dict[str, dict]:
    """The names that a method derives, with the size of its mask."""
    if not spec.density:
        return spec.derived
    return {**spec.derived, "chosen": {"floor": ["density*candidates", "1"]}}
