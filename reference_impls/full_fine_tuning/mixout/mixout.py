r"""Mixout: in each step, random units go back to their pretrained outgoing weights.

$$ y = \widetilde W x + b, \qquad
\widetilde W = W_0 + \frac{1}{1 - p} (W - W_0) \, \mathrm{diag}(m),
\qquad m_j \sim \text{Bernoulli}(1 - p) $$

with the pretrained weights $W_0$, the trained ones $W$, and one mask $m$ over the input features of
each linear map, drawn anew in each step. On average $\widetilde W = W$. With $W_0 = 0$ this is
dropout; dropout pulls the weights toward zero, mixout toward the pretrained model, and the more the
further away they are.

**Trained:** every parameter of the pretrained model, and the task head.

**Frozen:** nothing; training keeps a copy of $W_0$.

**Stored:** a whole model for each task.

**Merge:** in evaluation the model is the plain one with the weights $W$, so nothing is folded; the
copies of $W_0$ are dropped.

**Count:** all $|\theta|$ parameters of the model without its head; weights that are tied (input and
output embeddings) count once.

Details that matter
-------------------
1. A mask covers all weights that leave a unit: one column of $W$, as dropout would have it. A mask
   for each single weight is what the paper calls mixconnect. [§1, Fig. 1; `mixout.py`, where one
   row is drawn and repeated; the authors' `README.md` on the difference]
2. The term $- p W_0$ and the factor $1 / (1 - p)$ in
   $((1 - m) W_0 + m W - p W_0) / (1 - p)$ keep the mean at $W$. [`mixout.py`, `forward`]
3. It replaces dropout: all of the model's dropout is off. [`example_huggingface.py`]
4. Linear maps are mixed, biases, norms and embeddings are not. A new output layer has no pretrained
   weights to go back to, so this file leaves it as it is.
5. $p$ is much larger than a dropout's: 0.7 to 0.9. [§5] Both official examples have 0.9.
   [`example*.py`]
6. One mask serves the whole batch and all tokens, since it is weights that are mixed.

Paper, official code, libraries
-------------------------------
- Gradient: that of $\widetilde W$ by $W$ is $m / (1 - p)$; the official backward pass multiplies by
  $m$ alone, so that its gradients are $1 - p$ times as large. Adam hardly sees the difference, but
  clipping by norm and SGD do. This file differentiates the equation. [`mixout.py`, `backward`]
- The official toy example mixes each linear map that follows a dropout, the output layer among
  them, and leaves the first. [`example.py`]
- The official example for Hugging Face models mixes every `nn.Linear`, thus also a new classifier
  (with the random weights it starts from) and output embeddings, whose tie to the input embeddings
  it breaks. Here neither is mixed, and GPT-2's `Conv1D`, which the example passes over, is.
- With $p = 1$ the official code returns $W_0$; nothing could be learned, so it is refused here.
- The paper also combines mixout with weight decay toward the pretrained weights; not here.

Source: Lee et al. 2019, arXiv:1909.11299, §3. Official code: https://github.com/bloodwass/mixout
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from ...anatomy import Anatomy, numel
from ...core.method import Method, register
from ...core.options import NotNegative, Part


class Pretrained(nn.Module):
    """A linear map's weight as it was, and the probability of going back to it."""

    def __init__(self, weight: Tensor, p: float) -> None:
        super().__init__()
        self.register_buffer("weight", weight.detach().clone(), persistent=False)
        self.p = p


def mix(module: nn.Module, args, kwargs, output: Tensor) -> Tensor:
    """Forward hook of a linear map: in training, its output with the mixed weight."""
    if not module.training:
        return output
    old = module.get_submodule("mixout")
    mixed = mixout(module.weight, old.weight, old.p, features=0 if _transposed(module) else 1)
    mixed = mixed.T if _transposed(module) else mixed
    return nn.functional.linear(args[0], mixed, module.bias)


def mixout(weight: Tensor, pretrained: Tensor, p: float, features: int) -> Tensor:
    """The mixed weight; `features`: the dimension of the input features, which share their fate."""
    shape = [1, 1]
    shape[features] = weight.shape[features]
    mask = torch.empty(shape, dtype=weight.dtype, device=weight.device).bernoulli_(1 - p)
    return pretrained + mask / (1 - p) * (weight - pretrained)


def _transposed(module: nn.Module) -> bool:
    return isinstance(module, Conv1D)


@register
class Mixout(Method):
    """Train everything, linear maps through mixout with probability `p`.

    Raises:
        ValueError: `p` is not a probability below 1.
    """

    name = "mixout"
    title = "Mixout"
    paper = "lee2019mixout"
    leaf = "regularization"
    init_noop = True
    mergeable = True
    frozen_base = False
    detachable = False
    warmup = 0.1
    tasks = ("first-clause", "cue", "summary")
    lab = {"lr": 1e-3}

    p: Part = 0.9
    lr: NotNegative = 2e-5

    def __post_init__(self) -> None:
        super().__post_init__()
        self._rates: list[tuple[nn.Module, str, float]] = []

    def setup(self, model, batches=None) -> None:
        parts = self.freeze(model)
        model.requires_grad_(True)
        unmixed = {m for head in parts.head for m in head.modules()} | {
            model.get_output_embeddings()
        }
        for module in list(model.modules()):
            # routers of experts are linear maps that return more: these are not mixed
            maps = type(module).forward in (nn.Linear.forward, Conv1D.forward)
            if maps and module not in unmixed:
                self.attach(module, "mixout", Pretrained(module.weight, self.p))
                self.hook(module, mix)
            for name, value in vars(module).items():
                if isinstance(value, float) and (
                    "dropout" in name or isinstance(module, nn.Dropout)
                ):
                    self._rates.append((module, name, value))
        for module, name, _ in self._rates:
            setattr(module, name, 0.0)

    def trained(self, parts: Anatomy) -> int:
        return numel(parts.base_parameters())

    def release(self, model) -> None:
        for module, name, value in self._rates:
            setattr(module, name, value)
        super().release(model)
