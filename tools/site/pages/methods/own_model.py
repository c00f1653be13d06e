"""How to use a method on a Hugging Face model: a short program, made of its declaration."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from ....data.implementations import Implementation

CLASSIFIER, LANGUAGE_MODEL = "google-bert/bert-base-uncased", "openai-community/gpt2"
PACKAGE = "fine_tuning_atlas"  # what the folder of the methods is called where it is installed
SHOWN = 3  # hyper-parameters, besides the learning rate
WIDTH = 88
DEFAULT_TASKS = ("first-clause", "cue", "summary")
# What a method asks of its task: the lines that make it, and the arguments.
ASKED = {
    "adapterfusion": (
        "# a second task, with as many classes\n"
        'other = partial(batches, texts=["A long film.", "A short film."], labels=[0, 1])\n',
        {"sources": "(other,)"},
    ),
    "adaptersoup": (
        'films, hotels = ["A fine film.", "A dull film."], ["A clean room.", "A loud room."]\n'
        'new = ["A light phone.", "A heavy phone."]  # no labels\n',
        {
            "domains": "tuple(partial(batches, texts=own) for own in (films, hotels))",
            "unlabeled": 'tuple(map(tuple, tokenizer(new)["input_ids"]))',
        },
    ),
    "pasta": ("", {"special_tokens": "(tokenizer.cls_token_id, tokenizer.sep_token_id)"}),
    "pet": (
        "\n\ndef ids(text):\n"
        '    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])\n\n\n',
        {
            "masked_lm": "lambda: AutoModelForMaskedLM.from_pretrained(name)",
            "verbalizer": '(ids("bad"), ids("good"))',
            "patterns": '(((), ids("it was [MASK].")),)',
            "mask_token": "tokenizer.mask_token_id",
            "unlabeled": 'tuple(map(tuple, tokenizer(texts)["input_ids"]))',
        },
    ),
    "prompt_tuning": (
        'words = tokenizer(["bad", "good"], add_special_tokens=False)["input_ids"]\n',
        {"verbalizer": "tuple(map(tuple, words))"},
    ),
}
# Values for two sentences, where the default is for a data set.
SMALLER = {"samples": "64"}
# Texts of these models have no special tokens that PASTA could change.
NO_LANGUAGE_MODEL = ("pasta",)


@dataclass(frozen=True)
class Snippet:
    """A program and what kind of model it adapts."""

    title: str
    model: str
    text: str


def snippets(method: Implementation, source: str) -> list[Snippet]:
    """One for a language model and one for a classifier, where the method is for such a model."""
    name, tasks = _declared(method, source)
    kinds = []
    if any(task.startswith(("cue", "new-topic")) for task in tasks):
        kinds += [] if method.name in NO_LANGUAGE_MODEL else [("A language model", LANGUAGE_MODEL)]
    if "first-clause" in tasks:
        kinds.append(("A classifier", CLASSIFIER))
    return [Snippet(title, model, _program(method, name, model)) for title, model in kinds]


def _declared(method: Implementation, source: str) -> tuple[str, tuple[str, ...]]:
    """The name of the method's class, and the tasks of the lab that it runs on."""
    node = next(
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and node.lineno == method.line
    )
    for statement in node.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "tasks":
            return node.name, ast.literal_eval(statement.value)
    return node.name, DEFAULT_TASKS


def _program(method: Implementation, name: str, model: str) -> str:
    classifies = model == CLASSIFIER
    auto = f"AutoModelFor{'SequenceClassification' if classifies else 'CausalLM'}"
    load = f"{auto}.from_pretrained(name{', num_labels=2' if classifies else ''})"
    prepared, asked = ASKED.get(method.name, ("", {}))
    shown = [h for h in method.hyperparameters if h.name != "lr"][:SHOWN]
    rate = [h for h in method.hyperparameters if h.name == "lr"]
    settings = {h.name: SMALLER.get(h.name, h.default).replace("'", '"') for h in (*shown, *rate)}
    made = _made(name, asked | settings)
    file = f"{method.name}.safetensors"
    head = "torch.nn.ModuleList(anatomy({}).head)"
    lines = [
        *_imports(method, name, auto, prepared + str(asked), classifies),
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
        *prepared.strip("\n").splitlines(),
        *(["", ""] if prepared.endswith("\n\n\n") else []),
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


def _imports(
    method: Implementation, name: str, auto: str, rest: str, classifies: bool
) -> list[str]:
    names = [auto, "AutoTokenizer", *(["AutoModelForMaskedLM"] * ("MaskedLM" in rest))]
    module = ".".join([PACKAGE, *Path(method.path).parts[1:-1]])
    return [
        *(["from functools import partial", ""] * ("partial(" in rest)),
        *(["import torch"] * classifies),
        "from safetensors.torch import load_file, save_file",
        f"from transformers import {', '.join(sorted(names))}",
        "",
        *([f"from {PACKAGE}.anatomy import anatomy"] * classifies),
        f"from {module} import {name}",
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
        return [f"# {method.title} cannot be merged: `fresh` keeps what was attached to it"]
    return [
        "method.merge(fresh)  # an ordinary model again",
        f'fresh.save_pretrained("{method.name}-merged")',
    ]
