"""How to use a method on a Hugging Face model: a short program, made of what it declares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ....cards import Needed, OwnModel
from ....data.architectures import Cells
from ....data.implementations import Hyperparameter, Implementation
from .model_kinds import CLASSIFIER, LANGUAGE_MODEL, OTHERS, Kind

PACKAGE = "fine_tuning_atlas"  # what the folder of the methods is called where it is installed
SHOWN = 3  # hyper-parameters, besides the learning rate
WIDTH = 88
# The most for two sentences, where the default may be for a data set.
MOST = {"samples": 64}


@dataclass(frozen=True)
class Snippet:
    """A program and what kind of model it adapts."""

    kind: Kind
    text: str

    @property
    def title(self) -> str:
        return self.kind.title

    @property
    def model(self) -> str:
        return self.kind.model


def snippets(method: Implementation, own: OwnModel, cells: Cells | None = None) -> list[Snippet]:
    """One for each kind of model that the method is for.

    What it declares tells it of a language model and of a classifier of text. Of the others its
    `cells` do: there is one where the method was seen to run on the checkpoint's architecture, if
    what it needs of such a model is known.
    """
    return [
        Snippet(kind, _program(method, needed, kind)) for kind, needed in _kinds(method, own, cells)
    ]


def _kinds(
    method: Implementation, own: OwnModel, cells: Cells | None
) -> Iterator[tuple[Kind, Needed]]:
    if own.language_model and any(t.startswith(("cue", "new-topic")) for t in method.tasks):
        yield LANGUAGE_MODEL, own
    if "first-clause" in method.tasks:
        yield CLASSIFIER, own
    for kind in OTHERS:
        needed = own.of(kind.name)
        if needed and cells and kind.architecture in cells.runs:
            yield kind, needed


def _value(hyperparameter: Hyperparameter) -> str:
    """The default as code, or what is enough."""
    value = hyperparameter.default.replace("'", '"')
    most = MOST.get(hyperparameter.name)
    return str(min(int(value), most)) if most else value


def _program(method: Implementation, own: Needed, kind: Kind) -> str:
    load = f"{kind.auto}.from_pretrained(name{', num_labels=2' * kind.head})"
    prepared = own.prepare.strip("\n")
    shown = [h for h in method.hyperparameters if h.name != "lr"][:SHOWN]
    rate = [h for h in method.hyperparameters if h.name == "lr"]
    settings = {h.name: _value(h) for h in (*shown, *rate)}
    made = _made(method.class_name, own.arguments | settings, bool(own.arguments))
    file = f"{method.name}.safetensors"
    again = ", **settings" if own.arguments else ""  # some of which no file holds
    lines = [
        *_imports(method, kind, f"{prepared} {own.arguments}"),
        "",
        f'name = "{kind.model}"',
        f"{kind.read} = {kind.reader}.from_pretrained(name)",
        f"model = {load}",
        *kind.data,
        "",
        "",
        f"def batches(seed, {', '.join(f'{field}={field}' for field in kind.fields)}):",
        "    while True:",
        *(f"        {line}" for line in kind.batch),
        "",
        "",
        *prepared.splitlines(),
        *(["", ""] if prepared.startswith("def ") else []),
        *made,
        "train(method, model, Loop(batches, steps=20))",
        f'deltas.save(model, "{file}")',
        "",
        "# later, on a fresh copy of the same model",
        f"fresh = {load}",
        f'method = deltas.load(fresh, "{file}"{again})',
        *_end(method),
    ]
    return "\n".join(lines) + "\n"


def _imports(method: Implementation, kind: Kind, rest: str) -> list[str]:
    names = [kind.auto, kind.reader, *(["AutoModelForMaskedLM"] * ("MaskedLM" in rest))]
    module = ".".join([PACKAGE, *Path(method.path).parts[1:-1]])
    return [
        *(["from functools import partial", ""] * ("partial(" in rest)),
        *(f"import {module}" for module in kind.imports),
        f"from transformers import {', '.join(sorted(names))}",
        "",
        f"from {PACKAGE} import deltas",
        f"from {module} import {method.class_name}",
        f"from {PACKAGE}.core.training import Loop, train",
    ]


def _made(name: str, arguments: dict[str, str], shown: bool) -> list[str]:
    """The lines that make the method; `shown`: its settings have a name."""
    given = [f"{key}={value}" for key, value in arguments.items()]
    line = f"method = {name}({', '.join(given)})"
    if len(line) <= WIDTH and not shown:
        return [line]
    lines = [f"    {argument}," for argument in given]
    return ["settings = dict(", *lines, ")", f"method = {name}(**settings)"]


def _end(method: Implementation) -> list[str]:
    if not method.mergeable:
        return [f"# no merge for {method.title}: `fresh` keeps what was attached to it"]
    return [
        "method.merge(fresh)  # an ordinary model again",
        f'fresh.save_pretrained("{method.name}-merged")',
    ]
