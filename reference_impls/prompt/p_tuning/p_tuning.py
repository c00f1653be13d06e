r"""P-tuning: pseudo-tokens, written by a small LSTM, stand inside a template; the model is frozen.

$$ \hat y = f_\theta\left([\, e(a_1), h_1, \dots, h_i, e(x), h_{i+1}, \dots, h_k, e(a_2) \,]\right),
\qquad h = \mathrm{MLP}(\mathrm{BiLSTM}(P)) $$

with trained $P \in \mathbb{R}^{k \times d}$, the frozen embeddings $e$ of the text $x$ and of the
template's anchors $a$ (words, a mask, special tokens), and $k$ pseudo-tokens $h$ between them. The
LSTM serves the training only: afterwards the $k$ rows $h$ are all that is kept.

**Trained:** $P$, a two-layer bidirectional LSTM and a perceptron with one hidden layer, of width
$d$ all three.

**Frozen:** everything the model came with.

**Stored:** the $k$ rows $h$; nothing of the LSTM and the perceptron.

**Merge:** none: the pseudo-tokens are an input, not weights.

**Count:** stored $k d$; trained $k d + 14 d^2 + 18 d$, for even $d$.

Details that matter
-------------------
1. The pseudo-tokens surround the text and the anchors, rather than stand in front of everything:
   `template` says how many each block has, `places` how many tokens of the text come before it
   (negative: counted from the end). For a masked word after a text, `places` of 1, -3 and -1 with
   "is [MASK] [SEP]" as the last tokens put one block on each side of the two anchors. [arXiv v1,
   §3.1; `LAMA/p_tuning/modeling.py`, `get_query`]
2. They act at the input alone: inner layers get no prompt of their own.
3. The rows are computed together, so that neighbors depend on each other, by an LSTM with $d / 2$
   units in each direction and a perceptron with ReLU. [arXiv v1, §3.2;
   `LAMA/p_tuning/prompt_encoder.py`]
4. Attention, positions and segments are those of an ordinary text of that length: pseudo-tokens
   have their place in the row of positions, wherever padding stands, and the segment of the token
   that they precede. A model that skips padding when it numbers positions (RoBERTa) has to be told
   them, as it cannot see padding in embeddings.

Paper, official code, libraries
-------------------------------
- Frozen or tuned: knowledge probing (LAMA) is shown with both, the official code's default is
  frozen; all of SuperGLUE tunes the model as well, at a rate of 1e-5. The prompt's rate is 1e-4 in
  four of the seven scripts, and 1e-5 in those that give none (WiC, CB, COPA). This file freezes
  the model, and has the default rate of LAMA's code, though not its weight decay and its decay by
  epochs; nor does that code clip gradients. [`LAMA/cli.py`, `use_lm_finetune`;
  `PT-Fewshot/scripts/`, `PT-Fewshot/cli.py`, `PT-Fewshot/pet/wrapper.py`]
- Default template: two blocks of three, behind the first token ([CLS]) and before the last ([SEP]).
  Official: three blocks of three for BERT, around the mask and the text, two for GPT, before and
  after the text. [`LAMA/cli.py`, `template`]
- In a causal model the answer follows the text, which has no end of its own then; the default puts
  the second block behind the second token, and places from the end are refused.
- Outputs: the last hidden states of pseudo-tokens are taken out, so that logits, labels and the
  [CLS] position stay where they were. The official code reads the logits by hand instead.
- The official few-shot code has LSTMs of $d$ units and a perceptron that begins with $2 d$, one
  pseudo-token for most tasks, and a variant without LSTM.
- peft's P-tuning is a perceptron of three linear maps by default, and puts all its tokens in front.

Source: Liu et al. 2021, arXiv:2103.10385, §3 of version 1. Official code:
https://github.com/THUDM/P-tuning
"""

from __future__ import annotations

import inspect
from functools import partial

import torch
from torch import Tensor, nn

from ...anatomy import Anatomy
from ...core.method import Method, register
from ...core.options import NotNegative
from ...shared.input_prompt import check_room, enter, hide
from ...shared.outputs import replaced


class Encoder(nn.Module):
    """Writes all pseudo-tokens (k, d) at once."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.randn(count, width))
        self.lstm = nn.LSTM(width, width // 2, num_layers=2, bidirectional=True, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self) -> Tensor:
        return self.mlp(self.lstm(self.rows[None])[0])[0]


class PseudoTokens(nn.Module):
    """The rows (k, d) and their places in a text; `kept`: where the text's tokens went, in a pass.

    place: for each row the number of text tokens in front of it; negative: less than all of them.
    """

    def __init__(self, encoder: Encoder, place: list[int]) -> None:
        super().__init__()
        self.encoder, self.place = encoder, place
        self.register_parameter("rows", None)
        self.kept: Tensor | None = None

    def forward(self) -> Tensor:
        return self.encoder() if self.rows is None else self.rows

    @torch.no_grad()
    def fold(self) -> None:
        """Keep the rows, as inference computes them, and drop what wrote them."""
        if self.rows is None:
            self.rows = nn.Parameter(self())
            del self.encoder

    def columns(self, mask: Tensor) -> Tensor:
        """For texts with this mask (batch, n): the column that each row goes before, (batch, k).

        Raises:
            ValueError: a text is too short for the template.
        """
        place = torch.tensor(self.place, device=mask.device)
        first, real = mask.argmax(1, keepdim=True), mask.sum(1, keepdim=True)
        if (real < place.where(place >= 0, -place)).any():
            raise ValueError(f"a text is too short for pseudo-tokens at places {set(self.place)}")
        return torch.where(place >= 0, first + place, first + real + place)


def insert(
    base: nn.Module, args, kwargs, pseudo: str, numbered_from: int | None, room: int | None
) -> tuple:
    """Forward pre-hook of the base model: put the pseudo-tokens in, unless a cache has them.

    `pseudo` names the submodule; `numbered_from`: the first position of a model that numbers real
    tokens only. `room`: how many positions it has learned.
    """
    given = dict(zip(inspect.signature(base.forward).parameters, args)) | kwargs
    names = ("input_ids", "inputs_embeds", "attention_mask", "position_ids", "token_type_ids")
    ids, text, mask, positions, types = map(given.get, names)
    pseudo = base.get_submodule(pseudo)
    text = base.get_input_embeddings()(ids) if text is None else text
    k, pseudo.kept = len(pseudo.place), None

    decoding = not enter(given, text.shape[1], k, room)
    if decoding and positions is not None:
        given["position_ids"] = positions + k
    if decoding and mask is None:
        return (), given
    real = text.new_ones(text.shape[:2], dtype=torch.long) if mask is None else mask.long()
    columns, (rows, n) = pseudo.columns(real), real.shape
    # sorting by twice the column puts each pseudo-token before the token of its column
    old = 2 * torch.arange(n, device=real.device).expand(rows, n) + 1
    order = torch.cat([old, 2 * columns], dim=1).argsort(dim=1, stable=True)
    if mask is not None:
        longer = torch.cat([mask, mask.new_ones(rows, k)], dim=1)
        given["attention_mask"] = longer.gather(1, order)
    if decoding:
        return (), given

    new = pseudo().to(text.dtype).expand(rows, -1, -1)
    embedded = torch.cat([text, new], dim=1).take_along_dim(order[..., None], 1)
    given |= {"input_ids": None, "inputs_embeds": embedded}
    if types is not None:
        types = types.expand(rows, n)
        of_new = types.gather(1, columns.clamp(max=n - 1))
        given["token_type_ids"] = torch.cat([types, of_new], dim=1).gather(1, order)
    if positions is not None or numbered_from is not None:
        first = real.argmax(1, keepdim=True)
        start = numbered_from if positions is None else positions.expand(rows, n).gather(1, first)
        counted = torch.arange(n + k, device=real.device) - first + start
        given["position_ids"] = counted.clamp(min=0)
    pseudo.kept = order.argsort(dim=1)[:, :n]
    return (), given


def remove(module: nn.Module, args, kwargs, output):
    """Forward hook: take the pseudo-tokens out of the last hidden states."""
    pseudo = module.get_submodule("pseudo")
    kept, pseudo.kept = pseudo.kept, None
    hide(output, len(pseudo.place))
    if kept is None:
        return output
    states = output if isinstance(output, Tensor) else output[0]
    return replaced(output, states.take_along_dim(kept[..., None], 1))


@register
class PTuning(Method):
    """Blocks of pseudo-tokens; `template` has their sizes, `places` the text tokens before them.

    Raises:
        ValueError: the model is an encoder-decoder; sizes and places do not fit each other; a place
            is counted from the end of the text of a causal model.
    """

    name = "p_tuning"
    title = "P-tuning"
    paper = "liu2021ptuning"
    leaf = "soft"
    init_noop = False
    mergeable = False
    frozen_base = True
    tasks = ("first-clause", "cue")
    read_with = ("template", "places")
    lab = {"lr": 5e-3, "template": (8, 8)}

    template: tuple[int, ...] = (3, 3)
    places: tuple[int, ...] = ()
    lr: NotNegative = 1e-5

    def __post_init__(self) -> None:
        super().__post_init__()
        self.template = tuple(map(int, self.template))
        self.places = tuple(map(int, self.places))

    def check(self, parts: Anatomy) -> None:
        if parts.encoder_decoder:
            raise ValueError("P-tuning has no template for an encoder-decoder: use prompt tuning")
        if parts.entrance is not parts.base and parts.base.config.sub_configs:
            raise ValueError(f"P-tuning has no template for what {parts.title} reads beside text")
        check_room(parts, sum(self.template))
        places = self._places(parts)
        if len(places) != len(self.template) or min(self.template, default=0) < 1:
            raise ValueError(
                f"the template {self.template} needs a positive size for each place of {places}"
            )
        if parts.causal and min(places) < 0:
            raise ValueError(
                "the text of a causal model has no end: count places from its start, not below 0"
            )

    def _places(self, parts: Anatomy) -> tuple[int, ...]:
        return self.places or ((1, 2) if parts.causal else (1, -1))

    def setup(self, model, batches=None) -> None:
        parts = self.freeze(model)
        blocks = zip(self.template, self._places(parts), strict=True)
        place = [place for size, place in blocks for _ in range(size)]
        encoder, base = Encoder(len(place), parts.embedding.embedding_dim), parts.entrance
        # an encoder's pooler reads the states inside the base model, a decoder has none
        end = base if parts.causal else parts.final
        self.attach(end, "pseudo", PseudoTokens(encoder, place))
        path, _ = _pseudo_tokens(base)
        counts = "create_position_ids_from_input_ids"
        counter = next((module for module in base.modules() if hasattr(module, counts)), None)
        start = counter and counter.padding_idx + 1
        self.hook(
            base,
            partial(insert, pseudo=path, numbered_from=start, room=parts.positions),
            before=True,
        )
        self.hook(end, remove)

    def trained(self, parts: Anatomy) -> int:
        d = parts.embedding.embedding_dim
        return self.stored(parts) + 14 * d**2 + 18 * d

    def stored(self, parts: Anatomy) -> int:
        return sum(self.template) * parts.embedding.embedding_dim

    def fit(self, model, loop) -> None:
        super().fit(model, loop)
        _pseudo_tokens(model)[1].fold()

    @torch.no_grad()
    def tensors(self, model) -> dict[str, Tensor]:
        name, pseudo = _pseudo_tokens(model)
        return {f"{name}.rows": pseudo().clone()}

    def put(self, model, tensors: dict[str, Tensor]) -> None:
        _pseudo_tokens(model)[1].fold()
        super().put(model, tensors)


def _pseudo_tokens(model: nn.Module) -> tuple[str, PseudoTokens]:
    return next(pair for pair in model.named_modules() if isinstance(pair[1], PseudoTokens))
