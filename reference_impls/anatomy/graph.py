"""Questions about a watched forward pass: where attention is, what feeds what, which columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from .watch import FRESH, Core, Node, Watch, hides_the_future

PRODUCTS = {"matmul", "__matmul__", "bmm", "baddbmm", "einsum", "__rmatmul__"}
MIXING = PRODUCTS | {
    *("linear", "attention", "scaled_dot_product_attention", "mm", "addmm", "grouped_mm"),
    *("conv1d", "conv2d", "conv3d", "multi_head_attention_forward", "embedding", "_grouped_mm"),
    *("index_add_", "index_add", "scan", "cumsum", "index_copy_"),
}
ADDS = {"add", "__add__", "__radd__", "add_", "__iadd__"}


def mixes(node: Node) -> bool:
    """Whether it is more than an operation on each feature: attention, a matrix, a convolution."""
    return isinstance(node, Core) or node.name in MIXING


def ancestors(starts: Iterable[Node], stop: Callable[[Node], bool]) -> list[Node]:
    """The nodes before these (and they), nearest first, not going on behind where `stop` holds."""
    found, todo = {}, list(starts)
    while todo:
        node = todo.pop()
        if node.index not in found:
            found[node.index] = node
            if not stop(node):
                todo += node.sources
    return [found[index] for index in sorted(found, reverse=True)]


def nearest(starts: Iterable[Node], wanted: Callable, stop: Callable) -> list[Node]:
    """The first nodes of a kind on every path back from these, in the order in which they ran."""
    starts = list(starts)
    reached = ancestors(starts, lambda node: wanted(node) or stop(node))
    return [node for node in reversed(reached) if wanted(node)]


def cores(watch: Watch) -> dict[int, Core]:
    """Where attention happens, by the index of the node: of the three kinds that there are."""
    found: dict[int, Core] = {}
    for node in watch.nodes:
        if isinstance(node, Core):
            found[node.index] = node
        elif node.name == "scaled_dot_product_attention":
            given = dict(zip(("query", "key", "value", "attn_mask"), node.args)) | node.kwargs
            triple = [given[name] for name in ("query", "key", "value")]
            causal = hides_the_future(given.get("attn_mask"))
            if causal is None and given.get("attn_mask") is None:
                causal = bool(given.get("is_causal", False))
            found[node.index] = _core(watch, node, triple, causal)
        elif node.name in {"softmax", "_softmax", "softmax_forward"}:
            core = _by_softmax(watch, node)
            if core:
                found[core.index] = core
    return found


def _core(watch: Watch, node: Node, triple: Iterable[Tensor], causal: bool | None) -> Core:
    query, key, value = triple
    made = [watch.made(tensor) for tensor in (query, key, value)]
    sources = tuple(source for source in made if source)
    return Core(
        node.index, node.function, node.name, node.args, node.kwargs, sources, node.outputs,
        node.within, query, key, value, False, causal,
    )  # fmt: skip


def _by_softmax(watch: Watch, softmax: Node) -> Core | None:
    """Attention by its formula: a softmax of a product of activations, which weighs a third."""
    behind = ancestors(softmax.sources, lambda node: node.name in PRODUCTS or mixes(node))
    products = [n for n in behind if _pair(watch, n)]
    if not products:
        return None
    users = {softmax.index}
    for node in watch.nodes[softmax.index + 1 :]:
        if not any(source.index in users for source in node.sources):
            continue
        if _pair(watch, node):
            break
        if mixes(node):
            return None
        users.add(node.index)
    else:
        return None
    weighed = [t for t in _pair(watch, node) if watch.made(t).index not in users]
    # of several products in the scores the first is of tokens, the others are with positions
    scores = min(products, key=lambda node: node.index)
    pair = _pair(watch, scores)
    if len(weighed) != 1:
        return None
    on, masks = {scores.index}, []
    for between in reversed(ancestors([softmax], lambda n: n is scores)):
        if any(source.index in on for source in between.sources):
            on.add(between.index)
            masks += map(hides_the_future, (*between.args, *between.kwargs.values()))
    return _core(
        watch, node, (*pair, *weighed), max((m for m in masks if m is not None), default=None)
    )


def _pair(watch: Watch, product: Node) -> list[Tensor]:
    """The two activations that are multiplied; nothing, if it is no product of two."""
    if product.name not in PRODUCTS:
        return []
    given = [t for t in product.args if isinstance(t, Tensor)]
    given += [t for a in product.args if isinstance(a, (tuple, list)) for t in a]
    given += [t for t in product.kwargs.values() if isinstance(t, Tensor)]
    pair = given[-2:]  # what may come before is added
    return pair if len(pair) == 2 and all(watch.made(t) for t in pair) else []


def columns(module: Node, tensor: Tensor, made: Node) -> tuple[tuple[int, int], ...] | None:
    """Which features of a linear module's output a tensor is computed from, as (start, stop) runs.

    The operations between are run again with values, and their gradient tells. None if they cannot
    be.
    """
    output = module.outputs[0]
    path = [
        node
        for node in reversed(
            ancestors([made], lambda node: node.index <= module.index or mixes(node))
        )
        if node is not module and not mixes(node)
    ]
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(output.shape, generator=generator).requires_grad_(True)
    values: dict[int, Tensor] = {}
    ran = {module.index}

    def valued(item):
        if isinstance(item, Tensor):
            if id(item) in values:
                return values[id(item)]
            if not item.is_meta:
                return item.float() if item.is_floating_point() else item
            if item.is_floating_point():
                return 0.5 + torch.rand(item.shape, generator=generator)
            return torch.zeros(item.shape, dtype=item.dtype)
        if isinstance(item, dict):
            return {key: valued(value) for key, value in item.items()}
        if type(item) in (tuple, list):
            return type(item)(valued(value) for value in item)
        return torch.device("cpu") if str(item) == "meta" else item

    try:
        with torch.enable_grad():
            values[id(output)] = start * 1  # may be written to
            for node in path:
                if node.name not in FRESH and not any(s.index in ran for s in node.sources):
                    continue
                ran.add(node.index)
                result = node.function(*valued(node.args), **valued(node.kwargs))
                if node.name == "__setitem__":
                    continue
                results = result if isinstance(result, (tuple, list)) else (result,)
                values |= {id(t): r for t, r in zip(node.outputs, results)}
            reached = values[id(tensor)]
            weights = torch.randn(reached.shape, generator=generator)  # so that nothing cancels
            (gradient,) = torch.autograd.grad((reached * weights).sum(), start)
    except (RuntimeError, TypeError, KeyError, NotImplementedError):
        return None
    used = gradient.flatten(0, -2).abs().amax(0) > 0
    edges = torch.diff(nn.functional.pad(used.int(), (1, 1))).nonzero().flatten().tolist()
    return tuple(zip(edges[::2], edges[1::2]))
