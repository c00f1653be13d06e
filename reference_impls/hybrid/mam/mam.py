r"""MAM adapter: a short prefix for attention, a scaled parallel adapter for the feed-forward block.

$$ \text{head} = \text{Attn}\left(q,\; [P_k; K],\; [P_v; V]\right), \qquad
h = \text{FFN}(x) + s \left(W_{up}\, \text{ReLU}(W_{down}\, x + b_{down}) + b_{up}\right) $$

where $x$ is the input of the feed-forward block, $P_k, P_v \in \mathbb{R}^{l \times d}$,
$W_{down} \in \mathbb{R}^{m \times d}$ and $W_{up} \in \mathbb{R}^{d \times m}$, which starts at 0.

**Trained:** the prefix of every layer, through a perceptron as in prefix tuning, and the adapters.

**Frozen:** everything the model came with.

**Stored:** the keys and values of the prefixes, and the adapters; nothing of the perceptron.

**Merge:** none: neither part can be folded into weights.

**Count:** stored $L (2 l d_{kv} + 2 d m + d + m)$ with $d_{kv}$ = key-value heads × head width;
trained, instead of the first term, $l d + (d + 1) p + 2 L (p + 1) d_{kv}$ with $p$ hidden units.

Details that matter
-------------------
1. Budget: the prefix gets little ($l$ = 30), the feed-forward block most ($m$ = 512). A very small
   budget is best spent on attention, a larger one on the feed-forward block. [§4.4, §4.6]
2. The adapter is parallel, not sequential: it reads what the block reads, and its output joins the
   residual stream together with the block's. [§4.3; `modeling_roberta.py`, `feed_forward_chunk`]
3. The output is scaled by $s$ = 4, as $\alpha / r$ scales LoRA's, and the start is LoRA's: Kaiming
   uniform with $a = \sqrt{5}$ on the way down, zero for the rest. [§4.5; `exps/run_xsum.sh`;
   `petl/petl_factory.py`, `Adapter_Layer`]
4. At the start the adapters add nothing, but the prefix is random: it is not the pretrained model.
5. The prefix is trained through 800 hidden units. Without them it starts normal with deviation
   0.02. [`exps/run_xsum.sh`, `mid_dim`; `petl/petl_factory.py`, `PrefixDirectInit`]

Paper, official code, libraries
-------------------------------
- What connects the two parts: attention with a prefix equals $(1 - \lambda)\,\text{Attn}(q, K, V) +
  \lambda\,\text{softmax}(q P_k^T) P_v$, where $\lambda$ is the share of attention that falls on the
  prefix. So it is a parallel adapter of the query, with softmax for an activation, and gated.
  [eq. (7) to (10)]
- Layer norm: with the norm behind the block (BERT, BART) $x$ is normalized. With the norm in front
  the official mBART gives the adapter the residual stream as it is; here, on GPT-2 and Llama, it
  reads the normalized input of the block.
- Classification: the official script takes $l$ = 16, $m$ = 16 and $s$ = 2. [`exps/run_glue.sh`]
- Counts: the paper's leave out the biases of the adapters, which its code has, and the perceptron.
- Training: the official script for XSum decays by 0.01, clips the gradient at norm 0.1 and smooths
  the labels by 0.1; here there is no decay, clipping is at 1, and the loss is the model's.
  [`exps/run_xsum.sh`]
- Dropout acts behind the ReLU, at the model's own rate in the official code; here it is a field.

Source: He et al. 2022, arXiv:2110.04366, §4.6, eq. (5) to (10). Official code:
https://github.com/jxhe/unify-parameter-efficient-tuning
"""

from __future__ import annotations

from ...anatomy import Anatomy
from ...core.method import register
from ...core.options import Count, NotNegative, Part, Positive
from ...shared.bottleneck import bottleneck_count
from ...shared.parallel_adapter import ParallelAdapter, attach_beside
from ...shared.prefix_attention import (
    PrefixMethod,
    stored_prefix_count,
    trained_prefix_count,
)


@register
class MAM(PrefixMethod):
    """A prefix of `prefix_length` and a parallel adapter of `size` hidden units in every layer.

    Raises:
        ValueError: the model's attention is neither 'sdpa' nor 'eager'.
    """

    name = "mam"
    title = "MAM adapter"
    paper = "he2021unified"
    leaf = "combined"
    init_noop = False
    mergeable = False
    frozen_base = True
    read_with = ("scale",)
    lab = {"lr": 5e-3, "prefix_length": 8, "bottleneck": 64, "size": 8, "dropout": 0.0}

    prefix_length: Count = 30
    reparametrize: bool = True
    bottleneck: Count = 800
    size: Count = 512
    scale: Positive = 4.0
    dropout: Part = 0.1
    lr: NotNegative = 5e-5

    @property
    def _bottleneck(self) -> int | None:
        return self.bottleneck if self.reparametrize else None

    def setup(self, model, batches=None) -> None:
        parts = self.freeze(model)
        std = None if self.reparametrize else 0.02
        self.attach_prefixes(parts, self.prefix_length, self._bottleneck, std)
        for layer in parts.layers:
            adapter = ParallelAdapter(parts.hidden_size, self.size, self.scale, self.dropout)
            attach_beside(self, layer, adapter)

    def _adapters(self, parts: Anatomy) -> int:
        return len(parts.layers) * bottleneck_count(parts.hidden_size, self.size)

    def trained(self, parts: Anatomy) -> int:
        prefixes = trained_prefix_count(parts, self.prefix_length, self._bottleneck)
        return prefixes + self._adapters(parts)

    def stored(self, parts: Anatomy) -> int:
        return stored_prefix_count(parts, self.prefix_length) + self._adapters(parts)
