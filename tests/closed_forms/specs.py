"""What closed forms are made of: families, what of each method can be chosen, architectures.

`fit.py` finds and checks the forms. A product such as "L*r*d" stands for itself; a rule
says what inputs must fulfil, in words for the reader; derived names are what is no product: rounded
quotients, and the larger or the smaller of two numbers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

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

from tools.data.closed_forms import Values


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

    def draw(self, generator: random.Random, wider: int = 1) -> Values:
        """A tiny random architecture, or one with up to so many times as many features."""
        draw = generator.randint
        heads, size = draw(2, 6), 2 * draw(1, 6 * wider)
        known = {
            "L": draw(2, 5),
            "d": draw(5, 40 * wider) if "e" in self.dimensions else heads * size,
            "f": draw(5, 60 * wider),
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
        tie_word_embeddings=False,  # transformers 5 ties them all the same
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
            "room": {"sum": {"1": 2**31}},  # positions are relative: there is no end to them
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
    wider: how many times as wide models must be for the numbers to show all that they depend on.
    """

    sizes: dict[str, Size] = field(default_factory=dict)
    choices: dict[str, dict[str, Any]] = field(default_factory=lambda: {"": {}})
    derived: dict[str, dict] = field(default_factory=dict)
    rules: tuple[dict[str, str], ...] = ()
    terms: tuple[str, ...] = ()
    arguments: Callable[[Values], dict[str, Any]] = dict
    density: float | None = None
    wider: int = 1


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
            *("B*longer*S", "longer", "longer*d", "longer*e", "B*longer*e"),
            *("B*V", f"{by}*d", f"B*{by}*d"),
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
            *(f"L*rank_d{o}*{side}_d{o}" for o in "fkq" for side in ("short", "long")),
            *("L*rank*d", "L*d*d", "L*d*f", "L*d*k", "L*d*q"),
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
        wider=5,
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


def derived_of(spec: Spec) -> dict[str, dict]:
    """The names that a method derives, with the size of its mask."""
    if not spec.density:
        return spec.derived
    return {**spec.derived, "chosen": {"floor": ["density*candidates", "1"]}}


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
    "L": "layers (of each stack)",
    "d": "width",
    "f": "feed-forward width",
    "H": "heads",
    "K": "key-value heads",
    "e": "features of a head",
    "V": "vocabulary",
    "P": "positions",
    "u": "output layer: 1 its own, 0 tied",
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
