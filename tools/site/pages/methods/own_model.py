"""How to use a method on a Hugging Face model: a short program, made of what it declares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ....cards import OwnModel
from ....data.implementations import Hyperparameter, Implementation

CLASSIFIER, LANGUAGE_MODEL = "google-bert/bert-base-uncased", "openai-community/gpt2"
PACKAGE = "fine_tuning_atlas"  # what the folder of the methods is called where it is installed
SHOWN = 3  # hyper-parameters, besides the learning rate
WIDTH = 88
# The most for two sentences, where the default may be for a data set.
MOST = {"samples": 64}


@dataclass(frozen=True)
class Snippet:
    """A program and what kind of model it adapts."""

    title: str
    model: str
    text: str


def snippets(method: Implementation, own: OwnModel) -> list[Snippet]:
    """One for a language model and one for a classifier, where the method is for such a model."""
    kinds = []
    if own.language_model and any(t.startswith(("cue", "new-topic")) for t in method.tasks):
        kinds.append(("A language model", LANGUAGE_MODEL))
    if "first-clause" in method.tasks:
        kinds.append(("A classifier", CLASSIFIER))
    return [Snippet(title, model, _program(method, own, model)) for title, model in kinds]


def _value(hyperparameter: Hyperparameter) -> str:
    """The default as code, or what is enough."""
    value = hyperparameter.default.replace("'", '"')
    most = MOST.get(hyperparameter.name)
    return str(min(int(value), most)) if most else value


def _program(method: Implementation, own: OwnModel, model: str) -> str:
    classifies = model == CLASSIFIER
    auto = f"AutoModelFor{'SequenceClassification' if classifies else 'CausalLM'}"
    load = f"{auto}.from_pretrained(name{', num_labels=2' if classifies else ''})"
    prepared = own.prepare.strip("\n")
    shown = [h for h in method.hyperparameters if h.name != "lr"][:SHOWN]
    rate = [h for h in method.hyperparameters if h.name == "lr"]
    settings = {h.name: _value(h) for h in (*shown, *rate)}
    made = _made(method.class_name, own.arguments | settings)
    file = f"{method.name}.safetensors"
    head = "torch.nn.ModuleList(anatomy({}).head)"
    lines = [
        *_imports(method, auto, f"{prepared} {own.arguments}", classifies),
        "",
        f'name = "{model}"',
        "tokenizer = AutoTokenizer.from_pretrained(name)",
        *([] if classifies else ["tokenizer.pad_token = tokenizer.eos_token"]),
        f"model = {load}",
        'texts = ["The film was bad.", "The film was good."]  # your data',
        *(["labels = [0, 1]"] if classifies else []),
        "",
        "",
        *_batches(classifies),
        "",
        "",
        *prepared.splitlines(),
        *(["", ""] if prepared.startswith("def ") else []),
        *made,
        "train(method, model, Loop(batches, steps=20))",
        f'save_file(method.delta(model), "{file}")',
        *([f'save_file({head.format("model")}.state_dict(), "head.safetensors")'] * classifies),
        "",
        "# later, on a fresh copy of the same model",
        f"fresh = {load}",
        made[-1],
        "method.setup(fresh)",
        f'method.load_delta(fresh, load_file("{file}"))',
        *([f'{head.format("fresh")}.load_state_dict(load_file("head.safetensors"))'] * classifies),
        *_end(method),
    ]
    return "\n".join(lines) + "\n"


def _imports(method: Implementation, auto: str, rest: str, classifies: bool) -> list[str]:
    names = [auto, "AutoTokenizer", *(["AutoModelForMaskedLM"] * ("MaskedLM" in rest))]
    module = ".".join([PACKAGE, *Path(method.path).parts[1:-1]])
    return [
        *(["from functools import partial", ""] * ("partial(" in rest)),
        *(["import torch"] * classifies),
        "from safetensors.torch import load_file, save_file",
        f"from transformers import {', '.join(sorted(names))}",
        "",
        *([f"from {PACKAGE}.anatomy import anatomy"] * classifies),
        f"from {module} import {method.class_name}",
        f"from {PACKAGE}.core.training import Loop, train",
    ]


def _batches(classifies: bool) -> list[str]:
    """The definition of endless batches; those of a language model are their own labels."""
    given = "texts=texts, labels=labels" if classifies else "texts=texts"
    made = (
        "labels=torch.tensor(labels, device=model.device)"
        if classifies
        else 'labels=batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)'
    )
    return [
        f"def batches(seed, {given}):",
        "    while True:",
        '        batch = tokenizer(texts, padding=True, return_tensors="pt").to(model.device)',
        f"        yield dict(batch, {made})",
    ]


def _made(name: str, arguments: dict[str, str]) -> list[str]:
    """The lines that make the method, of which the last one makes it again."""
    given = [f"{key}={value}" for key, value in arguments.items()]
    line = f"method = {name}({', '.join(given)})"
    if len(line) <= WIDTH:
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
