"""QLoRA in bitsandbytes, and in bitsandbytes, transformers and peft together."""

from __future__ import annotations

import bitsandbytes
import pytest
import torch
from bitsandbytes.functional import dequantize_4bit, get_4bit_type, quantize_4bit
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import BitsAndBytesConfig

from reference_impls.anatomy import anatomy
from reference_impls.reparameterized.qlora.qlora import QLoRA
from reference_impls.shared import nf4
from tests.parity import samples
from tests.parity.conftest import TOLERANCE
from tests.parity.samples import Comparison, difference, named

R, ALPHA = 3, 7
ABOUT = ("qlora", "bitsandbytes")
MATRIX = "random matrix"
TABLE = "rounds the constants to a table of its own, not to e4m3"


def weight() -> Tensor:
    """A matrix of 33 x 512 = 264 blocks, more than one block of constants."""
    return torch.randn(33, 512, generator=torch.Generator().manual_seed(0))


def theirs(double: bool):
    return quantize_4bit(weight(), blocksize=64, compress_statistics=double, quant_type="nf4")


def test_levels(outcomes):
    found = difference(nf4.LEVELS, get_4bit_type("nf4", device="cpu"))
    outcomes.equal(*ABOUT, "levels", MATRIX, found)


def test_codes(outcomes):
    codes, *_ = nf4.quantize(weight())
    packed, _ = theirs(double=False)
    found = (codes != packed.flatten()).sum().item()
    outcomes.equal(*ABOUT, "codes", MATRIX, found)


def test_constants(outcomes):
    _, absmax = nf4.blocks(weight().flatten(), nf4.BLOCK)
    _, state = theirs(double=False)
    outcomes.equal(*ABOUT, "constants", MATRIX, difference(absmax.flatten(), state.absmax))


def test_dequantized_matrix(outcomes):
    """With exact constants: ours are put in the place of the 8-bit ones."""
    codes, *_ = nf4.quantize(weight())
    packed, state = theirs(double=False)
    indices = torch.stack([codes >> 4, codes & 15], dim=1).long()
    ours = (nf4.LEVELS[indices].view(-1, nf4.BLOCK) * state.absmax[:, None]).view(33, 512)
    after = "constants are not quantized"
    outcomes.equal(
        *ABOUT, "matrix", MATRIX, difference(ours, dequantize_4bit(packed, state)), after=after
    )


def test_double_quantization(outcomes):
    packed, state = theirs(double=True)
    ours = nf4.dequantize(*nf4.quantize(weight()), (33, 512))
    found = difference(ours, dequantize_4bit(packed, state))
    outcomes.deviates(*ABOUT, "matrix", MATRIX, found, note=TABLE)
    codes, _, _, mean = nf4.quantize(weight())
    outcomes.equal(*ABOUT, "codes", MATRIX, (codes != packed.flatten()).sum().item())
    outcomes.equal(*ABOUT, "mean of the constants", MATRIX, difference(mean, state.offset))


# a whole model

# bitsandbytes needs rows of whole blocks, see the last test
WIDE = {"hidden_size": 64, "head_dim": 16, "intermediate_size": 128}
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def adapt(tmp_path):
    """The base model as transformers loads it in 4 bits, with peft's LoRA on it."""

    def adapted(model):
        model.save_pretrained(tmp_path)
        config = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.float32,
        )
        quantized = type(model).from_pretrained(
            tmp_path, quantization_config=config, device_map="cpu", dtype=torch.float32
        )
        lora = LoraConfig(r=R, lora_alpha=ALPHA, target_modules=TARGETS)
        return get_peft_model(quantized, lora)

    return adapted


def mapping(model, tensors):
    found = {}
    for layer in anatomy(model).layers:
        for projection in layer.linear_maps:
            name = named(model, projection.module)
            for ours, matrix in (("a", "A"), ("b", "B")):
                key = f"base_model.model.{name}.lora_{matrix}.default.weight"
                found[f"{name}.qlora.0.{ours}"] = tensors[key]
    return found


@pytest.fixture
def sample(tmp_path):
    # in evaluation bitsandbytes rounds the constants once more, to bfloat16, on some processors
    return samples.from_model("peft", "llama-lm", adapt(tmp_path), training=True, config=WIDE)


def method() -> QLoRA:
    return QLoRA(r=R, alpha=ALPHA, dropout=0.0)


def test_model(outcomes, sample):
    comparison = Comparison(outcomes, sample, method(), mapping)
    comparison.deviates("logits", comparison.distance(), f"bitsandbytes {TABLE}")
    comparison.counts()


def test_model_with_constants_of_bitsandbytes(outcomes, sample, monkeypatch):
    """All is ours (codes, levels, backward pass, LoRA) but the rounding of the constants."""
    comparison = Comparison(outcomes, sample, method(), mapping)
    base, constants = sample.ours(), {}
    for layer in anatomy(comparison.model).layers:
        for projection in layer.linear_maps:
            original = base.get_submodule(named(comparison.model, projection.module)).weight
            _, state = quantize_4bit(
                original.detach(), blocksize=64, compress_statistics=True, quant_type="nf4"
            )
            absmax = bitsandbytes.functional.dequantize_blockwise(state.absmax, state.state2)
            constants[projection.module.codes.data_ptr()] = absmax + state.offset

    def dequantize(codes, eighths, scales, mean, shape):
        indices = torch.stack([codes >> 4, codes & 15], dim=1).long()
        rows = nf4.LEVELS[indices].view(-1, nf4.BLOCK)
        return (rows * constants[codes.data_ptr()][:, None]).view(shape)

    monkeypatch.setattr(nf4, "dequantize", dequantize)
    after = "constants are rounded to the table of bitsandbytes"
    comparison.logits(after)
    comparison.gradients(after)


def test_short_rows(outcomes):
    """Row i begins with constant i * (width // 64), which for a width of 32 is always the first,
    where the kernel has AVX-512."""
    short = weight().reshape(-1, 32)
    packed, state = quantize_4bit(short, blocksize=64, compress_statistics=False, quant_type="nf4")
    indices = torch.stack([packed >> 4, packed & 15], dim=1).long().flatten()
    levels = nf4.LEVELS[indices].view_as(short)
    theirs = dequantize_4bit(packed, state)
    ours = (levels.view(-1, nf4.BLOCK) * state.absmax[:, None]).view_as(short)
    if torch.backends.cpu.get_cpu_capability() != "AVX512":
        assert difference(ours, theirs) < TOLERANCE
        outcomes.stands("qlora", "matrix with rows of 32")
        return
    assert difference(levels * state.absmax[0], theirs) < TOLERANCE
    found = difference(ours, theirs)
    note = (
        "on a CPU with AVX-512, takes wrong constants where rows are a multiple of 16 but not of "
        "the block size"
    )
    outcomes.deviates(*ABOUT, "matrix with rows of 32", MATRIX, found, note=note)
