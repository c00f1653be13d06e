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
- The default learning rate is that of the official GLUE scripts, 5e-5. [`scripts/lib.sh`]
- The FISH mask in the t-few code squares whatever gradient the optimizer's step sees: that is the
  Fisher information only because its configuration sets batches of one.

Source: Sung et al. 2021, arXiv:2111.09839, §3. Official code: https://github.com/varunnair18/FISH
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from ...core.method import Batch, register
from ...core.options import Count, NotNegative, Share
from ...shared.masks import MaskedMethod, fisher_information


@register
class FishMask(MaskedMethod):
    """Train the `density` share of the weights that matters most to the task.

    Without batches `setup` leaves the mask empty: `load_delta` brings one then.

    Raises:
        ValueError: the density leaves nothing to train, or is above 1.
    """

    name = "fish_mask"
    title = "FISH mask"
    paper = "sung2021fishmask"
    leaf = "automatic"
    init_noop = True
    mergeable = True
    frozen_base = False
    lab = {"lr": 1e-2, "density": 0.02, "samples": 256}

    density: Share = 0.005
    samples: Count = 1024
    lr: NotNegative = 5e-5

    def setup(self, model, batches=None) -> None:
        self.freeze(model)
        if batches is not None:
            self.select_largest(model, self.fisher(model, batches))

    def fisher(self, model, batches: Iterable[Batch]) -> Tensor:
        """The empirical Fisher information (|θ|,) of the base's parameters, one after another."""
        return fisher_information(self, model, batches, self.samples)
