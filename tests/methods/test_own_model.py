"""The programs on the methods' pages run, on tiny models of the families that they name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import ByteLevelBPETokenizer
from tokenizers.processors import TemplateProcessing
from transformers import (
    BertConfig,
    BertForPreTraining,
    BertTokenizerFast,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
    ViTConfig,
    ViTImageProcessor,
    ViTModel,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForPreTraining,
)

from tools.cards import read_cards
from tools.data.architectures import read_cells
from tools.data.implementations import discover
from tools.site.pages.methods.model_kinds import KINDS
from tools.site.pages.methods.own_model import Snippet, snippets

ROOT = Path(__file__).parents[2]
METHODS, CARDS, CELLS = discover(ROOT), read_cards(ROOT), read_cells(ROOT)
SNIPPETS = {
    f"{name}: {snippet.title}": (name, snippet)
    for name, method in METHODS.items()
    for snippet in snippets(method, CARDS[name].own_model, CELLS.get(name))
}
WORDS = "a an the film was bad good long short dull fine clean loud room it light heavy phone . ,"
END = "<|endoftext|>"
SIZES = {"num_hidden_layers": 6, "hidden_size": 32, "num_attention_heads": 4}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """For each kind of model: the folder of a tiny one of the family that its programs name."""
    torch.manual_seed(0)
    made = {
        "classifier": encoder,
        "language-model": decoder,
        "encoder-decoder": encoder_decoder,
        "vision": vision,
        "audio": audio,
    }
    folders = {name: tmp_path_factory.mktemp(name) for name in made}
    for name, make in made.items():
        make(folders[name])
    return folders


def encoder(folder: Path) -> None:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [*special, *WORDS.split()]
    BertTokenizerFast(vocab={word: i for i, word in enumerate(words)}).save_pretrained(folder)
    config = BertConfig(**SIZES, vocab_size=len(words), intermediate_size=48)
    BertForPreTraining(config).save_pretrained(folder)  # as published: with a pooler


def pieces(*special: str) -> ByteLevelBPETokenizer:
    """A vocabulary of pieces of words, the special ones first."""
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(
        [WORDS], vocab_size=300, special_tokens=list(special), show_progress=False
    )
    return bpe


def decoder(folder: Path) -> None:
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=pieces(END)._tokenizer, eos_token=END)
    tokenizer.save_pretrained(folder)
    config = GPT2Config(
        **SIZES, vocab_size=len(tokenizer), n_positions=256, bos_token_id=0, eos_token_id=0
    )
    GPT2LMHeadModel(config).save_pretrained(folder)


def encoder_decoder(folder: Path) -> None:
    bpe = pieces("<pad>", "</s>")
    bpe._tokenizer.post_processor = TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=bpe._tokenizer, pad_token="<pad>", eos_token="</s>"
    ).save_pretrained(folder)
    config = T5Config(
        vocab_size=300, d_model=32, d_kv=8, d_ff=48, num_layers=6, num_heads=4,
        decoder_start_token_id=0,
    )  # fmt: skip
    T5ForConditionalGeneration(config).save_pretrained(folder)


def vision(folder: Path) -> None:
    ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
    config = ViTConfig(**SIZES, intermediate_size=48, image_size=16, patch_size=8)
    ViTModel(config).save_pretrained(folder)


def audio(folder: Path) -> None:
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    config = Wav2Vec2Config(
        **SIZES, intermediate_size=48, conv_dim=[16] * 7, num_conv_pos_embedding_groups=2,
        num_conv_pos_embeddings=8, codevector_dim=16, proj_codevector_dim=16,
    )  # fmt: skip
    Wav2Vec2ForPreTraining(config).save_pretrained(folder)


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
    made = run(snippet, folders[snippet.kind.name])
    model, fresh = made["model"], made["fresh"]
    inputs = next(made["batches"](0))
    with torch.no_grad():
        expected, found = model(**inputs).logits, fresh(**inputs).logits
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)

    if not snippet.kind.head:
        base = type(model).from_pretrained(folders[snippet.kind.name])
        with torch.no_grad():
            assert not torch.equal(base(**inputs).logits, expected)
    if METHODS[method_name].mergeable:
        plain = type(model).from_pretrained(tmp_path / f"{method_name}-merged")
        with torch.no_grad():
            torch.testing.assert_close(plain(**inputs).logits, expected, atol=1e-4, rtol=1e-4)


def test_every_method_has_a_program_and_each_kind_is_there():
    assert {name for name, _ in SNIPPETS.values()} == set(METHODS)
    assert {snippet.kind for _, snippet in SNIPPETS.values()} == set(KINDS)
