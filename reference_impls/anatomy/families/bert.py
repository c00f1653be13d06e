"""BERT and RoBERTa."""

from __future__ import annotations

from transformers import AutoModelForSequenceClassification

from . import AttentionNames, Family, StackNames

FAMILY = Family(
    types=("bert", "roberta"),
    shape="encoder",
    model_class=AutoModelForSequenceClassification,
    stacks=(
        StackNames(
            layers="encoder.layer",
            self_attention=AttentionNames(
                attention="attention.self",
                query="attention.self.query",
                key="attention.self.key",
                value="attention.self.value",
                attention_output="attention.output.dense",
                attention_end="attention.output.dropout",
            ),
            feed_forward_input="intermediate",
            feed_forward_up=("intermediate.dense",),
            feed_forward_down="output.dense",
            feed_forward_end="output.dropout",
            norms=("attention.output.LayerNorm", "output.LayerNorm"),
            end="output.LayerNorm",
            post_norm=True,
            causal=False,
        ),
    ),
    final="encoder",
    outer_norms=("embeddings.LayerNorm",),
    positions="embeddings.position_embeddings",
)
