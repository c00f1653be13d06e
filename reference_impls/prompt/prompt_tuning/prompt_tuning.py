r"""Prompt tuning: a few trained embeddings stand in front of the text; the model stays frozen.

$$ \hat{y} = f_\theta\left([P; E(x)]\right) $$

with the trained prompt $P \in \mathbb{R}^{k \times d}$ and the frozen embeddings $E(x)$ of the
text.

**Trained:** $P$.

**Frozen:** everything the model came with.

**Stored:** $P$.

**Merge:** none: the prompt is an input, not a weight.

**Count:** $k d$.

Details that matter
-------------------
1. Three starts: uniform in $[-0.5, 0.5]$; embeddings of tokens drawn from the 5,000 most common
   ones; embeddings of the words that name the classes. The last is best for small models; at the
   largest size the start no longer matters. [§3.2]
2. A class name of several tokens counts as one row, the mean of its embeddings; rows beyond the
   classes are drawn from the vocabulary, and classes beyond the rows are left out.
   [`prompt_tuning/prompts.py`, `from_embedded_list`]
3. "Most common" means the lowest ids, which holds for T5's SentencePiece vocabulary, sorted by
   frequency, and only roughly for others. Nothing is drawn twice unless the prompt is longer than
   the choice. [`prompt_tuning/prompts.py`, `from_sample_of_embeddings`]
4. The learning rate is 0.3 and constant, hundreds of times that of fine-tuning. The optimizer is
   Adafactor with steps that are not scaled by the size of the weights, and a weight decay of 1e-5.
   [`configs/runs/prompt_finetune.gin`, `configs/models/t5_1_1_prompt.gin`]
5. Every token may look at the whole prompt: the attention mask grows by $k$ ones, also in each
   later step of a generation. [`prompt_tuning/masks.py`]
6. Positions count from the first row of the prompt, so those of the text shift by $k$. A model that
   skips padding when it numbers positions (RoBERTa) has to be told them, as it cannot see padding
   in embeddings.

Paper, official code, libraries
-------------------------------
- Uniform start: the paper's range is $[-0.5, 0.5]$; the official configuration sets flax's
  `uniform` to scale 0.5, which draws from $[0, 0.5)$. This file follows the paper.
- Training: the official configuration adds a z-loss of 1e-4 and does not clip gradients; here the
  loss is the model's own, and gradients are clipped like everywhere here.
  [`configs/models/t5_1_1_prompt.gin`]
- Model: the paper prompts the encoder of T5, whose decoder then sees the encoded prompt, and
  predicts words. Here the prompt works on any encoder or decoder as well, also below a classifier,
  which then is trained too.
- Outputs: without such a decoder the last hidden states of the prompt are cut off, so that logits,
  labels and the [CLS] position stay where they were. peft leaves them in, and BERT's pooler then
  reads the first row of the prompt. Inner hidden states, where asked for, do show the prompt.
- peft starts from a standard normal by default, none of the paper's three. adapters inserts the
  prompt behind the embedding layer, where it gets neither positions nor layer norm.

Source: Lester et al. 2021, arXiv:2104.08691, §2 and §3.2. Official code:
https://github.com/google-research/prompt-tuning
"""

from __future__ import annotations

import inspect
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ...anatomy import Anatomy
from ...core.method import Method, from_task, register
from ...core.options import Count, NotNegative
from ...shared.input_prompt import check_room, enter, hide
from ...shared.outputs import replaced

INITS = ("labels", "vocabulary", "uniform")


class Prompt(nn.Module):
    """Trained rows (length, d). `shown`: this pass of the model carries them (no cache does)."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.rows, self.shown = nn.Parameter(rows), True


def prepend(
    base: nn.Module, args, kwargs, prompt: str, numbering: str | None, room: int | None
) -> tuple:
    """Forward pre-hook of the base model, or of the encoder before a decoder: put the prompt in
    front, unless a cache has it already.

    `prompt` and `numbering` name submodules: the `Prompt`, and what numbers the positions of real
    tokens only, where the model has such a thing. `room`: how many positions it has learned.
    """
    given = dict(zip(inspect.signature(base.forward).parameters, args)) | kwargs
    prompt, counter = base.get_submodule(prompt), numbering and base.get_submodule(numbering)
    ids, text, positions = map(given.get, ("input_ids", "inputs_embeds", "position_ids"))
    length, tokens = len(prompt.rows), (text if ids is None else ids).shape[1]
    prompt.shown = enter(given, tokens, length, room)
    if given.get("attention_mask") is not None:
        given["attention_mask"] = pad(given["attention_mask"], (length, 0), value=1)
    if positions is not None:
        given["position_ids"] = positions + length
    if not prompt.shown:
        return (), given

    text = base.get_input_embeddings()(ids) if text is None else text
    rows = prompt.rows.to(text.dtype).expand(len(text), -1, -1)
    given |= {"input_ids": None, "inputs_embeds": torch.cat([rows, text], dim=1)}
    if given.get("token_type_ids") is not None:
        given["token_type_ids"] = pad(given["token_type_ids"], (length, 0))
    for name, marks in given.items():  # such as those of images among the tokens
        if isinstance(marks, Tensor) and marks.dtype == torch.bool and marks.shape[1:] == (tokens,):
            given[name] = pad(marks, (length, 0))
    first = counter.padding_idx + 1 if counter else 0
    if positions is not None:
        leading = torch.arange(first, first + length, device=text.device)
        leading = leading.expand(*positions.shape[:-1], -1)  # images have several positions
        given["position_ids"] = torch.cat([leading, given["position_ids"]], dim=-1)
    elif counter and ids is not None:
        tokens = pad(ids, (length, 0), value=first)  # any token but padding
        number = counter.create_position_ids_from_input_ids
        given["position_ids"] = number(tokens, counter.padding_idx)
    return (), given


def strip(module: nn.Module, args, kwargs, output):
    """Forward hook: cut the prompt off the last hidden states."""
    prompt = module.get_submodule("prompt")
    hide(output, len(prompt.rows))
    if not prompt.shown:
        return output
    states = output if isinstance(output, Tensor) else output[0]
    return replaced(output, states[:, len(prompt.rows) :])


def read_prompt(decoder: nn.Module, args, kwargs) -> tuple:
    """Forward pre-hook of a decoder: it may look at the encoded prompt too."""
    mask = kwargs.get("encoder_attention_mask")
    if mask is not None:
        length = kwargs["encoder_hidden_states"].shape[1] - mask.shape[1]
        kwargs = {**kwargs, "encoder_attention_mask": pad(mask, (length, 0), value=1)}
    return args, kwargs


@register
class PromptTuning(Method):
    """A trained prompt at the input. `verbalizer`: the token ids of each class's name.

    Raises:
        ValueError: `init` is unknown, or is 'labels' while `verbalizer` is empty.
    """

    name = "prompt_tuning"
    title = "Prompt tuning"
    paper = "lester2021prompttuning"
    leaf = "soft"
    init_noop = False
    mergeable = False
    frozen_base = True
    lab = {"lr": 2e-2, "length": 12}

    length: Count = 100
    init: str = "labels"
    population: Count = 5000
    lr: NotNegative = 0.3
    verbalizer: tuple[tuple[int, ...], ...] = from_task()

    def check(self, parts: Anatomy) -> None:
        if self.init not in INITS:
            raise ValueError(f"init '{self.init}' is none of {', '.join(INITS)}")
        check_room(parts, self.length)

    def setup(self, model, batches=None) -> None:
        if self.init == "labels" and not self.verbalizer:
            raise ValueError("init 'labels' needs a verbalizer: the token ids of each class's name")
        parts = self.freeze(model)
        entrance = parts.entrance
        # an encoder's pooler reads the states inside the base model, a decoder has none
        end = entrance if parts.causal or parts.encoder_decoder else parts.final
        self.attach(end, "prompt", Prompt(self._start(parts.embedding.weight)))
        modules = dict(entrance.named_modules())
        prompt = next(name for name, module in modules.items() if isinstance(module, Prompt))
        counts = "create_position_ids_from_input_ids"
        numbering = next((n for n, module in modules.items() if hasattr(module, counts)), None)
        hook = partial(prepend, prompt=prompt, numbering=numbering, room=parts.positions)
        self.hook(entrance, hook, before=True)
        if parts.encoder_decoder:
            self.hook(parts.stacks[1].module, read_prompt, before=True)
        else:
            self.hook(end, strip)

    @torch.no_grad()
    def _start(self, embedding: Tensor) -> Tensor:
        """The first prompt, (length, d)."""
        embedding = embedding.float()
        if self.init == "uniform":
            return torch.rand(self.length, embedding.shape[1]) - 0.5
        population = min(self.population, len(embedding))
        ids = torch.randperm(population)[: self.length]
        if self.length > population:
            ids = torch.randint(population, (self.length,))
        rows = embedding[ids]
        if self.init == "labels":
            for row, tokens in zip(rows, self.verbalizer, strict=False):
                row.copy_(embedding[list(tokens)].mean(0))
        return rows

    def trained(self, parts: Anatomy) -> int:
        return self.length * parts.embedding.embedding_dim  # ALBERT's is not the layers' width

    def optimizer(self, parameters) -> torch.optim.Optimizer:
        from transformers import Adafactor  # seconds to import: it brings the Trainer along

        settings = {"scale_parameter": False, "relative_step": False, "weight_decay": 1e-5}
        return Adafactor(parameters, lr=self.lr, **settings)

    def schedule(self, progress: float) -> float:
        return 1.0
