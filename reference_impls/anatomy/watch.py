"""One forward pass of a model, watched: which operation fed which, inside of which modules.

The pass runs on a copy whose weights have shapes and no values (`skeleton.py`), and through the
first only of layers that are alike (`alike.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import causal_mask_function
from transformers.utils import logging

from .alike import DifferentError, Kind, twins
from .skeleton import skeleton

LARGEST = 2**20  # numbers in a tensor that is given values
NAME = "watched"  # of the attention function that tells of its calls
FRESH = {"zeros_like", "ones_like", "empty_like", "full_like", "rand_like"}  # only shapes matter
FRESH |= {"new_zeros", "new_ones", "new_empty", "new_full"}


@dataclass(eq=False)
class Node:
    """An operation on tensors, or a whole linear module; `sources` made what it works on."""

    index: int
    function: Callable
    name: str
    args: tuple
    kwargs: dict[str, Any]
    sources: tuple[Node, ...]
    outputs: tuple[Tensor, ...]
    within: tuple[str, ...]


@dataclass(eq=False)
class Core(Node):
    """Where attention happens; `sources` made query, key and value, in this order.

    `registered`: it went through transformers' table of attention functions. `causal` is None where
    no mask was seen.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    registered: bool
    causal: bool | None


@dataclass(eq=False)
class Call:
    """A module's forward: its tensors, and the nodes `start:stop` that ran in it."""

    name: str
    module: nn.Module
    first: Tensor | None  # its first positional argument
    given: tuple[Tensor, ...]
    start: int
    origin: Node | None  # what made its main input
    stop: int = 0
    bare: Tensor | None = None  # what it returned, if that was a tensor and nothing else
    returned: tuple[Tensor, ...] = ()
    inner: int = 0  # calls within it

    @property
    def first_out(self) -> Tensor | None:
        """The first tensor that it returned."""
        return self.returned[0] if self.returned else None


def tensors(value: Any) -> Iterator[Tensor]:
    """Every tensor in nested containers and model outputs."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors(item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors(item)


def is_linear(module: nn.Module) -> bool:
    """Whether a module multiplies by one matrix of its own: `nn.Linear`, GPT-2's `Conv1D`, …."""
    weight = getattr(module, "weight", None)
    embeds = isinstance(module, nn.Embedding)
    return isinstance(weight, Tensor) and weight.ndim == 2 and not embeds


def watched_attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask=None, **kwargs
) -> tuple[Tensor, None]:
    """What takes the place of attention: says that it was called. (batch, n, heads, d_v)."""
    watch = Watch.running
    is_causal = kwargs.get("is_causal")
    causal = hides_the_future(attention_mask)
    if causal is None and attention_mask is None:
        causal = getattr(module, "is_causal", False) if is_causal is None else is_causal
    batch, heads, n, _ = query.shape
    output = torch.empty(batch, n, heads, value.shape[-1], dtype=query.dtype, device="meta")
    watch.core(watch.names[module], (query, key, value), output, causal, kwargs)
    return output, None


def hides_the_future(mask: Any) -> bool | None:
    """Whether a mask (…, n, m) tells the last token from the first one, for the first one: so one
    of them is hidden from it, since no text is padded. None if it is no mask, or has no values."""
    if not isinstance(mask, Tensor) or mask.is_meta or mask.ndim < 2 or mask.shape[-2] < 2:
        return None
    first = mask.reshape(-1, *mask.shape[-2:])[0, 0]
    if mask.dtype == torch.bool:
        return bool(first[0] != first[-1])
    return bool(first[-1] < first[0] - 100) if mask.is_floating_point() else None


def watched_mask(
    batch_size: int,
    q_length: int,
    kv_length: int,
    q_offset: int = 0,
    kv_offset: int = 0,
    mask_function: Callable = causal_mask_function,
    **kwargs,
) -> Tensor:
    """A mask (batch, 1, q, kv) that tells whether the first token sees the last one."""
    seen = torch.ones(1, 1, q_length, kv_length, dtype=torch.bool)
    first, last = torch.tensor(int(q_offset)), torch.tensor(int(kv_offset) + kv_length - 1)
    zero = torch.zeros((), dtype=torch.long)
    try:
        seen[0, 0, 0, -1] = bool(mask_function(zero, zero, first, last))
    except (RuntimeError, IndexError, TypeError):  # it reads what has no values
        seen = seen.to("meta")
    return seen.expand(batch_size, -1, -1, -1)


@dataclass(eq=False)
class Watch(TorchFunctionMode):
    """While it is entered, operations and modules of `model` leave `nodes` and `calls`.

    `alike`: modules in which nothing runs, by name, each with the one that it is like.
    """

    model: nn.Module
    alike: dict[str, str] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    running = None

    def __post_init__(self) -> None:
        super().__init__()
        self.names = {module: name for name, module in self.model.named_modules()}
        self._made: dict[int, Node] = {}
        self._kept: list[Tensor] = []
        self._open: list[Call] = []
        self._paused = 0

    def run(self, **inputs: Tensor) -> Any:
        """One forward pass."""
        handles = []
        for module in self.names:
            handles.append(module.register_forward_pre_hook(self._enter, with_kwargs=True))
            handles.append(module.register_forward_hook(self._leave, with_kwargs=True))
        Watch.running = self
        try:
            with self, torch.no_grad():
                return self.model(**inputs)
        finally:
            Watch.running = None
            for handle in handles:
                handle.remove()

    def made(self, tensor: Tensor | None) -> Node | None:
        """The operation that a tensor is from."""
        return self._made.get(id(tensor))

    def core(self, name, triple, output, causal, kwargs) -> None:
        """Note attention that went through the table of functions."""
        # what the scores are shifted by (position biases, sinks) is no part of the three
        self._note(
            Core, watched_attention, "attention", (*triple, kwargs), {}, triple, (output,),
            query=triple[0], key=triple[1], value=triple[2], registered=True, causal=causal,
        )  # fmt: skip

    def _note(self, kind, function, name, args, kwargs, inputs, outputs, **more) -> None:
        sources = tuple(node for t in inputs if (node := self._made.get(id(t))))
        within = tuple(call.name for call in self._open)
        node = kind(
            len(self.nodes), function, name, args, kwargs, sources, tuple(outputs), within, **more
        )
        self.nodes.append(node)
        self._kept += [*inputs, *outputs]  # an id means something while its tensor is alive
        self._made |= {id(tensor): node for tensor in outputs}

    def _enter(self, module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        given = tuple(tensors((args, kwargs)))
        first = args[0] if args and isinstance(args[0], Tensor) else None
        main = first if first is not None else next((t for t in given if t.ndim > 2), None)
        origin = None if main is None else self.made(main)
        for call in self._open:
            call.inner += 1
        self._kept += given
        call = Call(self.names[module], module, first, given, len(self.nodes), origin)
        self._open.append(call)
        self._paused += is_linear(module)

    def _leave(self, module: nn.Module, args: tuple, kwargs: dict[str, Any], output: Any) -> None:
        call = self._open.pop()
        call.bare = output if isinstance(output, Tensor) else None
        call.returned = tuple(tensors(output if not hasattr(output, "keys") else dict(output)))
        self._paused -= is_linear(module)
        if is_linear(module) and not self._paused:
            self._open.append(call)
            function = module if call.bare is not None else type(module)  # returns more: no map
            self._note(Node, function, "linear", args, kwargs, call.given, call.returned)
            self._open.pop()
        call.stop = len(self.nodes)
        self.calls.append(call)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = getattr(function, "__name__", "")
        inputs = tuple(tensors((args, kwargs)))
        output = _run(function, args, kwargs, inputs)
        if self._paused or name in {"__get__", "size"}:
            return output
        outputs = tuple(tensors(output))
        if name == "__setitem__" or (name[-1:] == "_" and name[-2:] != "__") or name[:3] == "__i":
            changed = inputs[:1] if name == "__setitem__" else outputs
            # what is written to a view is written to what it is a view of
            roots = tuple(t._base for t in changed if t._base is not None)
            inputs, outputs = (*inputs, *roots), (*changed, *roots)
        elif {id(t) for t in outputs} <= {id(t) for t in inputs}:
            return output  # nothing new: the same tensor, as from a dropout that is off
        self._note(Node, function, name, args, kwargs, () if name in FRESH else inputs, outputs)
        return output


def _run(function, args: tuple, kwargs: dict[str, Any], inputs: tuple[Tensor, ...]):
    """Call a function with tensors of which some have no values, and some have."""
    shapes = any(t.is_meta for t in inputs)
    if not shapes and any(_is_meta(value) for value in (*args, *kwargs.values())):
        # a new tensor, or one to be moved beside such without values: it keeps its values
        args = tuple(torch.device("cpu") if _is_meta(a) else a for a in args)
        kwargs = {k: torch.device("cpu") if _is_meta(v) else v for k, v in kwargs.items()}
        return function(*args, **kwargs)
    if not shapes:
        return function(*args, **kwargs)
    bare, named = (_map(lambda t: t.to("meta") if t.ndim else t, v) for v in (args, kwargs))
    try:
        return function(*bare, **named)
    except (RuntimeError, NotImplementedError):
        if max(t.numel() for t in inputs) > LARGEST:
            raise
    # it depends on values that are not there
    bare, named = (
        _map(lambda t: torch.zeros_like(t, device="cpu") if t.is_meta else t, v)
        for v in (args, kwargs)
    )
    return function(*bare, **named)


def _is_meta(value: Any) -> bool:
    return isinstance(value, (torch.device, str)) and str(value) == "meta"


def _map(change: Callable[[Tensor], Tensor], value: Any) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: _map(change, item) for key, item in value.items()}
    if type(value) in (tuple, list):
        return type(value)(_map(change, item) for item in value)
    return value


def watch(model: PreTrainedModel, inputs: dict[str, Tensor]) -> tuple[Watch, Any]:
    """A forward pass of a model (its copy without weights), and what it returned."""
    alike = dict(twins(model))
    while True:
        try:
            return _watch(model, inputs, alike)
        except DifferentError as error:
            alike = {name: first for name, first in alike.items() if first != error.first}
        except Exception:  # a forward may read something of a layer in which there is nothing
            if not alike:
                raise
            alike = {}


def _watch(model: PreTrainedModel, inputs: dict[str, Tensor], alike: dict[str, str]):
    copied = skeleton(model, hollow=alike)
    kinds: dict[str, Kind] = {}
    for name, first in alike.items():
        module = copied.get_submodule(first)
        if first not in kinds:
            kinds[first] = Kind(first, module.forward)
            module.forward = kinds[first].first
        copied.get_submodule(name).forward = kinds[first].other
    AttentionInterface.register(NAME, watched_attention)
    AttentionMaskInterface.register(NAME, watched_mask)
    level = logging.get_verbosity()
    logging.set_verbosity_error()  # that some models compute attention by themselves is seen below
    try:
        copied.set_attn_implementation(NAME)
    finally:
        logging.set_verbosity(level)
    copied.set_experts_implementation("eager")  # the others need values
    seen = Watch(copied, alike)
    returned = seen.run(**inputs)
    often = Counter(call.name for call in seen.calls)
    for name, first in alike.items():
        by_itself = not often[first] and any(key.startswith(f"{first}.") for key in often)
        if by_itself or often[name] != often[first]:  # what is in it is called without it
            raise DifferentError(first)
    return seen, returned
