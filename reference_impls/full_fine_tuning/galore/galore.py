r"""GaLore: Adam sees the gradient of each weight matrix in a small subspace that moves along.

$$ R_t = P^\top G_t, \qquad W \leftarrow W - \eta \, \alpha \, P \,
\frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon}, \qquad
P = \left[ u_1, \ldots, u_r \right] $$

with the gradient $G_t \in \mathbb{R}^{m \times n}$ of a matrix, $m < n$, and Adam's moments
$m_t, v_t \in \mathbb{R}^{r \times n}$ of $R_t$. $P$ holds the first $r$ left singular vectors of
the gradient, computed anew every $T$ steps. Where $m \ge n$, the right ones are taken, and
$R_t = G_t Q$.

**Trained:** every parameter of the pretrained model, and the task head.

**Frozen:** nothing; but between two subspaces the change of a matrix has rank $r$.

**Stored:** a whole model for each task.

**Merge:** nothing to merge, and no way back: the pretrained values are overwritten.

**Count:** all $|\theta|$ parameters of the model without its head. What is small is the optimizer's
state: $m r + 2 n r$ numbers for a matrix with the shorter side $m$, where Adam has $2 m n$; Adam on
LoRA has $2 m r + 2 n r$, besides $m r + n r$ weights more.

Details that matter
-------------------
1. The shorter side is projected, so that $P$ is small and the moments are as small as they can be.
   [§4.2; `galore_projector.py`, `project`]
2. The moments stay as they are when the subspace changes, although they belong to the old basis.
   [Alg. 2; `adamw.py`]
3. The update is scaled by $\alpha$, the plain parameters' is not: matrices have a rate of
   $\alpha \eta$. [Alg. 2; `project_back`]
4. Attention and feed-forward matrices are projected; embeddings, norms, biases and the head get
   plain Adam. [§5; `torchrun_main.py`, `run_glue.py`]
5. With rank $m$ this is not Adam: Adam divides entry by entry, so its update depends on the basis.
   With SGD inside it would be SGD.
6. Weight decay, if any, acts on the matrix itself, not in the subspace. The scripts have none, nor
   has this file. [`adamw.py`]

Paper, official code, libraries
-------------------------------
- Defaults: those of the official fine-tuning script, rank 4, $\alpha$ = 4, $T$ = 500 and a rate of
  3e-5 that falls linearly. [`README.md`] For pre-training: ranks of 128 to 1024, $\alpha$ = 0.25,
  $T$ of 200 or, at 7B, 500, and a rate of 0.01 or 0.005. [`scripts/benchmark_c4/`]
- $\epsilon$: the paper adds it to the root of the corrected $\hat v_t$, the official code to that
  of $v_t$, where the same 1e-6 weighs more (30 times in the first step). This file does as the
  official code does.
- Square matrices: the paper's algorithm projects from the left, the official code from the right.
  This file does as the official code does.
- The official code looks for `nn.Linear`, which GPT-2 does not have. Here GPT-2's matrices count
  too, the fused query-key-value matrix as one.
- The official fine-tuning script does not clip gradients; here all methods clip to norm 1.
- bfloat16 weights are moved themselves, as in the official code: float32 copies would take more
  than the projected states save. A step below half a unit in their last place is lost.
  [`torchrun_main.py`, `dtype`]
- Updates inside the backward pass (one matrix at a time) and 8-bit states are not here.

Source: Zhao et al. 2024, arXiv:2403.03507, §4.2. Official code:
https://github.com/jiaweizzhao/GaLore
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ...anatomy import Anatomy, numel
from ...core.method import Method, register
from ...core.options import Count, NotNegative, Positive

ATTENTION = ("query", "key", "value", "attention_output")
PROJECTED = (*ATTENTION, "feed_forward_up", "feed_forward_down")


class GaLoreAdamW(torch.optim.Optimizer):
    """Adam; parameters of groups that have a `rank` are projected, with `period` and `alpha`."""

    def __init__(self, groups, lr: float, betas=(0.9, 0.999), eps: float = 1e-6) -> None:
        super().__init__(groups, {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    update = self._adam(parameter, group)
                    parameter.add_(update, alpha=-group["lr"])

    def _adam(self, parameter: nn.Parameter, group: dict) -> Tensor:
        """Adam's update of size 1, in the parameter's own space."""
        gradient, state = parameter.grad, self.state[parameter]
        done = state.get("step", 0)
        if "rank" in group:
            if done % group["period"] == 0:
                state["projection"] = projection(gradient, group["rank"])
            gradient = project(gradient, state["projection"])
        if not done:
            state["m"], state["v"] = torch.zeros_like(gradient), torch.zeros_like(gradient)
        state["step"] = step = done + 1
        beta1, beta2 = group["betas"]
        state["m"].lerp_(gradient, 1 - beta1)
        state["v"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        correction = math.sqrt(1 - beta2**step) / (1 - beta1**step)
        update = correction * state["m"] / (state["v"].sqrt() + group["eps"])
        if "rank" in group:
            update = group["alpha"] * project_back(update, state["projection"], parameter.shape)
        return update


def projection(gradient: Tensor, rank: int) -> Tensor:
    """Orthonormal columns: singular vectors (m, r) or (n, r) on the shorter side of (m, n)."""
    wide = gradient.to(torch.promote_types(gradient.dtype, torch.float32))
    u, _, vh = torch.linalg.svd(wide, full_matrices=False)
    vectors = u if gradient.shape[0] < gradient.shape[1] else vh.T
    return vectors[:, :rank].to(gradient.dtype).contiguous()


def project(gradient: Tensor, p: Tensor) -> Tensor:
    """(m, n) -> (r, n), or (m, r) where n is the shorter side."""
    return p.T @ gradient if gradient.shape[0] < gradient.shape[1] else gradient @ p


def project_back(update: Tensor, p: Tensor, shape: torch.Size) -> Tensor:
    """The inverse of `project` on the subspace: to `shape`, (m, n)."""
    return p @ update if shape[0] < shape[1] else update @ p.T


@register
class GaLore(Method):
    """Train everything, matrices in subspaces of `rank` that change every `period` steps.

    Raises:
        ValueError: the rank or the period is not positive.
    """

    name = "galore"
    title = "GaLore"
    paper = "zhao2024galore"
    leaf = "memory"
    init_noop = True
    mergeable = True
    frozen_base = False
    detachable = False
    float32_copies = False
    lab = {"lr": 5e-4, "period": 50}

    rank: Count = 4
    alpha: Positive = 4.0
    period: Count = 500
    lr: NotNegative = 3e-5

    def __post_init__(self) -> None:
        super().__post_init__()
        self._matrices: set[nn.Parameter] = set()

    def setup(self, model, batches=None) -> None:
        self._matrices = set(matrices(self.freeze(model)))
        model.requires_grad_(True)

    def trained(self, parts: Anatomy) -> int:
        return numel(parts.base_parameters())

    def states(self, parts: Anatomy) -> int:
        """Closed-form number of values that the optimizer keeps, the task head not counted."""
        projected = matrices(parts)
        small = 0
        for matrix in projected:
            short, long = sorted(matrix.shape)
            rank = min(self.rank, short)
            small += short * rank + 2 * long * rank
        return small + 2 * (self.trained(parts) - numel(projected))

    def optimizer(self, parameters) -> torch.optim.Optimizer:
        """Adam on everything, in subspaces for the matrices."""
        parameters = list(parameters)
        projected = {"rank": self.rank, "period": self.period, "alpha": self.alpha}
        groups = [
            {"params": [p for p in parameters if p not in self._matrices]},
            {"params": [p for p in parameters if p in self._matrices], **projected},
        ]
        return GaLoreAdamW(groups, lr=self.lr)


def matrices(parts: Anatomy) -> list[nn.Parameter]:
    """The weights of all attention and feed-forward projections; a fused one comes once."""
    projections = (
        projection
        for layer in parts.layers
        for name in PROJECTED
        for projection in layer.projections(name)
    )
    return list(dict.fromkeys(projection.module.weight for projection in projections))
