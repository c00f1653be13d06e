"""Tiny random models, shaken so that defaults hide nothing; a model type is one entry in `TINY`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    MistralConfig,
    MistralForCausalLM,
    MT5Config,
    MT5ForConditionalGeneration,
    PretrainedConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
    T5Config,
    T5ForConditionalGeneration,
    T5ForSequenceClassification,
)

from reference_impls import anatomy

VOCABULARY = 40
_SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
_TOKENS = {"vocab_size": VOCABULARY, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
_ENCODER = _SIZES | _TOKENS | _NO_DROPOUT | {"intermediate_size": 48, "max_position_embeddings": 64}
_GROUPED = _SIZES | _TOKENS | {"num_key_value_heads": 2, "intermediate_size": 48}
_BOTH = _TOKENS | {
    "d_model": 32,
    "d_kv": 6,  # heads times head_dim is not the width, as in T5 v1.1 small
    "d_ff": 48,
    "num_heads": 4,
    "num_layers": 2,
    "num_decoder_layers": 2,
    "feed_forward_proj": "gated-gelu",
    "relative_attention_num_buckets": 8,
    "dropout_rate": 0.0,
    "decoder_start_token_id": 0,
}


@dataclass(frozen=True)
class Tiny:
    """A model type's tiny configuration, and its models by name; a classifier has the type's.

    head: where a classifier keeps the parameters of its head.
    ends: its classifier reads the decoder where the text ends.
    """

    config: PretrainedConfig
    models: dict[str, type]
    head: tuple[str, ...] = ()
    ends: bool = False


TINY = {
    "bert": Tiny(
        BertConfig(**_ENCODER),
        {"bert": BertForSequenceClassification, "bert-mlm": BertForMaskedLM},
        head=("classifier.",),
    ),
    "roberta": Tiny(
        RobertaConfig(**_ENCODER),
        {"roberta": RobertaForSequenceClassification},
        head=("classifier.",),
    ),
    "gpt2": Tiny(
        GPT2Config(
            **_SIZES,
            **_TOKENS,
            n_inner=48,
            n_positions=64,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
        ),
        {"gpt2": GPT2ForSequenceClassification, "gpt2-lm": GPT2LMHeadModel},
        head=("score.",),
    ),
    "llama": Tiny(
        LlamaConfig(**_GROUPED),
        {"llama": LlamaForSequenceClassification, "llama-lm": LlamaForCausalLM},
        head=("score.",),
    ),
    "mistral": Tiny(
        MistralConfig(**_GROUPED, sliding_window=None), {"mistral-lm": MistralForCausalLM}
    ),
    "qwen2": Tiny(
        Qwen2Config(**_GROUPED), {"qwen2": Qwen2ForSequenceClassification}, head=("score.",)
    ),
    "t5": Tiny(
        T5Config(**_BOTH),
        {"t5": T5ForSequenceClassification, "t5-lm": T5ForConditionalGeneration},
        head=("classification_head.",),
        ends=True,
    ),
    "mt5": Tiny(
        # its outputs are not scaled; with weights of this size they are still about one
        MT5Config(**_BOTH, initializer_factor=0.2),
        {"mt5-lm": MT5ForConditionalGeneration},
    ),
}
BERT, LLAMA = TINY["bert"].config, TINY["llama"].config

_MODELS = {n: (c, tiny.config) for tiny in TINY.values() for n, c in tiny.models.items()}
CLASSIFIERS = {name: model for name, model in _MODELS.items() if name in TINY}
LANGUAGE_MODELS = {name: model for name, model in _MODELS.items() if name not in TINY}
MODELS = CLASSIFIERS | LANGUAGE_MODELS


def _of_shape(shape: str) -> tuple[str, ...]:
    return tuple(name for name in MODELS if anatomy.shape(tiny(name).config) == shape)


def tiny(name: str) -> Tiny:
    """The entry that a model is from."""
    return next(tiny for tiny in TINY.values() if name in tiny.models)


ENCODER_DECODERS = _of_shape("encoder-decoder")
CAUSAL = _of_shape("decoder")
GROUPS = {"causal": CAUSAL, "encoder-decoders": ENCODER_DECODERS}  # as cards name them
GENERATORS = tuple(n for n in LANGUAGE_MODELS if n in (*CAUSAL, *ENCODER_DECODERS))


def build(name: str, seed: int = 0, **config) -> PreTrainedModel:
    """A shaken model in evaluation mode; biases and norms are away from 0 and 1."""
    model_class, base_config = MODELS[name]
    values = {**base_config.to_dict(), **config}
    values.pop("layer_types", None)  # one for each layer: would not fit another number of layers
    torch.manual_seed(seed)
    return shake(model_class(type(base_config)(**values)), seed).eval()


@torch.no_grad()
def shake(model: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Add noise to every trainable tensor, so that zeros, ones and ties of size hide no bug."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        if parameter.requires_grad:
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(0.1 * noise.to(parameter.dtype))
    return model


def batch(name: str, rows: int = 4, length: int = 9, seed: int = 0) -> dict[str, torch.Tensor]:
    """Right-padded token ids with labels that fit the model's task."""
    generator = torch.Generator().manual_seed(seed)

    def ids(length: int) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = torch.randint(3, VOCABULARY, (rows, length), generator=generator)
        mask = torch.ones_like(tokens)
        mask[0, -3:] = 0
        return tokens * mask, mask

    input_ids, mask = ids(length)
    inputs = {"input_ids": input_ids, "attention_mask": mask}
    config = MODELS[name][1]
    if name in CLASSIFIERS and tiny(name).ends:
        input_ids[torch.arange(rows), mask.sum(1) - 1] = config.eos_token_id
    if name in CLASSIFIERS:
        return inputs | {"labels": torch.randint(0, 2, (rows,), generator=generator)}
    if name in ENCODER_DECODERS:
        target, mask = ids(length - 2)
        target[:, 0] = config.decoder_start_token_id
        inputs |= {"decoder_input_ids": target, "decoder_attention_mask": mask}
        return inputs | {"labels": torch.where(mask.bool(), target.roll(-1, 1), -100)}
    return inputs | {"labels": torch.where(mask.bool(), input_ids, -100)}


def logits(model: PreTrainedModel, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Logits at real tokens (language models) or per row (classifiers)."""
    with torch.no_grad():
        output = model(**inputs).logits
    mask = inputs.get("decoder_attention_mask", inputs["attention_mask"])
    return output[mask.bool()] if output.ndim == 3 else output
