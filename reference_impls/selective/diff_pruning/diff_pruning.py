r"""Diff pruning: a difference to the pretrained weights is learned, and which of it to keep.

$$ \theta_\tau = \theta + \delta, \qquad \delta = z \odot w, \qquad
z = \min(1, \max(0,\; s\,(r - l) + l)), \qquad s = \sigma(\log u - \log(1 - u) + \alpha) $$

with $u \sim U(0, 1)$ drawn in each step. $z$ is exactly 0 with a probability that $\alpha$ controls
(a hard-concrete gate), so that the expected number of changes has a gradient:

$$ \min_{\alpha, w} \; \mathbb{E}_u [\mathcal{L}(\theta + z \odot w)] + \lambda \sum_i
\sigma\left(\alpha_i - \log \tfrac{-l}{r}\right) $$

In the structured variant each tensor has a gate of its own, and $z_i$ is the product of both.

**Trained:** first $w$ and $\alpha$, as large as the model each, and one gate a tensor; then the $k$
entries of $\delta$ that are kept.

**Frozen:** the pretrained weights. They are written over by $\theta + \delta$, and come back with
`detach`; after training all but $k$ of them are as they were, to the bit.

**Stored:** the $k$ new values and their positions: $2k$ numbers.

**Merge:** nothing to merge: the entries are the model's own.

**Count:** $k = \lfloor t\, |\theta| \rfloor$ with target density $t$, the head not counted. The
search before it trains $2 |\theta|$ numbers and one for each tensor.

Details that matter
-------------------
1. $w$ starts at zero, where the model is the pretrained one, and $\alpha$ at 5, where nearly all
   gates are open. [`run_glue_diffpruning.py`, `alpha_init`]
2. The bounds $l = -1.5$ and $r = 1.5$ reach beyond zero and one; only so is a gate ever closed
   exactly. As $-l = r$, a gate is open with probability $\sigma(\alpha)$. [§3.1; `concrete_lower`]
3. The gates learn with a rate of 0.1, the differences with 1e-5; the gradients of both are clipped
   to norm 1 on their own. [`run_glue_diffpruning.py`, `alpha_optimizer`; `example_cola.sh`]
4. At the end of the search $u$ is drawn once more, and of $\delta$ the $k$ entries with the largest
   magnitude are kept: magnitude pruning of the difference, not of the weights. Then they are
   trained on, without gates. [§3.2; `run_glue_mag.py`, `run_glue_fixmask_finetune.py`]
5. One ranking for the whole model. [`run_glue_mag.py`, `get_sparsity`]
6. Groups are the parameter tensors: 393 in BERT large with a classifier, of which the two of the
   classifier are never gated. [§3.3; `run_glue_diffpruning.py`, `per_params_alpha`]
7. In the training of the fixed mask gradients are masked, and weight decay is off, so that no other
   entry moves.

Paper, official code, libraries
-------------------------------
- The penalty of the structured variant: the official code adds up the open probabilities of the
  entries and those of the groups. So does this file. An entry changes only where both are open,
  whose probability would be the product.
- The official code ranks the classifier's difference among the others and prunes it too, before it
  is trained in full again. Here the head is in no ranking.
- The official code goes on from $w$ at the kept entries, this file from $z \odot w$.
- The official code finds its threshold by bisection, so that it keeps about $k$; here it is $k$.
- The official learning rate of the gates stays at 0.1, as its schedule is made but never advanced;
  here it falls like the other one.
- Both phases take as many steps as the loop has; the head is not reset between them. `setup` alone
  starts with a random mask, until `fit` has found one.

Source: Guo et al. 2020, arXiv:2012.07463, §3. Official code: https://github.com/dguo98/DiffPruning
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from ...anatomy import anatomy, numel
from ...core.adamw import adamw
from ...core.method import Method, register
from ...core.options import Finite, Negative, NotNegative, Positive, Share
from ...core.training import History, Loop
from ...shared.masks import MaskedMethod, flatten


def hard_concrete(alpha: Tensor, lower: float, upper: float) -> Tensor:
    """A sample of gates in [0, 1], differentiable in `alpha` where it is neither 0 nor 1."""
    u = torch.rand_like(alpha).clamp(1e-4, 1 - 1e-4)
    s = (u.log() - (1 - u).log() + alpha).sigmoid()
    return (s * (upper - lower) + lower).clamp(0, 1)


def open_probability(alpha: Tensor, lower: float, upper: float) -> Tensor:
    """The probability that a gate is not 0."""
    return (alpha - math.log(-lower / upper)).sigmoid()


@dataclass(kw_only=True)
class Search(Method):
    """The first phase, on weights whose pretrained values are `start`."""

    name, title = "diff_pruning", "Diff pruning"

    start: dict[nn.Parameter, Tensor]
    structured: bool
    penalty: float
    alpha: float
    bounds: tuple[float, float]
    gate_lr: float

    def __post_init__(self) -> None:
        super().__post_init__()
        values = list(self.start.values())
        self.w = [torch.zeros_like(v, dtype=torch.float32, requires_grad=True) for v in values]
        self.gates = [torch.full_like(w, self.alpha, requires_grad=True) for w in self.w]
        groups = self.w if self.structured else []
        self.groups = [w.new_full((1,), self.alpha, requires_grad=True) for w in groups]

    def sample(self) -> list[Tensor]:
        """The difference of each tensor, its gates drawn anew."""
        differences = [hard_concrete(a, *self.bounds) * w for a, w in zip(self.gates, self.w)]
        if self.structured:
            groups = [hard_concrete(a, *self.bounds) for a in self.groups]
            differences = [z * d for z, d in zip(groups, differences, strict=True)]
        return differences

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        head = [p for p in parameters if p not in self.start]
        groups = [
            {"params": [*self.w, *head], "lr": self.lr},
            {"params": [*self.gates, *self.groups], "lr": self.gate_lr},
        ]
        return adamw(groups, weight_decay=0.0)

    def before_step(self, model, step: int) -> None:
        self._differences = self.sample()
        with torch.no_grad():
            for (p, value), difference in zip(self.start.items(), self._differences, strict=True):
                p.grad = None
                p.copy_(value + difference)

    def on_grad(self, model, step: int) -> None:
        """Take the gradients of the weights on to what they were made of."""
        pairs = [
            (difference, p.grad.to(difference.dtype))
            for difference, p in zip(self._differences, self.start, strict=True)
            if p.grad is not None
        ]
        torch.autograd.backward(*zip(*pairs))
        alphas = [*self.gates, *self.groups]
        cost = sum(open_probability(alpha, *self.bounds).sum() for alpha in alphas)
        (self.penalty * cost).backward()
        clip_grad_norm_(self.w, 1.0)
        clip_grad_norm_(alphas, 1.0)


@register
class DiffPruning(MaskedMethod):
    """A difference with `density` entries, found by gates of each entry and each tensor.

    Raises:
        ValueError: the density leaves nothing to train, or is above 1; the bounds of the gates do
            not reach beyond 0 and 1.
    """

    name = "diff_pruning"
    title = "Diff pruning"
    paper = "guo2020diffpruning"
    leaf = "automatic"
    init_noop = True
    mergeable = True
    frozen_base = False
    tasks = ("first-clause", "cue", "summary")
    # the paper's penalty is for 3,000 times as many weights: here it would leave the gates open
    lab = {"search_lr": 1e-3, "lr": 3e-3, "density": 0.02, "penalty": 1e-5}

    density: Share = 0.005
    structured: bool = True
    penalty: NotNegative = 1.25e-7
    alpha: Finite = 5.0
    lower: Negative = -1.5
    upper: Positive = 1.5
    gate_lr: NotNegative = 0.1
    search_lr: NotNegative = 1e-5
    lr: NotNegative = 5e-5

    def check(self, parts) -> None:
        super().check(parts)
        if self.upper <= 1:
            raise ValueError(f"upper = {self.upper}: the gates must reach beyond 1")

    def setup(self, model, batches=None) -> None:
        parts = self.freeze(model)
        everything = numel(self.candidates(parts).values())
        self.select(model, torch.randperm(everything)[: self.trained(parts)])

    def fit(self, model, loop: Loop) -> None:
        if not self.begun:
            self._find(model, loop)
        loop.run(self, model)

    def _find(self, model, loop: Loop) -> None:
        """The first phase; afterwards the largest differences are in the mask and the weights."""
        self.select(model, torch.arange(numel(self.candidates(anatomy(model)).values())))
        search = self.search(model)
        replace(loop, evaluate=None, history=History()).run(search, model)
        with torch.no_grad():
            self.keep(model, search.sample())

    def search(self, model) -> Search:
        """The first phase, for a model all of whose weights are in the mask."""
        candidates = self.candidates(anatomy(model)).values()
        return Search(
            start={p: self._originals[p] for p in candidates},
            structured=self.structured,
            penalty=self.penalty,
            alpha=self.alpha,
            bounds=(self.lower, self.upper),
            gate_lr=self.gate_lr,
            lr=self.search_lr,
        )

    @torch.no_grad()
    def keep(self, model, differences: list[Tensor]) -> None:
        """Put the largest entries of a difference into the mask, and add them to the weights."""
        self.select_largest(model, flatten(differences).abs())
        candidates = self.candidates(anatomy(model))
        for (name, parameter), values in zip(candidates.items(), differences, strict=True):
            if name in self._masks:
                mask = self._masks[name]
                parameter[mask] += values[mask].to(parameter.dtype)
