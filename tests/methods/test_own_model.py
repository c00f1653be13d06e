"""The programs on the methods' pages run, on tiny models of the families that they name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    BertConfig,
    BertForPreTraining,
    BertTokenizerFast,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
)

from tools.data.implementations import discover
from tools.site.pages.methods.own_model import CLASSIFIER, LANGUAGE_MODEL, Snippet, snippets

ROOT = Path(__file__).parents[2]
METHODS = discover(ROOT)
SNIPPETS = {
    f"{name}: {snippet.title}": (name, snippet)
    for name, method in METHODS.items()
    for snippet in snippets(method, (ROOT / method.path).read_text(encoding="utf-8"))
}
WORDS = "a an the film was bad good long short dull fine clean loud room it light heavy phone . ,"
END = "<|endoftext|>"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """For each model that the programs name: the folder of a tiny one of its family."""
    torch.manual_seed(0)
    encoder, decoder = (tmp_path_factory.mktemp(name) for name in ("encoder", "decoder"))
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [*special, *WORDS.split()]
    BertTokenizerFast(vocab={word: i for i, word in enumerate(words)}).save_pretrained(encoder)
    sizes = {"num_hidden_layers": 6, "hidden_size": 32, "num_attention_heads": 4}
    config = BertConfig(**sizes, vocab_size=len(words), intermediate_size=48)
    BertForPreTraining(config).save_pretrained(encoder)  # as published: with a pooler

    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator([WORDS], vocab_size=300, special_tokens=[END], show_progress=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, eos_token=END)
    tokenizer.save_pretrained(decoder)
    config = GPT2Config(
        **sizes, vocab_size=len(tokenizer), n_positions=256, bos_token_id=0, eos_token_id=0
    )
    GPT2LMHeadModel(config).save_pretrained(decoder)
    return {CLASSIFIER: encoder, LANGUAGE_MODEL: decoder}


def run(snippet: Snippet, folder: Path) -> dict:
    """Execute the program, in the current folder, with nothing but the model's name replaced."""
    named = f'name = "{snippet.model}"'
    assert snippet.text.count(named) == 1
    text = snippet.text.replace(named, f"name = {str(folder)!r}")
    variables: dict = {"__name__": "__main__"}
    torch.manual_seed(0)
    exec(compile(text, f"{snippet.title} on the page", "exec"), variables)
    return variables


def first(name: str) -> bool:
    """Whether it is the first of its method's programs."""
    method = SNIPPETS[name][0]
    return name == next(other for other, (whose, _) in SNIPPETS.items() if whose == method)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if first(name) else pytest.mark.night) for name in SNIPPETS],
)
def test_the_program_brings_the_trained_model_back(name, folders, tmp_path, monkeypatch):
    method_name, snippet = SNIPPETS[name]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    made = run(snippet, folders[snippet.model])
    model, fresh = made["model"], made["fresh"]
    inputs = next(made["batches"](0))
    with torch.no_grad():
        expected, found = model(**inputs).logits, fresh(**inputs).logits
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)

    if snippet.model == LANGUAGE_MODEL:
        base = type(model).from_pretrained(folders[snippet.model])
        with torch.no_grad():
            assert not torch.equal(base(**inputs).logits, expected)
    if METHODS[method_name].mergeable:
        plain = type(model).from_pretrained(tmp_path / f"{method_name}-merged")
        with torch.no_grad():
            torch.testing.assert_close(plain(**inputs).logits, expected, atol=1e-4, rtol=1e-4)


def test_every_method_has_a_program_and_each_kind_is_there():
    assert {name for name, _ in SNIPPETS.values()} == set(METHODS)
    assert {snippet.model for _, snippet in SNIPPETS.values()} == {CLASSIFIER, LANGUAGE_MODEL}
