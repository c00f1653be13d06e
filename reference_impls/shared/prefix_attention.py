"""Attention to a trained prefix: keys and values in front of those of the tokens.

An attention module that carries a submodule named `prefix` attends to its keys and values as well.
They are prepended where the module calls its attention function, so after the rotary embedding and
after the cache: no token's position moves, no cache holds them, and recomputing a layer (gradient
checkpointing) or decoding with a cache needs no special case. A module without a `prefix` computes
exactly what scaled dot-product attention computes.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from transformers import (
    AttentionInterface,
    AttentionMaskInterface,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask, sdpa_mask

from ..anatomy import Anatomy, Attention
from ..core.method import Method

if TYPE_CHECKING:
    from ..core.training import Loop


class Prefix(nn.Module):
    """Trained keys and values of one attention block, (length, kv_heads, key_dim and value_dim).

    Any module whose forward takes nothing and returns keys and values can stand in its place; both
    may have a first dimension more, the rows of the batch.
    """

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.keys, self.values = nn.Parameter(keys.clone()), nn.Parameter(values.clone())

    def forward(self) -> tuple[Tensor, Tensor]:
        return self.keys, self.values


class Trunk(nn.Module):
    """What the layers share of a reparametrized prefix: length rows -> (length, bottleneck)."""

    def __init__(self, length: int, width: int, bottleneck: int, std: float | None) -> None:
        super().__init__()
        rows = torch.randn(length, width)
        self.rows = nn.Parameter(rows if std is None else std * rows)
        self.down = _linear(width, bottleneck, std)

    def forward(self) -> Tensor:
        return self.down(self.rows).tanh()


class Reparametrized(nn.Module):
    """A layer's prefix as a function of the shared trunk; stands in for a `Prefix` in training."""

    def __init__(self, trunk: Trunk, block: Attention, std: float | None) -> None:
        super().__init__()
        self.trunk, self.heads = trunk, block.kv_heads
        self.sizes = [block.kv_heads * block.key_dim, block.kv_heads * block.value_dim]
        self.up = _linear(trunk.down.out_features, sum(self.sizes), std)

    def forward(self) -> tuple[Tensor, Tensor]:
        keys, values = self.up(self.trunk()).split(self.sizes, -1)
        return keys.unflatten(-1, (self.heads, -1)), values.unflatten(-1, (self.heads, -1))


def _linear(d_in: int, d_out: int, std: float | None) -> nn.Linear:
    linear = nn.Linear(d_in, d_out)
    if std is not None:
        nn.init.normal_(linear.weight, std=std)
        nn.init.zeros_(linear.bias)
    return linear


def prefix_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    is_causal: bool | None = None,
    position_bias: Tensor | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **kwargs,
) -> tuple[Tensor, None]:
    """Attention over [prefix; tokens]; every query sees the whole prefix.

    query (batch, heads, n, head_dim), key and value (batch, kv_heads, m, head_dim), attention_mask
    (batch, 1, n, m), boolean or additive, or None. position_bias (1, heads, n, m): what T5 adds to
    the scores; a prefix has no position, so none there. softcap: the scores are s -> c tanh(s / c);
    s_aux (heads,): attention sinks, one score more in each softmax, of nothing. Returns (batch, n,
    heads, head_dim).
    """
    prefix = getattr(module, "prefix", None)
    if prefix is not None:
        causal = _causal(module, is_causal)
        if attention_mask is None and causal and query.shape[2] > 1:
            # the flag alone would align the triangle with the first prefix slot
            square = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=key.device)
            attention_mask = square.tril()[None, None]
        keys, values = (
            rows.to(key.dtype).transpose(-3, -2).expand(len(key), -1, -1, -1) for rows in prefix()
        )
        if attention_mask is not None:
            seen = float(attention_mask.dtype == torch.bool)  # True, or nothing added
            attention_mask = nn.functional.pad(attention_mask, (keys.shape[2], 0), value=seen)
        if position_bias is not None:
            position_bias = nn.functional.pad(position_bias, (keys.shape[2], 0))
        key, value = torch.cat([keys, key], dim=2), torch.cat([values, value], dim=2)
    if softcap is not None or s_aux is not None:
        causal = _causal(module, is_causal)
        mask = _additive(attention_mask, query, key, causal)
        return by_formula(query, key, value, mask, softcap, s_aux, **kwargs), None
    return sdpa_attention_forward(
        module,
        query,
        key,
        value,
        attention_mask,
        is_causal=is_causal,
        position_bias=position_bias,
        **kwargs,
    )


def _causal(module: nn.Module, is_causal: bool | None) -> bool:
    """As scaled dot-product attention decides without a mask."""
    return getattr(module, "is_causal", True) if is_causal is None else is_causal


def _additive(mask: Tensor | None, query: Tensor, key: Tensor, causal: bool) -> Tensor:
    """What is added to the scores (…, n, m): 0 where a key is seen."""
    if mask is None:
        seen = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=key.device)
        mask = seen.tril() if causal and query.shape[2] > 1 else seen
    if mask.dtype != torch.bool:
        return mask
    return query.new_zeros(mask.shape).masked_fill(~mask, torch.finfo(query.dtype).min)


def by_formula(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor,
    softcap: float | None,
    s_aux: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs,
) -> Tensor:
    """Attention that scaled dot-product attention has no arguments for: softcap and sinks."""
    groups = query.shape[1] // key.shape[1]
    key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
    scores = query @ key.transpose(-2, -1) * (scaling or query.shape[-1] ** -0.5)
    scores = (scores if softcap is None else softcap * (scores / softcap).tanh()) + mask
    if s_aux is not None:
        sinks = s_aux.to(scores.dtype).view(1, -1, 1, 1).expand(*scores.shape[:3], 1)
        scores = torch.cat([scores, sinks], dim=-1)
    weights = scores.softmax(-1, dtype=torch.float32).to(query.dtype)[..., : key.shape[2]]
    weights = nn.functional.dropout(weights, dropout)
    return (weights @ value).transpose(1, 2)


# the registered name remembers which implementation the model had
ORIGINALS = ("sdpa", "eager")
for _original, _mask in zip(ORIGINALS, (sdpa_mask, eager_mask), strict=True):
    AttentionInterface.register(f"prefix_{_original}", prefix_attention)
    AttentionMaskInterface.register(f"prefix_{_original}", _mask)  # some models read the mask


def check_attention(model: PreTrainedModel) -> None:
    """Refuse a model that `use_prefix_attention` does not fit.

    Raises:
        ValueError: the model's attention is neither 'sdpa' nor 'eager'.
    """
    original = model.config._attn_implementation
    if original not in ORIGINALS:
        known = " or ".join(f"'{name}'" for name in ORIGINALS)
        raise ValueError(f"a prefix needs a model with {known} attention, not '{original}'")


def refuse_attentions(base: nn.Module, args, kwargs) -> None:
    """Forward pre-hook of the base model: fused attention keeps no weights that it could return.

    Raises:
        ValueError: they are asked for.
    """
    if kwargs.get("output_attentions", base.config.output_attentions):
        raise ValueError("with a prefix no attentions are kept: leave output_attentions out")


def use_prefix_attention(model: PreTrainedModel) -> None:
    """Let every attention module of `model` look for a `prefix`.

    Raises:
        ValueError: the model's attention is neither 'sdpa' nor 'eager'.
    """
    check_attention(model)
    # other models may be made from the same configuration, and it is written to
    copies: dict[int, PretrainedConfig] = {}
    for module in model.modules():
        config = getattr(module, "config", None)
        if isinstance(config, PretrainedConfig):
            if id(config) not in copies:
                copies[id(config)] = deepcopy(config)
            module.config = copies[id(config)]
    model.set_attn_implementation(f"prefix_{model.config._attn_implementation}")


def restore_attention(model: PreTrainedModel) -> None:
    """Undo `use_prefix_attention`; does nothing where it was not used."""
    model.set_attn_implementation(model.config._attn_implementation.removeprefix("prefix_"))


class PrefixMethod(Method):
    """A method with a prefix in every attention block; `freeze` and `release` switch attention too.

    The delta holds keys and values only, and `fit` ends by keeping only them: whatever a prefix was
    computed from in training is dropped.
    """

    def check(self, parts: Anatomy) -> None:
        check_attention(parts.base)
        for block in (block for blocks in _attention_groups(parts) for block in blocks):
            _ = block.attention
            if not block.registered or block.heads is None:
                raise ValueError(
                    f"{block.place} computes attention by itself, not to its tokens alone by a "
                    "function of transformers' AttentionInterface: it would not see a prefix"
                )

    def freeze(self, model: PreTrainedModel) -> Anatomy:
        parts = super().freeze(model)
        use_prefix_attention(model)
        self.hook(parts.base, refuse_attentions, before=True)
        return parts

    def release(self, model: PreTrainedModel) -> None:
        super().release(model)
        restore_attention(model)

    def attach_prefixes(
        self, parts: Anatomy, length: int, bottleneck: int | None, std: float | None
    ) -> None:
        """A prefix in every attention block; reparametrized, unless `bottleneck` is None.

        With `std` all starts normal, biases at zero, as where `from_pretrained` initializes what
        a checkpoint lacks. With None rows start standard normal and linear maps as torch's own.
        """
        for blocks in _attention_groups(parts):
            trunk = bottleneck and Trunk(length, parts.hidden_size, bottleneck, std)
            for block in blocks:
                if trunk:
                    prefix = Reparametrized(trunk, block, std)
                else:
                    rows = (torch.randn(length, block.kv_heads, d) for d in _widths(block))
                    prefix = Prefix(*(x if std is None else std * x for x in rows))
                self.attach(block.attention, "prefix", prefix)

    def fold_prefixes(self, model: PreTrainedModel) -> None:
        """Replace every reparametrized prefix by the keys and values that it computes."""
        for module in list(model.modules()):
            prefix = getattr(module, "prefix", None)
            if isinstance(prefix, Reparametrized):
                self.unhook(prefix)
                module.prefix = Prefix(*(rows.detach() for rows in prefix()))

    def fit(self, model: PreTrainedModel, loop: Loop) -> None:
        super().fit(model, loop)
        self.fold_prefixes(model)

    @torch.no_grad()
    def tensors(self, model: PreTrainedModel) -> dict[str, Tensor]:
        stored = super().tensors(model)
        for name, module in model.named_modules():
            if isinstance(module, Reparametrized):
                stored = {k: v for k, v in stored.items() if not k.startswith(f"{name}.")}
                for part, rows in zip(("keys", "values"), module()):
                    stored[f"{name}.{part}"] = rows.clone()
        return stored

    def put(self, model: PreTrainedModel, tensors: dict[str, Tensor]) -> None:
        self.fold_prefixes(model)
        super().put(model, tensors)


def _attention_groups(parts: Anatomy) -> list[tuple[Attention, ...]]:
    """The attention blocks that share a trunk: of the same kind, in all layers of a stack."""
    own: list[tuple[Attention, ...]] = [stack.layers for stack in parts.stacks]
    across = tuple(layer.cross for layer in parts.layers if layer.cross)
    return [*own, across] if across else own


def stored_prefix_count(parts: Anatomy, length: int) -> int:
    """Numbers in the keys and values of all attention blocks."""
    blocks = (block for blocks in _attention_groups(parts) for block in blocks)
    return length * sum(block.kv_heads * sum(_widths(block)) for block in blocks)


def _widths(block: Attention) -> tuple[int, int]:
    """The features of a key and of a value."""
    return block.key_dim, block.value_dim


def trained_prefix_count(parts: Anatomy, length: int, bottleneck: int | None) -> int:
    """Numbers trained for them: their own, or those of the reparametrization."""
    if bottleneck is None:
        return stored_prefix_count(parts, length)
    trunk = length * parts.hidden_size + (parts.hidden_size + 1) * bottleneck
    return len(_attention_groups(parts)) * trunk + (bottleneck + 1) * stored_prefix_count(parts, 1)
