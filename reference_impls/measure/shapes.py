"""Steps on tensors that have only shapes: exact bytes of a large architecture, taking none.

Nothing is read from the tensors, so they need no values: of a real architecture the same step runs
on tensors that have only shapes (`FakeTensorMode`), and gives its exact bytes without taking them.
Where code asks such a tensor for a value the answer is yes, 0 or 1.0 (where yes is an error, no); a
method whose mask depends on data thus counts as if it trained some entry of every tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import TypeVar
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
    UnsupportedFakeTensorException,
)
from transformers import PretrainedConfig, PreTrainedModel, initialization

from ..anatomy import built
from ..core.quiet import quiet

T = TypeVar("T")


class ShapesOnly(FakeTensorMode):
    """Tensors without values; where code asks for one, the answer is yes (or no), 0 or 1.0."""

    def __init__(self, answer: bool) -> None:
        super().__init__(allow_non_fake_inputs=True)
        self._answer = answer

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        try:
            return super().__torch_dispatch__(function, types, args, kwargs)
        except DataDependentOutputException:
            dtype = args[0].dtype
            if dtype == torch.bool:
                return self._answer
            return 1.0 if dtype.is_floating_point else 0


def _kept(tensor: Tensor, *_: object, **__: object) -> Tensor:
    return tensor


@contextmanager
def shapes_only(answer: bool = True) -> Iterator[None]:
    """All tensors made meanwhile have shapes only."""
    with (
        # all are on one device, and modules of such tensors cannot be moved
        patch.object(nn.Module, "to", lambda module, device: module),
        # draws again until no value is outside; transformers keeps a reference of its own
        patch.object(nn.init, "trunc_normal_", _kept),
        patch.dict(initialization.TORCH_INIT_FUNCTIONS, trunc_normal_=_kept),
        ShapesOnly(answer),
    ):
        yield


def by_shapes(title: str, work: Callable[[], T]) -> T:
    """What `work` returns where tensors have shapes only; `title`: of the method that it is about.

    Raises:
        ValueError: `work` does, or its course depends on what is in tensors.
    """
    errors: list[ValueError] = []
    unknown = f"what {title} does depends on its data, which shapes do not tell"
    for answer in (True, False):
        try:
            with quiet(), shapes_only(answer):
                return work()
        except ValueError as error:
            errors.append(error)
        except (DynamicOutputShapeException, UnsupportedFakeTensorException):
            raise ValueError(unknown) from None
    if str(errors[0]) == str(errors[1]):
        raise errors[0]
    raise ValueError(unknown)


def made(config: PretrainedConfig, dtype: torch.dtype) -> PreTrainedModel:
    """The architecture with random weights.

    Raises:
        ValueError: it cannot be made where tensors have shapes only.
    """
    try:
        # a copy, since making a model writes the dtype into it
        return built(deepcopy(config), dtype=dtype)
    except Exception as error:  # a stranger's code: it may count by what is in a tensor
        kind = config.model_type
        raise ValueError(f"a model of type {kind} is not made of shapes alone: {error}") from None
