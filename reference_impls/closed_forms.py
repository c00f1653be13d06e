"""Closed forms of what each method trains, stores and keeps, in an architecture's dimensions.

`ledger.py` measures a step of any model. Here the same step is measured on many tiny models of
random sizes, and each number is written as a sum of products of the dimensions with whole
coefficients. These are the exact solution of linear equations (modulo a large prime, so without
rounding); a form is accepted only if it leaves no remainder on further random models. A web page
can evaluate such forms where it cannot run a model.

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
from transformers import (
    BertConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    PretrainedConfig,
    Qwen2Config,
    RobertaConfig,
    T5Config,
)

from reference_impls.anatomy import anatomy, model_on_meta, numel
from reference_impls.lab.backbones import quiet
from reference_impls.ledger import Ledger, Metered, batch_for, stand_ins, step_ledger
from reference_impls.masks import MaskedMethod
from reference_impls.method import METHODS, Batch, Method
from reference_impls.training import seed_everything
from tools.closed_forms import (
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
HELD_OUT = 6  # random models on which each form must leave no remainder
BATCHES = 3  # of different shapes, for each model


def rule(field: str, first: str, must: str, second: str, message: str) -> dict[str, str]:
    """What inputs must fulfil: `first` divides `second`, or is at most `second`."""
    return {"field": field, "first": first, "must": must, "second": second, "message": message}


@dataclass(frozen=True)
class Family:
    """Architectures that have one set of forms.

    dimensions: what describes one, with the least value; derived: what follows from them;
    widths and matrices: what per-layer terms are made of.
    """

    title: str
    config: Callable[[Values], PretrainedConfig]
    dimensions: dict[str, int]
    derived: dict[str, dict]
    widths: tuple[str, ...]
    matrices: tuple[str, ...]
    rules: tuple[dict[str, str], ...]

    def draw(self, generator: random.Random) -> Values:
        """A tiny random architecture."""
        draw = generator.randint
        heads, size = draw(2, 5), 2 * draw(1, 6)
        known = {
            "L": draw(2, 4),
            "d": draw(5, 40) if "e" in self.dimensions else heads * size,
            "f": draw(5, 60),
            "H": heads,
            "K": generator.choice([k for k in range(2, heads + 1) if heads % k == 0]),
            "e": size,
            "V": draw(40, 90),
            "P": draw(50, 80),
            "u": draw(0, 1),
        }
        return {name: known[name] for name in self.dimensions}


TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
HEADS = (
    rule("H", "H", "divide", "d", "The heads must divide the width."),
    rule("H", "2*H", "at most", "d", "A head needs at least two features."),
)
GROUPS = rule("K", "K", "divide", "H", "The key-value heads must divide the heads.")
ROOM = rule("S", "S", "at most", "room", "The architecture has fewer positions than that.")


def _bert(v: Values, config=BertConfig, **more: Any) -> PretrainedConfig:
    return config(
        num_hidden_layers=v["L"],
        hidden_size=v["d"],
        intermediate_size=v["f"],
        num_attention_heads=v["H"],
        vocab_size=v["V"],
        max_position_embeddings=v["P"],
        **{**TOKENS, **more},
    )


def _roberta(v: Values) -> PretrainedConfig:
    tokens = {"pad_token_id": 1, "bos_token_id": 0}
    return _bert(v, RobertaConfig, type_vocab_size=1, **tokens)


def _gpt2(v: Values) -> PretrainedConfig:
    return GPT2Config(
        n_layer=v["L"],
        n_embd=v["d"],
        n_inner=v["f"],
        n_head=v["H"],
        vocab_size=v["V"],
        n_positions=v["P"],
        **TOKENS,
    )


def mistral(v: Values) -> PretrainedConfig:
    """Of Llama's forms: a test compares them, also with a window."""
    return _llama(v, MistralConfig)


def _llama(v: Values, config=LlamaConfig) -> PretrainedConfig:
    return config(
        num_hidden_layers=v["L"],
        hidden_size=v["d"],
        intermediate_size=v["f"],
        num_attention_heads=v["H"],
        num_key_value_heads=v["K"],
        vocab_size=v["V"],
        max_position_embeddings=v["P"],
        tie_word_embeddings=not v["u"],
        **TOKENS,
    )


def _t5(v: Values) -> PretrainedConfig:
    return T5Config(
        num_layers=v["L"],
        num_decoder_layers=v["L"],
        d_model=v["d"],
        d_ff=v["f"],
        num_heads=v["H"],
        d_kv=v["e"],
        vocab_size=v["V"],
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        decoder_start_token_id=0,
        **TOKENS,
    )


_ENCODER = {"L": 2, "d": 2, "f": 1, "H": 2, "V": 3, "P": 2}
_GROUPED = {"L": 2, "d": 4, "f": 1, "H": 2, "K": 2, "V": 3, "P": 2, "u": 0}
# 1 in a batch of one row, where some slices are contiguous and hence no copies
_ALL = {"less": {"sum": {"1": 2, "B": -1}}, "single": {"max": ["0", "less"]}}
# widths of queries and of keys and values, where they are the model's
_PLAIN = _ALL | {"q": {"sum": {"d": 1}}, "k": {"sum": {"d": 1}}}
_GROUPS = _ALL | {
    "e": {"floor": ["d", "H"]},
    "q": {"sum": {"d": 1}},
    "k": {"sum": {"K*e": 1}},
    "shared": {"sum": {"H": 1, "K": -1}},
    "g": {"min": ["1", "shared"]},  # 1 where keys and values are copied for heads that share them
    "room": {"sum": {"P": 1}},
}
_LLAMA_RULES = (
    *HEADS,
    GROUPS,
    rule("K", "2", "at most", "K", "The forms hold for two key-value heads or more."),
    rule("H", "2", "divide", "e", "Rotary positions need an even number of features a head."),
    ROOM,
)
FAMILIES = {
    "bert": Family(
        "BERT, a classifier of two classes",
        _bert,
        _ENCODER,
        {**_PLAIN, "room": {"sum": {"P": 1}}, "largest": {"max": ["V*d", "P*d", "d*f", "d*d"]}},
        ("d", "f"),
        ("d*d", "d*f"),
        (*HEADS, ROOM),
    ),
    "roberta": Family(
        "RoBERTa, a classifier of two classes",
        _roberta,
        _ENCODER,
        {
            **_PLAIN,
            "room": {"sum": {"P": 1, "1": -2}},  # numbering starts after that of padding
            "largest": {"max": ["V*d", "P*d", "d*f", "d*d"]},
        },
        ("d", "f"),
        ("d*d", "d*f"),
        (*HEADS, ROOM),
    ),
    "gpt2": Family(
        "GPT-2",
        _gpt2,
        _ENCODER,
        {**_PLAIN, "room": {"sum": {"P": 1}}, "largest": {"max": ["V*d", "P*d", "d*f", "3*d*d"]}},
        ("d", "f"),
        ("d*d", "d*f"),
        (*HEADS, ROOM),
    ),
    "llama": Family(
        "Llama, Mistral",
        _llama,
        _GROUPED,
        {**_GROUPS, "largest": {"max": ["V*d", "d*f", "d*d"]}},
        ("d", "f", "k", "g*d"),
        ("d*d", "d*f", "d*k"),
        _LLAMA_RULES,
    ),
    "qwen2": Family(
        "Qwen2",
        lambda v: _llama(v, Qwen2Config),
        _GROUPED,
        {**_GROUPS, "largest": {"max": ["V*d", "d*f", "d*d"]}},
        ("d", "f", "k", "g*d"),
        ("d*d", "d*f", "d*k"),
        _LLAMA_RULES,
    ),
    "t5": Family(
        "T5 v1.1: an encoder and a decoder of as many layers",
        _t5,
        {"L": 2, "d": 1, "f": 1, "H": 2, "e": 1, "V": 3},
        {
            **_ALL,
            "q": {"sum": {"H*e": 1}},
            "k": {"sum": {"H*e": 1}},
            "largest": {"max": ["V*d", "d*f", "d*q"]},
        },
        ("d", "f", "q"),
        ("d*d", "d*f", "d*q"),
        (),
    ),
}


@dataclass(frozen=True)
class Size:
    """A hyper-parameter that changes the numbers, and between what values it is drawn."""

    least: int
    most: int
    meaning: str


@dataclass(frozen=True)
class Spec:
    """What of a method can be chosen, and what its forms may be made of besides dimensions.

    sizes: what changes the numbers, also as arguments of the method.
    choices: the name of each, and the arguments that it stands for.
    terms: further products that the forms may contain.
    arguments: the method's arguments for sizes, where these have other names.
    density: the default share of `candidates` that a mask lets through.
    """

    sizes: dict[str, Size] = field(default_factory=dict)
    choices: dict[str, dict[str, Any]] = field(default_factory=lambda: {"": {}})
    derived: dict[str, dict] = field(default_factory=dict)
    rules: tuple[dict[str, str], ...] = ()
    terms: tuple[str, ...] = ()
    arguments: Callable[[Values], dict[str, Any]] = dict
    density: float | None = None


def _low_rank(what: str) -> tuple[dict[str, str], ...]:
    return (rule(what, what, "at most", "d", "A rank above the width is not a low one."),)


def _over(product: str, factors: Iterable[str]) -> tuple[str, ...]:
    """The product, alone and times each factor."""
    return (product, *(f"{product}*{factor}" for factor in factors))


# what may come with a token
_WIDTHS = ("d", "f", "k", "q", "g*d", "H", "size")
_ADAPTER = {"size": Size(1, 9, "hidden units of an adapter")}
_PREFIX_TERMS = tuple(
    f"{layers}{product}"
    for layers in ("", "L*")
    for product in (
        *("p*d", "p*k", "p*q", "p*g*d", "p", "b", "d*b", "k*b", "q*b", "p*b"),
        *("B*p*d", "B*p*k", "B*p*q", "B*p*g*d", "B*S*p", "B*S*p*H", "S*p", "S*p*H", "B*p"),
    )
)


def _prefix(length: str, bottleneck: str) -> tuple[str, ...]:
    """Terms of a prefix, whose length and bottleneck have these names."""
    names = {"p": length, "b": bottleneck}
    return tuple(
        "*".join(names.get(factor, factor) for factor in term.split("*")) for term in _PREFIX_TERMS
    )


_WRITTEN = {"through a bottleneck": {}, "trained directly": {"reparametrize": False}}
_DIRECT = {"trained directly": {}, "through a bottleneck": {"reparametrize": True}}
_BOTTLENECK = Size(1, 9, "width of what writes the prefix in training")
# the sides of each matrix, and the rank that its shorter side allows
_SIDES = {
    f"{what}_d{other}": {operation: ["d", other]}
    for other in "fkq"
    for what, operation in (("short", "min"), ("long", "max"))
} | {f"rank_d{other}": {"min": ["rank", f"short_d{other}"]} for other in "fkq"}


def _longer(by: str, *rules: dict[str, str]) -> dict[str, Any]:
    """What a spec says where the text is longer by so many tokens, which need positions."""
    message = "Text and added tokens together need more positions than the architecture has."
    return {
        "derived": {"longer": {"sum": {"S": 1, by: 1}}},
        "rules": (*rules, rule("S" if by == "1" else by, "longer", "at most", "room", message)),
        "terms": (
            *(*_over("L*B*longer", _WIDTHS), *_over("B*longer", (*_WIDTHS, "V"))),
            *(*_over("B*longer*longer", ("L", "H", "L*H")), *_over("L*B*longer*S", ("H",))),
            *(*_over("longer*longer", ("H",)), *_over("longer*S", ("H",))),
            *(
                "B*longer*S",
                "longer",
                "longer*d",
                "longer*e",
                "B*longer*e",
                "B*V",
                f"{by}*d",
                f"B*{by}*d",
            ),
        ),
    }


_BLOCKS = {
    f"{what}_{name}": {"ceil": [product, size]}
    for what, size in (("blocks", "64"), ("scales", "16384"))
    for name, product in {
        "dd": "d*d", "df": "d*f", "ddd": "3*d*d", "dk": "d*k", "dq": "d*q"
    }.items()
}  # fmt: skip
SPECS: dict[str, Spec] = {
    "adapterdrop": Spec(
        _ADAPTER | {"dropped": Size(0, 2, "lowest layers without an adapter")},
        # in a step that leaves none out, which takes most
        {
            "none left out": {"robust": False, "dropped": 0},
            "a fixed number left out": {"robust": False},
        },
        {
            "kept": {"sum": {"L": 1, "dropped": -1}},
            "above": {"sum": {"kept": 1, "1": -1}},
            "more": {"min": ["1", "above"]},  # whether gradients pass through a layer
        },
        terms=(
            *(*_over("kept*B*S", _WIDTHS), *_over("kept*B*S*S", "H")),
            *(*_over("more*S", ("e", "S", "S*H")), *_over("more*B*S", ("e", "S"))),
        ),
        rules=(rule("dropped", "1", "at most", "kept", "At least one layer keeps its adapter."),),
    ),
    "adapterfusion": Spec(
        {**_ADAPTER, "sources": Size(1, 4, "source tasks, each with an adapter")},
        terms=(
            *(*_over("L*B*S*sources", ("d", "size")), *_over("B*S*sources", ("d", "size"))),
            *("L*d*d", "L*d", "L", "L*size", "L*d*size"),
        ),
        arguments=lambda v: {"size": v["size"]},
    ),
    "adaptersoup": Spec(_ADAPTER),
    "child_tuning_d": Spec(density=0.3),
    "compacter": Spec(
        _ADAPTER | {"n": Size(1, 4, "Kronecker products")},
        {"behind attention and feed-forward": {}, "Compacter++": {"attention": False}},
        terms=(*_over("L*B*S*n", "n"), *_over("B*S*n", "n"), "n*n*n"),
        rules=(
            rule("n", "n", "divide", "d", "It must divide the model's width."),
            rule("n", "n", "divide", "size", "It must divide the hidden units."),
        ),
    ),
    "diff_pruning": Spec(density=0.005),
    "fish_mask": Spec(density=0.005),
    "galore": Spec(
        {"rank": Size(2, 9, "rank of the subspaces")},
        derived=_SIDES,
        rules=_low_rank("rank"),
        terms=(
            *tuple(
                f"{layers}rank_d{other}*{side}_d{other}"
                for layers in ("", "L*")
                for other in "fkq"
                for side in ("short", "long")
            ),
            "L*rank*d",
            "L*d*d",
            "L*d*f",
            "L*d*k",
            "L*d*q",
        ),
    ),
    "houlsby": Spec(_ADAPTER),
    "ladder_side_tuning": Spec(
        {"reduction": Size(1, 4, "how much narrower the side network is")},
        derived={
            "w": {"floor": ["d", "reduction"]},
            "v": {"floor": ["f", "reduction"]},
        },
        terms=(*_over("L*single*S", ("w", "d", "S*H")), *_over("single*S", ("w", "d", "S*H"))),
        rules=(
            rule("reduction", "reduction", "divide", "d", "It must divide the model's width."),
            rule("reduction", "H", "divide", "w", "The heads must divide the reduced width."),
            rule("reduction", "2*H", "at most", "w", "A head needs two features of that width."),
        ),
    ),
    "lora": Spec(
        {"r": Size(1, 9, "rank")},
        {
            "query and value": {},
            "all of attention": {"targets": ("query", "key", "value", "attention_output")},
            "every linear map": {
                "targets": (
                    *("query", "key", "value", "attention_output"),
                    *("feed_forward_up", "feed_forward_down"),
                )
            },
        },
        rules=_low_rank("r"),
    ),
    "lt_sft": Spec(density=0.08, terms=_over("u*B*S", "d")),  # a frozen output layer keeps no input
    "mam": Spec(
        {
            "prefix_length": Size(1, 7, "rows of the prefix"),
            "bottleneck": _BOTTLENECK,
            "size": _ADAPTER["size"],
        },
        _WRITTEN,
        terms=_prefix("prefix_length", "bottleneck"),
    ),
    "p_tuning": Spec(
        {"pseudo": Size(2, 9, "pseudo-tokens")},
        **_longer("pseudo", rule("d", "2", "divide", "d", "Its LSTM needs an even width.")),
        arguments=lambda v: {"template": (v["pseudo"] - v["pseudo"] // 2, v["pseudo"] // 2)},
    ),
    "p_tuning_v2": Spec(
        {"length": Size(1, 7, "rows of the prefix"), "bottleneck": _BOTTLENECK},
        _DIRECT,
        terms=_prefix("length", "bottleneck"),
    ),
    "parallel_adapter": Spec(_ADAPTER),
    "pasta": Spec({"vectors": Size(1, 4, "vectors a layer")}),
    "pet": Spec(**_longer("1")),  # by the mask of its pattern
    "pfeiffer": Spec(_ADAPTER),
    "prefix_tuning": Spec(
        {"length": Size(1, 7, "rows of the prefix"), "bottleneck": _BOTTLENECK},
        _WRITTEN,
        terms=_prefix("length", "bottleneck"),
    ),
    "prompt_tuning": Spec(
        {"length": Size(1, 7, "trained rows")},
        **_longer("length"),
    ),
    "qlora": Spec(
        {"r": Size(1, 9, "rank")},
        derived=_BLOCKS,
        rules=_low_rank("r"),
        terms=tuple(f"L*{name}" for name in _BLOCKS),
    ),
    "unipelt": Spec(
        {
            "r": Size(1, 9, "rank"),
            "prefix_length": Size(1, 7, "rows of the prefix"),
            "bottleneck": _BOTTLENECK,
            "size": _ADAPTER["size"],
        },
        rules=_low_rank("r"),
        terms=_prefix("prefix_length", "bottleneck"),
    ),
}


@dataclass
class Point:
    """One measurement: the names' values, and the number that a form is sought for."""

    values: Values
    number: int


class NoFormError(Exception):
    """The terms that are tried do not make up a number."""


def solve(terms: Iterable[str], points: list[Point]) -> Form | None:
    """The form whose value is the number at every point, or None.

    Of terms that depend on others the earlier ones are used.
    """
    terms = list(dict.fromkeys(terms))
    rows = [[int(term(t, p.values)) for t in terms] + [p.number] for p in points[:-HELD_OUT]]
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
    if method_class is METHODS["pet"] and len(batches) > 1:  # its data are as long as the batch
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
            values = self.family.draw(self.random)
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


def derived_of(spec: Spec) -> dict[str, dict]:
    """The names that a method derives, with the size of its mask."""
    if not spec.density:
        return spec.derived
    return {**spec.derived, "chosen": {"floor": ["density*candidates", "1"]}}


def find(attempts: list[Iterable[str]], points: Callable[[int, int], list[Point]]) -> Form:
    """A form of the first terms that suffice.

    `points` gives at least so many measurements, of at least so many models.

    Raises:
        NoFormError: none of them do.
    """
    for terms in attempts:
        known = points(1, 1)[0].values
        terms = [t for t in terms if all(f.isdigit() or f in known for f in t.split("*"))]
        fixed = sum(not {"B", "S", "longer"} & set(t.split("*")) for t in terms)
        number = 5 * len(terms) // 4 + HELD_OUT  # some measurements may follow from others
        form = solve(terms, points(number, fixed + HELD_OUT))
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
        plain = ["", *family.widths, *family.matrices, "H", "q" if "q" in family.widths else ""]
        self.outside = ["1", "V", "V*d", "u*V*d", "P*d", "P", "u", "e", "d", "d*d", "H"]
        self.sizes = ["", *sizes, *pairs, *cubes, *derived, *(f"{n}*{n}" for n in derived)]
        self.sizes += [f"{a}*{b}" for a in derived for b in derived if a < b]
        self.layers = times(["L", ""], plain, self.sizes)
        self.extra = list(case.spec.terms)
        self.few = ["base", "head", "candidates", "trained", "stored", "largest"]
        if case.spec.density:
            self.few = ["base", "head", "candidates"]
        self.few += ["1", "L", "u", "P", "e", "d", "V", *sizes]
        self.widths = [*family.widths, *(["q"] if "q" in family.widths else []), "H"]
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
            step = 1 if changing else BATCHES
            phase[kind] = _named(kind, attempts, _measured(case, index, kind, step))
        found.append(phase)
    return found[:1] if found[0] == found[1] else found


def _counted(case: Case, name: str) -> Callable[[int, int], list[Point]]:
    return lambda number, models: [Point(v, v[name]) for v in case.counted(number)]


def _measured(case: Case, phase: int, kind: str, step: int) -> Callable[[int, int], list[Point]]:
    """Every `step`-th measurement of what a phase keeps."""

    def points(number: int, models: int) -> list[Point]:
        measured = case.measured(max(number * step, models * BATCHES))[::step]
        return [Point(values, getattr(phases[phase], kind)) for values, phases in measured]

    return points


def _named(name: str, attempts: list[list[str]], points: Callable) -> Form:
    try:
        return find(attempts, points)
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

    return {name: find([wide], _counted(case, name)) for name in ("base", "head")}


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


_CONFIG = "https://huggingface.co/{}/blob/main/config.json"


def _architecture(title: str, family: str, repository: str, *numbers: int) -> dict[str, Any]:
    """`numbers` are the family's dimensions, in its order."""
    return {
        "title": title,
        "family": family,
        "source": _CONFIG.format(repository),
        "dimensions": dict(zip(FAMILIES[family].dimensions, numbers, strict=True)),
    }


# The dimensions of the published config.json of each. Those of BERT-base and GPT-2 are also the
# defaults of transformers; tests compare the number of parameters with the published one.
ARCHITECTURES = {
    # layers, width, feed-forward width, heads, vocabulary, positions
    "bert-base": _architecture(
        *("BERT-base", "bert", "google-bert/bert-base-uncased"),
        *(12, 768, 3072, 12, 30522, 512),
    ),
    "bert-large": _architecture(
        *("BERT-large", "bert", "google-bert/bert-large-uncased"),
        *(24, 1024, 4096, 16, 30522, 512),
    ),
    "roberta-base": _architecture(
        *("RoBERTa-base", "roberta", "FacebookAI/roberta-base"),
        *(12, 768, 3072, 12, 50265, 514),
    ),
    "roberta-large": _architecture(
        *("RoBERTa-large", "roberta", "FacebookAI/roberta-large"),
        *(24, 1024, 4096, 16, 50265, 514),
    ),
    "gpt2": _architecture(
        *("GPT-2 small", "gpt2", "openai-community/gpt2"),
        *(12, 768, 3072, 12, 50257, 1024),
    ),
    "gpt2-medium": _architecture(
        *("GPT-2 medium", "gpt2", "openai-community/gpt2-medium"),
        *(24, 1024, 4096, 16, 50257, 1024),
    ),
    "gpt2-xl": _architecture(
        *("GPT-2 XL", "gpt2", "openai-community/gpt2-xl"),
        *(48, 1600, 6400, 25, 50257, 1024),
    ),
    # layers, width, feed-forward width, heads, key-value heads, vocabulary, positions, untied
    "llama-2-7b": _architecture(
        *("Llama 2 7B", "llama", "meta-llama/Llama-2-7b-hf"),
        *(32, 4096, 11008, 32, 32, 32000, 4096, 1),
    ),
    "llama-2-13b": _architecture(
        *("Llama 2 13B", "llama", "meta-llama/Llama-2-13b-hf"),
        *(40, 5120, 13824, 40, 40, 32000, 4096, 1),
    ),
    "llama-3-8b": _architecture(
        *("Llama 3 8B", "llama", "meta-llama/Meta-Llama-3-8B"),
        *(32, 4096, 14336, 32, 8, 128256, 8192, 1),
    ),
    "llama-3.2-1b": _architecture(
        *("Llama 3.2 1B", "llama", "meta-llama/Llama-3.2-1B"),
        *(16, 2048, 8192, 32, 8, 128256, 131072, 0),
    ),
    "mistral-7b": _architecture(
        *("Mistral 7B", "llama", "mistralai/Mistral-7B-v0.1"),
        *(32, 4096, 14336, 32, 8, 32000, 32768, 1),
    ),
    "qwen2-0.5b": _architecture(
        *("Qwen2 0.5B", "qwen2", "Qwen/Qwen2-0.5B"),
        *(24, 896, 4864, 14, 2, 151936, 131072, 0),
    ),
    "qwen2-7b": _architecture(
        *("Qwen2 7B", "qwen2", "Qwen/Qwen2-7B"),
        *(28, 3584, 18944, 28, 4, 152064, 131072, 1),
    ),
    # layers of each stack, width, feed-forward width, heads, features a head, vocabulary
    "t5-v1.1-base": _architecture(
        *("T5 v1.1 base", "t5", "google/t5-v1_1-base"),
        *(12, 768, 2048, 12, 64, 32128),
    ),
    "t5-v1.1-large": _architecture(
        *("T5 v1.1 large", "t5", "google/t5-v1_1-large"),
        *(24, 1024, 2816, 16, 64, 32128),
    ),
}
SYMBOLS = {
    "L": "layers, in each stack",
    "d": "width",
    "f": "feed-forward width",
    "H": "heads",
    "K": "key-value heads",
    "e": "features of a head",
    "V": "vocabulary",
    "P": "positions",
    "u": "output layer of its own (1) or tied to the embeddings (0)",
    "k": "width of keys and of values",
    "q": "width of queries",
    "g": "1 where heads share keys and values, else 0",
    "B": "rows of a batch",
    "S": "tokens of a row",
    "base": "parameters of the base model",
    "head": "parameters of the task's head",
    "trained": "trained parameters",
    "stored": "stored numbers",
    "candidates": "weights that compete for the mask",
    "chosen": "entries in the mask",
    "density": "share of the weights in the mask",
    "largest": "entries of the largest tensor",
    "longer": "tokens of a row with those that are added",
    "single": "1 for a batch of one row, else 0",
    "kept": "layers with an adapter",
    "more": "1 where gradients pass through a whole layer, else 0",
    "w": "width of the side network",
    "v": "feed-forward width of the side network",
}
OTHER_DEFAULTS = {"pseudo": 6, "sources": 1}  # defaults of sizes that are no field of a method


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
