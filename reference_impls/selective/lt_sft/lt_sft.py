r"""LT-SFT: the weights that full fine-tuning changes most are found, rewound and trained alone.

$$ \theta^{(1)} = \mathrm{argmin}_{\theta} \mathcal{L}(\theta), \qquad
m_i = 1 \text{ for the } K \text{ largest } |\theta^{(1)}_i - \theta^{(0)}_i|, \qquad
\phi = \mathrm{argmin}_{\phi} \mathcal{L}(\theta^{(0)} + m \odot \phi) $$

Both searches start from the pretrained $\theta^{(0)}$. The winning ticket is the sparse difference
$m \odot \phi$, and differences compose:

$$ \theta = \theta^{(0)} + \phi_{task} + \phi_{language} $$

brings a task learned in one language to another one, for which there are no labels.

**Trained:** first all candidates, then $K$ single entries of them: all weights of the base model
but its layer norms.

**Frozen:** everything else. After training all but $K$ entries are as they were, to the bit.

**Stored:** the $K$ differences and their positions: $2K$ numbers. `compose` adds them up.

**Merge:** nothing to merge: the entries are the model's own.

**Count:** $K = \lfloor \rho\, |\theta_{cand}| \rfloor$ with density $\rho$.

Details that matter
-------------------
1. After the first phase all weights are rewound, the head too; only the mask is kept.
   [`lt_sft.py`, `train`]
2. Layer norms stay frozen in both phases. [`train_nli.sh`, `train_mlm.sh`: `--freeze_layer_norm`]
3. The head is trained in full, belongs to no ranking, and is left out when a difference meets a
   model with another head. [`trainer.py`, `maskable_params`; `sft.py`, `with_abs`]
4. Gradients are masked in the second phase. Adam then moves no masked entry, but weight decay
   would: it is off. [`trainer.py`, `training_step`]
5. The ranking is by the absolute change, not by the size of the weight. [`lt_sft.py`,
   `unfreeze_k_most_changed_params`]
6. Languages are learned with a penalty on the distance, $\frac{\lambda}{N} \sum_i |\theta_i -
   \theta^{(0)}_i|$ over all $N$ parameters, in both phases: `regularization` is $\lambda$, 0.1 for
   languages, 0 for tasks. [`trainer.py`, `training_step`; `train_mlm.sh`, `sft_args.py`]
7. The task is learned on top of the difference of its own language, so that it holds what the task
   adds to that, and is used on top of another language's. [`train_nli.sh`, `--lang_ft`;
   `eval_nli.sh`]
8. Differences are stored in double precision, in which they are exact: a stored difference brings
   back the very weights that were trained.

Paper, official code, libraries
-------------------------------
- The official code keeps all entries at or above the threshold, so that ties may add to $K$; here
  $K$ entries are kept exactly.
- The official language script gives the output embeddings a frozen copy of their own
  (`--freeze_decoder`); here tied embeddings stay tied, and an output layer outside of the base
  model stays frozen.
- $K$ is 14,155,776 for a task and 7,667,712 for a language in the official scripts, 8 % and 4 % of
  multilingual BERT. The scripts for inference, sentiment and questions take the same $K$ of
  XLM-R, of which it is 5 %. [`train_dp.sh`, `train_mlm.sh`; `train_nli.sh`]
- The default rate is the 2e-5 of the scripts for inference and sentiment; those for questions have
  3e-5, and those for multilingual BERT 5e-5. [`train_nli.sh`, `train_sa.sh`; `train_qa.sh`;
  `train_dp.sh`, `train_mlm.sh`]
- The official penalty covers the head too, where one is trained; here it covers the base alone.
  [`trainer.py`, `training_step`]
- Both phases take as many steps as the loop has. The official scripts set them one by one.
- `setup` alone starts with a random mask, until `fit` has found the ticket; such masks are the
  official code's other choice, `--sparse_ft_method Random`.

Source: Ansell et al. 2021, arXiv:2110.07560, §3. Official code:
https://github.com/cambridgeltl/composable-sft
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ...anatomy import Anatomy, anatomy, numel
from ...core.method import Batch, register
from ...core.options import NotNegative, Share
from ...core.training import History, Loop
from ...shared.masks import MaskedMethod, flatten, names


@register
class LTSFT(MaskedMethod):
    """Lottery-ticket sparse fine-tuning of the `density` share of the base's weights.

    Raises:
        ValueError: the density leaves nothing to train, or is above 1.
    """

    name = "lt_sft"
    title = "LT-SFT"
    paper = "ansell2021ltsft"
    leaf = "automatic"
    init_noop = True
    mergeable = True
    frozen_base = False
    what = "differences"
    tasks = ("first-clause", "cue", "summary")
    lab = {"lr": 3e-3}

    density: Share = 0.08
    regularization: NotNegative = 0.0
    lr: NotNegative = 2e-5

    def candidates(self, parts: Anatomy) -> dict[str, nn.Parameter]:
        output = parts.model.get_output_embeddings()
        own = output is not None and output.weight is not parts.embedding.weight
        frozen = {id(p) for p in (*parts.norm_parameters(), *([output.weight] if own else []))}
        base = {id(p) for p in parts.base.parameters()} - frozen
        return {name: p for name, p in super().candidates(parts).items() if id(p) in base}

    def setup(self, model, batches=None) -> None:
        parts = self.freeze(model)
        everything = numel(self.candidates(parts).values())
        self.select(model, torch.randperm(everything)[: self.trained(parts)])

    def fit(self, model, loop: Loop) -> None:
        if not self.begun:
            self._find(model, loop)
        loop.run(self, model)

    def _find(self, model, loop: Loop) -> None:
        """The first phase; afterwards the ticket is the mask, and all is rewound."""
        parts = anatomy(model)
        candidates, head = self.candidates(parts), list(parts.head_parameters())
        first = [p.detach().clone() for p in head]
        self.select(model, torch.arange(numel(candidates.values())))
        replace(loop, evaluate=None, history=History()).run(self, model)

        change = flatten(
            (p.detach() - self._originals[p]).float().abs() for p in candidates.values()
        )
        self.select_largest(model, change)
        with torch.no_grad():
            for parameter, value in zip(head, first, strict=True):
                parameter.copy_(value)

    def loss(self, model, batch: Batch) -> Tensor:
        loss = super().loss(model, batch)
        if not self.regularization:
            return loss
        distance = sum((p - value).abs().sum() for p, value in self._originals.items())
        return loss + self.regularization / numel(model.parameters()) * distance

    def tensors(self, model) -> dict[str, Tensor]:
        """Of each tensor with an entry in the mask: the differences, and their positions in it."""
        values, stored = super().tensors(model), {}
        for name in names(values):
            positions = values[f"{name}.positions"]
            start = self._originals[model.get_parameter(name)].flatten()[positions]
            stored[f"{name}.positions"] = positions
            stored[f"{name}.differences"] = values[f"{name}.values"].double() - start.double()
        return stored

    def put(self, model, tensors: dict[str, Tensor]) -> None:
        candidates, values = self.candidates(anatomy(model)), {}
        for name in names(tensors, "differences"):
            start = self._originals.get(candidates[name], candidates[name].detach()).flatten()
            positions = tensors[f"{name}.positions"].to(start.device)
            difference = tensors[f"{name}.differences"].to(start.device)
            values[f"{name}.positions"] = positions
            values[f"{name}.values"] = start[positions].double() + difference
        super().put(model, values)


@torch.no_grad()
def compose(model: PreTrainedModel, *deltas: dict[str, Tensor]) -> None:
    """Add differences to the weights of a model, in place.

    Raises:
        ValueError: a delta has entries of a tensor that the model lacks.
    """
    parameters = dict(model.named_parameters())
    sums: dict[str, Tensor] = {}
    for delta in deltas:
        for name in names(delta, "differences"):
            if name not in parameters:
                raise ValueError(f"the model has no {name}: is the difference one of another base?")
            total = sums.setdefault(name, parameters[name].flatten().double())
            positions = delta[f"{name}.positions"].to(total.device)
            total.index_add_(0, positions, delta[f"{name}.differences"].to(total))
    for name, total in sums.items():
        parameters[name].copy_(total.view_as(parameters[name]))
