r"""Linear probe: a linear classifier on the hidden states of a frozen model.

$$ p(y \mid x) = \mathrm{softmax}(W\, \mathrm{pool}(H) + c)_y,
\qquad H = f(x) \in \mathbb{R}^{n \times d} \text{ frozen} $$

with trained $W \in \mathbb{R}^{C \times d}$ and $c \in \mathbb{R}^{C}$. pool takes one row of $H$
("cls") or the mean of the rows of real tokens ("mean"). What it scores is what the pretrained model
shows by itself, in a form that a linear map can read.

**Trained:** $W$ and $c$.

**Frozen:** the whole model, its own head included, which the probe replaces.

**Stored:** $W$ and $c$.

**Merge:** not possible in general: heads with hidden layers or a pooler before them cannot hold it.

**Count:** $C (d + 1)$ for $C$ classes and hidden size $d$; $|V| (d + 1)$ on a language model.

Details that matter
-------------------
1. The probe reads the last hidden states themselves. BERT's pooler (a dense layer and tanh that
   masked-word prediction never trains) and the dense layer in RoBERTa's head are bypassed: random
   and frozen they would only garble what the probe reads, and trained they would make it more than
   linear. [`modeling.py`, `BertModel`]
2. "cls" is the first token's vector, the aggregate that BERT is trained to keep there; in a causal
   model, or in the decoder of T5, only the last real token has read the whole text, and it takes
   that place. [§3, §4.1]
3. The mean leaves padding out.
4. On a language model the probe is a new output matrix of its own, not tied to the embeddings, read
   at every position.

Paper, official code, libraries
-------------------------------
- The paper fine-tunes the whole model with this classifier on top of the pooler; its frozen variant
  (§5.3) feeds features to a BiLSTM tagger. A linear classifier on frozen features is the usual
  reduction of the two.
- The paper's classifier is $W$ alone; the official code adds the bias $c$, as this file does. Both
  draw $W$ from a normal of deviation 0.02, cut at two deviations. [`run_classifier.py`,
  `create_model`]
- Training: the official code fine-tunes the whole model, keeps 0.9 of the pooled vector in dropout,
  decays matrices by 0.01 and warms up over a tenth of the steps; here there is none of it.
  [`run_classifier.py`, `optimization.py`]
- The learning rate is this file's own choice: the paper gives none for a frozen model.

Source: Devlin et al. 2018, arXiv:1810.04805, §4.1, §5.3. Official code:
https://github.com/google-research/bert
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from ...anatomy import Anatomy
from ...core.method import Method, register
from ...core.options import NotNegative

POOLINGS = ("cls", "mean")


def pool(hidden: Tensor, mask: Tensor, pooling: str, causal: bool) -> Tensor:
    """Hidden states (batch, length, d) and a 0/1 mask (batch, length) -> vectors (batch, d)."""
    if pooling == "mean":
        mask = mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)  # a row of padding alone: zeros
    positions = torch.arange(mask.shape[1], device=mask.device)
    at = (mask * positions).argmax(1) if causal else torch.zeros_like(mask[:, 0])
    return hidden[torch.arange(len(hidden), device=hidden.device), at]


def ask_for_hidden_states(model: nn.Module, args, kwargs):
    """Forward pre-hook: the model returns its hidden states."""
    return args, {**kwargs, "output_hidden_states": True}


def answer(model: nn.Module, args, kwargs, output, pooling: str | None, causal: bool):
    """Forward hook of the whole model: logits and loss are the probe's (None: no pooling)."""
    probe = model.base_model.get_submodule("linear_probe")
    between = "decoder_hidden_states" in output
    states = output.decoder_hidden_states if between else output.hidden_states
    hidden = states[-1].to(probe.weight.dtype)
    if pooling:
        mask = kwargs.get("attention_mask")
        mask = torch.ones_like(hidden[..., 0], dtype=torch.long) if mask is None else mask
        hidden = pool(hidden, mask, pooling, causal)
    output.logits = probe(hidden)
    labels = kwargs.get("labels")
    if labels is not None:
        # between an encoder's input and a decoder's output, labels are not the inputs' next tokens
        aligned = {"shift_labels": labels} if between and not pooling else {}
        output.loss = model.loss_function(
            logits=output.logits,
            pooled_logits=output.logits,
            labels=labels,
            vocab_size=probe.out_features,
            config=model.config,
            **aligned,
        )
    return output


@register
class LinearProbe(Method):
    """A linear map in place of the head.

    Raises:
        ValueError: `pooling` is neither "cls" nor "mean".
    """

    name = "linear_probe"
    title = "Linear probe"
    paper = "devlin2018bert"
    leaf = "probing"
    init_noop = False
    mergeable = False
    frozen_base = True
    read_with = ("pooling",)
    tasks = ("first-clause", "cue", "summary", "cloze", "cue-gpt2", "new-topic")
    lab = {"lr": 1e-2}

    pooling: str = "cls"
    lr: NotNegative = 1e-3

    def setup(self, model, batches=None) -> None:
        if self.pooling not in POOLINGS:
            raise ValueError(f"pooling '{self.pooling}' is not one of {', '.join(POOLINGS)}")
        parts = self.freeze(model)
        model.requires_grad_(False)
        probe = nn.Linear(parts.last_width, outputs(parts))
        nn.init.trunc_normal_(probe.weight, std=0.02, a=-0.04, b=0.04)
        nn.init.zeros_(probe.bias)
        self.attach(parts.base, "linear_probe", probe)
        self.hook(model, ask_for_hidden_states, before=True)
        pooling = self.pooling if parts.head else None
        causal = parts.stacks[-1].causal
        self.hook(model, partial(answer, pooling=pooling, causal=causal))

    def trained(self, parts: Anatomy) -> int:
        return outputs(parts) * (parts.last_width + 1)


def outputs(parts: Anatomy) -> int:
    """Classes of a classifier, words of a language model.

    Raises:
        ValueError: the model is neither.
    """
    words = parts.model.get_output_embeddings()
    if parts.head:
        return parts.model.config.num_labels
    if words is None:
        raise ValueError(f"{parts.title} has neither classes nor words for a probe to tell")
    return words.weight.shape[0]
