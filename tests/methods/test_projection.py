"""Slices of fused maps, and what an anatomy refuses."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from reference_impls import architectures
from reference_impls.anatomy import Projection, Widen, anatomy, whole, width

torch.set_num_threads(1)

RUNS = ((1, 3), (5, 6), (8, 11))
PLACES = [1, 2, 5, 8, 9, 10]


def fused(kind: str, *, bias: bool = True) -> nn.Module:
    """A map from 4 to 12 features."""
    torch.manual_seed(0)
    if kind == "linear":
        return nn.Linear(4, 12, bias=bias)
    conv = Conv1D(12, 4)
    with torch.no_grad():
        conv.bias.normal_()
    return conv


each = pytest.mark.parametrize("kind", ["linear", "conv1d"])
runs = pytest.mark.parametrize(
    ("runs", "places"), [(RUNS, PLACES), (((3, 7),), [3, 4, 5, 6]), (((0, 12),), list(range(12)))]
)


@each
@runs
def test_a_projection_is_the_rows_of_its_runs_in_their_order(kind, runs, places):
    module = fused(kind)
    p = Projection(module, runs)
    assert (p.d_in, p.d_out) == (4, len(places))
    x = torch.randn(2, 3, 4)
    torch.testing.assert_close(x @ p.weight.T + p.bias, module(x)[..., places])
    assert torch.equal(module(x)[..., p.columns], module(x)[..., places])


@each
@runs
def test_what_is_written_is_read_and_the_rest_stays(kind, runs, places):
    module = fused(kind)
    p = Projection(module, runs)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    weight, bias = torch.randn(len(places), 4), torch.randn(len(places))
    p.write(weight)
    assert torch.equal(p.weight, weight)
    assert torch.equal(module.bias, before["bias"])
    p.write(weight, bias)
    assert torch.equal(p.bias, bias)
    rest = [i for i in range(12) if i not in places]
    rows = [m.T if kind == "conv1d" else m for m in (module.weight, before["weight"])]
    assert torch.equal(rows[0][rest], rows[1][rest])
    assert torch.equal(module.bias[rest], before["bias"][rest])
    assert module.weight.requires_grad
    assert module.weight.grad_fn is None


def test_one_slice_is_a_view_and_several_are_a_copy():
    module = fused("linear")
    for runs, shared in ((((3, 7),), True), (RUNS, False)):
        weight = Projection(module, runs).weight
        assert (weight.untyped_storage().data_ptr() == module.weight.data_ptr()) == shared


def test_what_is_written_takes_the_weights_type():
    module = fused("linear").bfloat16()
    p = Projection(module, RUNS)
    p.write(torch.ones(6, 4, dtype=torch.float64), torch.ones(6))
    assert module.weight.dtype == module.bias.dtype == torch.bfloat16
    assert torch.equal(p.weight, torch.ones(6, 4, dtype=torch.bfloat16))


def test_a_map_without_a_bias_has_none():
    assert Projection(fused("linear", bias=False), RUNS).bias is None


@runs
def test_widening_puts_features_at_their_places(runs, places):
    x = torch.randn(2, 3, len(places), requires_grad=True)
    wide = Widen(runs, 12)(x, fill=7.0)
    assert wide.shape == (2, 3, 12)
    assert torch.equal(wide[..., places], x)
    rest = [i for i in range(12) if i not in places]
    assert bool((wide[..., rest] == 7).all())
    wide.sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))
    assert not Widen(runs, 12)(x)[..., rest].any()
    assert Projection(fused("linear"), runs).widen == Widen(runs, 12)


@each
def test_a_whole_map_has_all_its_features(kind):
    module = fused(kind)
    assert width(module) == 12
    assert whole(module).runs == ((0, 12),)
    assert torch.equal(whole(module).bias, module.bias)


# what an anatomy refuses


def parts_of(name: str):
    return anatomy(architectures.build(name))


@pytest.mark.parametrize("name", ["resnet", "mamba", "fnet"])
def test_a_model_without_attention_has_no_layers(name):
    parts = parts_of(name)
    complaint = f"{parts.title} has no layers that were found: no attention was seen that adds to"
    for ask in ("stacks", "layers", "hidden_size", "heads", "causal", "entrance"):
        with pytest.raises(ValueError, match=complaint):
            getattr(parts, ask)
    assert not parts.encoder_decoder


@pytest.mark.parametrize("name", ["vit", "wav2vec2"])
def test_a_model_that_reads_no_text_has_no_table_of_tokens(name):
    with pytest.raises(ValueError, match="Model has no table of tokens: it reads no text"):
        _ = parts_of(name).embedding


def test_a_model_of_several_widths_has_no_one_width():
    parts = parts_of("swin")
    with pytest.raises(ValueError, match="SwinModel has no one width: of its layers, 16, 8"):
        _ = parts.hidden_size
    with pytest.raises(ValueError, match="SwinModel has no one number of heads: of its layers, 2"):
        _ = parts.heads
    assert parts.head_dim == 4


def test_layers_that_do_not_tell_their_heads_have_no_one_number():
    parts = parts_of("longt5")
    assert parts.heads == 4  # as its configuration says
    with pytest.raises(ValueError, match="has no one number of key heads: of its layers, 4"):
        _ = parts.kv_heads
    with pytest.raises(ValueError, match="has no one width of heads: of its layers, 16"):
        _ = parts.head_dim


def test_a_model_whose_last_states_are_no_modules_has_no_final_one():
    with pytest.raises(ValueError, match="no module of XLNetModel returns its last hidden states"):
        _ = parts_of("xlnet").final


def test_a_missing_part_says_where_why_and_what_to_do():
    layer = parts_of("mixtral").layers[0]
    complaint = (
        "MixtralModel's layer 'layers.0' has no feed_forward_up: its experts are no linear maps, "
        r"but one tensor; give its name, anatomy\(model, feed_forward_up=…\), or the layers that "
        r"have one, anatomy\(model, layers=…\)"
    )
    assert not layer.has("feed_forward_up")
    for ask in (lambda: layer.feed_forward_up, lambda: layer.linear_maps):
        with pytest.raises(ValueError, match=complaint):
            ask()
    with pytest.raises(ValueError, match="a layer has no projection 'end'"):
        layer.projections("end")


def test_a_cross_attention_says_that_it_is_one():
    block = parts_of("bart").layers[2].cross
    assert block.place == "the cross-attention of BartModel's layer 'decoder.layers.0'"
    with pytest.raises(ValueError, match=r"cross-attention of .* has no nothing: it was not found"):
        block.part("nothing")


def test_what_is_said_of_a_whole_model():
    parts = parts_of("deepseek_v3")
    assert (parts.heads, parts.kv_heads, parts.head_dim, parts.hidden_size) == (4, 4, 12, 32)
    assert parts.causal
    assert not parts.encoder_decoder
    parts = parts_of("t5")
    assert parts.encoder_decoder
    assert not parts.causal
    assert parts.entrance is parts.base.encoder
    assert parts.embedding is parts.model.get_input_embeddings()
