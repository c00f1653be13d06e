r"""QLoRA: LoRA on a base whose weight matrices are stored in four bits.

$$ h = \hat{W} x + b + \frac{\alpha}{r} B A x, \qquad
\hat{W}_{ij} = \hat{c}_{k(i,j)}\, q_{n(i,j)} $$

with sixteen levels $q_0 < \dots < q_{15}$ (NF4), one 4-bit code $n(i,j)$ for each weight, and one
constant $\hat{c}_k$ for each block of 64 consecutive weights, itself stored in eight bits.
$A \in \mathbb{R}^{r \times d_{in}}$ and $B \in \mathbb{R}^{d_{out} \times r}$ are trained as in
LoRA, $B = 0$ at the start.

**Trained:** $A$ and $B$ of every linear map of every layer.

**Frozen:** codes and constants, and the biases, norms and embeddings, which are not quantized.

**Stored:** $A$ and $B$; codes and constants follow from the original weights.

**Merge:** none in four bits: $\hat{W} + \frac{\alpha}{r} B A$ has no such codes, so merging would
quantize again and change the function. Into weights of full size, which are no longer small, the
sum is exact; that is not offered here.

**Count:** $r (d_{in} + d_{out})$ for each linear map. A quantized weight takes
$4 + 8/64 + 32/(64 \cdot 256) = 4.127$ bits.

Details that matter
-------------------
1. Quantization changes the function before training starts, and the original weights are gone: to
   take QLoRA off, reload the model. Before the constants are quantized, a weight moves by at most
   0.1519 of the largest magnitude in its block, half the widest gap between two levels.
2. The levels are normal quantiles, scaled to $[-1, 1]$: seven below zero, zero itself, eight above,
   so that zero is exact. They come from two grids of probabilities between 0.9677083 and 1/2; the
   values are reproduced here to the bit. [§3, "4-bit NormalFloat"; bitsandbytes,
   `create_normal_map`]
3. The constants are positive, so their mean is subtracted before they are quantized in turn, to
   8-bit floats in blocks of 256 with a 32-bit constant each. [§3, "Double Quantization"]
4. Adapters go on all linear maps of a layer, not only on query and value. [§4; `qlora.py`,
   `find_all_linear_names`, which leaves out the language-model head]
5. The gradient passes through $\hat{W}$ to $x$ and stops there. The backward pass dequantizes anew:
   autograd keeps the codes, never a full-size copy of the weight.
6. The hyper-parameters of the 7B model: $r = 64$, $\alpha = 16$, dropout 0.1 and learning rate
   2e-4; 33B and 65B take dropout 0.05 and 1e-4. For 13B the paper has the dropout of 7B, the script
   that of 33B. [`scripts/finetune_guanaco_*.sh`]

Paper, official code, libraries
-------------------------------
- 8-bit constants: bitsandbytes rounds them to a table of its own (`create_dynamic_map`); this file
  to the standard format e4m3, within 1/16 of their deviation from the mean. Codes are the same.
- The official code runs CUDA kernels of bitsandbytes and peft's LoRA. This file is plain torch and
  runs anywhere; paged optimizers, which move optimizer states out of a GPU's memory, are left out.
- Gradients are clipped at norm 0.3 by the official scripts, at 1 by the loop here. Their rate is
  constant; here it falls linearly to zero. They ask for a warm-up over 3 % of the steps, which the
  constant schedule of transformers does not have. [`scripts/finetune_guanaco_*.sh`]
- A fused query-key-value matrix (GPT-2) is quantized as one, and gets one pair for each slice.

Source: Dettmers et al. 2023, arXiv:2305.14314, §2-3. Official code:
https://github.com/artidoro/qlora
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ...anatomy import Anatomy, Projection, whole
from ...core.method import Method, register
from ...core.options import Count, NotNegative, Part, Positive
from ...shared.low_rank import LowRank, low_rank_count

BLOCK, CONSTANTS_BLOCK = 64, 256
E4M3_MAX = torch.finfo(torch.float8_e4m3fn).max


def nf4_levels() -> Tensor:
    """The sixteen levels, ascending, float32."""

    def quantiles(count: int) -> Tensor:  # the last one, of probability 1/2, is zero
        return torch.special.ndtri(torch.linspace(0.9677083, 0.5, count)[:-1].double())

    levels = torch.cat([-quantiles(8), torch.zeros(1), quantiles(9)]).sort().values.float()
    return levels / levels.max()


LEVELS = nf4_levels()
# the two levels of each byte as one number of 8 bytes: one lookup for both is four times as fast
PAIRS = torch.cartesian_prod(LEVELS, LEVELS).view(torch.int64).flatten()


def blocks(values: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Values (n,) as rows of `size`, zeros filling the last: (rows, largest magnitudes (k, 1))."""
    rows = nn.functional.pad(values, (0, -len(values) % size)).view(-1, size)
    return rows, rows.abs().amax(1, keepdim=True)


def quantize(weight: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A matrix as codes, two in a byte, and constants: both uint8; and the constants' own
    constants and mean, float32."""
    rows, constants = blocks(weight.detach().float().flatten(), BLOCK)
    boundaries = (LEVELS[1:] + LEVELS[:-1]) / 2
    codes = torch.bucketize(rows / constants.clamp(min=1e-30), boundaries.to(rows.device))
    high, low = codes.to(torch.uint8).flatten().view(-1, 2).T
    mean = constants.mean()
    rows, scales = blocks((constants - mean).flatten(), CONSTANTS_BLOCK)
    eighths = (rows / scales.clamp(min=1e-30) * E4M3_MAX).to(torch.float8_e4m3fn)
    eighths = eighths.view(torch.uint8).flatten()[: len(constants)]
    return high << 4 | low, eighths, scales.flatten(), mean


def dequantize(
    codes: Tensor, constants: Tensor, scales: Tensor, mean: Tensor, shape: tuple[int, int]
) -> Tensor:
    """The float32 matrix of this shape that the four tensors of `quantize` stand for."""
    spread = scales.repeat_interleave(CONSTANTS_BLOCK)[: len(constants)] / E4M3_MAX
    constants = constants.view(torch.float8_e4m3fn).float() * spread + mean
    pairs = PAIRS.to(codes.device).index_select(0, codes.int())
    rows = pairs.view(torch.float32).view(-1, BLOCK).mul_(constants[:, None])
    return rows.flatten()[: math.prod(shape)].view(shape)


class Product(torch.autograd.Function):
    """x (…, d_in) times the quantized matrix, transposed; differentiable in x alone."""

    @staticmethod
    def forward(ctx, x: Tensor, shape: tuple[int, int], *quantized: Tensor) -> Tensor:
        ctx.shape = shape
        ctx.save_for_backward(*quantized)
        return x @ dequantize(*quantized, shape).to(x.dtype).T

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        weight = dequantize(*ctx.saved_tensors, ctx.shape).to(gradient.dtype)
        return gradient @ weight, None, None, None, None, None


class QuantizedLinear(nn.Module):
    """What takes the place of a linear map."""

    def __init__(self, whole: Projection) -> None:
        super().__init__()
        weight = whole.weight
        self.shape = tuple(weight.shape)
        names = ("codes", "constants", "scales", "mean")
        for name, tensor in zip(names, quantize(weight), strict=True):
            self.register_buffer(name, tensor)
        bias = whole.bias
        self.bias = bias if bias is None else nn.Parameter(bias.clone(), requires_grad=False)

    @property
    def quantized(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.codes, self.constants, self.scales, self.mean

    @property
    def weight(self) -> Tensor:
        """(d_out, d_in), computed anew each time."""
        return dequantize(*self.quantized, self.shape)

    def forward(self, x: Tensor) -> Tensor:
        output = Product.apply(x, self.shape, *self.quantized)
        return output if self.bias is None else output + self.bias


def add_updates(module: nn.Module, args, kwargs, output: Tensor) -> Tensor:
    """Forward hook: add the update of each slice to the module's output, in the output's dtype."""
    return output + sum(update(args[0]) for update in module.qlora).to(output.dtype)


@register
class QLoRA(Method):
    """LoRA on every linear map of every layer, each quantized to NF4 in place."""

    name = "qlora"
    title = "QLoRA"
    paper = "dettmers2023qlora"
    leaf = "quantized"
    init_noop = False
    mergeable = False
    frozen_base = True
    read_with = ("alpha",)
    detachable = False
    tasks = ("first-clause", "cue", "summary", "cue-gpt2")
    lab = {"lr": 5e-3, "r": 8, "dropout": 0.0}

    r: Count = 64
    alpha: Positive = 16.0
    dropout: Part = 0.1
    lr: NotNegative = 2e-4

    def setup(self, model, batches=None) -> None:
        slices: dict[nn.Module, list[Projection]] = {}
        for layer in self.freeze(model).layers:
            for projection in layer.linear_maps:
                slices.setdefault(projection.module, []).append(projection)
        places = {
            child: (parent, name)
            for parent in model.modules()
            for name, child in parent.named_children()
        }
        for module, projections in slices.items():
            quantized = QuantizedLinear(whole(module)).train(module.training)
            parent, name = places[module]
            setattr(parent, name, quantized)
            scale = self.alpha / self.r
            updates = [LowRank(p, self.r, scale, self.dropout) for p in projections]
            self.attach(quantized, "qlora", nn.ModuleList(updates))
            self.hook(quantized, add_updates)

    def trained(self, parts: Anatomy) -> int:
        return low_rank_count((p for layer in parts.layers for p in layer.linear_maps), self.r)
