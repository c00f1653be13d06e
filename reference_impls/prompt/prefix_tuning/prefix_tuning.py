r"""Prefix tuning: every layer attends to trained keys and values in front of the text.

$$ \text{head} = \text{Attn}\left(q,\; [P_k; K],\; [P_v; V]\right), \qquad
P = W_2 \tanh(W_1 P' + b_1) + b_2 $$

with $P_k, P_v \in \mathbb{R}^{l \times d}$ in each of $L$ layers, $P' \in \mathbb{R}^{l \times d}$
and $m$ hidden units. The perceptron serves the training only: afterwards $P$ is all that is kept.

**Trained:** $P'$, $W_1$, $b_1$ (shared by all layers) and each layer's part of $W_2$, $b_2$.

**Frozen:** everything the model came with.

**Stored:** $P_k$ and $P_v$ of every layer; nothing of the perceptron.

**Merge:** none: keys and values cannot be folded into weights.

**Count:** stored $2 L l d$ ($d$ = key-value heads × head width); trained
$l d + (d + 1) m + 2 L (m + 1) d$, about $m / l$ times as much. In T5, three times as many: once for
each kind of attention.

Details that matter
-------------------
1. The prefix acts in every layer. Virtual tokens at the input alone, whose activations deeper down
   are computed, do clearly worse. [§4.2, §7.2]
2. $P$ is not trained directly, which the paper finds unstable, but as the output of a perceptron
   that all layers share up to its hidden units. [§4.3; `gpt2/train_control.py`, `control_trans`:
   Linear, Tanh, Linear with `mid_dim` = 512]
3. $P'$ starts as standard normal, the linear maps as torch makes them, so the start is not the
   pretrained function. [`gpt2/train_control.py`, `wte`]
4. Every token sees the whole prefix, and the mask has to say so: a causal flag meant for the text
   alone would align its triangle with the first slot of the prefix.
5. The keys of a prefix are used as they are; no rotary embedding turns them.

Paper, official code, libraries
-------------------------------
- Positions: the official code passes the prefix to GPT-2 as past keys and values, which moves the
  positions of the text by $l$; peft does so too, adapters does not. Here no position moves. Given
  `position_ids` that start at $l$, it is the same function.
- Start: for little data the paper starts from the activations of real words [§7.4], to which the
  official code first fits the perceptron in 500 steps. This file starts at random.
- Length: 10 for table-to-text and 200 for summarization, where the official command also sets
  $m$ = 800. [§7.1; `README.md`, `train_e2e.py`]
- Dropout: the official code leaves that of the frozen GPT-2 off unless `--use_dropout` asks for it;
  here it acts in training. [`gpt2/trainer_prefix.py`, `training_step`]
- Encoder and decoder: for BART the official code trains three prefixes, with a perceptron each: in
  the encoder, in the decoder, and in the decoder's attention to the encoder. So does this file for
  T5; its relative positions do not reach the prefix. peft puts one into the decoder's own attention
  only, where it cannot change how the input is read. [`seq2seq/prefixTuning.py`, `control_trans`,
  `control_trans_enc`, `control_trans2`]
- peft has no perceptron unless `prefix_projection` is set, and fails with gradient checkpointing,
  because its prefix lives in the cache. adapters 1.3, on a decoder with `sdpa` attention, aligns
  the causal mask with the prefix, so that the first tokens of a text do not see themselves.

Source: Li and Liang 2021, arXiv:2101.00190, §4.2 and §4.3. Official code:
https://github.com/XiangLi1999/PrefixTuning
"""

from __future__ import annotations

from ...anatomy import Anatomy
from ...core.method import register
from ...core.options import Count, NotNegative
from ...shared.prefix_attention import (
    PrefixMethod,
    stored_prefix_count,
    trained_prefix_count,
)


@register
class PrefixTuning(PrefixMethod):
    """Prefix keys and values in every layer, by default through the reparametrization.

    Raises:
        ValueError: the model's attention is neither 'sdpa' nor 'eager'.
    """

    name = "prefix_tuning"
    title = "Prefix tuning"
    paper = "li2021prefix"
    leaf = "deep"
    init_noop = False
    mergeable = False
    frozen_base = True
    tasks = ("first-clause", "cue", "summary", "cue-gpt2")
    lab = {"lr": 2e-2, "length": 16, "bottleneck": 32}

    length: Count = 10
    reparametrize: bool = True
    bottleneck: Count = 512
    lr: NotNegative = 5e-5

    @property
    def _bottleneck(self) -> int | None:
        return self.bottleneck if self.reparametrize else None

    def setup(self, model, batches=None) -> None:
        self.attach_prefixes(self.freeze(model), self.length, self._bottleneck, std=None)

    def trained(self, parts: Anatomy) -> int:
        return trained_prefix_count(parts, self.length, self._bottleneck)

    def stored(self, parts: Anatomy) -> int:
        return stored_prefix_count(parts, self.length)
