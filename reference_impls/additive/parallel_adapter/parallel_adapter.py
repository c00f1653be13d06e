r"""Scaled parallel adapter: a bottleneck network beside each feed-forward block, its output scaled.

$$ h = \text{FFN}(x) + s \left(W_{up}\, \text{ReLU}(W_{down}\, x + b_{down}) + b_{up}\right) $$

where $x$ is the input of the feed-forward block, $W_{down} \in \mathbb{R}^{m \times d}$ and
$W_{up} \in \mathbb{R}^{d \times m}$, which starts at 0. An adapter in sequence would read
$\text{FFN}(x)$ instead.

**Trained:** both maps of every adapter with their biases; with `learned_scale` also one $s$ a
layer.

**Frozen:** everything the model came with.

**Stored:** the adapters.

**Merge:** none: the activation between the two maps cannot be folded into a weight.

**Count:** $L (2 m d + d + m)$, with `learned_scale` $L$ more.

Details that matter
-------------------
1. The adapter is parallel: it reads what the block reads, and its output joins the residual stream
   together with the block's. [§3.3, §4.3; `modeling_roberta.py`, `feed_forward_chunk`]
2. It sits at the feed-forward block, where it beats an adapter at attention of the same size, and
   makes better use of a larger one. [§4.4]
3. $s$ does what $\alpha / r$ does in LoRA. The paper takes $s$ = 4 for summarization and
   translation; $s$ = 1 is the plain parallel adapter. [§4.5; `exps/run_xsum.sh`]
4. The start is LoRA's: Kaiming uniform with $a = \sqrt{5}$ on the way down, zero for the rest. So
   it is the pretrained model. [`petl/petl_factory.py`, `Adapter_Layer`, option `lora`]
5. Without the activation this is LoRA with scale $s$ and rank $m$, applied to a whole block in
   place of a matrix. [§3.3]
6. A learned scale starts at one and is one number a layer. [`Adapter_Layer`, `learnable_scalar`]

Paper, official code, libraries
-------------------------------
- Together with a short prefix this is the MAM adapter.
- Layer norm: with the norm behind the block (BERT, BART) $x$ is normalized. With the norm in front
  the official mBART and adapters give the adapter the residual stream as it is; here, on GPT-2,
  Llama and T5, it reads the normalized input of the block.
- Classification: the official script takes $m$ = 16 and $s$ = 2. [`exps/run_glue.sh`]
- Counts: the paper's leave out the biases, which its code has.
- Dropout acts behind the ReLU, at the model's own rate in the official code; here it is a field. In
  adapters (`ParBnConfig`) it acts behind the way up, and its rate is 0.
- Training: the official script decays matrices by 0.01, clips the gradient at norm 0.1 and smooths
  the labels by 0.1; here there is no decay, clipping is at 1, and the loss is the model's.
  [`exps/run_xsum.sh`]

Source: He et al. 2022, arXiv:2110.04366, §3.3, table 2. Official code:
https://github.com/jxhe/unify-parameter-efficient-tuning
"""

from __future__ import annotations

from ...anatomy import Anatomy
from ...core.method import Method, register
from ...core.options import Count, NotNegative, Part, Positive
from ...shared.bottleneck import bottleneck_count
from ...shared.parallel_adapter import ParallelAdapter, attach_beside


@register
class ScaledParallelAdapter(Method):
    """A parallel adapter of `size` hidden units, times `scale` or a learned one, in every layer."""

    name = "parallel_adapter"
    title = "Scaled parallel adapter"
    paper = "he2021unified"
    leaf = "bottleneck"
    init_noop = True
    mergeable = False
    frozen_base = True
    read_with = ("scale",)
    tasks = ("first-clause", "cue", "summary")
    lab = {"lr": 5e-3, "size": 16, "dropout": 0.0}

    size: Count = 512
    scale: Positive = 4.0
    learned_scale: bool = False
    dropout: Part = 0.1
    lr: NotNegative = 5e-5

    def setup(self, model, batches=None) -> None:
        parts = self.freeze(model)
        scale = None if self.learned_scale else self.scale
        for layer in parts.layers:
            adapter = ParallelAdapter(parts.hidden_size, self.size, scale, self.dropout)
            attach_beside(self, layer, adapter)

    def trained(self, parts: Anatomy) -> int:
        adapter = bottleneck_count(parts.hidden_size, self.size)
        return len(parts.layers) * (adapter + self.learned_scale)
