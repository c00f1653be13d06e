"""Loading: digests, random controls, heads, folders and refusals; never a network."""

import shutil
import socket

import pytest
import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    GPT2ForSequenceClassification,
    GPT2LMHeadModel,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    MambaConfig,
    T5ForConditionalGeneration,
    T5ForSequenceClassification,
    ViTConfig,
)
from transformers.utils import logging

from reference_impls.lab import backbones
from reference_impls.lab.backbones import DIGESTS, NAMES, WEIGHTS, WEIGHTS_FILE, digest, load

torch.set_num_threads(1)
CLASSIFIERS = {
    "encoder": BertForSequenceClassification,
    "decoder": LlamaForSequenceClassification,
    "decoder-gpt2": GPT2ForSequenceClassification,
    "encoder-decoder": T5ForSequenceClassification,
}
LANGUAGE_MODELS = {
    "encoder": BertForMaskedLM,
    "decoder": LlamaForCausalLM,
    "decoder-gpt2": GPT2LMHeadModel,
    "encoder-decoder": T5ForConditionalGeneration,
}
HEADS = ("classifier.weight", "score.weight", "classification_head.")


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("the lab must not open a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def copied_weights(tmp_path, monkeypatch):
    folder = tmp_path / "weights"
    shutil.copytree(WEIGHTS, folder)
    monkeypatch.setattr(backbones, "WEIGHTS", folder)
    return folder


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("name", DIGESTS)
def test_shipped_files_are_small_and_have_their_digest(name):
    assert digest(name) == DIGESTS[name]
    assert (WEIGHTS / name / WEIGHTS_FILE).stat().st_size < 1_000_000


@pytest.mark.parametrize("name", DIGESTS)
def test_one_flipped_byte_is_noticed(name, copied_weights):
    path = copied_weights / name / WEIGHTS_FILE
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"is not the {name} that ships: its sha256 is"):
        load(name, CLASSIFIERS[name])


def test_a_missing_file_is_named(copied_weights):
    path = copied_weights / "encoder" / WEIGHTS_FILE
    path.unlink()
    with pytest.raises(ValueError, match=r"model\.safetensors is missing; restore it with"):
        load("encoder", BertForMaskedLM)


@pytest.mark.parametrize("name", DIGESTS)
def test_a_random_backbone_is_the_same_architecture_with_other_weights(name):
    trained = load(name, CLASSIFIERS[name])
    random = load(f"{name}-random", CLASSIFIERS[name])
    shapes = [{key: value.shape for key, value in state(m).items()} for m in (trained, random)]
    assert shapes[0] == shapes[1]
    weights = [m.get_input_embeddings().weight for m in (trained, random)]
    assert not torch.allclose(*weights)
    assert digest(f"{name}-random") != digest(name)


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_what_the_file_does_not_hold_and_nothing_else(name):
    model_class = CLASSIFIERS[name.removesuffix("-random")]
    before = torch.random.get_rng_state()
    same, again, other = (load(name, model_class, seed, num_labels=3) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert equal(state(same), state(again))
    changed = {key for key in state(same) if not torch.equal(state(same)[key], state(other)[key])}
    head = {key for key in changed if key.startswith(HEADS)}
    assert head
    assert (changed == head) == (not name.endswith("-random"))
    assert same.config.num_labels == 3
    assert same.name_or_path == same.config.name_or_path == name
    assert not same.training


@pytest.mark.parametrize("name", DIGESTS)
def test_the_language_model_heads_are_in_the_files(name):
    one, other = (state(load(name, LANGUAGE_MODELS[name], seed)) for seed in (0, 1))
    assert equal(one, other)


@pytest.mark.parametrize("name", NAMES)
def test_the_name_says_the_shape(name):
    known = {"decoder-gpt2": "decoder"}
    bare = name.removesuffix("-random")
    assert backbones.shape(name) == known.get(bare, bare)


@pytest.mark.parametrize(("config", "shape"), [(ViTConfig, "encoder"), (MambaConfig, "decoder")])
def test_a_family_without_a_file_has_a_shape(tmp_path, config, shape):
    config().save_pretrained(tmp_path)
    assert backbones.shape(str(tmp_path)) == shape


def test_a_folder_written_by_save_pretrained_is_a_backbone(tmp_path):
    model = load("encoder", BertForMaskedLM)
    with torch.no_grad():
        model.bert.embeddings.word_embeddings.weight[7] += 1
    model.save_pretrained(tmp_path)
    name = str(tmp_path)
    assert equal(state(load(name, BertForMaskedLM)), state(model))
    assert digest(name) not in DIGESTS.values()
    assert load(name, BertForMaskedLM).name_or_path == name


def test_a_folder_that_lacks_weights_is_refused(tmp_path):
    load("encoder", BertForSequenceClassification).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"does not fit BertForMaskedLM: it lacks cls\."):
        load(str(tmp_path), BertForMaskedLM)


def test_a_folder_that_lacks_a_layer_is_refused(tmp_path):
    config = BertConfig.from_pretrained(WEIGHTS / "encoder", num_hidden_layers=1)
    BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"it lacks bert\.encoder\.layer\.1"):
        load(str(tmp_path), BertForSequenceClassification, num_hidden_layers=2)


def test_a_misspelled_name_is_answered_with_the_right_one():
    with pytest.raises(ValueError, match=r"called 'encodr'; did you mean 'encoder'\?"):
        load("encodr", BertForMaskedLM)


def test_transformers_is_as_talkative_afterwards_as_before(capfd):
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    try:
        logging.set_verbosity_info()
        logging.enable_progress_bar()
        load("encoder", BertForSequenceClassification)
        assert logging.get_verbosity() == logging.INFO
        assert logging.is_progress_bar_enabled()
        assert capfd.readouterr().err == ""
    finally:
        logging.set_verbosity(before[0])
        if not before[1]:
            logging.disable_progress_bar()
