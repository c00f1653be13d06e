r"""P-tuning v2: a prompt in every layer, trained without a detour, below an ordinary classifier.

$$ \text{head} = \text{Attn}\left(q,\; [P_k \odot m; K],\; [P_v \odot m'; V]\right),
\qquad m, m' \sim \text{Bernoulli}(1 - p) / (1 - p) $$

with trained $P_k, P_v \in \mathbb{R}^{l \times d}$ in each of $L$ layers and, in training, dropout
masks of their own for each text. What answers is a new linear classifier; no words stand for the
classes.

**Trained:** $P_k$ and $P_v$ of every layer (with `reparametrize`, what computes them), and the task
head.

**Frozen:** everything the model came with.

**Stored:** $P_k$ and $P_v$ of every layer.

**Merge:** none: keys and values cannot be folded into weights.

**Count:** $2 L l d$ ($d$ = key-value heads × head width); trained with `reparametrize`
$l d + (d + 1) n + 2 L (n + 1) d$ with $n$ hidden units. In T5, three times as many: once for each
kind of attention.

Details that matter
-------------------
1. It is prefix tuning in what it computes; what differs is how it is trained, and for what. The
   paper calls it an implementation of deep prompt tuning, adapted to language understanding.
   [abstract, §3]
2. Keys and values are trained themselves. The perceptron of prefix tuning helps on some tasks and
   hurts on others, so it is an option and off. [§3.3; `model/prefix_encoder.py`,
   `prefix_projection`]
3. Dropout acts on the keys and values of the prompt, at the model's rate, 0.1 in seventeen of the
   twenty scripts and 0.2 in three; each text of a batch has its own masks. [`run_script/`;
   `model/sequence_classification.py`, `get_prompt`] The code of prefix tuning has such a dropout
   too, off unless it is set (`prefix_dropout`).
4. A new linear classifier reads [CLS], as in fine-tuning, and tagging has one at every token. The
   paper finds verbalizers and a language model's head no better with full data. [§3.3]
5. The best length depends on the task: below 20 for simple classification, around 100 for tagging.
   [§3.3]
6. The learning rate is high, hundreds of times that of fine-tuning: 1e-4 to 6e-2 in the twenty
   scripts, where 1e-4 is the one that trains through a perceptron and the next is 5e-3.
   [`run_script/`]

Paper, official code, libraries
-------------------------------
- Start: the class draws its rows from a standard normal, but the scripts build it by
  `from_pretrained`, which draws all that a checkpoint lacks anew: normal with deviation 0.02, also
  the perceptron, whose biases are zero. So does this file; a prefix thus starts small.
  [`model/prefix_encoder.py`, `model/sequence_classification.py`]
- Defaults here: length 20 and rate 1e-2, as in the official script for RTE on BERT.
  [`run_script/run_rte_bert.sh`]
- Positions: the official code passes the prompt as past keys and values, which moves the positions
  of the text by $l$; here no position moves. Given `position_ids` that start at $l$, it is the same
  function.
- Classifier: the official one for RoBERTa is a pooler with random weights, frozen with the model,
  and a linear map. Here it is the head that the model's class has.
- A language model, which has no head of its own, can be tuned too: its words are the answer then,
  as in prefix tuning, and only keys and values are trained.
- Training on several tasks first, which the paper offers as an option, is not here.
- peft calls the same thing prefix tuning without `prefix_projection`; it has no dropout.

Source: Liu et al. 2021, arXiv:2110.07602, §3. Official code: https://github.com/THUDM/P-tuning-v2
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from ...anatomy import Anatomy
from ...core.method import register
from ...core.options import Count, NotNegative, Part
from ...shared.prefix_attention import (
    PrefixMethod,
    stored_prefix_count,
    trained_prefix_count,
)


def announce(attention: nn.Module, args, kwargs) -> None:
    """Forward pre-hook of an attention module: tell its prefix how many texts there are."""
    states = args[0] if args else kwargs["hidden_states"]
    attention.get_submodule("prefix").texts = len(states)


def drop(prefix: nn.Module, args, kwargs, output: tuple[Tensor, Tensor], p: float) -> tuple:
    """Forward hook of a prefix: keys and values (texts, length, kv_heads, head_dim), with dropout.

    Not where the prefix is read outside of its attention, to be stored.
    """
    texts, prefix.texts = getattr(prefix, "texts", None), None
    if not prefix.training or texts is None:
        return output
    return tuple(nn.functional.dropout(rows.expand(texts, *rows.shape), p) for rows in output)


@register
class PTuningV2(PrefixMethod):
    """Prompts in every layer, by default trained themselves.

    Raises:
        ValueError: the model's attention is neither 'sdpa' nor 'eager'.
    """

    name = "p_tuning_v2"
    title = "P-tuning v2"
    paper = "liu2021ptuningv2"
    leaf = "deep"
    init_noop = False
    mergeable = False
    frozen_base = True
    tasks = ("first-clause", "cue", "summary")
    lab = {"lr": 3e-2}

    length: Count = 20
    dropout: Part = 0.1
    reparametrize: bool = False
    bottleneck: Count = 512
    lr: NotNegative = 1e-2

    @property
    def _bottleneck(self) -> int | None:
        return self.bottleneck if self.reparametrize else None

    def setup(self, model, batches=None) -> None:
        parts = self.freeze(model)
        self.attach_prefixes(parts, self.length, self._bottleneck, std=0.02)
        for layer in parts.layers:
            for block in layer.attentions:
                self.hook(block.attention, announce, before=True)
                self.hook(block.attention.prefix, partial(drop, p=self.dropout))

    def trained(self, parts: Anatomy) -> int:
        return trained_prefix_count(parts, self.length, self._bottleneck)

    def stored(self, parts: Anatomy) -> int:
        return stored_prefix_count(parts, self.length)
