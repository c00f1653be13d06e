"""Llama, Mistral and Qwen2."""

from __future__ import annotations

from transformers import AutoModelForCausalLM

from . import AttentionNames, Family, StackNames

FAMILY = Family(
    types=("llama", "mistral", "qwen2"),
    shape="decoder",
    model_class=AutoModelForCausalLM,
    stacks=(
        StackNames(
            layers="layers",
            self_attention=AttentionNames(
                attention="self_attn",
                query="self_attn.q_proj",
                key="self_attn.k_proj",
                value="self_attn.v_proj",
                attention_output="self_attn.o_proj",
                attention_end="self_attn.o_proj",
            ),
            feed_forward_input="mlp",
            feed_forward_up=("mlp.gate_proj", "mlp.up_proj"),
            feed_forward_down="mlp.down_proj",
            feed_forward_end="mlp.down_proj",
            norms=("input_layernorm", "post_attention_layernorm"),
            end="",
            post_norm=False,
            causal=True,
        ),
    ),
    final="norm",
    outer_norms=("norm",),
)
