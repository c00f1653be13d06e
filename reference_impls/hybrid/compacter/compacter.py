r"""Compacter: adapters whose weights are sums of Kronecker products, one factor shared by all.

$$ A(h) = h + \text{U}(\text{GELU}(\text{D}(h))), \qquad
\text{D}(h) = W^\top h + b, \quad W = \sum_{i=1}^{n} A_i \otimes (s_i t_i^\top) $$

with $A_i \in \mathbb{R}^{n \times n}$, $s_i \in \mathbb{R}^{d/n}$ and $t_i \in \mathbb{R}^{m/n}$,
where $d$ is the model's width and $m$ the adapter's. $\text{U}$ leads back from $m$ to $d$ in the
same way, with vectors and a bias of its own. $h$ is what a block is about to add to the residual
stream. The $n$ matrices $A_i$ are the same in both maps of all adapters of the model.

**Trained:** the shared $A_i$; every adapter's $s_i$, $t_i$ and biases; all layer norms.

**Frozen:** everything else, a language model's output layer included.

**Stored:** what is trained, the $A_i$ once.

**Merge:** none: the activation between the two maps cannot be folded into a weight.

**Count:** $n^3 + 4 L (d + m) + 2 L (d + m)$ and the layer norms, for the $A_i$, the vectors and the
biases of two adapters in each of $L$ layers; Compacter++ has one, so half of the last two terms.

Details that matter
-------------------
1. An adapter sits behind self-attention and behind the feed-forward block, inside the residual
   connection and in front of its dropout. In Compacter++ (`attention=False`) only the second is
   left. T5's cross-attention has none. [§2.2, §5.2; `modeling_t5.py`, `T5LayerSelfAttention`,
   `T5LayerFF`]
2. The "slow" weights $A_i$ are one tensor for the whole model, encoder and decoder; the "fast"
   $s_i t_i^\top$ are each layer's own. [§3.2, eq. (5); `modeling_t5.py`, `set_phm_rule`]
3. $A_i \otimes s_i t_i^\top$ has the rank of $A_i$, so that of $W$ is at most $n^2$. This file
   never forms $W$: it contracts $h$ with one factor after another.
4. The $A_i$ start as a Gaussian with standard deviation 1e-4, $s_i$ and $t_i$ as Glorot uniform
   with gain $\sqrt{2}$, biases at zero: at the start an adapter is very nearly the identity, and
   the small $A_i$ scale the gradients of all $s_i$ and $t_i$ down. [`configs/compacter*.json`;
   `hypercomplex/inits.py`]
5. Width and adapter size must be multiples of $n$; the paper tries $n$ of 4, 8 and 12 and sizes of
   24, 48 and 96. [§5]
6. Layer norms are trained, the output layer is not. [§5; `configs/compacter.json`]

Paper, official code, libraries
-------------------------------
- Orientation: the paper writes $y = W x + b$ for $x \in \mathbb{R}^k$, $W \in \mathbb{R}^{k \times
  d}$, whose shapes fit $W^\top x$ only, which is what the official code computes. [eq. (3)]
- Rank: $s_i t_i^\top$ could have a higher one; paper and scripts take 1.
- GELU in its tanh form (`gelu_new`) as in the official scripts; adapters takes the exact one.
- Warm-up: 500 steps in the official scripts, whatever the data set; here a tenth of the steps.
  [`configs/compacter*.json`]
- The paper's smaller variants share less: PHM adapters have $A_i$ of their own in each map and full
  $B_i$ in place of $s_i t_i^\top$, 0.179 % of T5-base in place of 0.073 %.
- adapters (`CompacterConfig`) leaves the layer norms frozen. Its `CompacterPlusPlusConfig` places
  adapters as Pfeiffer does, with the model's norm before and behind them: not the official place.

Source: Karimi Mahabadi et al. 2021, arXiv:2106.04647, §3, eq. (2) to (5). Official code:
https://github.com/rabeehk/compacter
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ...anatomy import Anatomy, numel
from ...core.method import Method, register
from ...core.options import Count, NotNegative, Positive


class Slow(nn.Module):
    """The matrices A_i (n, n, n), which all maps share."""

    def __init__(self, n: int, std: float) -> None:
        super().__init__()
        self.matrices = nn.Parameter(std * torch.randn(n, n, n))


class LPHM(nn.Module):
    """x (…, d_in) -> x W + bias (…, d_out), W the sum of A_i ⊗ s_i t_iᵀ (never formed)."""

    def __init__(self, d_in: int, d_out: int, slow: Slow) -> None:
        super().__init__()
        n = len(slow.matrices)
        self.slow = slow
        self.s = nn.Parameter(torch.empty(n, d_in // n))
        self.t = nn.Parameter(torch.empty(n, d_out // n))
        self.bias = nn.Parameter(torch.zeros(d_out))
        for factor in (self.s, self.t):  # Glorot for each vector as a matrix of one column
            bound = math.sqrt(2) * math.sqrt(6 / (1 + factor.shape[1]))
            nn.init.uniform_(factor, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        blocks = x.unflatten(-1, (len(self.s), -1))  # (…, n, d_in / n)
        mixed = torch.einsum("...ap,ip,iac->...ci", blocks, self.s, self.slow.matrices)
        return (mixed @ self.t).flatten(-2) + self.bias


class Adapter(nn.Module):
    """h (…, d) -> h + up(GELU(down(h)))."""

    def __init__(self, width: int, size: int, slow: Slow) -> None:
        super().__init__()
        self.down, self.up = LPHM(width, size, slow), LPHM(size, width, slow)

    def forward(self, h: Tensor) -> Tensor:
        hidden = nn.functional.gelu(self.down(h.to(self.down.bias.dtype)), approximate="tanh")
        return h + self.up(hidden).to(h.dtype)


def adapt(module: nn.Module, args, kwargs, output: Tensor) -> Tensor:
    """Forward hook of a block's output projection."""
    return module.get_submodule("adapter")(output)


@register
class Compacter(Method):
    """Adapters of `size` hidden units made of `n` Kronecker products; `std` is that of the A_i.

    attention: an adapter behind self-attention too; without it this is Compacter++.

    Raises:
        ValueError: `n` does not divide the model's width and `size`.
    """

    name = "compacter"
    title = "Compacter"
    paper = "mahabadi2021compacter"
    leaf = "combined"
    init_noop = False
    mergeable = False
    frozen_base = False
    warmup = 0.1
    tasks = ("first-clause", "cue", "summary")
    lab = {"lr": 3e-2, "size": 16}

    size: Count = 24
    n: Count = 4
    attention: bool = True
    std: Positive = 1e-4
    lr: NotNegative = 3e-3

    def check(self, parts: Anatomy) -> None:
        for what, width in (("the model's width", parts.hidden_size), ("size", self.size)):
            if width % self.n:
                raise ValueError(f"n = {self.n} must divide {what} = {width}; choose another n")

    def setup(self, model, batches=None) -> None:
        parts = self.freeze(model)
        slow = Slow(self.n, self.std)
        for layer in parts.layers:
            attention = (layer.attention_output,) if self.attention else ()
            for projection in (*attention, layer.feed_forward_down):
                adapter = Adapter(parts.hidden_size, self.size, slow)
                self.attach(projection.module, "adapter", adapter)
                self.hook(projection.module, adapt)
        for parameter in parts.norm_parameters():
            self.train_base(parameter)

    def trained(self, parts: Anatomy) -> int:
        adapters = len(parts.layers) * (2 if self.attention else 1)
        norms = numel(parts.norm_parameters())
        return self.n**3 + adapters * 3 * (parts.hidden_size + self.size) + norms
