r"""PASTA: in each layer a trained vector is added to the hidden state of each special token.

$$ h_t^{(l)} \leftarrow h_t^{(l)} + e_t^{(l)}, \qquad e_t^{(l)} = \begin{cases} v_p^{(l)} &
\text{if token } t \text{ is the } p\text{-th special token} \\ 0 & \text{otherwise} \end{cases} $$

before layer $l = 1, \dots, L$. Special tokens are those that the tokenizer puts into every text,
such as [CLS] and [SEP]. Many attention heads look mostly at them, so that what they carry reaches
all other tokens.

**Trained:** $m$ vectors in each layer, of which a text uses as many as it has special tokens.

**Frozen:** everything the model came with.

**Stored:** the vectors.

**Merge:** not possible: weights act on all tokens alike, the vectors on some.

**Count:** $L\, m\, d$: $m = 2$ for one sentence, 3 for a pair, which has a second [SEP].

Details that matter
-------------------
1. A vector belongs to a place in the order of special tokens, not to a token: the two [SEP] of a
   pair have one each. [`PASTA_modeling.py`, `is_special_token_tensors`]
2. The vector is added to the layer's input, before the self-attention, and so stays in the residual
   stream. [`PASTA_modeling.py`, `BertPastaLayer`]
3. Every layer has vectors of its own, drawn from $N(0, 0.02^2)$ like BERT's embeddings: training
   does not start at the pretrained model. [`PASTA_modeling.py`, an `nn.Embedding` that
   `BertPreTrainedModel` initializes]
4. In training dropout acts on the vectors, with the rate of the hidden states.
   [`PASTA_modeling.py`, `BertPastaLayer`]
5. A text with more special tokens than there are vectors is refused. [`PASTA_modeling.py`, the
   assertion]
6. Of the head only the classifier is trained; the pooler stays frozen. [`main_glue.py`]

Paper, official code, libraries
-------------------------------
- Paper and code know BERT and RoBERTa only. In a decoder the special token is what opens each text:
  all later tokens see it. A GPT-2 whose texts have none has nothing to adapt; a batch without
  special tokens is refused in training. In an encoder-decoder the encoder gets the vectors.
- The official code takes the number of special tokens from the first row of a batch, so that all
  rows must have as many; here each row has its own.
- The learning rate of 2.5e-4 is that of the official script for sentence pairs (MRPC); the one for
  named entities has 3e-3. The official code does not clip gradients. [`scripts/`; `main_glue.py`]

Source: Yang et al. 2022, arXiv:2210.04382, §3. Official code: https://github.com/luka-group/PASTA
"""

from __future__ import annotations

import inspect

import torch
from torch import Tensor, nn

from ...anatomy import Anatomy
from ...core.method import Batch, Method, from_task, register
from ...core.options import Count, NotNegative, Part


class SpecialTokens(nn.Module):
    """Token ids (batch, length) -> place of each among its row's special tokens, others -1.

    Tokens that continue a cached text are counted on from it.
    """

    def __init__(self, ids: tuple[int, ...], vectors: int) -> None:
        super().__init__()
        self.ids, self.vectors = ids, vectors
        self.seen: Tensor | int = 0

    def forward(self, tokens: Tensor, cached: bool) -> Tensor:
        special = torch.isin(tokens, torch.tensor(self.ids, device=tokens.device))
        place = special.cumsum(1) + (self.seen if cached else 0)
        self.seen = place[:, -1:]
        if self.seen.max() > self.vectors:
            raise ValueError(
                f"a text has {self.seen.max()} special tokens, PASTA vectors for {self.vectors}: "
                "set vectors to the largest number"
            )
        return torch.where(special, place - 1, -1)


class Vectors(nn.Module):
    """h (batch, length, d) -> h + the vector of each special token."""

    def __init__(self, count: int, width: int, dropout: float) -> None:
        super().__init__()
        self.rows = nn.Parameter(0.02 * torch.randn(count, width))
        self.dropout = nn.Dropout(dropout)
        self.places: Tensor | None = None

    def forward(self, h: Tensor) -> Tensor:
        added = self.dropout(self.rows[self.places.clamp(min=0)])
        return torch.where((self.places >= 0)[..., None], h + added.to(h.dtype), h)


def mark(stack: nn.Module, args, kwargs) -> None:
    """Forward pre-hook of a stack: tell the vectors of its layers where special tokens are."""
    given = dict(zip(inspect.signature(stack.forward).parameters, args)) | kwargs
    cache, tokens = given.get("past_key_values"), given.get("input_ids")
    if tokens is None:
        raise ValueError("PASTA finds special tokens by their ids: call the model with input_ids")
    cached = cache is not None and cache.get_seq_length() > 0
    places = stack.get_submodule("special_tokens")(tokens, cached)
    for module in stack.modules():
        if isinstance(module, Vectors):
            module.places = places


def add(block: nn.Module, args, kwargs):
    """Forward pre-hook of a layer."""
    vectors = block.get_submodule("pasta")
    if args:
        return (vectors(args[0]), *args[1:]), kwargs
    return args, {**kwargs, "hidden_states": vectors(kwargs["hidden_states"])}


@register
class PASTA(Method):
    """`vectors` trained vectors a layer for the tokens `special_tokens` (ids).

    Raises:
        ValueError: there are no special tokens; later: a text has more than there are vectors.
    """

    name = "pasta"
    title = "PASTA"
    paper = "yang2022pasta"
    leaf = "specific"
    init_noop = False
    mergeable = False
    frozen_base = True
    read_with = ("special_tokens",)
    lab = {"lr": 3e-2}

    special_tokens: tuple[int, ...] = from_task()
    vectors: Count = 2
    dropout: Part = 0.1
    lr: NotNegative = 2.5e-4

    def check(self, parts: Anatomy) -> None:
        _ = parts.embedding  # special tokens are those of a text
        if parts.entrance is not parts.base and parts.base.config.sub_configs:
            raise ValueError(f"the layers of {parts.title} are given embeddings and no tokens")
        if not all(layer.of_tokens for layer in parts.stacks[0].layers):
            raise ValueError(f"the layers of {parts.title} do not work on the tokens as they come")

    def setup(self, model, batches=None) -> None:
        if not self.special_tokens:
            raise ValueError("PASTA needs special_tokens: the ids that the tokenizer adds to texts")
        parts = self.freeze(model)
        reader = parts.stacks[0]
        self.attach(
            reader.module, "special_tokens", SpecialTokens(self.special_tokens, self.vectors)
        )
        self.hook(reader.module, mark, before=True)
        for layer in reader.layers:
            vectors = Vectors(self.vectors, parts.hidden_size, self.dropout)
            self.attach(layer.block, "pasta", vectors)
            self.hook(layer.block, add, before=True)

    def trained(self, parts: Anatomy) -> int:
        return len(parts.stacks[0].layers) * self.vectors * parts.hidden_size

    def loss(self, model, batch: Batch) -> Tensor:
        ids = torch.tensor(self.special_tokens, device=batch["input_ids"].device)
        if not torch.isin(batch["input_ids"], ids).any():
            raise ValueError(f"no text of this batch has a special token, one of {ids.tolist()}")
        return super().loss(model, batch)
