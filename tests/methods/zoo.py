"""The tiny models of every architecture, for tests of what is the same in all of them.

At the gate two of each kind are tried, those whose names have the least CRC-32; at night all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from zlib import crc32

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from reference_impls import architectures
from reference_impls.anatomy import Anatomy, anatomy
from reference_impls.core.method import Method, trainable

NAMES = architectures.names()
AT_THE_GATE = {
    name
    for kind in architectures.KINDS
    for name in sorted(
        (name for name in NAMES if architectures.kind(name) == kind),
        key=lambda name: crc32(name.encode()),
    )[:2]
}
# beside the sample: fused head by head, shared layers, an attention of its own, sinks, four norms,
# a parameter that is given to a module, two classes of a type, made by what is in a tensor
MORE = {"albert", "bloom", "deepseek_v3", "falcon-new-decoder", "gemma2", "gpt_neox", "gpt_oss"}
MORE |= {"deberta", "deit", "hiera"}


def every(names: Iterable[str] = NAMES, but: Iterable[str] = ()) -> pytest.MarkDecorator:
    """Parametrize by architecture; what is not in the sample is left to the night."""
    marks = {name: () if name in AT_THE_GATE | MORE else (pytest.mark.night,) for name in names}
    left = [name for name in marks if name not in set(but)]
    return pytest.mark.parametrize("name", [pytest.param(n, marks=marks[n]) for n in left])


def model_of(name: str) -> tuple[PreTrainedModel, Anatomy]:
    """A fresh model and its parts."""
    model = architectures.build(name)
    return model, anatomy(model)


def batch_of(name: str, rows: int = 1) -> dict[str, Tensor]:
    """Rows without padding."""
    return {key: value[1:] for key, value in architectures.batch(name, rows=rows + 1).items()}


class Seen:
    """What modules were given and what they returned, in the last of their calls."""

    def __init__(self, model: PreTrainedModel, batch: dict[str, Tensor], *modules: nn.Module):
        self.given: dict[nn.Module, Tensor | None] = {}
        self.returned: dict[nn.Module, Tensor] = {}
        handles = [m.register_forward_hook(self._keep, with_kwargs=True) for m in set(modules)]
        try:
            with torch.no_grad():
                model(**batch)
        finally:
            for handle in handles:
                handle.remove()

    def _keep(self, module: nn.Module, args: tuple, kwargs: dict, output: object) -> None:
        values = (*args, *kwargs.values())
        first = next((v for v in values if isinstance(v, Tensor)), None)
        # a copy each: what follows may write to the tensor
        self.given[module] = None if first is None else first.clone()
        self.returned[module] = first_of(output).clone()


def first_of(output: object) -> Tensor:
    """The hidden states in what a module returned."""
    return output if isinstance(output, Tensor) else output[0]


def with_hook(module: nn.Module, change: Callable[[Tensor], Tensor]):
    """Let a module return something else, until the handle is removed."""

    def hook(module: nn.Module, args: tuple, output: object) -> object:
        changed = change(first_of(output))
        return changed if isinstance(output, Tensor) else (changed, *output[1:])

    return module.register_forward_hook(hook)


def close(found: Tensor, expected: Tensor, within: float = 1e-5) -> bool:
    """Whether two tensors are the same but for rounding."""
    most = max(1.0, float(expected.abs().max()))
    return found.shape == expected.shape and bool((found - expected).abs().max() <= within * most)


def learns(model: PreTrainedModel, method: Method) -> None:
    """A method is set up, is a start that changes nothing, trains, and merges."""
    name = model.config.model_type
    batch = architectures.batch(name)
    with torch.no_grad():
        before = architectures.logits(model, batch)
    method.setup(model)
    with torch.no_grad():
        assert close(architectures.logits(model, batch), before)
    optimizer = torch.optim.SGD(trainable(model), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model(**batch).loss.backward()
        optimizer.step()
    with torch.no_grad():
        after = architectures.logits(model, batch)
        assert not close(after, before)
        method.merge(model)
        assert close(architectures.logits(model, batch), after, within=2e-5)
