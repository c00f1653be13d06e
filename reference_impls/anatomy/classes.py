"""Which of transformers' classes a model of a configuration is, and how it is made."""

from __future__ import annotations

from copy import copy
from typing import Any

import torch
import transformers
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel
from transformers.models.auto import modeling_auto as auto

from .families import family_of


def _types(name: str) -> frozenset[str]:
    return frozenset(getattr(auto, f"MODEL_FOR_{name}_MAPPING_NAMES"))


# the first that has the model's type; a decoder is tried first, as a language model
BOTH = (
    ("SEQ_TO_SEQ_CAUSAL_LM", "AutoModelForSeq2SeqLM"),
    ("SPEECH_SEQ_2_SEQ", "AutoModelForSpeechSeq2Seq"),
    ("IMAGE_TEXT_TO_TEXT", "AutoModelForImageTextToText"),
)
OTHERS = (
    ("IMAGE_TEXT_TO_TEXT", "AutoModelForImageTextToText"),
    ("SEQUENCE_CLASSIFICATION", "AutoModelForSequenceClassification"),
    ("IMAGE_CLASSIFICATION", "AutoModelForImageClassification"),
    ("AUDIO_CLASSIFICATION", "AutoModelForAudioClassification"),
    ("VIDEO_CLASSIFICATION", "AutoModelForVideoClassification"),
)


def shape(config: PretrainedConfig) -> str:
    """What a model of this configuration is: 'encoder', 'decoder' or 'encoder-decoder'."""
    if config.is_encoder_decoder:
        return "encoder-decoder"
    causal = config.model_type in _types("CAUSAL_LM") - _types("MASKED_LM")
    return "decoder" if causal else "encoder"


def class_of(config: PretrainedConfig) -> type:
    """Transformers' auto class: of a language model if it writes text, else of a classifier."""
    kind = shape(config)
    if kind == "decoder":
        return transformers.AutoModelForCausalLM
    for mapping, name in BOTH if kind == "encoder-decoder" else OTHERS:
        if config.model_type in _types(mapping):
            return getattr(transformers, name)
    return transformers.AutoModel


def built(config: PretrainedConfig, **arguments: Any) -> PreTrainedModel:
    """A model with random weights, tied as released.

    `arguments` are those of transformers' `from_config`.
    """
    if config.architectures is None:  # transformers looks for a class of this type in it
        config = copy(config)
        config.architectures = []
    model = class_of(config).from_config(config, **arguments)
    output = model.get_output_embeddings()
    if output is not None and family_of(config.model_type).untied(config):
        output.weight = nn.Parameter(output.weight.detach().clone())
    return model


def model_on_meta(config: PretrainedConfig) -> PreTrainedModel:
    """The architecture without weights, as `built` makes it."""
    with torch.device("meta"):
        return built(config)
