"""What is told of the peak of a step by shapes is what is alive in a step on real tensors."""

from __future__ import annotations

from itertools import repeat

import pytest
import torch
from transformers import BertConfig, GPT2Config, LlamaConfig, PretrainedConfig

from reference_impls.anatomy import built
from reference_impls.core.registry import load_method
from reference_impls.core.training import Loop
from reference_impls.measure import peaks as module
from reference_impls.measure.any_batch import batch_for
from reference_impls.measure.given import stand_ins
from reference_impls.measure.gpu_kernels import fused_dropout, without_attention_dropout
from reference_impls.measure.ledger import tensors_in
from reference_impls.measure.live import Live
from reference_impls.measure.peaks import Setting, peaks, set_to
from reference_impls.measure.polynomials import value
from reference_impls.measure.reports import on_config

torch.set_num_threads(1)

LLAMA = LlamaConfig(
    num_hidden_layers=3,
    hidden_size=32,
    intermediate_size=56,
    num_attention_heads=4,
    num_key_value_heads=2,
    vocab_size=200,
    max_position_embeddings=512,
)
GPT2 = GPT2Config(n_layer=3, n_embd=32, n_head=4, vocab_size=200, attn_pdrop=0.0)
FLOAT, EAGER = Setting(torch.float32), Setting(attention="eager")
CHECKPOINTING = Setting(checkpointing=True)


def measured(name: str, config: PretrainedConfig, rows: int, length: int, setting: Setting) -> int:
    """The peak of a step on real tensors."""
    model = set_to(built(config, dtype=setting.dtype), setting)
    batch = batch_for(model, rows, length)
    batch["attention_mask"][0, -3:] = 0
    method = load_method(name)(**stand_ins(load_method(name), model, batch))
    method.setup(model, repeat(batch))
    kept = (*model.parameters(), *model.buffers(), *batch.values(), *tensors_in(vars(method)))
    here = {id(tensor): tensor.nbytes for tensor in kept}
    with Live() as live:
        method.fit(model, Loop(lambda seed: repeat(batch), steps=2, progress=False))
    return sum(here.values()) + live.peak


@pytest.mark.parametrize(
    ("name", "config", "setting"),
    [
        ("full_fine_tuning", LLAMA, Setting()),
        ("lora", LLAMA, FLOAT),
        ("lora", LLAMA, EAGER),
        ("lora", LLAMA, CHECKPOINTING),
        ("lora", GPT2, Setting()),
        ("mezo", LLAMA, Setting()),
        ("lomo", LLAMA, CHECKPOINTING),
        ("prompt_tuning", LLAMA, EAGER),
    ],
)
def test_a_peak_is_told_to_the_byte_of_batches_that_were_not_run(name, config, setting):
    told = peaks(load_method(name), config, setting)
    for rows, length in ((3, 40), (17, 21), (2, 150)):
        most = max(value(polynomial, rows, length) for polynomial in told)
        assert most == measured(name, config, rows, length, setting)


def test_checkpointing_keeps_less_and_eager_attention_more():
    def peak(setting: Setting) -> int:
        return max(value(one, 8, 256) for one in peaks(load_method("lora"), LLAMA, setting))

    assert peak(CHECKPOINTING) < peak(Setting()) < peak(EAGER)
    assert peak(Setting()) < peak(FLOAT)


@pytest.mark.parametrize(("name", "setting"), [("lora", FLOAT), ("full_fine_tuning", Setting())])
def test_an_optimizer_without_state_takes_that_much_less(name, setting, monkeypatch):
    method = load_method(name)
    state = on_config(method, LLAMA, 2, 40)["ledger"]["optimizer"]
    told = peaks(method, LLAMA, setting)
    monkeypatch.setattr(method, "optimizer", lambda self, given: torch.optim.SGD(given, lr=1e-3))
    without = peaks(method, LLAMA, setting)
    for batch in ((2, 40), (8, 256)):
        own, bare = (max(value(one, *batch) for one in found) for found in (told, without))
        assert own - state == bare


def test_what_two_layers_do_not_tell_is_run(monkeypatch):
    told = peaks(load_method("lora"), LLAMA, Setting())
    monkeypatch.setattr(module, "_of_two_layers", lambda config: BertConfig(vocab_size=77))
    assert peaks(load_method("lora"), LLAMA, Setting()) == told


def test_what_depends_on_data_is_refused():
    with pytest.raises(ValueError, match="depends on its data"):
        peaks(load_method("diff_pruning"), LLAMA, Setting())
    with pytest.raises(ValueError, match="LlamaModel has none"):
        peaks(load_method("bitfit"), LLAMA, Setting())


def test_dropout_keeps_a_byte_a_number_where_it_is_that_of_a_gpu():
    def kept(numbers: torch.Tensor, p: float = 0.5, *, training: bool = True) -> int:
        with Live() as live:
            dropped = torch.nn.functional.dropout(numbers, p, training=training)
            return live.now if dropped is not numbers else 0

    numbers = torch.ones(8, 32, requires_grad=True)
    assert kept(numbers) == 2 * numbers.nbytes
    with fused_dropout():
        assert kept(numbers) == numbers.nbytes + numbers.numel()
        assert kept(numbers, training=False) == kept(numbers, 0.0) == 0
    assert kept(numbers) == 2 * numbers.nbytes


def test_without_dropout_attention_keeps_no_probabilities():
    def squares(config: PretrainedConfig) -> int:
        return max(polynomial[5] for polynomial in peaks(load_method("lora"), config, FLOAT))

    config = GPT2Config(n_layer=3, n_embd=32, n_head=4, vocab_size=200)
    kept = squares(config)
    assert squares(without_attention_dropout(config)) < kept / 4
    assert config.resid_pdrop == GPT2Config().resid_pdrop > 0
