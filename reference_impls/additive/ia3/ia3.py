r"""(IA)³: keys, values and feed-forward activations are rescaled by learned vectors.

$$ \text{softmax}\left(\frac{Q\,(l_k \odot K)^T}{\sqrt{d_h}}\right) (l_v \odot V), \qquad
(l_{ff} \odot \gamma(W_1 x))\, W_2 $$

with $l_k, l_v \in \mathbb{R}^{d_{kv}}$ (all heads together) and $l_{ff} \in \mathbb{R}^{d_{ff}}$ in
every layer, all ones at the start, so that training begins at the pretrained model. $\gamma$ is the
activation of the feed-forward block.

**Trained:** $l_k$, $l_v$ and $l_{ff}$ of each layer.

**Frozen:** everything the model came with.

**Stored:** the same three vectors.

**Merge:** exact: $W_k \leftarrow \text{diag}(l_k)\, W_k$, $b_k \leftarrow l_k \odot b_k$, the same
for the values, and $W_2 \leftarrow W_2\, \text{diag}(l_{ff})$ with its bias as it was; inference
then costs nothing extra.

**Count:** $L (2 d_{kv} + d_{ff})$; $d_{kv}$ is $d$ without grouped-query attention. In T5, $L$
counts the layers of encoder and decoder, and each cross-attention adds $2 d_{kv}$.

Details that matter
-------------------
1. $l_{ff}$ scales the input of the second map, after the activation. Before it, the result would be
   another function, except with ReLU and positive factors. [§3.3]
2. With a gated block ($\gamma(W_1 x) \odot W_3 x$, as in Llama) scaling the product or its ungated
   factor is the same. The official code does the latter. [`configs/ia3.json`, `wi_1`]
3. Keys and values are scaled as they leave their projection, bias included, so merging scales their
   biases too. [§3.3; `src/models/lora.py`, `LoRALinear.forward`]
4. Rotary positions are applied to keys that are scaled already. After the rotation, different
   factors for two paired features could not be merged.
5. Of a fused query-key-value matrix (GPT-2) two thirds are scaled, the queries are not.
6. In an encoder-decoder the cross-attention has vectors of its own. [§3.3; `configs/ia3.json`,
   `EncDecAttention`]
7. The learning rate is high, 3e-3, rises over 60 of 1,000 steps and falls linearly. [§3.5]

Paper, official code, libraries
-------------------------------
- T-Few, the recipe of the same paper, adds two losses (unlikelihood of wrong answers, length
  normalization) and pre-trains the vectors. They are no part of this file, which trains with the
  task's own loss.
- Optimizer: Adafactor in the paper, AdamW here.
- adapters scales the output of $W_1$, before the activation (`init_lora` wraps the intermediate
  projection). Its merging (`LoRALinear.merge_adapter`) leaves biases unscaled, so a model with
  biases changes when merged.
- peft (0.21.2) scales where the paper does, but its default targets differ by model: all of GPT-2's
  `c_attn`, so queries too; queries in place of keys for BART, GPT-J, GPT-Neo and Qwen2; and for
  BERT and RoBERTa `output.dense`, which also names the attention's output projection: four vectors
  a layer.

Source: Liu et al. 2022, arXiv:2205.05638, §3.3. Official code: https://github.com/r-three/t-few
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from ...anatomy import Anatomy, Projection, Widen, anatomy
from ...core.method import Method, register
from ...core.options import NotNegative


class Scale(nn.Module):
    """x (…, width) -> factor · x; `widen`: where the factors act, other features are unscaled."""

    def __init__(self, width: int, widen: Widen | None = None) -> None:
        super().__init__()
        self.factor, self.widen = nn.Parameter(torch.ones(width)), widen

    def forward(self, x: Tensor) -> Tensor:
        return (x * (self.widen(self.factor, 1.0) if self.widen else self.factor)).to(x.dtype)


def scale_output(module: nn.Module, args, kwargs, output: Tensor, name: str) -> Tensor:
    """Forward hook of a projection."""
    return module.get_submodule(name)(output)


def scale_input(module: nn.Module, args, kwargs):
    """Forward pre-hook of a projection."""
    return (module.get_submodule("ia3_input")(args[0]), *args[1:]), kwargs


def keys_and_values(parts: Anatomy) -> list[tuple[str, Projection]]:
    """Those of every attention block, each with the name of its vector."""
    return [
        (name, projection)
        for layer in parts.layers
        for block in layer.attentions
        for name, projection in (("ia3_key", block.key), ("ia3_value", block.value))
    ]


@register
class IA3(Method):
    """Scale keys and values of all attention and the input of the second feed-forward map."""

    name = "ia3"
    title = "(IA)³"
    paper = "liu2022tfew"
    leaf = "rescaling"
    init_noop = True
    mergeable = True
    frozen_base = True
    warmup = 0.06
    tasks = ("first-clause", "cue", "summary", "cue-gpt2")
    lab = {"lr": 3e-2}

    lr: NotNegative = 3e-3

    def setup(self, model, batches=None) -> None:
        parts = self.freeze(model)
        for name, projection in keys_and_values(parts):
            scale = Scale(projection.d_out, projection.widen)
            self.attach(projection.module, name, scale)
            self.hook(projection.module, partial(scale_output, name=name))
        for layer in parts.layers:
            down = layer.feed_forward_down
            self.attach(down.module, "ia3_input", Scale(down.d_in))
            self.hook(down.module, scale_input, before=True)

    def trained(self, parts: Anatomy) -> int:
        scaled = sum(projection.d_out for _, projection in keys_and_values(parts))
        return scaled + sum(layer.feed_forward_down.d_in for layer in parts.layers)

    @torch.no_grad()
    def fold(self, model) -> None:
        parts = anatomy(model)
        for name, projection in keys_and_values(parts):
            factor = projection.module.get_submodule(name).factor
            bias = projection.bias
            projection.write(
                factor[:, None] * projection.weight, bias if bias is None else factor * bias
            )
        for layer in parts.layers:
            down = layer.feed_forward_down
            down.write(down.weight * down.module.get_submodule("ia3_input").factor)
