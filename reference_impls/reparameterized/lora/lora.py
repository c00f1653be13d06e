r"""LoRA: the change of a weight matrix is learned as a product of two thin matrices.

$$ h = W x + b + \frac{\alpha}{r} B A x $$

with a frozen $W \in \mathbb{R}^{d_{out} \times d_{in}}$, and trained
$A \in \mathbb{R}^{r \times d_{in}}$ and $B \in \mathbb{R}^{d_{out} \times r}$, where $B = 0$ at
the start, so that training begins at the pretrained model.

**Trained:** $A$ and $B$ of each adapted projection (by default query and value of every layer).

**Frozen:** everything the model came with.

**Stored:** the same $A$ and $B$.

**Merge:** exact: $W \leftarrow W + \frac{\alpha}{r} B A$, rounded once to the weight's precision;
inference then costs nothing extra.

**Count:** $r (d_{in} + d_{out})$ for each adapted projection; $4 L r d$ for query and value of $L$
layers of width $d$ without grouped-query attention; the cross-attention of T5's decoder has queries
and values as well.

Details that matter
-------------------
1. The update is scaled by $\alpha / r$. The paper fixes $\alpha$ to the first $r$ tried and does
   not tune it. An implementation tested only with $\alpha = r$ hides a missing scale. [§4.1]
2. $B$ starts at zero and $A$ at random, so the gradient of $A$ is exactly zero in the first step.
   [§4.1]
3. Only attention projections are adapted in the paper, query and value giving the best result for a
   given budget. [§4.2, §7.1, Table 5]
4. A fused query-key-value matrix (GPT-2) gets one pair for each adapted slice, not one pair for the
   whole. [`loralib/layers.py`, class `MergedLinear`]
5. Dropout, where used, acts on the input of $A$ only, never on the frozen path.
   [`loralib/layers.py`, `Linear.forward`]

Paper, official code, libraries
-------------------------------
- Initial $A$: the paper draws it from a Gaussian; loralib, and peft and adapters after it, from
  Kaiming-uniform with $a = \sqrt{5}$, that is $U(-1/\sqrt{d_{in}}, 1/\sqrt{d_{in}})$. This file
  does as the official code does.
- Scale: for RoBERTa-base the official scripts (`examples/NLU/roberta_base_mnli.sh`) take
  $\alpha = 16$ with rank 8. The defaults here are that rank, the learning rate 5e-4 of half of
  those scripts (the others have 4e-4), and $\alpha = r$. All these scripts warm up over 6 % of the
  steps and decay by 0.1; here there is neither. [`examples/NLU/roberta_base_*.sh`]
- Merging: loralib merges whenever the module is set to evaluation mode and subtracts again for
  training. Here merging is one explicit call, and a second one is refused.
- Fused projections: peft puts one pair on the whole of GPT-2's `c_attn`; this file follows loralib.

Source: Hu et al. 2021, arXiv:2106.09685, §4.1, eq. (3). Official code:
https://github.com/microsoft/LoRA
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from ...anatomy import Anatomy, Projection, anatomy
from ...core.method import Method, register
from ...core.options import Count, NotNegative, Part, Positive
from ...shared.low_rank import LowRank, low_rank_count


def add_low_rank(module: nn.Module, args, kwargs, output: Tensor, name: str) -> Tensor:
    """Forward hook: add the update to the module's output, in the output's dtype."""
    return output + module.get_submodule(name)(args[0]).to(output.dtype)


@register
class LoRA(Method):
    """LoRA on the named projections of every layer, cross-attention included.

    Raises:
        ValueError: `targets` names nothing, a projection twice, or what is none of a layer.
    """

    name = "lora"
    title = "LoRA"
    paper = "hu2021lora"
    leaf = "low-rank"
    init_noop = True
    mergeable = True
    frozen_base = True
    read_with = ("alpha",)
    tasks = ("first-clause", "cue", "summary", "cloze", "cue-gpt2")
    lab = {"lr": 5e-3}

    r: Count = 8
    alpha: Positive = 8.0
    dropout: Part = 0.0
    targets: tuple[str, ...] = ("query", "value")
    lr: NotNegative = 5e-4

    def check(self, parts: Anatomy) -> None:
        if not self.targets or len(set(self.targets)) < len(self.targets):
            raise ValueError(f"targets = {self.targets}: name projections, each of them once")
        try:
            self._projections(parts)
        except ValueError as error:
            raise ValueError(f"targets = {self.targets}: {error}") from None

    def _projections(self, parts: Anatomy) -> list[tuple[str, Projection]]:
        return [
            (target, projection)
            for layer in parts.layers
            for target in self.targets
            for projection in layer.projections(target)
        ]

    def setup(self, model, batches=None) -> None:
        for target, projection in self._projections(self.freeze(model)):
            update = LowRank(projection, self.r, self.alpha / self.r, self.dropout)
            self.attach(projection.module, f"lora_{target}", update)
            self.hook(projection.module, partial(add_low_rank, name=f"lora_{target}"))

    def trained(self, parts: Anatomy) -> int:
        return low_rank_count((p for _, p in self._projections(parts)), self.r)

    @torch.no_grad()
    def fold(self, model) -> None:
        for target, projection in self._projections(anatomy(model)):
            update = projection.module.get_submodule(f"lora_{target}")
            projection.write(projection.weight + update.scale * update.b @ update.a)
