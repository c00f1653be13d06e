"""Well-known architectures by their published dimensions, and the configuration of each.

A family's dimensions are L: layers (of each stack), d: width, f: feed-forward width, H: heads,
K: key-value heads, e: features of a head, V: vocabulary, P: positions, u: 1 where the output layer
is its own, 0 where it is tied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from transformers import (
    BertConfig,
    GPT2Config,
    LlamaConfig,
    PretrainedConfig,
    Qwen2Config,
    RobertaConfig,
    T5Config,
)

Dimensions = Mapping[str, Any]
TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


def _sizes(v: Dimensions) -> dict[str, int]:
    """By the names that most families have for them."""
    return {
        "num_hidden_layers": v["L"],
        "hidden_size": v["d"],
        "intermediate_size": v["f"],
        "num_attention_heads": v["H"],
        "vocab_size": v["V"],
        "max_position_embeddings": v["P"],
    }


def _bert(v: Dimensions, config=BertConfig, **more: Any) -> PretrainedConfig:
    return config(**{**_sizes(v), **TOKENS, **more})


def _roberta(v: Dimensions) -> PretrainedConfig:
    tokens = {"pad_token_id": 1, "bos_token_id": 0}
    return _bert(v, RobertaConfig, type_vocab_size=1, **tokens)


def _gpt2(v: Dimensions) -> PretrainedConfig:
    return GPT2Config(
        n_layer=v["L"],
        n_embd=v["d"],
        n_inner=v["f"],
        n_head=v["H"],
        vocab_size=v["V"],
        n_positions=v["P"],
        **TOKENS,
    )


def llama(v: Dimensions, config=LlamaConfig) -> PretrainedConfig:
    return config(**_sizes(v), num_key_value_heads=v["K"], tie_word_embeddings=not v["u"], **TOKENS)


def _qwen2(v: Dimensions) -> PretrainedConfig:
    return llama(v, Qwen2Config)


def _t5(v: Dimensions) -> PretrainedConfig:
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


CONFIGS: dict[str, Callable[[Dimensions], PretrainedConfig]] = {
    "bert": _bert,
    "roberta": _roberta,
    "gpt2": _gpt2,
    "llama": llama,
    "qwen2": _qwen2,
    "t5": _t5,
}
_ENCODER, _GROUPED = "LdfHVP", "LdfHKVPu"
DIMENSIONS = {
    "bert": _ENCODER,
    "roberta": _ENCODER,
    "gpt2": _ENCODER,
    "llama": _GROUPED,
    "qwen2": _GROUPED,
    "t5": "LdfHeV",
}
_SOURCE = "https://huggingface.co/{}/blob/main/config.json"


def config_of(name: str) -> PretrainedConfig:
    """The configuration of one of `ARCHITECTURES`."""
    known = ARCHITECTURES[name]
    return CONFIGS[known["family"]](known["dimensions"])


def _architecture(title: str, family: str, repository: str, *numbers: int) -> dict[str, Any]:
    """`numbers` are the family's dimensions, in its order."""
    return {
        "title": title,
        "family": family,
        "source": _SOURCE.format(repository),
        "dimensions": dict(zip(DIMENSIONS[family], numbers, strict=True)),
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
    "llama-3-70b": _architecture(
        *("Llama 3 70B", "llama", "meta-llama/Meta-Llama-3-70B"),
        *(80, 8192, 28672, 64, 8, 128256, 8192, 1),
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
