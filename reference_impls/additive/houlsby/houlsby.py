r"""Houlsby adapters: a small bottleneck network after every attention and feed-forward block.

$$ A(h) = h + W_{up}\, \text{GELU}(W_{down} h + b_{down}) + b_{up} $$

with $W_{down} \in \mathbb{R}^{m \times d}$, $W_{up} \in \mathbb{R}^{d \times m}$ and $m \ll d$. $h$
is what a block is about to add to the residual stream: $\text{LN}(x + h)$ becomes
$\text{LN}(x + A(h))$ in BERT, $x + h$ becomes $x + A(h)$ in GPT-2 and Llama.

**Trained:** both maps of every adapter with their biases, and all layer norms.

**Frozen:** everything else: attention, feed-forward maps, embeddings, the pooler.

**Stored:** the adapters and the new layer norms.

**Merge:** none: the activation between the two maps cannot be folded into a weight.

**Count:** $2 L (2 m d + d + m) + 2 d (2 L + 1)$ for BERT with $L$ layers of width $d$: two adapters
a layer, two layer norms a layer and one after the embeddings.

Details that matter
-------------------
1. The adapter sits inside the residual connection: after the block's output projection (and its
   dropout), before the block's input is added. [§2.1; `modeling.py`, `transformer_model`]
2. It has a residual connection of its own, so that weights near zero make it nearly the identity.
   Nearly: a model with fresh adapters is not the pretrained one to the last bit. [§2.1]
3. Weights are drawn from a Gaussian with standard deviation 0.01, cut off at two standard
   deviations; biases are zero. The results are the same for smaller scales and worse for larger
   ones. [§3.6]
4. Layer norms are trained too, that of the embeddings included; on their own they are not enough.
   [§2.1, §3.4; `modeling.py`, `layer_norm`; `optimization.py`, the collections it trains]
5. The learning rate rises over a tenth of the steps, then falls to zero, both linearly. [§3.1]

Paper, official code, libraries
-------------------------------
- Initial scale: 0.01 in the paper, 0.001 in the official code. This file does as the paper does.
- Activation: the paper says "a nonlinearity"; the official code takes GELU (its tanh form), and so
  does this file.
- Size and learning rate: the paper searches sizes of 8, 64 and 256 and rates of 3e-5, 3e-4 and
  3e-3 on GLUE. This file's defaults are the middle ones, which the official code's readme shows.
- Encoder-decoders: the paper has none. In T5 the decoder's attention to the encoder gets no adapter
  here, its layer norm is trained.
- Norms: the paper's "$2 d$ parameters per layer" is one norm; a layer has two.
- Weight decay: 0.01 on the adapters' weights in the official code, none here.
- adapters (`DoubleSeqBnConfig`): Swish in place of GELU, a standard deviation of 0.02 without
  cut-off, and layer norms that stay frozen.

Source: Houlsby et al. 2019, arXiv:1902.00751, §2.1. Official code:
https://github.com/google-research/adapter-bert
"""

from __future__ import annotations

from torch import Tensor, nn

from ...anatomy import Anatomy, numel
from ...core.method import Method, register
from ...core.options import Count, NotNegative, Positive
from ...shared.bottleneck import bottleneck_count
from ...shared.outputs import on_states


class Bottleneck(nn.Module):
    """h (…, d) -> h + up(GELU(down(h)))."""

    def __init__(self, width: int, size: int, std: float) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(width, size), nn.Linear(size, width)
        for linear in (self.down, self.up):
            nn.init.trunc_normal_(linear.weight, std=std, a=-2 * std, b=2 * std)
            nn.init.zeros_(linear.bias)

    def forward(self, h: Tensor) -> Tensor:
        hidden = nn.functional.gelu(self.down(h.to(self.down.weight.dtype)), approximate="tanh")
        return h + self.up(hidden).to(h.dtype)


@on_states
def adapt(module: nn.Module, args, kwargs, output: Tensor) -> Tensor:
    """Forward hook where a block ends."""
    return module.get_submodule("adapter")(output)


@register
class Houlsby(Method):
    """Two adapters of `size` hidden units in every layer; `std` is their initial scale."""

    name = "houlsby"
    title = "Houlsby adapters"
    paper = "houlsby2019adapters"
    leaf = "bottleneck"
    init_noop = False
    mergeable = False
    frozen_base = False
    warmup = 0.1
    lab = {"lr": 5e-3, "size": 16}

    size: Count = 64
    std: Positive = 1e-2
    lr: NotNegative = 3e-4

    def setup(self, model, batches=None) -> None:
        parts = self.freeze(model)
        for layer in parts.layers:
            for end in (layer.attention_end, layer.feed_forward_end):
                self.attach(end, "adapter", Bottleneck(layer.width, self.size, self.std))
                self.hook(end, adapt)
        for parameter in parts.norm_parameters():
            self.train_base(parameter)

    def trained(self, parts: Anatomy) -> int:
        norms = numel(parts.norm_parameters())
        return 2 * sum(bottleneck_count(x.width, self.size) for x in parts.layers) + norms
