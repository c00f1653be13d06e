r"""UniPELT: LoRA, prefix tuning and adapters at once, each behind a gate that the input opens.

$$ G(x) = \frac{1}{n} \sum_{t=1}^{n} \sigma(w^\top x_t + c) \in (0, 1), \qquad
h \leftarrow W h + G_L\, B A h, \quad [P_k; K],\,[P_v; V] \to [G_P P_k; K],\,[G_P P_v; V] $$

in the attention of each layer, where $h$ is its input, from which both gates are computed; and
after the feed-forward block

$$ y = \text{LN}\left(s + G_A\, W_{up}\, \text{ReLU}(W_{down}\, \text{LN}(s))\right) $$

where $s$ is the block's output with the residual added, and LN the model's own layer norm. The
adapter's gate reads $\text{LN}(s)$.

**Trained:** $A$, $B$ of query and value; the prefix (through an MLP, as in prefix tuning); the
adapter with its biases; three gates ($w$ and $c$) a layer.

**Frozen:** everything the model came with.

**Stored:** the same, with the prefix's keys and values in place of the MLP.

**Merge:** none: what the gates let through depends on the input.

**Count:** stored $L (4 r d + 2 l d + 2 d m + d + m + 3 (d + 1))$ with rank $r$, prefix length $l$,
adapter size $m$.

Details that matter
-------------------
1. A gate is one number for each layer, submodule and row of the batch: the sigmoid of each token,
   averaged over the tokens. [`adapters/modeling.py`, `Adapter.forward`; `modeling_bert.py`,
   `prefix_gate`]
2. The gate takes the place of LoRA's scale: there is no $\alpha / r$ beside it. [`lora_layers.py`,
   `LoRA_Linear.forward`]
3. The prefix's gate multiplies keys and values, not the attention they get: a closed gate leaves
   $l$ keys of zero, which still take their share of the softmax. Only LoRA and adapter vanish with
   their gates. [`modeling_bert.py`, `BertSelfAttention.forward`]
4. The adapter follows the feed-forward block only, and its residual is taken before the layer norm,
   which is applied twice. [`adapters/configuration.py`, `PfeifferConfig`]
5. An average over all tokens lets each see the later ones. Causal models are refused: a language
   model would be told what it is to predict, and decoding with a cache would compute other gates
   than reading the whole text does.

Paper, official code, libraries
-------------------------------
- Padding: the official code averages over padding tokens too, so that a row's result depends on the
  longest row of its batch. Here only real tokens count.
- LoRA's gates: the paper draws one a layer, and only so does its 1.26 % [§4.4] come out; the
  official code and adapters train one for each adapted matrix. This file follows the paper.
- LoRA's targets: query and key in the paper's figure 1, query and value in the official code, in
  adapters, and here.
- Prefix: the official code trains it through an MLP with 512 hidden units, which the paper's counts
  leave out. [`run_glue.py`, `mid_dim`] Its rows and both maps start normal with deviation 0.02, as
  all that is not in the checkpoint. [`modeling_bert.py`, `init_weights`]
- Learning rate: this file's default is LoRA's, not one of the paper's.

Source: Mao et al. 2021, arXiv:2110.07577, §3. Official code:
https://github.com/morningmoni/UniPELT
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ...anatomy import Anatomy, Projection
from ...core.method import register
from ...core.options import Count, NotNegative
from ...shared.bottleneck import adapt_end, bottleneck_count
from ...shared.low_rank import low_rank_count
from ...shared.prefix_attention import (
    PrefixMethod,
    stored_prefix_count,
    trained_prefix_count,
)


class Tokens(nn.Module):
    """Averages over the real tokens of each row; the gates of a layer share one."""

    weights: Tensor | None = None  # (batch, n, 1)

    def look(self, mask: Tensor | None) -> None:
        """Take in a layer's attention mask (batch, 1, n, n): a token that none sees is padding."""
        if mask is None:
            self.weights = None
            return
        seen = mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2
        real = seen[:, 0].any(1).float()
        self.weights = (real / real.sum(1, keepdim=True).clamp(min=1)).unsqueeze(-1)

    def forward(self, x: Tensor) -> Tensor:
        if self.weights is None:
            return x.mean(1, keepdim=True)
        return (self.weights * x).sum(1, keepdim=True)


class Gate(nn.Module):
    """x (batch, n, d) -> (batch, 1, 1), between 0 and 1."""

    def __init__(self, width: int, tokens: Tokens) -> None:
        super().__init__()
        self.linear, self.tokens = nn.Linear(width, 1), tokens
        nn.init.normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.tokens(self.linear(x.to(self.linear.weight.dtype)).sigmoid())


class GatedLowRank(nn.Module):
    """x (batch, n, d_in) -> gate · B A x."""

    def __init__(self, projection: Projection, r: int, gate: Gate) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.empty(r, projection.d_in))
        self.b = nn.Parameter(torch.zeros(projection.d_out, r))
        self.gate = gate
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        return self.gate(x) * (x.to(self.a.dtype) @ self.a.T @ self.b.T)


class GatedPrefix(nn.Module):
    """Keys and values, each (batch, length, kv_heads, head_dim), times the gate last computed."""

    def __init__(self, prefix: nn.Module, gate: Gate) -> None:
        super().__init__()
        self.prefix, self.gate = prefix, gate
        self.opening: Tensor | None = None

    def look(self, x: Tensor, mask: Tensor | None) -> None:
        """Take in the attention's input and mask."""
        self.gate.tokens.look(mask)
        self.opening = self.gate(x).unsqueeze(-1)

    def forward(self) -> tuple[Tensor, Tensor]:
        opening, self.opening = self.opening, None  # kept, it would keep the graph
        keys, values = self.prefix()
        return opening * keys, opening * values


class GatedAdapter(nn.Module):
    """x (batch, n, d) -> gate · up(ReLU(down(x)))."""

    def __init__(self, width: int, size: int, gate: Gate) -> None:
        super().__init__()
        self.down, self.up, self.gate = nn.Linear(width, size), nn.Linear(size, width), gate
        for linear in (self.down, self.up):
            nn.init.normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.down(x.to(self.down.weight.dtype)).relu()
        return (self.gate(x) * self.up(hidden)).to(x.dtype)


def look(module: nn.Module, args, kwargs) -> None:
    """Forward pre-hook of the attention, the first module of a layer to run."""
    states = args[0] if args else kwargs["hidden_states"]
    module.get_submodule("prefix").look(states, kwargs.get("attention_mask"))


def add_low_rank(module: nn.Module, args, kwargs, output: Tensor) -> Tensor:
    """Forward hook of a projection."""
    return output + module.get_submodule("low_rank")(args[0]).to(output.dtype)


@register
class UniPELT(PrefixMethod):
    """Gated LoRA of rank `r`, prefix of `prefix_length` and adapter of `size` hidden units.

    Raises:
        ValueError: the model is causal, or its attention is neither 'sdpa' nor 'eager'.
    """

    name = "unipelt"
    title = "UniPELT"
    paper = "mao2021unipelt"
    leaf = "gated"
    init_noop = False
    mergeable = False
    frozen_base = True
    tasks = ("first-clause",)
    lab = {"lr": 5e-3, "prefix_length": 8, "bottleneck": 64, "size": 8}

    r: Count = 8
    prefix_length: Count = 10
    bottleneck: Count = 512
    size: Count = 48
    lr: NotNegative = 5e-4

    def check(self, parts: Anatomy) -> None:
        super().check(parts)
        if any(stack.causal for stack in parts.stacks):
            raise ValueError(
                "UniPELT's gates average over the whole input, which a causal model "
                f"({parts.title}) must not see; use an encoder"
            )
        pairs = [(layer.query, layer.value) for layer in parts.layers]
        if any(q.module is v.module or q.d_in != v.d_in for q, v in pairs):
            raise ValueError(
                f"UniPELT needs two maps of one input for query and value, {parts.title} has others"
            )

    def setup(self, model, batches=None) -> None:
        parts = self.freeze(model)
        self.attach_prefixes(parts, self.prefix_length, self.bottleneck, std=0.02)
        for layer in parts.layers:
            tokens, width, read = Tokens(), layer.width, layer.query.d_in
            prefix = GatedPrefix(layer.attention.prefix, Gate(read, tokens).to(model.device))
            layer.attention.prefix = prefix.train(model.training)
            self.hook(layer.attention, look, before=True)
            gate = Gate(read, tokens)
            for projection in (layer.query, layer.value):
                low_rank = GatedLowRank(projection, self.r, gate)
                self.attach(projection.module, "low_rank", low_rank)
                self.hook(projection.module, add_low_rank)
            adapter = GatedAdapter(width, self.size, Gate(width, tokens))
            self.attach(layer.end, "adapter", adapter)
            self.hook(layer.end, adapt_end(layer))

    def _besides_prefix(self, parts: Anatomy) -> int:
        low_rank = low_rank_count(
            (p for layer in parts.layers for p in (layer.query, layer.value)), self.r
        )
        adapters = sum(bottleneck_count(layer.width, self.size) for layer in parts.layers)
        gates = sum(2 * (layer.query.d_in + 1) + layer.width + 1 for layer in parts.layers)
        return low_rank + adapters + gates

    def trained(self, parts: Anatomy) -> int:
        prefixes = trained_prefix_count(parts, self.prefix_length, self.bottleneck)
        return prefixes + self._besides_prefix(parts)

    def stored(self, parts: Anatomy) -> int:
        return stored_prefix_count(parts, self.prefix_length) + self._besides_prefix(parts)
