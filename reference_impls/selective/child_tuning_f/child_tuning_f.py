r"""Child-Tuning-F: in each step a random part of the gradient is thrown away.

$$ w_{t+1} = w_t - \eta \, \frac{\partial \mathcal{L}(w_t)}{\partial w_t} \odot M_t, \qquad
M_{t,i} \sim \frac{\text{Bernoulli}(p)}{p} $$

The entries that the mask $M_t$ lets through are the child network of this step. The forward pass
always sees all weights, and the division by $p$ keeps the expected gradient as it was.

**Trained:** every parameter, a share $p$ of the gradient's entries in each step.

**Frozen:** nothing.

**Stored:** a whole model for each task: this is a regularizer of fine-tuning and saves nothing.

**Merge:** nothing to merge: the weights are the model's own. For the same reason nothing can be
taken back: the pretrained values are overwritten and no copy is kept.

**Count:** all $|\theta|$ parameters of the model without its head.

Details that matter
-------------------
1. The mask is drawn anew in each step. Drawn once, it would be a random sparse fine-tuning.
   [§2.2; `ChildTuningOptimizer.py`]
2. What passes is divided by $p$. [§2.2; `ChildTuningOptimizer.py`, `grad_mask`]
3. The mask comes after gradient clipping, when the optimizer makes its step, and acts on the task
   head too. [`ChildTuningOptimizer.py`, which masks inside of `step`]
4. The equation is that of plain gradient descent. With Adam a masked entry still moves, by the
   momentum of earlier steps; only its gradient of this step is missing.
5. $p = 1$ is plain fine-tuning, to the bit.

Paper, official code, libraries
-------------------------------
- The official script decays all matrices by 0.01 in each step, masked or not. Here the weight decay
  is zero.
- $p$ is 0.2, 0.3 or 0.4 in the paper; the official script has 0.3, a learning rate of 4e-5 and a
  warm-up over the first tenth of the steps, which are the defaults here. The official trainer reads
  the number of warm-up steps, not that share, so that its code has none. [`run.sh`;
  `ChildTuningF.py`, `create_optimizer_and_scheduler`]
- The official optimizer's $\epsilon$ is 1e-8, that of the trainer which calls it, as in torch; its
  own default of 1e-6 is never used.

Source: Xu et al. 2021, arXiv:2109.05687, §2.2. Official code:
https://github.com/alibaba/AliceMind/tree/main/ChildTuning
"""

from __future__ import annotations

from functools import partial

import torch

from ...anatomy import Anatomy, numel
from ...core.method import Method, register
from ...core.options import NotNegative, Share


def keep_some(optimizer: torch.optim.Optimizer, args, kwargs, p: float) -> None:
    """Pre-hook of an optimizer's step: g -> g · Bernoulli(p) / p, in place."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None:
                chances = torch.full_like(parameter.grad, p, dtype=torch.float32)
                parameter.grad.mul_(torch.bernoulli(chances) / p)


@register
class ChildTuningF(Method):
    """Fine-tuning of everything; each gradient entry passes with probability `p`.

    Raises:
        ValueError: `p` is not above 0 and at most 1.
    """

    name = "child_tuning_f"
    title = "Child-Tuning-F"
    paper = "xu2021childtuning"
    leaf = "automatic"
    init_noop = True
    mergeable = True
    frozen_base = False
    detachable = False
    warmup = 0.1
    tasks = ("first-clause", "cue", "summary")
    lab = {"lr": 1e-3}

    p: Share = 0.3
    lr: NotNegative = 4e-5

    def setup(self, model, batches=None) -> None:
        self.freeze(model)
        model.requires_grad_(True)

    def trained(self, parts: Anatomy) -> int:
        return numel(parts.base_parameters())

    def optimizer(self, parameters) -> torch.optim.Optimizer:
        optimizer = super().optimizer(parameters)
        optimizer.register_step_pre_hook(partial(keep_some, p=self.p))
        return optimizer
