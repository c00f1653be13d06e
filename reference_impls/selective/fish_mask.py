r"""FISH mask: only the weights with the most Fisher information are trained.

$$ \hat F_i = \frac{1}{N} \sum_{n=1}^{N}
\left( \frac{\partial \log p_\theta(y_n \mid x_n)}{\partial \theta_i} \right)^2,
\qquad \theta_i \leftarrow \theta_i - \eta \, m_i \, u_i $$

where the mask $m_i$ is 1 for the $k$ largest $\hat F_i$ of the whole model and 0 elsewhere, fixed
before training, and $u_i$ is the optimizer's update.

**Trained:** $k$ single entries of the pretrained weights, wherever in the model they are.

**Frozen:** all other entries, to the bit.

**Stored:** the $k$ new values and their $k$ positions (which no one could guess): $2k$ numbers.

**Merge:** nothing to merge: the entries are the model's own.

**Count:** $k = \lfloor \rho\, |\theta| \rfloor$ with density $\rho$, over all
parameters but the head's.

Details that matter
-------------------
1. Squares of the gradients of single examples are averaged. The square of a batch's mean
   gradient is another number: there, examples that pull in opposite directions cancel. [§3;
   `run_glue_sparse_update.py`, which uses batches of one for the mask]
2. $y_n$ is the true label (the empirical Fisher information). [`scripts/run_sparse_updates.sh`,
   "label-square"]
3. One ranking for the whole model, not one for each tensor. [`create_mask_gradient`]
4. The gradients are masked before they are clipped and before the optimizer sees them. Adam then
   moves no masked entry, but weight decay would: it is off. [`SparseUpdateTrainer`]
5. Dropout is off while the mask is computed.

Paper, official code, libraries
-------------------------------
- The official code counts the classifier inside the density: it trains
  $\lfloor \rho\, |\theta_{all}| \rfloor$ entries together, the classifier always among them. Here
  the head is always trained too, but counted apart, as for all methods.
- The official code also offers the expectation over the model's own labels, and absolute values in
  place of squares, which is its default when run without the scripts; this file has neither.
- The default learning rate is that of the official GLUE scripts. [`scripts/lib.sh`]
- The FISH mask in the t-few code squares whatever gradient the optimizer's step sees: that is the
  Fisher information only because its configuration sets batches of one.

Source: Sung et al. 2021, arXiv:2111.09839, §3. Official code: https://github.com/varunnair18/FISH
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import torch
from torch import Tensor, nn

from reference_impls.anatomy import Anatomy, anatomy, numel
from reference_impls.method import Batch, Method, register


@register
class FishMask(Method):
    """Train the `density` share of the weights that matters most to the task.

    Without batches `setup` leaves the mask empty: `load_delta` brings one then.

    Raises:
        ValueError: the density leaves nothing to train.
    """

    name = "fish_mask"
    title = "FISH mask"
    paper = "sung2021fishmask"
    leaf = "automatic"
    init_noop = True
    mergeable = True
    frozen_base = False
    lab = {"lr": 1e-2, "density": 0.02, "samples": 256}

    density: float = 0.005
    samples: int = 1024
    lr: float = 5e-5

    def __post_init__(self) -> None:
        super().__post_init__()
        self._masks: dict[str, Tensor] = {}

    def check(self, parts: Anatomy) -> None:
        if not self.trained(parts):
            raise ValueError(f"a density of {self.density} leaves no weight to train")

    def setup(self, model, batches=None) -> None:
        parts = self.freeze(model)
        kept = torch.empty(0, dtype=torch.long)
        if batches is not None:
            kept = self.fisher(model, batches).topk(self.trained(parts)).indices
        self._choose(model, kept)

    def trained(self, parts: Anatomy) -> int:
        return int(self.density * numel(parts.base_parameters()))

    def stored(self, parts: Anatomy) -> int:
        return 2 * self.trained(parts)

    def fisher(self, model, batches: Iterable[Batch]) -> Tensor:
        """The empirical Fisher information (|θ|,) of the base's parameters, one after another."""
        parameters = [p.requires_grad_(True) for p in _base(model).values()]
        total = [torch.zeros_like(p, dtype=torch.float32) for p in parameters]
        was_training = model.training
        model.eval()
        for example in islice(_examples(batches), self.samples):
            loss = self.loss(model, example)
            gradients = torch.autograd.grad(loss, parameters, materialize_grads=True)
            for square, gradient in zip(total, gradients, strict=True):
                square += gradient.float() ** 2
        model.train(was_training)
        for parameter in parameters:
            parameter.requires_grad_(False)
        return torch.cat([square.flatten() for square in total]) / self.samples

    def on_grad(self, model, step: int) -> None:
        for name, mask in self._masks.items():
            gradient = model.get_parameter(name).grad
            if gradient is not None:
                gradient.mul_(mask)

    def delta(self, model) -> dict[str, Tensor]:
        """The new values (k,) and their positions (k,) among all parameters of the base."""
        masks = self._masks.items()
        return {
            "positions": torch.cat([mask.flatten() for _, mask in masks]).nonzero().flatten(),
            "values": torch.cat([model.get_parameter(name).detach()[mask] for name, mask in masks]),
        }

    @torch.no_grad()
    def load_delta(self, model, delta: dict[str, Tensor]) -> None:
        """Put stored values into the model; their positions replace the mask."""
        if delta.keys() != {"positions", "values"}:
            raise ValueError(f"this delta does not fit {self.title}: no positions and values")
        for parameter, value in self._originals.items():
            parameter.copy_(value).requires_grad_(False)
        self._choose(model, delta["positions"])
        counts = [int(mask.sum()) for mask in self._masks.values()]
        for (name, mask), values in zip(self._masks.items(), delta["values"].split(counts)):
            parameter = model.get_parameter(name)
            parameter[mask] = values.to(parameter)

    def _choose(self, model, positions: Tensor) -> None:
        """Make the mask, and train the tensors that have an entry in it."""
        base = _base(model)
        chosen = torch.zeros(numel(base.values()), dtype=torch.bool, device=model.device)
        chosen[positions.to(model.device)] = True
        for (name, parameter), mask in zip(
            base.items(), chosen.split([p.numel() for p in base.values()])
        ):
            self._masks[name] = mask.view_as(parameter)
            if mask.any():
                self.train_base(parameter)


def _base(model) -> dict[str, nn.Parameter]:
    """The parameters that the mask ranks, by name."""
    base = {id(p) for p in anatomy(model).base_parameters()}
    return {name: p for name, p in model.named_parameters() if id(p) in base}


def _examples(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Batches of one row."""
    for batch in batches:
        for row in range(len(batch["input_ids"])):
            yield {key: value[row : row + 1] for key, value in batch.items()}
