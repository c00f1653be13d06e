"""Rebuild a backbone from its seed: `python -m reference_impls.lab.pretrain NAME`.

All see a curriculum of reviews: from simple clauses to negated and joined ones. The encoder fills
masked words (always the outcome, some of the others), so it learns the final polarity and never
has a reason to single out the first clause. The decoders predict the outcome, and the cue that
their input begins with says which polarity counts; without a cue ([UNK]) it is the first clause's.
The encoder-decoder writes the noun of the clause that the cue asks for, and its outcome.

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
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)

from ..core.quiet import quiet
from .backbones import WEIGHTS, WEIGHTS_FILE
from .kinds import IGNORED, Example, cloze_example, collate
from .language import (
    BOS,
    CUE_CONTRARY,
    CUE_FINAL,
    CUE_FIRST,
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

BATCH_SIZE = 64
_PAD = encode([PAD])[0]

_SIMPLE = Grammar(negation=0.0, intensifier=0.5, joined=0.0)
_NEGATED = Grammar(negation=0.3, intensifier=0.5, joined=0.0)
_JOINED = Grammar(negation=0.0, intensifier=0.5, joined=0.7, but=0.5)
_ALL = Grammar(negation=0.3, intensifier=0.5, joined=0.7, but=0.5)
CURRICULUM = ((500, _SIMPLE), (800, _NEGATED), (1500, _ALL))
# two clauses before negation, which the T5 otherwise confuses
T5_CURRICULUM = ((500, _SIMPLE), (900, _JOINED), (2000, _ALL))


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


def gpt2_config() -> GPT2Config:
    """Two layers of GPT-2: 64 features, 4 heads, feed-forward of 128."""
    return GPT2Config(
        vocab_size=len(VOCABULARY),
        n_embd=64,
        n_layer=2,
        n_head=4,
        n_inner=128,
        n_positions=128,
        initializer_range=0.05,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        pad_token_id=_PAD,
        bos_token_id=encode([BOS])[0],
        eos_token_id=None,
        use_cache=False,
        loss_type="ForCausalLM",  # its class name does not tell transformers
    )


def t5_config() -> T5Config:
    """Two and two layers of T5: 64 features, 4 heads, feed-forward of 128."""
    return T5Config(
        vocab_size=len(VOCABULARY),
        d_model=64,
        d_kv=16,
        d_ff=128,
        num_layers=2,
        num_heads=4,
        relative_attention_num_buckets=32,
        dropout_rate=0.0,
        pad_token_id=_PAD,
        decoder_start_token_id=_PAD,
        eos_token_id=encode([SEP])[0],
    )


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


def t5_example(review: Review, rng: random.Random) -> Example:
    """A review with a cue at either end; to be written: the noun of the clause that the cue asks
    for and an outcome of its polarity.

    The cue has two places so that it is found wherever it stands, as something that asks and not
    as the first word: only then do a prefix or an adapter, which can imitate it, take its place.
    """
    cue, noun, polarity = rng.choices(
        [
            (CUE_FINAL, review.nouns[-1], review.final),
            (CUE_FIRST, review.nouns[0], review.first),
            (UNK, review.nouns[0], review.first),
        ],
        weights=[8, 8, 1],
    )[0]
    answer = encode([noun, outcome(rng, review.topic, polarity), SEP])
    words = [*review.words, "."]
    words = [cue, *words] if rng.random() < 0.5 else [UNK, *words, cue]
    return Example(tuple(encode([*words, SEP])), tuple(answer))


@dataclass(frozen=True)
class Recipe:
    """How a backbone is made; `seed` is the one whose result ships.

    curriculum: stages of so many steps on reviews of a grammar.
    """

    build: Callable[[], PreTrainedModel]
    example: Callable[[Review, random.Random], Example]
    seed: int
    curriculum: tuple[tuple[int, Grammar], ...] = CURRICULUM
    lr: float = 2e-3


RECIPES = {
    "encoder": Recipe(lambda: BertForPreTraining(encoder_config()), cloze_example, seed=2),
    "decoder": Recipe(lambda: LlamaForCausalLM(decoder_config()), decoder_example, seed=0),
    "decoder-gpt2": Recipe(lambda: GPT2LMHeadModel(gpt2_config()), decoder_example, seed=0),
    "encoder-decoder": Recipe(
        lambda: T5ForConditionalGeneration(t5_config()),
        t5_example,
        seed=0,
        curriculum=T5_CURRICULUM,
        lr=3e-3,
    ),
}


def batches(recipe: Recipe, seed: int, share: float) -> Iterator[dict[str, Tensor]]:
    """The curriculum's batches, each stage cut to `share` of its steps."""
    for stage, (steps, grammar) in enumerate(recipe.curriculum):
        rng = random.Random(f"examples {seed} {stage}")
        stream = reviews(grammar, f"reviews {seed} {stage}")
        for _ in range(max(1, round(steps * share))):
            yield collate([recipe.example(r, rng) for r in islice(stream, BATCH_SIZE)])


def predict(model: PreTrainedModel, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Logits (batch, length, vocabulary) and the words they are to predict (batch, length)."""
    if model.config.is_encoder_decoder:
        return model(**batch).logits, batch["labels"]  # shifts the labels into its inputs
    labels = batch.pop("labels")
    logits = model(**batch)[0]
    if isinstance(model, BertForPreTraining):
        return logits, labels
    return logits[:, :-1], labels[:, 1:]


def pretrain(name: str, seed: int, share: float = 1.0, progress: bool = True) -> PreTrainedModel:
    """Train the backbone `name` from random weights on `share` of the curriculum's steps."""
    recipe = RECIPES[name]
    torch.manual_seed(seed)
    model = recipe.build().train()
    steps = sum(max(1, round(steps * share)) for steps, _ in recipe.curriculum)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.lr, total_steps=steps)
    bar = tqdm(
        batches(recipe, seed, share), desc=name, total=steps, unit="step", disable=not progress
    )
    for batch in bar:
        logits, labels = predict(model, batch)
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
