r"""Ladder side-tuning: a small network beside the model, fed from each of its layers.

$$ g_0 = D_0 h_0, \qquad g_i = S_i\big(\mu_i\, g_{i-1} + (1 - \mu_i)\, D_i h_i\big), \qquad
\mu_i = \sigma(\alpha_i / T), \qquad \hat h = U\, \mathrm{norm}(g_L) $$

with the frozen model's embeddings $h_0$ and layer outputs $h_1, \dots, h_L$ (width $d$),
transformer blocks $S_i$ of width $w = d / r$, ladders $D_i \in \mathbb{R}^{w \times d}$ and
$U \in \mathbb{R}^{d \times w}$ (with biases). $\hat h$ takes the place of the model's last hidden
states. The loss is differentiated through the side network only, never through the model.

**Trained:** the side network: $D_i$, gates $\alpha_i$, blocks $S_i$, last norm, $U$.

**Frozen:** the whole model, which runs without keeping activations for a backward pass.

**Stored:** the side network.

**Merge:** not possible: the side network has nonlinearities of its own.

**Count:** $(L + 1)(d + 1) w + L (1 + 6 w + 4 w^2 + 2 w f + f) + 2 w + (w + 1) d$ with the blocks'
feed-forward width $f$, the model's divided by $r$. With an encoder and a decoder, $L$ layers
together: $(d + 1) w + 2 w$ more for the second stack and $4 w^2 + 3 w$ for each cross-attention.

Details that matter
-------------------
1. No gradient flows into the model: what saves memory is not the number of trained weights but that
   the model's activations need not be kept. [§3.1]
2. Each ladder reads the output of its layer, and the gate mixes it in before the side block.
   [§3.2; `modeling_side_t5.py`, `T5Stack.forward`]
3. The gate is one number a layer; a temperature of 0.1 makes it move ten times as far for a step of
   the optimizer. It starts at one half ($\alpha = 0$). [§3.2; `gate_T`, `gate_alpha`]
4. The result is normalized at width $w$, then projected up, and goes to the model's head. A pooler
   before the head, as in BERT, reads it too. [§3.2; `side_final_upsample`]
5. Beside T5 stand a side encoder and a side decoder, which attends to the side encoder; the model's
   own decoder reads the model's own encoder. [§3.2; `modeling_side_t5.py`]
6. In a causal model the side network is causal, and generation needs a cache for its keys and
   values as well: they are further layers of the model's own cache here.

Paper, official code, libraries
-------------------------------
- The paper starts the side blocks from the model's own weights, pruned to width $w$ by Fisher
  information. Here they start at random: blocks of one form (pre-norm, GELU, no position encoding,
  since the ladders carry positions) serve every family, and weights of other forms do not fit them.
- The official model draws the ladders and the last map up normal with deviation 0.01, biases zero;
  here they start as torch draws linear maps, about twice as wide at 768 features.
  [`modeling_side_t5.py`, `_init_weights`]
- The official T5-base runs give a side block to nine of the twelve layers only
  (`encoder_side_layers`); here every layer has one.
- The ladder of the last layer reads the model's last hidden states, that is after the final
  norm where a model has one; the official code reads them before it.
- The official configurations warm up over 500 steps, and the official side network has the model's
  dropout; here there is neither. [`seq2seq/configs/side_transformers.json`; `modeling_side_t5.py`]
- $r = 8$ and the learning rate are those of the official T5-base script.

Source: Sung et al. 2022, arXiv:2206.06522, §3. Official code:
https://github.com/ylsung/Ladder-Side-Tuning
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, DynamicLayer

from ...anatomy import Anatomy, Stack
from ...core.method import Method, register
from ...core.options import Count, NotNegative, Positive


class CrossAttention(nn.Module):
    """Attention of a side decoder to the side encoder: (batch, length, w) -> what is added."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.norm = heads, nn.LayerNorm(width)
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor, source: Tensor, allowed: Tensor | None) -> Tensor:
        query = self.query(self.norm(x)).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        key, value = (
            self.key_value(source).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        )
        read = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        return self.output(read.transpose(1, 2).flatten(2))


class SideBlock(nn.Module):
    """A pre-norm transformer block of width w: (batch, length, w) -> the same."""

    def __init__(self, width: int, inner: int, heads: int, *, crossing: bool) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width)
        self.cross = CrossAttention(width, heads) if crossing else None
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(
        self,
        x: Tensor,
        allowed: Tensor,
        cache: Cache | None,
        index: int,
        source: tuple[Tensor, Tensor | None] | None,
    ) -> Tensor:
        projected = self.query_key_value(self.norms[0](x)).unflatten(-1, (3, self.heads, -1))
        query, key, value = projected.permute(2, 0, 3, 1, 4)
        if cache is not None:
            key, value = cache.update(key, value, index)
        read = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        x = x + self.output(read.transpose(1, 2).flatten(2))
        if self.cross:
            x = x + self.cross(x, *source)
        return x + self.down(F.gelu(self.up(self.norms[1](x))))


class SideNetwork(nn.Module):
    """A stack's hidden states (L + 1 of them) -> what replaces the last (batch, length, d).

    Beside an encoder that a decoder reads, its width stays w: the side decoder alone reads it.
    `source`, while the decoder runs: the side encoder's states (batch, tokens, w) and their mask.
    """

    def __init__(
        self, parts: Anatomy, stack: Stack, width: int, inner: int, temperature: float
    ) -> None:
        super().__init__()
        depth, heads, crossing = len(stack.layers), parts.heads, stack.layers[0].cross is not None
        self.temperature, self.causal = temperature, stack.causal
        self.ladders = nn.ModuleList(nn.Linear(parts.hidden_size, width) for _ in range(depth + 1))
        self.gates = nn.Parameter(torch.zeros(depth))
        self.blocks = nn.ModuleList(
            SideBlock(width, inner, heads, crossing=crossing) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        last = stack is parts.stacks[-1]
        self.up = nn.Linear(width, parts.hidden_size) if last else nn.Identity()
        self.source: tuple[Tensor, Tensor | None] | None = None

    def forward(self, hidden: tuple[Tensor, ...], mask: Tensor, cache: Cache | None) -> Tensor:
        """`mask`: 1 for the real among all tokens so far (batch, cached + length)."""
        depth = len(self.blocks)
        if cache is not None:  # side block i keeps its keys and values after the model's layers
            while len(cache.layers) < 2 * depth:
                cache.layers.append(DynamicLayer())
        allowed = self.visible(mask, hidden[0].shape[1])
        mix = torch.sigmoid(self.gates / self.temperature)
        x = self.ladders[0](hidden[0].to(self.gates.dtype))
        for i, block in enumerate(self.blocks):
            rung = self.ladders[i + 1](hidden[i + 1].to(x.dtype))
            x = block(mix[i] * x + (1 - mix[i]) * rung, allowed, cache, depth + i, self.source)
        return self.up(self.norm(x))

    def visible(self, mask: Tensor, length: int) -> Tensor:
        """Which tokens each of the last `length` tokens may read: (batch, 1, length, tokens)."""
        tokens = mask.shape[1]
        own = torch.ones(length, tokens, dtype=torch.bool, device=mask.device)
        allowed = mask.bool()[:, None, None, :]
        if self.causal:
            allowed = allowed & own.tril(tokens - length)
        # padding reads itself: attention to nothing would be undefined
        return allowed | (own.tril(tokens - length) & own.triu(tokens - length))


def ask_for_hidden_states(stack: nn.Module, args, kwargs):
    """Forward pre-hook: the stack returns its hidden states."""
    return args, {**kwargs, "output_hidden_states": True}


def part(decoder: nn.Module, args, kwargs, width: int):
    """Forward pre-hook of a decoder: the encoder's states are its own, then its side network's."""
    side, states = decoder.get_submodule("side_network"), kwargs["encoder_hidden_states"]
    mask = kwargs.get("encoder_attention_mask")
    allowed = None if mask is None else mask.bool()[:, None, None, :]
    side.source = states[..., width:].to(side.gates.dtype), allowed
    return args, {**kwargs, "encoder_hidden_states": states[..., :width].detach()}


def climb(stack: nn.Module, args, kwargs, output):
    """Forward hook of a stack: the side network's output replaces the last hidden states."""
    side = stack.get_submodule("side_network")
    hidden, cache = output.hidden_states, output.get("past_key_values")
    cache = getattr(cache, "self_attention_cache", cache)
    mask = kwargs.get("attention_mask")
    if mask is None:
        seen = 0 if cache is None else cache.get_seq_length() - hidden[0].shape[1]
        mask = hidden[0].new_ones(hidden[0].shape[0], seen + hidden[0].shape[1])
    elif mask.ndim != 2:
        raise ValueError(f"the side network needs a (batch, tokens) mask, not {tuple(mask.shape)}")
    states = side(hidden, mask, cache).to(hidden[-1].dtype)
    side.source = None
    if isinstance(side.up, nn.Identity):  # side by side: so they stay together in generation
        states = torch.cat([hidden[-1], states], dim=-1)
    output.last_hidden_state = states
    if output.get("pooler_output") is not None:
        output.pooler_output = stack.pooler(states)
    return output


@register
class LadderSideTuning(Method):
    """A side network of `1 / reduction` of the model's width.

    Raises:
        ValueError: that width is no multiple of the number of heads.
    """

    name = "ladder_side_tuning"
    title = "Ladder side-tuning"
    paper = "sung2022lst"
    leaf = "side-network"
    init_noop = False
    mergeable = False
    frozen_base = True
    read_with = ("temperature",)
    lab = {"reduction": 4, "lr": 1e-2}

    reduction: Count = 8
    temperature: Positive = 0.1
    lr: NotNegative = 3e-3

    def check(self, parts: Anatomy) -> None:
        config, d = parts.base.config, parts.hidden_size
        plain = all(layer.of_tokens and layer.attention for layer in parts.layers)
        of_text = parts.embedding.embedding_dim == d == parts.last_width and not config.sub_configs
        models = all(isinstance(stack.module, PreTrainedModel) for stack in parts.stacks)
        if not (plain and of_text and models and len(parts.stacks) == 1 + parts.encoder_decoder):
            raise ValueError(f"a ladder is for one text of one width, unlike {parts.title}")
        for name in ("layerdrop", "encoder_layerdrop", "decoder_layerdrop"):
            if getattr(config, name, 0):
                raise ValueError(
                    f"a ladder leads from every layer, of which {parts.title} leaves out some in "
                    f"training: load it with {name}=0"
                )
        layers = parts.stacks[-1].layers
        if getattr(config, "num_hidden_layers", len(layers)) != len(layers):
            raise ValueError(f"a ladder leads from each layer, and {parts.title} shares some")
        width, rest = divmod(parts.hidden_size, self.reduction)
        if rest or width % parts.heads:
            raise ValueError(
                f"a {self.reduction}th of {parts.hidden_size} features cannot be divided among "
                f"{parts.heads} heads; choose another reduction"
            )

    def setup(self, model, batches=None) -> None:
        parts = self.freeze(model)
        for stack in parts.stacks:
            side = SideNetwork(parts, stack, *self.widths(parts), self.temperature)
            self.attach(stack.module, "side_network", side)
            self.hook(stack.module, ask_for_hidden_states, before=True)
            if stack.layers[0].cross:
                self.hook(stack.module, partial(part, width=parts.hidden_size), before=True)
            self.hook(stack.module, climb)

    def widths(self, parts: Anatomy) -> tuple[int, int]:
        """The side network's width w and its feed-forward width f."""
        inner = parts.layers[0].feed_forward_down.d_in
        return parts.hidden_size // self.reduction, inner // self.reduction

    def trained(self, parts: Anatomy) -> int:
        d, (w, f), depth = parts.hidden_size, self.widths(parts), len(parts.layers)
        block = 1 + 6 * w + 4 * w**2 + 2 * w * f + f
        crossings = sum(layer.cross is not None for layer in parts.layers)
        stacks = len(parts.stacks) * ((d + 1) * w + 2 * w)
        ladders = depth * ((d + 1) * w + block)
        return stacks + ladders + crossings * (4 * w**2 + 3 * w) + (w + 1) * d
