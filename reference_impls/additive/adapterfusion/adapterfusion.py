r"""AdapterFusion: adapters of several tasks, mixed for a target task by a layer of attention.

$$ z_n = W_{up,n}\, \text{ReLU}(W_{down,n}\, y + b_{down,n}) + b_{up,n}, \qquad
a = \text{softmax}_n\left((Q y) \cdot (K z_n)\right), \qquad
o = \sum_n a_n V z_n $$

where $y = \text{LN}(s)$ is the output of a layer, $s$ what its layer norm sees, and
$\text{LN}(s + o)$ the layer's new output (in GPT-2 and Llama, whose norms open the blocks, $y = s$
and $s + o$).
$Q, K, V \in \mathbb{R}^{d \times d}$, $V$ nearly the identity at the start, and $n$ runs over the
adapters of the $N - 1$ source tasks and one of the target task.

Two phases: first each adapter is trained on its task, alone in the model and with a head of its
own; then all of them are frozen, and $Q$, $K$, $V$ and the head are trained on the target.

**Trained:** in the second phase, which is what is counted, $Q$, $K$ and $V$ of every layer; in the
first, one adapter after another.

**Frozen:** everything the model came with; in the second phase the adapters too.

**Stored:** the fusion layers and all $N$ adapters.

**Merge:** none: the mixture depends on the input.

**Count:** trained $3 L d^2$, stored $3 L d^2 + N L (2 m d + d + m)$; without source tasks $N = 1$.

Details that matter
-------------------
1. What is mixed are the adapters' outputs without their residual connection, which is added to the
   mixture once. [`modeling.py`, `Adapter.forward`; `bottleneck.py`, `compose_fuse`]
2. One adapter, or $N$ equal ones, give $o = V z$ whatever $Q$ and $K$ are. Attention has no scale
   $1 / \sqrt{d}$. [§3.2]
3. $V$ starts as the identity, with noise of 1e-6 beside the diagonal, and is held near it by a
   penalty of 0.01 times $\lVert V - I \rVert^2$ for each layer. [§4.1; `modeling.py`;
   `model_mixin.py`, `get_fusion_regularization_loss`]
4. The target's own data serve twice, for its adapter and for the fusion. [§3.1]
5. Adapters take a learning rate of 1e-4, fusion layers one of 5e-5. [§4.1]
6. Every phase starts from the head that the model came with; those of the first phase are thrown
   away. Source tasks therefore need as many classes as the target. Each phase takes as many steps.

Paper, official code, libraries
-------------------------------
- adapters has biases in $Q$ and $K$ ($L (3 d^2 + 2 d)$ in all), the paper none. That of $K$ adds
  the same to every score, so the softmax ignores it.
- The noise in $V$ is random in the paper; adapters fills in the constant 1e-6.
- adapters applies dropout to the scores, before the softmax; the paper mentions none.
- The penalty is an $\ell_2$ norm in the paper, the distance from the identity in adapters and here.
- Adapters are those of the paper's appendix A.2: one after the feed-forward block, between two uses
  of its layer norm, ReLU. Of the reduction factors 2, 16 and 64 this file takes 16 ($m$ = 48 in
  BERT-base), adapters' default; initial weights have adapters' standard deviation of 0.02.
- The paper stops early, after at most 30 epochs for adapters and 10 for fusion.

Source: Pfeiffer et al. 2021, arXiv:2005.00247, §3. Official code:
https://github.com/adapter-hub/adapters
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from ...anatomy import Anatomy, anatomy
from ...core.adamw import adamw
from ...core.method import Batch, Method, from_task, register
from ...core.options import Count, NotNegative
from ...core.training import History, Loop
from ...shared.bottleneck import Bottleneck, bottleneck_count
from ...shared.outputs import on_states


class Fusion(nn.Module):
    """y (…, d) -> the mixture of all adapters' outputs, or the output of adapter `only`."""

    def __init__(self, width: int, size: int, count: int) -> None:
        super().__init__()
        self.adapters = nn.ModuleList(Bottleneck(width, size) for _ in range(count))
        self.adapters.requires_grad_(False)
        self.query, self.key = (nn.Parameter(0.02 * torch.randn(width, width)) for _ in range(2))
        self.value = nn.Parameter((1e-6 * torch.randn(width, width)).fill_diagonal_(1.0))
        self.only: int | None = None

    def forward(self, y: Tensor) -> Tensor:
        y = y.to(self.query.dtype)
        if self.only is not None:
            return self.adapters[self.only](y)
        z = torch.stack([adapter(y) for adapter in self.adapters], dim=-2)  # (…, N, d)
        scores = ((z @ self.key.T) * (y @ self.query.T).unsqueeze(-2)).sum(-1, keepdim=True)
        return (scores.softmax(-2) * (z @ self.value.T)).sum(-2)

    def train_only(self, index: int | None) -> None:
        """Use and train adapter `index` alone, or (None) all adapters frozen and their mixture."""
        self.only = index
        for name, parameter in self.named_parameters():
            part = f"adapters.{index}." if index is not None else ("query", "key", "value")
            parameter.requires_grad_(name.startswith(part))

    def penalty(self) -> Tensor:
        """Squared distance of V from the identity."""
        return (self.value - torch.eye(len(self.value), device=self.value.device)).square().sum()


def fuse_norm(module: nn.Module, args, kwargs, output: Tensor) -> Tensor:
    """Forward hook of a post-norm layer's last norm: args[0] is s, output LN(s)."""
    return module.forward(args[0] + module.get_submodule("fusion")(output).to(output.dtype))


@on_states
def fuse_block(module: nn.Module, args, kwargs, output: Tensor) -> Tensor:
    """Forward hook of a pre-norm layer: output is s."""
    return output + module.get_submodule("fusion")(output).to(output.dtype)


@register
class AdapterFusion(Method):
    """Adapters of `size` hidden units for each of `sources` and the target, and their fusion.

    sources: one function a source task, from a seed to endless batches.
    """

    name = "adapterfusion"
    title = "AdapterFusion"
    paper = "pfeiffer2020adapterfusion"
    leaf = "composition"
    init_noop = False
    mergeable = False
    frozen_base = True
    tasks = ("first-clause",)
    lab = {"lr": 2e-3, "adapter_lr": 1e-2, "size": 16}

    sources: tuple[Callable[[int], Iterator[Batch]], ...] = from_task()
    size: Count = 48
    regularization: NotNegative = 0.01
    adapter_lr: NotNegative = 1e-4
    lr: NotNegative = 5e-5

    def setup(self, model, batches=None) -> None:
        """Attach everything in the state of the second phase, adapters not trained yet."""
        parts = self.freeze(model)
        self._only = None
        for layer in parts.layers:
            fusion = Fusion(parts.hidden_size, self.size, len(self.sources) + 1)
            self.attach(layer.end, "fusion", fusion)
            self.hook(layer.end, fuse_norm if layer.post_norm else fuse_block)

    def fit(self, model, loop: Loop) -> None:
        if not self.begun:
            self._train_adapters(model, loop)
        loop.run(self, model)

    def _train_adapters(self, model, loop: Loop) -> None:
        """The first phase, one adapter after another; then all is ready for the fusion's."""
        head = [p.detach().clone() for p in anatomy(model).head_parameters()]
        for index, task in enumerate((*self.sources, loop.batches)):
            self.train_only(model, index, head)
            replace(loop, batches=task, evaluate=None, history=History()).run(self, model)
        self.train_only(model, None, head)

    @torch.no_grad()
    def train_only(self, model, index: int | None, head: list[Tensor]) -> None:
        """Begin a phase: that of adapter `index`, or (None) that of the fusion; reset the head."""
        self._only = index
        for fusion in self._fusions(model):
            fusion.train_only(index)
        for parameter, value in zip(anatomy(model).head_parameters(), head, strict=True):
            parameter.copy_(value)

    def optimizer(self, parameters) -> torch.optim.Optimizer:
        lr = self.lr if self._only is None else self.adapter_lr
        return adamw(parameters, lr=lr, weight_decay=0.0)

    def loss(self, model, batch: Batch) -> Tensor:
        loss = super().loss(model, batch)
        if self._only is not None:
            return loss
        return loss + self.regularization * sum(f.penalty() for f in self._fusions(model))

    def tensors(self, model) -> dict[str, Tensor]:
        """The fusion layers and the adapters, which are frozen by then."""
        ours = {id(p) for fusion in self._fusions(model) for p in fusion.parameters()}
        return {
            name: parameter.detach().clone()
            for name, parameter in model.named_parameters()
            if id(parameter) in ours
        }

    def trained(self, parts: Anatomy) -> int:
        return 3 * len(parts.layers) * parts.hidden_size**2

    def stored(self, parts: Anatomy) -> int:
        adapters = (len(self.sources) + 1) * len(parts.layers)
        return self.trained(parts) + adapters * bottleneck_count(parts.hidden_size, self.size)

    def _fusions(self, model) -> list[Fusion]:
        return [layer.end.get_submodule("fusion") for layer in anatomy(model).layers]
