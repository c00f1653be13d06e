r"""LN-tuning: only the gains and biases of the layer norms are trained.

$$ y = g \odot \frac{x - \mu(x)}{\sigma(x)} + b, \qquad g, b \text{ trained} $$

for every norm of the pretrained model; $\mu$ and $\sigma$ are over the features of one token.

**Trained:** the gain and the bias of every norm: in all layers, after the embeddings, at the end of
a stack.

**Frozen:** everything else: all weight matrices, their biases, all embeddings.

**Stored:** the new gains and biases.

**Merge:** nothing to merge: gains and biases are the model's own.

**Count:** $2 d (2 L + 1)$ for BERT with $L$ layers of width $d$: two norms a layer and that of the
embeddings. A norm without bias counts $d$ in place of $2 d$.

Details that matter
-------------------
1. Gain and bias are both trained; BitFit trains the bias alone. [abstract]
2. The root-mean-square norms of T5 and Llama have a gain and no bias; an encoder-decoder has three
   norms in each layer of its decoder. [transformers, `modeling_llama.py`, `modeling_t5.py`]
3. A norm is also where it is not in a layer: after the embeddings (BERT), or at the end of a stack
   (GPT-2, Llama, T5). [transformers, `modeling_bert.py`, `modeling_gpt2.py`]
4. The task head is trained, and counted apart. [as for every method here]

Paper, official code, libraries
-------------------------------
- This file follows the abstract; the sections of the paper were not at hand, and no official code
  is known. That the norm of the embeddings belongs to it, and the learning rate, BitFit's, are
  therefore choices made here.
- The abstract prints 0.03% of the parameters and does not say of which model. The count above is
  0.030% of BERT-large and 0.035% of BERT-base.
- The paper also combines LN-tuning with prefix tuning and adapters; this file is LN-tuning alone.
- The head of a masked language model has a norm of its own (`cls.predictions.transform`); it is
  not of the base model and stays frozen here.
- peft's `LNTuningConfig` names another paper, Zhao et al. 2023, arXiv:2312.11420. It trains a copy
  of each norm; by default that is all norms of GPT-2, Llama and T5, only the second of each layer
  of Qwen2, and none of BERT: there they have to be named. [`tuners/ln_tuning/model.py` and
  `utils/constants.py`]

Source: Qi et al. 2022, arXiv:2211.08682.
"""

from __future__ import annotations

from ...anatomy import Anatomy, numel
from ...core.method import Method, register
from ...core.options import NotNegative


@register
class LnTuning(Method):
    """Train the gain and the bias of every norm of the base model."""

    name = "ln_tuning"
    title = "LN-tuning"
    paper = "qi2022parameterefficient"
    leaf = "specific"
    init_noop = True
    mergeable = True
    frozen_base = False
    lab = {"lr": 1e-2}

    lr: NotNegative = 1e-3

    def check(self, parts: Anatomy) -> None:
        if not self.trained(parts):
            raise ValueError(f"LN-tuning trains norms, and those of {parts.title} have no weights")

    def setup(self, model, batches=None) -> None:
        for parameter in self.freeze(model).norm_parameters():
            self.train_base(parameter)

    def trained(self, parts: Anatomy) -> int:
        return numel(parts.norm_parameters())
