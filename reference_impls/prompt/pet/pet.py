r"""PET: classification as a cloze that a masked language model fills, distilled into a classifier.

$$ q_p(y \mid x) = \mathrm{softmax}_y\, s_p(y \mid x), \qquad
s_p(y \mid x) = \frac{1}{|v(y)|} \sum_{w \in v(y)} M(w \mid P_p(x)) $$

where the pattern $P_p$ puts words and one mask around the text, $M(w \mid \cdot)$ is the masked
language model's logit of the word $w$ at the mask, and the verbalizer $v$ gives the words of a
class. Training has three phases:

1. for each pattern, a masked language model is trained on the labeled examples with
   $(1 - \alpha)\, L_{CE}(q_p) + \alpha\, L_{MLM}$;
2. together they label further texts: $\tilde q = \mathrm{softmax}\big(\frac{1}{T |\mathcal P|}
   \sum_p s_p\big)$;
3. the classifier, the model that is kept, is trained on those soft labels.

**Trained:** the whole classifier, and (to be thrown away) a language model for each pattern.

**Frozen:** nothing.

**Stored:** the classifier.

**Merge:** nothing to merge: the classifier is an ordinary one.

**Count:** all $|\theta|$ parameters of the classifier without its head.

Details that matter
-------------------
1. The verbalizer's logits at the mask are softmaxed among the classes only; other words play no
   part. [§3.1]
2. A class of several words has the mean of their logits, not the sum, or many words would be an
   advantage. [`pvp.py`, `_convert_single_mlm_logits_to_cls_logits`]
3. $\alpha$ = 1e-4: the language-model loss, on masked words of unlabeled texts, is large and would
   otherwise dominate. The code's `alpha` is 0.9999, one minus it. [§3.2; `cli.py`]
4. The ensemble averages logits, not probabilities. [§3.3; `merge_logits_lists`]
5. Soft labels are taken at temperature 2. The classifier's own logits are divided by it too and the
   loss multiplied by its square, so that gradients keep their size. [§3.3; `distillation_loss`]

Paper, official code, libraries
-------------------------------
- Weights of the ensemble: here uniform, which is one of the two variants of the paper; the official
  code's default weighs each model by its accuracy before training.
- The paper trains three models for each pattern, this file one. Its iterative variant (iPET), in
  which models label examples for each other over generations, is not here.
- The official code shortens long texts to make room for the pattern; this file leaves them as they
  are.
- The official code adds the language-model loss only where `--lm_training` asks for it; this file
  does so always. [`cli.py`]
- The official code applies weight decay of 0.01; this file none.

Source: Schick and Schütze 2020, arXiv:2001.07676, §3. Official code:
https://github.com/timoschick/pet
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from transformers import PreTrainedModel

from ...anatomy import Anatomy, numel
from ...core.batches import Batch, moved
from ...core.method import Method, from_task, register
from ...core.options import NotNegative, Part, Positive
from ...core.training import History, Loop

Ids = tuple[int, ...]
IGNORED = -100


def collate(rows: Sequence[Sequence[int]], padding: int) -> Batch:
    """Rows of token ids -> input_ids and attention_mask (batch, length), padded on the right."""
    ids = [torch.tensor(row) for row in rows]
    masks = [torch.ones_like(row) for row in ids]
    pad = torch.nn.utils.rnn.pad_sequence
    return {
        "input_ids": pad(ids, batch_first=True, padding_value=padding),
        "attention_mask": pad(masks, batch_first=True),
    }


def class_logits(logits: Tensor, verbalizer: Sequence[Ids]) -> Tensor:
    """Logits (batch, vocabulary) at the mask -> means over each class's words (batch, classes)."""
    return torch.stack([logits[:, list(ids)].mean(-1) for ids in verbalizer], dim=-1)


def soft_labels(logits: Tensor, temperature: float) -> Tensor:
    """(patterns, batch, classes) logits -> the ensemble's probabilities (batch, classes)."""
    return (logits.mean(0) / temperature).softmax(-1)


@dataclass(kw_only=True)
class Cloze(Method):
    """Training of the masked language model of one pattern."""

    name, title = "pet", "PET"

    pattern: tuple[Ids, Ids]
    verbalizer: tuple[Ids, ...]
    mask_token: int
    unlabeled: Sequence[Ids]
    alpha: float

    def fill(self, rows: Sequence[Sequence[int]], padding: int) -> Batch:
        """Put the pattern around texts, inside of their first and last (special) tokens."""
        before, after = self.pattern
        return collate([[row[0], *before, *row[1:-1], *after, row[-1]] for row in rows], padding)

    def scores(self, model: PreTrainedModel, rows: Sequence[Sequence[int]]) -> Tensor:
        """The classes' logits (batch, classes) for texts."""
        before, after = self.pattern
        if self.mask_token in before:
            places = [1 + before.index(self.mask_token)] * len(rows)
        else:
            start = len(before) - 1 + after.index(self.mask_token)
            places = [start + len(row) for row in rows]
        inputs = moved(self.fill(rows, model.config.pad_token_id), model.device)
        logits = model(**inputs).logits[range(len(rows)), places]
        return class_logits(logits, self.verbalizer)

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        rows = [
            ids[mask.bool()].tolist()
            for ids, mask in zip(batch["input_ids"], batch["attention_mask"])
        ]
        scores = self.scores(model, rows)
        supervised = F.cross_entropy(scores, batch["labels"].to(scores.device))
        picked = torch.randint(len(self.unlabeled), (len(rows),)).tolist()
        texts = self.fill([self.unlabeled[i] for i in picked], model.config.pad_token_id)
        language = self.language_loss(model, texts)
        return (1 - self.alpha) * supervised + self.alpha * language

    def language_loss(self, model: PreTrainedModel, texts: Batch) -> Tensor:
        """The masked-language-model loss: the mean over hidden words, 0 where there is none."""
        batch = moved(self.corrupt(texts, model.config.vocab_size), model.device)
        labels = batch.pop("labels")
        logits = model(**batch).logits.flatten(0, 1)
        total = F.cross_entropy(logits, labels.flatten(), ignore_index=IGNORED, reduction="sum")
        return total / (labels != IGNORED).sum().clamp(min=1)

    def corrupt(self, batch: Batch, words: int) -> Batch:
        """Hide 15 % of the words: 80 % of them by the mask, 10 % by any word, 10 % not at all."""
        ids, mask = batch["input_ids"], batch["attention_mask"].bool()
        inner = mask & F.pad(mask, (1, 0))[:, :-1] & F.pad(mask, (0, 1))[:, 1:]
        hidden = inner & (ids != self.mask_token) & (torch.rand(ids.shape) < 0.15)
        how = torch.rand(ids.shape)
        corrupted = torch.where(hidden & (how < 0.8), self.mask_token, ids)
        corrupted = torch.where(hidden & (how >= 0.9), torch.randint_like(ids, words), corrupted)
        return {**batch, "input_ids": corrupted, "labels": torch.where(hidden, ids, IGNORED)}


@register
class PET(Method):
    """Pattern-exploiting training of a classifier.

    masked_lm: makes a masked language model, fresh from pre-training each time.
    verbalizer: for each class the token ids of its words.
    patterns: pairs of token ids, to put before and after a text; one of them is the mask.
    mask_token: the id of the mask.
    unlabeled: token ids of texts without labels.

    Raises:
        ValueError: one of these is missing or does not fit the classifier, or the model is not one
            of a masked language model's kind.
    """

    name = "pet"
    title = "PET"
    paper = "schick2020pet"
    leaf = "hard"
    init_noop = True
    mergeable = True
    frozen_base = False
    detachable = False
    tasks = ("first-clause",)
    lab = {"lr": 1e-3}

    alpha: Part = 1e-4
    temperature: Positive = 2.0
    lr: NotNegative = 1e-5
    masked_lm: Callable[[], PreTrainedModel] | None = from_task(None)
    verbalizer: tuple[Ids, ...] = from_task()
    patterns: tuple[tuple[Ids, Ids], ...] = from_task()
    mask_token: int | None = from_task(None)
    unlabeled: Sequence[Ids] = from_task()

    def check(self, parts: Anatomy) -> None:
        if parts.causal or parts.encoder_decoder or not parts.head:
            raise ValueError("PET trains a classifier on a masked language model's backbone")
        _ = parts.embedding  # its patterns are text

    def setup(self, model, batches=None) -> None:
        self._check_task(model.config.num_labels)
        self.freeze(model)
        model.requires_grad_(True)

    def _check_task(self, classes: int) -> None:
        needed = ("masked_lm", "verbalizer", "patterns", "mask_token", "unlabeled")
        missing = [name for name in needed if getattr(self, name) in (None, ())]
        if missing:
            raise ValueError(f"PET needs from its task: {', '.join(missing)}")
        if len(self.verbalizer) != classes:
            raise ValueError(
                f"the verbalizer has words for {len(self.verbalizer)} classes, "
                f"the classifier {classes}"
            )
        for before, after in self.patterns:
            if (*before, *after).count(self.mask_token) != 1:
                raise ValueError(f"pattern {(before, after)} must hold the mask exactly once")

    def trained(self, parts: Anatomy) -> int:
        return numel(parts.base_parameters())

    def loss(self, model, batch: Batch) -> Tensor:
        """Distillation where labels are probabilities (batch, classes), cross-entropy elsewhere."""
        if not batch["labels"].is_floating_point():
            return super().loss(model, batch)
        inputs = {key: value for key, value in batch.items() if key != "labels"}
        predicted = (model(**inputs).logits / self.temperature).log_softmax(-1)
        return self.temperature**2 * F.kl_div(predicted, batch["labels"], reduction="batchmean")

    def fit(self, model, loop: Loop) -> None:
        """All three phases; each language model and the classifier take `loop.steps` steps."""
        size = len(next(loop.batches(loop.seed))["labels"])
        scores = torch.stack(
            [self._expert(pattern, model, loop, size) for pattern in self.patterns]
        )
        labels = soft_labels(scores, self.temperature)

        def batches(seed: int) -> Iterator[Batch]:
            generator = torch.Generator().manual_seed(seed)
            while True:
                picked = torch.randint(len(labels), (size,), generator=generator)
                texts = collate(
                    [self.unlabeled[i] for i in picked.tolist()], model.config.pad_token_id
                )
                yield moved({**texts, "labels": labels[picked]}, model.device)

        replace(loop, batches=batches).run(self, model)

    def _expert(self, pattern: tuple[Ids, Ids], model, loop: Loop, size: int) -> Tensor:
        """Train a language model on a pattern; returns its scores of the unlabeled texts."""
        cloze = Cloze(
            pattern=pattern,
            verbalizer=self.verbalizer,
            mask_token=self.mask_token,
            unlabeled=self.unlabeled,
            alpha=self.alpha,
            lr=self.lr,
        )
        language_model = self.masked_lm().to(model.device)
        replace(loop, evaluate=None, history=History()).run(cloze, language_model)
        language_model.eval()
        with torch.no_grad():
            return torch.cat(
                [
                    cloze.scores(language_model, self.unlabeled[i : i + size]).cpu()
                    for i in range(0, len(self.unlabeled), size)
                ]
            )
