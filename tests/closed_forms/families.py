"""The families of models that have closed forms, each with one set of them for all its sizes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from transformers import MistralConfig, PretrainedConfig

from reference_impls.measure.known import CONFIGS, llama
from tests.closed_forms.terms import rule
from tools.data.closed_forms import Values


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


HEADS = (
    rule("H", "H", "divide", "d", "The heads must divide the width."),
    rule("H", "2*H", "at most", "d", "A head needs at least two features."),
)
GROUPS = rule("K", "K", "divide", "H", "The key-value heads must divide the heads.")
ROOM = rule("S", "S", "at most", "room", "The architecture has fewer positions than that.")


def mistral(v: Values) -> PretrainedConfig:
    """Of Llama's forms: a test compares them, also with a window."""
    return llama(v, MistralConfig)


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
        CONFIGS["bert"],
        _ENCODER,
        {**_PLAIN, "room": {"sum": {"P": 1}}, "largest": {"max": ["V*d", "P*d", "d*f", "d*d"]}},
        ("d", "f"),
        ("d*d", "d*f"),
        (*HEADS, ROOM),
    ),
    "roberta": Family(
        "RoBERTa, a classifier of two classes",
        CONFIGS["roberta"],
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
        CONFIGS["gpt2"],
        _ENCODER,
        {**_PLAIN, "room": {"sum": {"P": 1}}, "largest": {"max": ["V*d", "P*d", "d*f", "3*d*d"]}},
        ("d", "f"),
        ("d*d", "d*f"),
        (*HEADS, ROOM),
    ),
    "llama": Family(
        "Llama, Mistral",
        CONFIGS["llama"],
        _GROUPED,
        {**_GROUPS, "largest": {"max": ["V*d", "d*f", "d*d"]}},
        ("d", "f", "k", "g*d"),
        ("d*d", "d*f", "d*k"),
        _LLAMA_RULES,
    ),
    "qwen2": Family(
        "Qwen2",
        CONFIGS["qwen2"],
        _GROUPED,
        {**_GROUPS, "largest": {"max": ["V*d", "d*f", "d*d"]}},
        ("d", "f", "k", "g*d"),
        ("d*d", "d*f", "d*k"),
        _LLAMA_RULES,
    ),
    "t5": Family(
        "T5 v1.1: an encoder and a decoder of as many layers",
        CONFIGS["t5"],
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
