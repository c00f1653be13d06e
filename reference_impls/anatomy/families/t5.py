"""T5 and mT5, an encoder and a decoder that attends to it."""

from __future__ import annotations

from torch import Tensor
from transformers import AutoModelForSeq2SeqLM, PretrainedConfig

from . import AttentionNames, Family, StackNames, token_ids


def _attention(block: str, name: str) -> AttentionNames:
    return AttentionNames(
        attention=f"{block}.{name}",
        query=f"{block}.{name}.q",
        key=f"{block}.{name}.k",
        value=f"{block}.{name}.v",
        attention_output=f"{block}.{name}.o",
        attention_end=f"{block}.dropout",
    )


def _stack(module: str, feed_forward: str, **differences) -> StackNames:
    """`feed_forward`: the last sub-block, which returns what the layer returns, but no tuple."""
    maps = f"{feed_forward}.DenseReluDense"
    return StackNames(
        module=module,
        layers=f"{module}.block",
        self_attention=_attention("layer.0", "SelfAttention"),
        feed_forward_input=maps,
        feed_forward_up=tuple(f"{maps}.{name}" for name in ("wi", "wi_0", "wi_1")),
        feed_forward_down=f"{maps}.wo",
        feed_forward_end=f"{feed_forward}.dropout",
        end=feed_forward,
        post_norm=False,
        **differences,
    )


def _inputs(config: PretrainedConfig, rows: int, length: int) -> dict[str, Tensor]:
    text = token_ids(config, rows, length)
    return {**text, "decoder_input_ids": text["input_ids"].clone()}


def _untied(config: PretrainedConfig) -> bool:
    """T5 v1.1, mT5 and what was made of them: Flan-T5, T0, mT0.

    Their config.json has `tie_word_embeddings: false`, which transformers overrides. Of a T5's it
    keeps that outputs are not scaled, of an mT5's nothing, since none is tied.
    """
    return config.model_type == "mt5" or not config.scale_decoder_outputs


FAMILY = Family(
    types=("t5", "mt5"),
    shape="encoder-decoder",
    model_class=AutoModelForSeq2SeqLM,
    stacks=(
        _stack(
            "encoder",
            "layer.1",
            norms=("layer.0.layer_norm", "layer.1.layer_norm"),
            causal=False,
        ),
        _stack(
            "decoder",
            "layer.2",
            norms=("layer.0.layer_norm", "layer.1.layer_norm", "layer.2.layer_norm"),
            causal=True,
            cross_attention=_attention("layer.1", "EncDecAttention"),
        ),
    ),
    final="decoder",
    outer_norms=("encoder.final_layer_norm", "decoder.final_layer_norm"),
    inputs=_inputs,
    untied=_untied,
)
