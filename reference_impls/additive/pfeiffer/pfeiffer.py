r"""Pfeiffer adapters: one bottleneck network a layer, between two uses of its last layer norm.

$$ s = x + \text{FFN}(x), \qquad
y = \text{LN}\left(s + W_{up}\, \text{ReLU}(W_{down}\, \text{LN}(s) + b_{down}) + b_{up}\right) $$

where $x$ is the input of the feed-forward block, $y$ the layer's output, LN the model's own layer
norm, $W_{down} \in \mathbb{R}^{m \times d}$, $W_{up} \in \mathbb{R}^{d \times m}$ and $m \ll d$. In
GPT-2, Llama and T5, whose norms open the blocks, there is no LN: $y = s + A(s)$.

**Trained:** both maps of the adapters with their biases.

**Frozen:** everything the model came with, layer norms included.

**Stored:** the adapters.

**Merge:** none: the activation between the two maps cannot be folded into a weight.

**Count:** $L (2 m d + d + m)$, half of Houlsby's, for $L$ layers of width $d$; in an
encoder-decoder, those of both stacks.

Details that matter
-------------------
1. What the paper is cited for is a search: over the position and number of adapters in a layer, of
   the model's and of new norms, of the residual connection, over sizes and activations. On three
   tasks the same setup won. [§2.2.3, appendix A.2, figures 5 and 7 to 9]
2. One adapter after the feed-forward block does as well as Houlsby's two, with half the parameters
   and less computation. [appendix A.2]
3. The pretrained norm is applied before the adapter and again behind it, with the same weights; new
   norms do not help. [figure 7 (b) and (c)]
4. The adapter reads $\text{LN}(s)$, but its residual connection starts in front of that norm.
   [MAD-X, eq. (1); `configuration/adapter_config.py`, `SeqBnConfig`, `residual_before_ln`]
5. Initial weights are Gaussian with standard deviation 0.02, biases zero: the model starts near the
   pretrained one, but not at it. [`methods/modeling.py`, `init_bert_weights`]

Paper, official code, libraries
-------------------------------
- Which paper: the search is in AdapterFusion's appendix, and MAD-X, which writes the equation down,
  credits it. adapters names AdapterFusion in the code and MAD-X in its documentation.
- Activation: the search covers ReLU, LeakyReLU and Swish; ReLU is that of MAD-X's equation and of
  adapters.
- Size: adapters divides the width by 16, so $m$ = 48 in BERT-base. The paper's tables have divisors
  of 2, 16 and 64; the smaller the adapter, the slightly lower the mean (76.4, 76.1, 75.7).
- Learning rate: 1e-4. [appendix A.2]
- He et al. 2022 build the same, in `modeling_roberta.py` as `pfeiffer`.
- Compacter's "Pfeiffer adapters" differ: on T5 its authors kept the adapter behind self-attention,
  dropped the one behind the feed-forward block, and trained the layer norms.

Source: Pfeiffer et al. 2021, arXiv:2005.00247, appendix A.2. Official code:
https://github.com/adapter-hub/adapters
"""

from __future__ import annotations

from ...anatomy import Anatomy
from ...core.method import Method, register
from ...core.options import Count, NotNegative
from ...shared.bottleneck import Bottleneck, adapt_end, bottleneck_count


@register
class Pfeiffer(Method):
    """One adapter of `size` hidden units in every layer."""

    name = "pfeiffer"
    title = "Pfeiffer adapters"
    paper = "pfeiffer2020adapterfusion"
    leaf = "bottleneck"
    init_noop = False
    mergeable = False
    frozen_base = True
    tasks = ("first-clause", "cue", "summary")
    lab = {"lr": 1e-2, "size": 16}

    size: Count = 48
    lr: NotNegative = 1e-4

    def setup(self, model, batches=None) -> None:
        parts = self.freeze(model)
        for layer in parts.layers:
            self.attach(layer.end, "adapter", Bottleneck(parts.hidden_size, self.size))
            self.hook(layer.end, adapt_end(layer))

    def trained(self, parts: Anatomy) -> int:
        return len(parts.layers) * bottleneck_count(parts.hidden_size, self.size)
