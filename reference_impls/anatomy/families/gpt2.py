"""GPT-2, which computes query, key and value with one module."""

from __future__ import annotations

from transformers import AutoModelForCausalLM

from . import AttentionNames, Family, StackNames

FAMILY = Family(
    types=("gpt2",),
    shape="decoder",
    model_class=AutoModelForCausalLM,
    stacks=(
        StackNames(
            layers="h",
            self_attention=AttentionNames(
                attention="attn",
                query="attn.c_attn",
                key="attn.c_attn",
                value="attn.c_attn",
                attention_output="attn.c_proj",
                attention_end="attn.resid_dropout",
            ),
            feed_forward_input="mlp",
            feed_forward_up=("mlp.c_fc",),
            feed_forward_down="mlp.c_proj",
            feed_forward_end="mlp.dropout",
            norms=("ln_1", "ln_2"),
            end="",
            post_norm=False,
            causal=True,
        ),
    ),
    final="ln_f",
    outer_norms=("ln_f",),
    positions="wpe",
)
