"""Linear maps whose weight is stored in four bits: NF4 with double quantization.

Dettmers et al. 2023, arXiv:2305.14314, §3. A weight's code says which of sixteen levels it is; each
block of weights has a constant to multiply them with, which is quantized in turn.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..anatomy import Projection

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
