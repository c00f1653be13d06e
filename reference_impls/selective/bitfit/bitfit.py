r"""BitFit: only the bias terms are trained.

$$ h = W x + b, \qquad W \text{ frozen},\; b \text{ trained} $$

for every linear map and every layer norm of the pretrained encoder.

**Trained:** all bias vectors: query, key, value and output projections, both feed-forward maps,
all layer norms, the pooler where there is one.

**Frozen:** all weight matrices, layer-norm gains and embeddings.

**Stored:** the new bias vectors.

**Merge:** nothing to merge: the biases are the model's own.

**Count:** $L (7 d + d_{ff}) + 2 d$ for BERT with $L$ layers of width $d$; the $2 d$ are the
embedding layer norm and the pooler.

Details that matter
-------------------
1. Layer-norm biases are trained too; without them the published counts do not come out. [§3;
   `glue_evaluator.py`, which selects every parameter with "bias" in its name, and the pooler's]
2. The task head is trained, and counted apart. [§3]
3. The learning rate is far above that of full fine-tuning: the official examples take 1e-3, and
   1e-5 to train all weights. [`README.md`]
4. A model without biases, such as Llama or T5, has nothing to train and is refused.

Paper, official code, libraries
-------------------------------
- The paper also trains a subset, the biases of the queries and of the first feed-forward map, and
  finds it nearly as good; this file trains all biases.
- Schedule: the official code has none, its rate is constant; here it falls linearly to zero.
  [`glue_evaluator.py`]
- OpenDelta adds fresh, randomly initialized biases to T5, so that the model differs from the
  pretrained one before training starts.

Source: Ben Zaken et al. 2021, arXiv:2106.10199, §3. Official code:
https://github.com/benzakenelad/BitFit
"""

from __future__ import annotations

from torch import nn

from ...anatomy import Anatomy, numel
from ...core.method import Method, register
from ...core.options import NotNegative


@register
class BitFit(Method):
    """Train every bias of the base model.

    Raises:
        ValueError: the model has no biases.
    """

    name = "bitfit"
    title = "BitFit"
    paper = "benzaken2021bitfit"
    leaf = "specific"
    init_noop = True
    mergeable = True
    frozen_base = False
    tasks = ("first-clause", "cue-gpt2")
    lab = {"lr": 1e-2}

    lr: NotNegative = 1e-3

    def check(self, parts: Anatomy) -> None:
        if not biases(parts):
            raise ValueError(f"BitFit trains biases, and {parts.title} has none")

    def setup(self, model, batches=None) -> None:
        for bias in biases(self.freeze(model)):
            self.train_base(bias)

    def trained(self, parts: Anatomy) -> int:
        return numel(biases(parts))


def biases(parts: Anatomy) -> list[nn.Parameter]:
    """Every bias of a map or a norm that the model came with, its head's apart."""
    return [p for name, p in parts.base.named_parameters() if name.endswith(".bias")]
