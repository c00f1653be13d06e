"""What is found in some architectures is what their modeling files say.

`expected_parts.toml` was written by reading transformers' code, not by looking at what is found.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch

from reference_impls import architectures
from reference_impls.anatomy import Attention, Layer, Projection, Stack, anatomy, width

torch.set_num_threads(1)

EXPECTED = tomllib.loads(Path(__file__).with_name("expected_parts.toml").read_text("utf-8"))
USUAL = {
    "causal": False,
    "width": 32,
    "heads": [4, 4],
    "dims": [8, 8],
    "registered": True,
    "post_norm": False,
}
ABOUT = {*USUAL, "in", "blocks", "norms", "cross"}
each = pytest.mark.parametrize("name", EXPECTED)


def found(name: str) -> tuple[Any, dict[torch.nn.Module, str]]:
    """A model's parts, and what its modules are called."""
    parts = anatomy(architectures.build(name))
    return parts, {module: key for key, module in parts.base.named_modules()}


def text(part: Any, names: dict[torch.nn.Module, str], block: str) -> Any:
    """A part as it is written in the file."""
    if isinstance(part, tuple):
        written = [text(one, names, block) for one in part]
        return written if len(written) > 1 else written[0]
    if isinstance(part, Projection):
        name = text(part.module, names, block)
        whole = part.runs == ((0, width(part.module)),)
        return name if whole else " ".join([name, *(f"{a}:{b}" for a, b in part.runs)])
    name = names[part]
    assert f"{name}.".startswith(f"{block}.")
    return name[len(block) + 1 :]


def expected_blocks(name: str) -> list[tuple[str, dict[str, Any]]]:
    """Each layer's block and what is expected of it, in the order of the file."""
    return [(b, {**USUAL, **layer}) for layer in EXPECTED[name]["layer"] for b in layer["blocks"]]


def layers(name: str) -> list[tuple[Stack, Layer, dict[str, Any], dict, str]]:
    """Each layer beside what is expected of it."""
    parts, names = found(name)
    seen = [(stack, layer) for stack in parts.stacks for layer in stack.layers]
    wanted = expected_blocks(name)
    assert [names[layer.block] for _, layer in seen] == [block for block, _ in wanted]
    return [
        (stack, layer, table, names, block)
        for (stack, layer), (block, table) in zip(seen, wanted, strict=True)
    ]


def written_parts(attention: Attention, names: dict, block: str) -> dict[str, Any]:
    return {key: text(part, names, block) for key, part in attention.found.items()}


@each
def test_every_part_is_found_by_its_name_and_no_other(name):
    for _, layer, table, names, block in layers(name):
        expected = {key: value for key, value in table.items() if key not in ABOUT}
        assert written_parts(layer, names, block) == expected
        cross = layer.cross and written_parts(layer.cross, names, block)
        assert cross == table.get("cross")
        assert [text(norm, names, block) for norm in layer.norms] == table["norms"]


@each
def test_stacks_and_sizes(name):
    for stack, layer, table, names, _ in layers(name):
        assert names[stack.module] == table["in"]
        assert stack.causal == table["causal"]
        assert layer.width == table["width"]
        assert layer.post_norm == table["post_norm"]
        for block in layer.attentions:
            assert block.registered == table["registered"]
            if not block.registered and block.heads is None:
                continue  # its queries are cut into windows
            heads, dims = (table["heads"], table["dims"]) if table["heads"] else ([None] * 2,) * 2
            assert [block.heads, block.kv_heads] == heads
            assert [block.key_dim, block.value_dim] == dims


@each
def test_what_is_around_the_layers(name):
    parts, names = found(name)
    table = EXPECTED[name]
    if "final" in table:
        assert names[parts.final] == table["final"]
    if "norms" in table:
        assert len(set(parts.norms)) == len(parts.norms) == table["norms"]
    if "positions" in table:
        assert parts.positions == (table["positions"] or None)


@each
def test_a_part_that_is_not_found_is_refused_with_the_reason(name):
    for _, layer, table, _, block in layers(name):
        for key in ("query", "feed_forward_up", "feed_forward_down", "attention_end"):
            if key in table:
                continue
            about = f"layer '{block}' has no {key}: (it has no attention|its experts are no linear)"
            with pytest.raises(ValueError, match=about):
                getattr(layer, key)


def test_a_stage_of_layers_of_one_block_each_is_no_layer():
    parts, names = found("levit")  # the third stage adds attention twice, and does not narrow
    stages = [names[layer.block].rsplit(".layers.") for layer in parts.layers]
    held = {"encoder.stages.0": 6, "encoder.stages.1": 6, "encoder.stages.2": 4}
    assert stages == [[stage, str(i)] for stage, n in held.items() for i in range(n)]
    assert written_parts(parts.layers[0], names, "encoder.stages.0.layers.0") == {
        "attention": "module",
        "query": "module.queries_keys_values.linear 0:8 32:40",
        "key": "module.queries_keys_values.linear 8:16 40:48",
        "value": "module.queries_keys_values.linear 16:32 48:64",
        "attention_output": "module.projection.linear",
        "attention_end": "module.projection",
        "end": "",
    }
    assert (
        parts.layers[1].feed_forward_up[0].module is parts.layers[1].block.module.linear_up.linear
    )


def test_a_layer_with_two_of_each_block_is_one():
    parts, names = found("longcat_flash")
    assert [names[layer.block] for layer in parts.layers] == ["layers.0", "layers.1"]
    with pytest.raises(ValueError, match="it attends more than once"):
        _ = parts.layers[0].query


def test_a_module_that_hands_all_on_takes_what_the_one_in_it_does():
    parts = anatomy(architectures.build("trocr"))
    assert len(parts.layers) == 2
    assert parts.layers[0].query.module is parts.base.decoder.layers[0].self_attn.q_proj
