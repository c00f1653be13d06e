"""The files that hold closed forms: one beside each method, and one of what they share."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import product
from typing import Any

from tqdm import tqdm

from reference_impls.core.method import Method
from reference_impls.measure import closed_forms as forms
from reference_impls.measure import files
from reference_impls.measure.known import ARCHITECTURES
from tests.closed_forms.cases import Case
from tests.closed_forms.families import FAMILIES
from tests.closed_forms.fit import family_forms, on_family
from tests.closed_forms.symbols import SYMBOLS
from tests.closed_forms.terms import Spec, derived_of, rule, spec_of
from tools.data.closed_forms import SHARED, Form, evaluate, read


def shared(found: dict[str, dict[str, Form]]) -> dict[str, Any]:
    """What methods share; `found` has by family what `family_forms` returns."""
    return {
        "symbols": SYMBOLS,
        "batch": {"B": 8, "S": 256},
        "families": {
            name: {
                "title": family.title,
                "dimensions": family.dimensions,
                "derived": family.derived,
                "rules": list(family.rules),
                **found[name],
            }
            for name, family in FAMILIES.items()
        },
        "architectures": ARCHITECTURES,
    }


def entry(method: type[Method], found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A method's forms; `found` has by family what `on_family` returns."""
    spec = spec_of(method)
    inputs: dict[str, dict[str, Any]] = {
        name: {
            "default": getattr(method, name) if size.default is None else size.default,
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
        choice: {name: forms[choice] for name, forms in found.items() if "refused" not in forms}
        for choice in spec.choices
    }
    return {
        "inputs": inputs,
        "derived": derived_of(spec),
        "rules": rules,
        "symbols": spec.symbols,
        "refused": {f: forms["refused"] for f, forms in found.items() if "refused" in forms},
        "choices": {
            choice: {"inputs": _used(spec, inputs, by_family), "forms": by_family}
            for choice, by_family in choices.items()
        },
        "sources": forms.sources_of(method),
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


def write(method: type[Method]) -> None:
    """Find a method's forms and replace those beside it. Raises NoFormError."""
    families = tqdm(FAMILIES, desc=method.name, unit="family", disable=None)
    found = {family: on_family(method, family) for family in families}
    files.replace(forms.path_of(method), dumps(entry(method, found)))


def renew(method: type[Method]) -> None:
    """Keep the forms of a method where they hold on fresh models; else find them anew."""
    compared = comparisons({method.name: method}, seed=1)
    if all(said == measured for _, said, measured in compared):
        kept = files.read(forms.path_of(method)) | {"sources": forms.sources_of(method)}
        files.replace(forms.path_of(method), dumps(kept))
    else:
        write(method)


def write_shared() -> None:
    """Find what methods share, and replace its file."""
    files.replace(SHARED, dumps(shared({name: family_forms(name) for name in FAMILIES})))


def comparisons(
    methods: dict[str, type[Method]], seed: int, families: Iterable[str] = tuple(FAMILIES)
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """What the committed forms say of a fresh random model, and what is measured of it.

    One for each method, choice and family: (which, said, measured).
    """
    file = read()
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
