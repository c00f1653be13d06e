r"""LOMO: every weight is updated during the backward pass, as soon as its gradient is there.

$$ \theta_i \leftarrow \theta_i - \eta_t \, c \, g_i,
\qquad c = \min \left( 1, \frac{\tau}{\lVert g \rVert + 10^{-6}} \right) $$

for one tensor $\theta_i$ after another, in the order in which backpropagation reaches them. It is
SGD without momentum; $g_i$ is dropped at once, so that two gradients are never held together.

**Trained:** every parameter of the pretrained model, and the task head.

**Frozen:** nothing.

**Stored:** a whole model for each task.

**Merge:** nothing to merge, and no way back: the pretrained values are overwritten.

**Count:** all $|\theta|$ parameters of the model without its head. Memory: 2 bytes for each of
them, and the largest single gradient. Mixed-precision SGD takes 8 bytes for each (16-bit weight and
gradient, 32-bit weight), Adam 16 (two moments of 32 bits more).

Details that matter
-------------------
1. The update comes once the gradient of a parameter is summed over all its uses; tied embeddings
   have two. By then nothing that is still to be computed needs the old value, so that the result is
   that of SGD to the bit. [§3.2; `lomo.py`, `fuse_update`]
2. The norm of the whole gradient is not known before the last gradient is computed, and by then the
   first ones are gone. So clipping takes two backward passes: the first gathers the norm and
   changes nothing, the second updates. [§3.3.1; `grad_norm`, `fused_backward`]
3. Plain SGD needs a large rate: 0.03 on a 7B model. It rises over a tenth of the steps, then falls
   linearly to zero. [`config/args_lomo.yaml`]
4. 16-bit weights are updated in float32 and rounded afterwards. [§3.3.2; `fuse_update`]

Paper, official code, libraries
-------------------------------
- The official hook runs before the gradient is in place, so each call updates what the calls before
  it left, and a last one follows the backward pass: two gradients are alive. PyTorch 2.1 has hooks
  that run after accumulation, which this file uses: one.
- For the second pass the official trainer runs the model again, with other dropout masks than those
  that the norm was computed with. This file keeps the graph and backpropagates through it twice.
- The paper also offers clipping by value, and norms of groups of parameters to save a pass. Neither
  is here; `clip=0` leaves the first pass out.
- float16 needs the loss scaling of the official code, which is not here: it is refused.

Source: Lv et al. 2024, arXiv:2306.09782, §3. Official code: https://github.com/OpenLMLab/LOMO
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from ...anatomy import Anatomy, numel
from ...core.method import Method, register
from ...core.options import NotNegative


class FusedSGD(torch.optim.Optimizer):
    """SGD whose `step` runs the backward pass, and updates and frees each gradient inside it."""

    def __init__(self, parameters, lr: float, clip: float) -> None:
        super().__init__(parameters, {"lr": lr})
        self.clip = clip

    def step(self, closure: Callable[[], Tensor]) -> Tensor:
        """Update by the gradient of what `closure` returns, and return it."""
        self.zero_grad()
        loss, scale = closure(), 1.0
        if self.clip:
            norms: list[Tensor] = []
            self._backward(loss, lambda group: partial(gather, norms=norms), retain_graph=True)
            scale = min(1.0, self.clip / (torch.stack(norms).norm().item() + 1e-6))
        self._backward(loss, lambda group: partial(descend, rate=scale * group["lr"]))
        return loss.detach()

    def _backward(self, loss: Tensor, hook_of: Callable, *, retain_graph: bool = False) -> None:
        """Backpropagate with the hook of its group on each parameter."""
        handles = [
            parameter.register_post_accumulate_grad_hook(hook_of(group))
            for group in self.param_groups
            for parameter in group["params"]
        ]
        try:
            loss.backward(retain_graph=retain_graph)
        finally:
            for handle in handles:
                handle.remove()


def gather(parameter: nn.Parameter, norms: list[Tensor]) -> None:
    """Hook of the first pass: keep the norm of the gradient and drop the gradient."""
    norms.append(parameter.grad.to(_wide(parameter)).norm())
    parameter.grad = None


@torch.no_grad()
def descend(parameter: nn.Parameter, rate: float) -> None:
    """Hook of the second pass: update the parameter and drop its gradient."""
    wide = parameter.to(_wide(parameter))  # the parameter itself, if it is not a 16-bit one
    parameter.copy_(wide.add_(parameter.grad.to(wide), alpha=-rate))
    parameter.grad = None


def _wide(parameter: nn.Parameter) -> torch.dtype:
    return torch.promote_types(parameter.dtype, torch.float32)


@register
class LOMO(Method):
    """Train everything by fused SGD; `clip` bounds the gradient's norm (0: it is not computed)."""

    name = "lomo"
    title = "LOMO"
    paper = "lv2023lomo"
    leaf = "memory"
    init_noop = True
    mergeable = True
    frozen_base = False
    detachable = False
    float32_copies = False
    warmup = 0.1
    lab = {"lr": 0.2}

    clip: NotNegative = 1.0
    lr: NotNegative = 3e-2

    def setup(self, model, batches=None) -> None:
        self.freeze(model)
        model.requires_grad_(True)

    def trained(self, parts: Anatomy) -> int:
        return numel(parts.base_parameters())

    def optimizer(self, parameters) -> torch.optim.Optimizer:
        return FusedSGD(parameters, lr=self.lr, clip=self.clip)

    def step(self, model, batch, optimizer, step: int) -> float:
        return optimizer.step(lambda: self.loss(model, batch)).item()
