r"""Child-Tuning-D: only the weights with the most Fisher information get a gradient.

$$ F_i = \frac{1}{|D|} \sum_{j=1}^{|D|}
\left( \frac{\partial \log p(y_j \mid x_j; w)}{\partial w_i} \right)^2, \qquad
w_{t+1} = w_t - \eta \, \frac{\partial \mathcal{L}(w_t)}{\partial w_t} \odot M $$

with $M_i = 1$ for the share $p$ of all weights with the largest $F_i$, the child network, and 0
elsewhere. It is found before training and stays.

**Trained:** the share $p$ of the pretrained weights' entries, wherever in the model they are.

**Frozen:** all other entries, to the bit.

**Stored:** the new values and their positions. With the paper's $p$ that is no small delta: the
aim is to regularize fine-tuning on little data, not to save memory.

**Merge:** nothing to merge: the entries are the model's own.

**Count:** $k = \lfloor p\, |\theta| \rfloor$ over all parameters but the head's; $p$ is `density`.

Details that matter
-------------------
1. The selection is that of the FISH mask with true labels, published in the same year; same data
   and density, same mask. What differs is the share: 10 to 30 % here, half a percent there. [§2.3]
2. Unlike in Child-Tuning-F nothing is divided by $p$: the mask is not random. [§2.3;
   `ChildTuningOptimizer.py`]
3. Squares of the gradients of single examples are averaged, not those of batches. [§2.3]
4. The gradient is masked before Adam sees it, in each step, so that momentum moves no masked
   entry. Weight decay would: it is off.
5. Dropout is off while the mask is computed.

Paper, official code, libraries
-------------------------------
- The official code computes another thing than the paper's equation: squares of the mean gradient
  of batches of 16, of each tensor clipped to norm 1 first, with dropout on. It then keeps all
  entries at or above the percentile, ties included; here $k$ entries are kept exactly.
  [`ChildTuningD.py`, `calculate_fisher`; `run.sh`]
- The official code ranks and masks only the weights of the encoder's layers; embeddings and pooler
  are trained in full. Here one ranking runs through all of them, as the paper has it.
- The official optimizer decays all matrices by 0.01 in each step, masked ones too, so that they do
  not stay as they were. [`run.sh`, `ChildTuningOptimizer.py`]
- The warm-up over the first tenth of the steps is that of the official script; its trainer does not
  read it, so that the official code has none. [`run.sh`; `ChildTuningD.py`]
- The official code clips the gradient before it is masked, this file after.
- The number of examples is a setting here; the official code goes through the whole training set.

Source: Xu et al. 2021, arXiv:2109.05687, §2.3. Official code:
https://github.com/alibaba/AliceMind/tree/main/ChildTuning
"""

from __future__ import annotations

from ...core.method import register
from ...core.options import Count, NotNegative, Share
from ...shared.masks import MaskedMethod, fisher_information


@register
class ChildTuningD(MaskedMethod):
    """Fine-tuning of the `density` share of the weights with the most Fisher information.

    Without batches `setup` leaves the mask empty: `load_delta` brings one then.

    Raises:
        ValueError: the density leaves nothing to train, or is above 1.
    """

    name = "child_tuning_d"
    title = "Child-Tuning-D"
    paper = "xu2021childtuning"
    leaf = "automatic"
    init_noop = True
    mergeable = True
    frozen_base = False
    warmup = 0.1
    tasks = ("first-clause", "cue", "summary")
    lab = {"lr": 5e-4, "samples": 256}

    density: Share = 0.3
    samples: Count = 1024
    lr: NotNegative = 4e-5

    def setup(self, model, batches=None) -> None:
        self.freeze(model)
        if batches is not None:
            self.select_largest(model, fisher_information(self, model, batches, self.samples))
