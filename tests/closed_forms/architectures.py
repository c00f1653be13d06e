"""Well-known architectures by their published dimensions, and what each symbol stands for."""

from __future__ import annotations

from typing import Any

from tests.closed_forms.families import FAMILIES

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
}
