"""Tasks that are answered with a text: what is trained, and what counts as right."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from reference_impls.real import training
from reference_impls.real.answers import IGNORED, MARGIN, Answers
from reference_impls.real.models import MODELS, Model
from reference_impls.real.tasks import TASKS
from reference_impls.real.tasks.mend import TASK as MEND
from reference_impls.real.tasks.order import TASK as ORDER
from reference_impls.real.tasks.order import swapped
from reference_impls.real.training import Budget, Refused, Run

LETTERS = "abcdefgh"
END, PAD = 0, 1
ALPHABET = ["<end>", "<pad>", "\n", *LETTERS]


class Tokenizer:
    """A token a letter; the end has another number than padding."""

    eos_token_id, pad_token_id = END, PAD

    def __call__(self, text: str, **settings: object) -> dict[str, list[int]]:
        return {"input_ids": [ALPHABET.index(letter) for letter in text]}

    def batch_decode(self, rows: torch.Tensor, skip_special_tokens: bool) -> list[str]:
        assert skip_special_tokens
        return ["".join(ALPHABET[i] for i in row if i > PAD) for row in rows.tolist()]


TOKENIZER = Tokenizer()


@dataclass(frozen=True)
class Writer(Model):
    digest: str = "of tiny weights"  # type: ignore[misc]

    def tokenizer(self) -> Tokenizer:
        return TOKENIZER

    def writer(self, seed: int, *, random: bool = False) -> PreTrainedModel:
        torch.manual_seed(seed + 100 * random)
        return LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(ALPHABET),
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                num_key_value_heads=1,
                intermediate_size=64,
                max_position_embeddings=32,
                eos_token_id=END,
                pad_token_id=PAD,
            )
        )


def read(paths: list) -> list[tuple[str, str]]:
    """Two letters, and the first of them as often as there are letters before it."""
    return [(a + b, a) for a in LETTERS for b in LETTERS]


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> Answers:
    monkeypatch.setattr(Answers, "sizes", {"test": 10, "dev": 8, "train": 40})
    monkeypatch.setitem(MODELS, "writer", Writer("writer", "Writer", "", "", "", "MIT"))
    task = Answers("first", "First letter", "none", (), "MIT", read)
    monkeypatch.setitem(TASKS, "first", task)
    training.tokenizer.cache_clear()
    return task


def test_only_the_answer_and_its_end_are_learned(task: Answers) -> None:
    batch = task.encoded(TOKENIZER, [("ab", "a"), ("c", "cde")])
    a, b, c, d, e = range(3, 8)
    assert batch["input_ids"].tolist() == [[a, b, 2, a, END, PAD], [c, 2, c, d, e, END]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1]]
    no = IGNORED
    assert batch["labels"].tolist() == [[no, no, no, a, END, no], [no, no, c, d, e, END]]


def test_an_answer_is_right_to_the_letter(task: Answers) -> None:
    said: dict[str, object] = {}

    def generate(**given: object) -> torch.Tensor:
        said.update(given)
        ids = given["input_ids"]
        answers = torch.tensor([[3, END, PAD], [4, 4, END]])  # "a", "bb"
        return torch.cat([ids, answers], 1)

    model = SimpleNamespace(device=torch.device("cpu"), generate=generate)
    assert task.solved(model, TOKENIZER, [("a", "a"), ("bbc", "b")]) == 1
    assert task.solved(model, TOKENIZER, [("a", "a"), ("bbc", "bb")]) == 2
    assert said["input_ids"].tolist() == [[PAD, PAD, 3, 2], [4, 4, 5, 2]]  # the end stands last
    assert said["attention_mask"].tolist() == [[0, 0, 1, 1], [1, 1, 1, 1]]
    assert (said["do_sample"], said["max_new_tokens"]) == (False, 2 + MARGIN)


def test_training_teaches_to_answer(task: Answers) -> None:
    run = Run("full_fine_tuning", "writer", "first", 0.003, 1, "test")
    found = training.row(run, Budget(steps=150, rows=16, head_lr=0.01))
    assert found["score"] == 1.0
    assert task.guessing == 0
    one = training.row(run, Budget(steps=1, rows=16, head_lr=0.01))
    assert one["score"] < 0.5


def test_what_wants_classes_is_refused(task: Answers) -> None:
    with pytest.raises(Refused, match=r"the task does not give: .*masked_lm"):
        training.row(Run("pet", "writer", "first", 0.01, 1, "test"), Budget(1, 2, 0.01))


def test_a_prompt_starts_from_names_of_classes_only_where_there_are_any(task: Answers) -> None:
    run, budget = Run("prompt_tuning", "writer", "first", 0.01, 1, "test"), Budget(1, 2, 0.01)
    with pytest.raises(Refused, match="init 'labels' needs a verbalizer"):
        training.row(run._replace(settings=(("length", 3),)), budget)
    words = ("length", 3), ("init", "vocabulary")
    assert "score" in training.row(run._replace(settings=words), budget)


def test_what_is_to_be_mended_is_what_was_swapped() -> None:
    assert swapped(["It", "felt", "so", "cold."], 1) == "It so felt cold."
    assert (MEND.package, MEND.paths) == (ORDER.package, ORDER.paths)
    assert json.dumps([MEND.metric, ORDER.metric]) == '["exact match", "accuracy"]'
