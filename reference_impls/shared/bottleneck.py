"""What the methods share that put an adapter of one hidden layer where a layer ends."""

from __future__ import annotations

from torch import Tensor, nn

from ..anatomy import Layer
from .outputs import on_states


class Bottleneck(nn.Module):
    """h (…, d) -> up(ReLU(down(h))), in h's dtype.

    The start is that of the library `adapters`: N(0, 0.02²), biases zero.
    """

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(width, size), nn.Linear(size, width)
        for linear in (self.down, self.up):
            nn.init.normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)

    def forward(self, h: Tensor) -> Tensor:
        return self.up(self.down(h.to(self.down.weight.dtype)).relu()).to(h.dtype)


def bottleneck_count(width: int, size: int) -> int:
    """Numbers in two linear maps between `width` and `size`, biases included."""
    return 2 * size * width + width + size


def adapt_norm(module: nn.Module, args, kwargs, output: Tensor) -> Tensor:
    """Forward hook of a post-norm layer's last norm: args[0] is s, output LN(s)."""
    # `forward` applies the norm alone: calling the module would run this hook again
    return module.forward(args[0] + module.get_submodule("adapter")(output))


@on_states
def adapt_block(module: nn.Module, args, kwargs, output: Tensor) -> Tensor:
    """Forward hook where a pre-norm layer ends: output is s."""
    return output + module.get_submodule("adapter")(output)


def adapt_end(layer: Layer):
    """The hook for a layer's end: its adapter reads the layer's output, in front of the residual
    stream's last norm where there is one."""
    return adapt_norm if layer.post_norm else adapt_block
