"""Rebuild a backbone from its seed: `python -m reference_impls.lab.pretrain encoder|decoder`.

Both see a curriculum of reviews: simple clauses, then negation, then two joined clauses. The
encoder fills masked words (always the outcome, some of the others), so it learns the final
polarity and never has a reason to single out the first clause. The decoder predicts the outcome,
and the cue that its input begins with says which polarity counts; without a cue ([UNK]) it is
the first clause's.

The result is a function of the seed, the torch version and the processor: on another machine
the last bits differ. The files that ship are therefore committed, and known by their digest.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm
from transformers import (
    BertConfig,
    BertForPreTraining,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)

from reference_impls.lab.backbones import WEIGHTS, WEIGHTS_FILE, quiet
from reference_impls.lab.language import (
    BOS,
    CLS,
    CUE_CONTRARY,
    CUE_FINAL,
    CUE_FIRST,
    MASK,
    PAD,
    SEP,
    UNK,
    VOCABULARY,
    Grammar,
    Review,
    encode,
    outcome,
    reviews,
)
from reference_impls.lab.tasks import IGNORED, Example, collate

BATCH_SIZE = 64
LEARNING_RATE = 2e-3
_PAD, _MASK = encode([PAD, MASK])

CURRICULUM = (
    (500, Grammar(negation=0.0, intensifier=0.5, joined=0.0)),
    (800, Grammar(negation=0.3, intensifier=0.5, joined=0.0)),
    (1500, Grammar(negation=0.3, intensifier=0.5, joined=0.7, but=0.5)),
)


def encoder_config() -> BertConfig:
    """Two layers of BERT: 64 features, 4 heads, feed-forward of 128."""
    return BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=128,
        initializer_range=0.05,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=_PAD,
    )


def decoder_config() -> LlamaConfig:
    """Two layers of Llama: 64 features, 4 heads, feed-forward of 128."""
    return LlamaConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        intermediate_size=128,
        max_position_embeddings=128,
        initializer_range=0.05,
        attention_dropout=0.0,
        pad_token_id=_PAD,
        bos_token_id=encode([BOS])[0],
        eos_token_id=None,
        use_cache=False,
    )


def encoder_example(review: Review, rng: random.Random) -> Example:
    """A cloze: the outcome is always masked, each other word with probability 0.1."""
    ids = encode([CLS, *review.words, ".", "we", outcome(rng, review.topic, review.final), SEP])
    labels = [IGNORED] * len(ids)
    for i in range(1, len(ids) - 1):
        if i == len(ids) - 2 or rng.random() < 0.1:
            labels[i], ids[i] = ids[i], _MASK
    return Example(tuple(ids), tuple(labels))


def decoder_example(review: Review, rng: random.Random) -> Example:
    """A cue, a review and the outcome that the cue asks for; every word is predicted."""
    cue, polarity = rng.choices(
        [
            (CUE_FINAL, review.final),
            (CUE_FIRST, review.first),
            (CUE_CONTRARY, 1 - review.final),
            (UNK, review.first),
        ],
        weights=[3, 3, 3, 1],
    )[0]
    ids = encode([BOS, cue, *review.words, ".", outcome(rng, review.topic, polarity)])
    return Example(tuple(ids), tuple(ids))


@dataclass(frozen=True)
class Recipe:
    """How a backbone is made; `seed` is the one whose result ships."""

    build: Callable[[], PreTrainedModel]
    example: Callable[[Review, random.Random], Example]
    seed: int


RECIPES = {
    "encoder": Recipe(lambda: BertForPreTraining(encoder_config()), encoder_example, seed=2),
    "decoder": Recipe(lambda: LlamaForCausalLM(decoder_config()), decoder_example, seed=0),
}


def batches(recipe: Recipe, seed: int, share: float) -> Iterator[dict[str, Tensor]]:
    """The curriculum's batches, each stage cut to `share` of its steps."""
    for stage, (steps, grammar) in enumerate(CURRICULUM):
        rng = random.Random(f"examples {seed} {stage}")
        stream = reviews(grammar, f"reviews {seed} {stage}")
        for _ in range(max(1, round(steps * share))):
            yield collate([recipe.example(r, rng) for r in islice(stream, BATCH_SIZE)])


def pretrain(name: str, seed: int, share: float = 1.0, progress: bool = True) -> PreTrainedModel:
    """Train the backbone `name` from random weights on `share` of the curriculum's steps."""
    recipe = RECIPES[name]
    torch.manual_seed(seed)
    model = recipe.build().train()
    steps = sum(max(1, round(steps * share)) for steps, _ in CURRICULUM)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    bar = tqdm(
        batches(recipe, seed, share), desc=name, total=steps, unit="step", disable=not progress
    )
    for batch in bar:
        labels = batch.pop("labels")
        logits = model(**batch)[0]
        if recipe.example is decoder_example:
            logits, labels = logits[:, :-1], labels[:, 1:]
        loss = nn.functional.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    return model.eval()


def write(model: PreTrainedModel, folder: Path) -> str:
    """Put the model's weights and configuration into `folder`; returns the weights' sha256."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary, quiet():
        model.save_pretrained(temporary)
        for name in ("config.json", WEIGHTS_FILE):
            file = Path(temporary) / name
            file.chmod(0o644)
            file.replace(folder / name)
    return hashlib.sha256((folder / WEIGHTS_FILE).read_bytes()).hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """The command line; exit status 0."""
    parser = argparse.ArgumentParser(prog="python -m reference_impls.lab.pretrain")
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--seed", type=int, help="default: the one whose result ships")
    parser.add_argument("--share", type=float, default=1.0, help="share of the steps to train for")
    parser.add_argument("--out", type=Path, help="folder to write (default: lab/weights/<name>)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    seed = RECIPES[options.name].seed if options.seed is None else options.seed
    model = pretrain(options.name, seed, options.share)
    folder = options.out or WEIGHTS / options.name
    print(f"{write(model, folder)}  {folder / WEIGHTS_FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
