r"""AdapterDrop: adapters that work with any number of the lowest layers left without one.

$$ x_{l+1} = \begin{cases} \text{LN}(s_l) & l < n \\
\text{LN}\left(s_l + W_{up}\, \text{ReLU}(W_{down}\, \text{LN}(s_l) + b_{down}) + b_{up}\right)
& l \ge n \end{cases} $$

where $s_l$ is layer $l$'s output with the residual added, LN the model's own layer norm (none here
in GPT-2 and Llama, whose norms open the blocks), $W_{down} \in \mathbb{R}^{m \times d}$ and
$W_{up} \in \mathbb{R}^{d \times m}$. The number $n$ of layers without adapter is drawn anew for
every training batch, $n \sim U\{0, \dots, L - 1\}$, and chosen freely afterwards.

**Trained:** both maps of one adapter a layer, with biases. In a step only those of the layers from
$n$ on.

**Frozen:** everything the model came with.

**Stored:** all adapters, those of the lowest layers too, so that $n$ stays free.

**Merge:** none: the activation between the two maps cannot be folded into a weight.

**Count:** $L (2 m d + d + m)$; with a fixed $n$, $L - n$ in place of $L$.

Details that matter
-------------------
1. Layers 0 to $n - 1$ have no adapter, so their hidden states are those of the pretrained model, to
   the last bit: several tasks can share their computation. [§3]
2. Backpropagation ends at layer $n$: nothing below it is trained. [§3, figure 1]
3. Robust training draws $n$ from 0 to $L - 1$, so the last layer always keeps its adapter. [§3]
4. The other variant (`robust=False`, "specialized") fixes one $n$ for training and use; the paper
   finds it slightly better for that $n$. [§3, figure 2]
5. In evaluation $n$ is `dropped`, or what `drop` sets on a trained model.

Paper, official code, libraries
-------------------------------
- Adapters: the paper measures the speed of Houlsby's and Pfeiffer's. This file has Pfeiffer's,
  those of the notebook that comes with adapters (`Adapter_Drop_Training.ipynb`): one after the
  feed-forward block, between two uses of its layer norm, ReLU, $m = d / 16$ (48 in BERT-base).
- That notebook draws $n$ with `numpy.random.randint(0, 11)`, which never gives 11: with 12 layers,
  the two highest always keep their adapters, unlike in the paper.
- Initial weights: Gaussian with standard deviation 0.02, biases zero, as in adapters.
- Learning rate: that of the notebook, 1e-4.
- The paper also prunes AdapterFusion layers and shares adapters across layers: not in this file.

Source: Rücklé et al. 2021, arXiv:2010.11918, §3. Official code:
https://github.com/adapter-hub/adapters
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from ...anatomy import Anatomy, anatomy
from ...core.method import Method, register
from ...core.options import Count, NotNegative, Whole
from ...shared.bottleneck import Bottleneck, adapt_end, bottleneck_count


class Skippable(Bottleneck):
    """A bottleneck adapter that can be left out. `skipped`: whether it is, by `training`."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__(width, size)
        self.skipped = {True: False, False: False}


def adapt(module: nn.Module, args, kwargs, output: Tensor, hook: Callable) -> Tensor:
    """Forward hook of a layer's end: that of its adapter, unless this is left out."""
    adapter = module.get_submodule("adapter")
    return output if adapter.skipped[adapter.training] else hook(module, args, kwargs, output)


@register
class AdapterDrop(Method):
    """An adapter of `size` hidden units in each layer, `dropped` of them left out in evaluation.

    Raises:
        ValueError: no layer would keep its adapter.
    """

    name = "adapterdrop"
    title = "AdapterDrop"
    paper = "ruckle2020adapterdrop"
    leaf = "efficient-adapters"
    init_noop = False
    mergeable = False
    frozen_base = True
    read_with = ("dropped",)
    # of the lab's two layers none may be dropped: all that the last one's adapter sees of other
    # tokens is what the frozen attention has gathered
    lab = {"lr": 1e-2, "size": 32, "dropped": 0}

    size: Count = 48
    dropped: Whole = 5
    robust: bool = True
    lr: NotNegative = 1e-4

    def check(self, parts: Anatomy) -> None:
        layers = min(len(stack.layers) for stack in parts.stacks)
        if not 0 <= self.dropped < layers:
            raise ValueError(
                f"dropped = {self.dropped}: of {layers} layers, "
                f"0 to {layers - 1} can do without an adapter"
            )

    def setup(self, model, batches=None) -> None:
        parts = self.freeze(model)
        for stack in parts.stacks:
            for layer in stack.layers[0 if self.robust else self.dropped :]:
                self.attach(layer.end, "adapter", Skippable(parts.hidden_size, self.size))
                self.hook(layer.end, partial(adapt, hook=adapt_end(layer)))
        if self.robust:
            self.drop(model, self.dropped)

    def drop(self, model, n: int, *, training: bool = False) -> None:
        """Leave out the adapters of the first `n` layers, in evaluation or in training mode.

        Raises:
            ValueError: training is for one fixed number of layers.
        """
        if not self.robust:
            raise ValueError(f"specialized AdapterDrop is for n = {self.dropped} only")
        for stack in anatomy(model).stacks:
            for index, layer in enumerate(stack.layers):
                layer.end.get_submodule("adapter").skipped[training] = index < n

    def before_step(self, model, step: int) -> None:
        if self.robust:
            layers = min(len(stack.layers) for stack in anatomy(model).stacks)
            self.drop(model, int(torch.randint(layers, ())), training=True)

    def trained(self, parts: Anatomy) -> int:
        layers = len(parts.layers) - (0 if self.robust else self.dropped * len(parts.stacks))
        return layers * bottleneck_count(parts.hidden_size, self.size)
