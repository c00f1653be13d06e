r"""Full fine-tuning: every weight is trained, with the settings that make it stable.

$$ \theta \leftarrow \theta - \eta_t \, \frac{\hat m_t}{\sqrt{\hat v_t} + \epsilon},
\qquad \hat m_t = \frac{m_t}{1 - \beta_1^t}, \quad \hat v_t = \frac{v_t}{1 - \beta_2^t} $$

Adam with its bias correction, where $\eta_t$ rises linearly from zero to $\eta$ over the first
tenth of the steps and falls linearly to zero over the rest.

**Trained:** every parameter of the pretrained model, and the task head.

**Frozen:** nothing.

**Stored:** a whole model for each task.

**Merge:** nothing to merge: the weights are the model's own. For the same reason nothing can be
taken back: the pretrained values are overwritten and no copy is kept.

**Count:** all $|\theta|$ parameters of the model without its head; weights that are tied (input and
output embeddings) count once.

Details that matter
-------------------
1. The bias correction. The TensorFlow code that came with BERT left it out; without it the first
   updates are too large and runs diverge. [§6; `adamw.py`, `correct_bias`]
2. Small learning rate with warm-up: 2e-5 at its peak, which is reached after 10 % of the steps. The
   very first step has a rate of zero. [§6; `run_finetuning.py`;
   `configs/*/*_2e-05_*_early-stopping_20.yaml`]
3. Many epochs: 20, until the training loss is close to zero, even on a few thousand examples. Runs
   that fail do so early, by vanishing gradients, and not by forgetting. [§5.1, §6]
4. Weight decay of 0.01 acts on matrices only, not on biases and layer norms; gradients are clipped
   to norm 1; $\epsilon$ is 1e-6. [`configs/*/*_2e-05_*_early-stopping_20.yaml`]

Paper, official code, libraries
-------------------------------
- The official code rounds the number of warm-up steps down to a whole number; here the schedule is
  a function of the share of steps done, which differs by less than one step.
- The official code stops Adam's decay for names that contain "bias" or "LayerNorm.weight"; this
  file goes by shape (one-dimensional parameters), which is the same set on BERT and also covers
  models whose norms have another name.
- Steps are counted by the caller here: epochs are steps times batch size over examples.

Source: Mosbach et al. 2020, arXiv:2006.04884, §6. Official code:
https://github.com/uds-lsv/bert-stable-fine-tuning
"""

from __future__ import annotations

import torch

from ...anatomy import Anatomy, numel
from ...core.adamw import adamw
from ...core.method import Method, register
from ...core.options import NotNegative, Part


@register
class FullFineTuning(Method):
    """Train everything."""

    name = "full_fine_tuning"
    title = "Full fine-tuning"
    paper = "mosbach2020stability"
    leaf = "baselines"
    init_noop = True
    mergeable = True
    frozen_base = False
    detachable = False
    tasks = ("first-clause", "cue", "summary", "cloze", "cue-gpt2", "new-topic")
    lab = {"lr": 1e-3}

    warmup: Part = 0.1
    weight_decay: NotNegative = 0.01
    lr: NotNegative = 2e-5

    def setup(self, model, batches=None) -> None:
        self.freeze(model)
        model.requires_grad_(True)

    def trained(self, parts: Anatomy) -> int:
        return numel(parts.base_parameters())

    def optimizer(self, parameters) -> torch.optim.Optimizer:
        """AdamW whose weight decay spares biases and norms."""
        parameters = list(parameters)
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": self.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        return adamw(groups, lr=self.lr, eps=1e-6)
