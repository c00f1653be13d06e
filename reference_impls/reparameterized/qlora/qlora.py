r"""QLoRA: LoRA on a base whose weight matrices are stored in four bits.

$$ h = \hat{W} x + b + \frac{\alpha}{r} B A x, \qquad
\hat{W}_{ij} = \hat{c}_{k(i,j)}\, q_{n(i,j)} $$

with sixteen levels $q_0 < \dots < q_{15}$ (NF4), one 4-bit code $n(i,j)$ for each weight, and one
constant $\hat{c}_k$ for each block of 64 consecutive weights, itself stored in eight bits.
$A \in \mathbb{R}^{r \times d_{in}}$ and $B \in \mathbb{R}^{d_{out} \times r}$ are trained as in
LoRA, $B = 0$ at the start.

**Trained:** $A$ and $B$ of every linear map of every layer.

**Frozen:** codes and constants, and the biases, norms and embeddings, which are not quantized.

**Stored:** $A$ and $B$; codes and constants follow from the original weights.

**Merge:** none in four bits: $\hat{W} + \frac{\alpha}{r} B A$ has no such codes, so merging would
quantize again and change the function. Into weights of full size, which are no longer small, the
sum is exact; that is not offered here.

**Count:** $r (d_{in} + d_{out})$ for each linear map. A quantized weight takes
$4 + 8/64 + 32/(64 \cdot 256) = 4.127$ bits.

Details that matter
-------------------
1. Quantization changes the function before training starts, and the original weights are gone: to
   take QLoRA off, reload the model. Before the constants are quantized, a weight moves by at most
   0.1519 of the largest magnitude in its block, half the widest gap between two levels.
2. The levels are normal quantiles, scaled to $[-1, 1]$: seven below zero, zero itself, eight above,
   so that zero is exact. They come from two grids of probabilities between 0.9677083 and 1/2; the
   values are reproduced here to the bit. [§3, "4-bit NormalFloat"; bitsandbytes,
   `create_normal_map`]
3. The constants are positive, so their mean is subtracted before they are quantized in turn, to
   8-bit floats in blocks of 256 with a 32-bit constant each. [§3, "Double Quantization"]
4. Adapters go on all linear maps of a layer, not only on query and value. [§4; `qlora.py`,
   `find_all_linear_names`, which leaves out the language-model head]
5. The gradient passes through $\hat{W}$ to $x$ and stops there. The backward pass dequantizes anew:
   autograd keeps the codes, never a full-size copy of the weight.
6. The hyper-parameters of the 7B model: $r = 64$, $\alpha = 16$, dropout 0.1 and learning rate
   2e-4; 33B and 65B take dropout 0.05 and 1e-4. For 13B the paper has the dropout of 7B, the script
   that of 33B. [`scripts/finetune_guanaco_*.sh`]

Paper, official code, libraries
-------------------------------
- 8-bit constants: bitsandbytes rounds them to a table of its own (`create_dynamic_map`); this file
  to the standard format e4m3, within 1/16 of their deviation from the mean. Codes are the same.
- The official code runs CUDA kernels of bitsandbytes and peft's LoRA. This file is plain torch and
  runs anywhere; paged optimizers, which move optimizer states out of a GPU's memory, are left out.
- Gradients are clipped at norm 0.3 by the official scripts, at 1 by the loop here. Their rate is
  constant; here it falls linearly to zero. They ask for a warm-up over 3 % of the steps, which the
  constant schedule of transformers does not have. [`scripts/finetune_guanaco_*.sh`]
- A fused query-key-value matrix (GPT-2) is quantized as one, and gets one pair for each slice.

Source: Dettmers et al. 2023, arXiv:2305.14314, §2-3. Official code:
https://github.com/artidoro/qlora
"""

from __future__ import annotations

from torch import Tensor, nn

from ...anatomy import Anatomy, Projection, whole
from ...core.method import Method, register
from ...core.options import Count, NotNegative, Part, Positive
from ...shared.low_rank import LowRank, low_rank_count
from ...shared.nf4 import QuantizedLinear


def add_updates(module: nn.Module, args, kwargs, output: Tensor) -> Tensor:
    """Forward hook: add the update of each slice to the module's output, in the output's dtype."""
    return output + sum(update(args[0]) for update in module.qlora).to(output.dtype)


@register
class QLoRA(Method):
    """LoRA on every linear map of every layer, each quantized to NF4 in place."""

    name = "qlora"
    title = "QLoRA"
    paper = "dettmers2023qlora"
    leaf = "quantized"
    init_noop = False
    mergeable = False
    frozen_base = True
    read_with = ("alpha",)
    detachable = False
    tasks = ("first-clause", "cue", "summary", "cue-gpt2")
    lab = {"lr": 5e-3, "r": 8, "dropout": 0.0}

    r: Count = 64
    alpha: Positive = 16.0
    dropout: Part = 0.1
    lr: NotNegative = 2e-4

    def setup(self, model, batches=None) -> None:
        slices: dict[nn.Module, list[Projection]] = {}
        for layer in self.freeze(model).layers:
            for projection in layer.linear_maps:
                slices.setdefault(projection.module, []).append(projection)
        places = {
            child: (parent, name)
            for parent in model.modules()
            for name, child in parent.named_children()
        }
        for module, projections in slices.items():
            quantized = QuantizedLinear(whole(module)).train(module.training)
            parent, name = places[module]
            setattr(parent, name, quantized)
            scale = self.alpha / self.r
            updates = [LowRank(p, self.r, scale, self.dropout) for p in projections]
            self.attach(quantized, "qlora", nn.ModuleList(updates))
            self.hook(quantized, add_updates)

    def trained(self, parts: Anatomy) -> int:
        return low_rank_count((p for layer in parts.layers for p in layer.linear_maps), self.r)
