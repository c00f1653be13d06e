"""What a layer is, and what is in it.

A layer is a repeated module whose output is its input plus what an attention and a feed-forward
block add to it (the residual stream, norms on it included). Behind the attention, the nearest
linear maps are query, key and value; in front of it, the first one is the output projection. The
last linear map of the feed-forward block leads down, those behind it lead up. A block ends at the
module that returned what is added.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from torch import Tensor, nn

from .found import FoundAttention, FoundLayer, Map
from .graph import ADDS, ancestors, columns, mixes, nearest
from .watch import Call, Core, Node, is_linear

if TYPE_CHECKING:
    from .find import Finder

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class Residual:
    """The stream through one layer, and what is added to it."""

    def __init__(self, finder: Finder, call: Call) -> None:
        self.finder, self.call = finder, call
        watch = finder.watch
        self.inside = watch.nodes[call.start : call.stop]
        self.output = next((t for t in call.returned if t.ndim > 1), None)
        self.calls = [
            c
            for c in watch.calls
            if c is not call and c.start >= call.start and c.stop <= call.stop
            and c.name.startswith(f"{call.name}.")
            and not isinstance(c.module, nn.Sequential)  # it would run what is attached to it
        ]  # fmt: skip
        self.often = {name for name, n in Counter(c.name for c in self.calls).items() if n > 1}
        self.stream = self._stream()
        self.branches = self._branches()
        self.attending = [b for b in self.branches if self.cores_of(b)]
        self.others = [b for b in self.branches if not self.cores_of(b)]

    def _stream(self) -> set[int]:
        """The nodes that the layer's input reaches without a mixing operation."""
        on = set() if self.call.origin is None else {self.call.origin.index}
        for node in self.inside:
            if not mixes(node) and any(source.index in on for source in node.sources):
                on.add(node.index)
        return on

    def _branches(self) -> list[Node]:
        """What is added to the stream on the way from the layer's input to its output."""
        start = self.output is not None and self.finder.watch.made(self.output)
        if not start:
            return []
        found, todo, known = [], [start], set()
        while todo:
            node = todo.pop()
            if node.index in known or node is self.call.origin:
                continue
            known.add(node.index)
            added = node.name in ADDS and len(node.sources) == 2
            if node.index in self.stream or (added and self._differ(node.sources)):
                todo += node.sources
            elif node.index >= self.call.start:
                found.append(node)
        return sorted(found, key=lambda node: node.index)

    def _differ(self, sources: tuple[Node, ...]) -> bool:
        """Whether one attends and the other does not: two blocks that are added beside another."""
        return len({bool(self.cores_of(source)) for source in sources}) == 2

    @property
    def goes_on(self) -> bool:
        """Whether the stream reaches the layer's output."""
        return self.output is not None and self.finder.watch.made(self.output).index in self.stream

    def own(self, branch: Node) -> list[Node]:
        """The nodes of a branch, back to the stream."""
        stop = self.ends
        return [node for node in ancestors([branch], stop) if not stop(node)]

    def ends(self, node: Node) -> bool:
        """Whether a walk back has left the branch."""
        return node.index in self.stream or node.index < self.call.start

    def cores_of(self, branch: Node) -> list[Core]:
        """The attention in a branch."""
        return [
            self.finder.cores[n.index] for n in self.own(branch) if n.index in self.finder.cores
        ]

    def layer(self) -> FoundLayer:
        """The parts of the layer."""
        call, found = self.call, FoundLayer(block=self.call.name)
        found.width = 0 if self.output is None else self.output.shape[-1]
        tokens = self.finder.tokens
        if tokens and self.output is not None:
            found.of_tokens = self.output.ndim == 3 and self.output.shape[1] == tokens
        for branch in self.attending:
            attention = self.attention(branch)
            if self._crosses(branch) and len(self.attending) > 1:
                found.cross = attention
            elif found.own is None:
                found.own = attention
            else:
                found.own.missing = dict.fromkeys(attention.parts, "it attends more than once")
                found.own.parts.clear()
        if not self.attending:
            mixer = self.others[0] if len(self.others) > 1 else None
            end = mixer and self.end_of(mixer)
            found.note("attention_end", end, "it has no attention, and nothing in its place")
        self.feed_forward(found)
        last = [c for c in self.calls if c.bare is self.output]
        norm = [c for c in last if self.finder.is_norm(c.name)]
        found.post_norm = bool(norm) and self.goes_on
        # a layer that returns more is still the end, unless a module in it returns that alone
        inside = last[-1].name if last and call.bare is None else call.name
        found.parts["end"] = norm[-1].name if found.post_norm else inside
        found.norms = tuple(
            name
            for name in self.finder.modules
            if name.startswith(f"{call.name}.") and self.finder.is_norm(name)
        )
        return found

    def _crosses(self, branch: Node) -> bool:
        """Whether keys come from elsewhere: not from this layer's stream."""
        core = self.cores_of(branch)[0]
        made = self.finder.watch.made(core.key)
        behind = ancestors([made], self.ends) if made else []
        return not any(node.index in self.stream for node in behind)

    def attention(self, branch: Node) -> FoundAttention:
        """The parts of an attention block."""
        finder, every = self.finder, self.cores_of(branch)
        core = every[-1]
        found = FoundAttention(registered=core.registered, causal=core.causal)
        if not self._crosses(branch) and core.key.shape[-2] != core.query.shape[-2]:
            found.registered = False  # its keys are not those of its tokens alone
        if core.query.ndim in (3, 4):  # (heads, n, d), with or without a batch of one text
            heads = core.query.shape[-3]
            if core.registered or heads == finder.heads_named:  # else it may be cut into chunks
                found.heads, found.kv_heads = heads, core.value.shape[-3]
                found.key_dim, found.value_dim = core.query.shape[-1], core.value.shape[-1]
        found.note("attention", core.within[-1], "it is no module")
        for name in ("query", "key", "value"):
            tensors = {
                id(tensor): tensor for c in every if (tensor := getattr(c, name)) is not None
            }
            found.note(name, *self.sources(list(tensors.values()), name))
        inside = self.own(branch)
        after = [node for node in inside if is_map(node) and core in self._before(node)]
        output = min(after, key=lambda node: node.index, default=None)
        found.note(
            "attention_output",
            output and whole(finder, output),
            "no linear map takes what its attention returns",
        )
        found.note("attention_end", self.end_of(branch), "what it adds is returned by no module")
        return found

    def _before(self, node: Node) -> list[Core]:
        stop = lambda n: n is not node and (mixes(n) or self.ends(n))  # noqa: E731
        reached = ancestors([node], stop)
        return [self.finder.cores[n.index] for n in reached if n.index in self.finder.cores]

    def sources(self, tensors: list[Tensor], name: str) -> tuple[Map | None, str]:
        """The linear map that all of them are from; their features together."""
        found = [self.source(tensor, name) for tensor in tensors]
        maps = [part for part, _ in found if part]
        if len(maps) < len(found):
            return next((part, reason) for part, reason in found if not part)
        if len({part.module for part in maps}) > 1:
            return None, f"its {name} is from several maps"
        runs = sorted({run for part in maps for run in part.runs})
        joined: list[tuple[int, int]] = []
        for start, stop in runs:
            if joined and start <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
            else:
                joined.append((start, stop))
        return Map(maps[0].module, tuple(joined)), ""

    def source(self, tensor: Tensor, name: str) -> tuple[Map | None, str]:
        """The linear map that query, key or value is from, and which of its features."""
        finder = self.finder
        made = finder.watch.made(tensor)
        if made is None:
            return None, f"its {name} is computed from nothing in the layer"
        maps = nearest([made], is_map, lambda n: mixes(n) or n.index < self.call.start)
        if not maps:
            return None, f"its {name} is no output of a linear module"
        found = {}
        for node in maps:
            runs = columns(node, tensor, made)
            if runs:
                found[node] = runs
        if not found:
            return None, f"it does not show which outputs of '{maps[0].within[-1]}' are its {name}"
        most = max(found, key=lambda node: sum(stop - start for start, stop in found[node]))
        return Map(most.within[-1], found[most]), ""

    def feed_forward(self, found: FoundLayer) -> None:
        """The parts of the feed-forward block."""
        finder = self.finder
        if not self.others:
            parts = ("feed_forward_up", "feed_forward_down", "feed_forward_end")
            reason = "it has no feed-forward block"
            found.missing |= dict.fromkeys((*parts, "feed_forward_input"), reason)
            return
        branch = self.others[-1]
        inside = self.own(branch)
        end = self.end_of(branch)
        found.note("feed_forward_end", end, "what it adds is returned by no module")
        downs = nearest([branch], is_map, lambda n: mixes(n) or self.ends(n))
        downs = [node for node in downs if node.outputs[0].shape[-1] == found.width]
        experts, reason = self._experts(inside)
        if not reason and len(downs) != 1:
            reason = f"{len(downs)} linear maps lead down to what it adds"
        ups = []
        if not reason:
            stop = lambda n: self.ends(n) or (mixes(n) and not n.name.startswith("conv"))  # noqa: E731
            ups = nearest(downs[0].sources, is_map, stop)
            reason = "" if ups else "no linear map leads up"
        found.note("feed_forward_down", None if reason else whole(finder, downs[0]), reason)
        up = () if reason else tuple(whole(finder, node) for node in ups)
        found.note("feed_forward_up", up, reason)
        if ups:
            place = self.input_of(ups[0], found.width)
        else:
            place = self.around(experts, found.width) if experts else None
        where = "there is no module whose first argument is what the block reads"
        found.note("feed_forward_input", place, where)

    def _experts(self, inside: list[Node]) -> tuple[str, str]:
        """Experts, of which a text uses some, so that there is no single pair of maps: the name of
        one, and what shows it."""
        places = {node.within[-1] for node in inside if node.within}
        places |= {name.rpartition(".")[0] for name in places}
        for place in sorted(p for p in places if p.startswith(f"{self.call.name}.")):
            for name, module in self.finder.modules[place].named_modules():
                path = f"{place}.{name}" if name else place
                deep = any(p.ndim > 2 for p in module.parameters(recurse=False))
                if deep and not isinstance(module, CONVOLUTIONS):
                    return path, "its experts are no linear maps, but one tensor"
                if is_linear(module) and path not in self.finder.by_name:
                    return path, "it has experts, of which each text uses some"
        return "", ""

    def around(self, experts: str, features: int) -> str | None:
        """The outermost module around experts that takes such states first, and adds nothing to
        the stream yet."""
        around = [
            c.name
            for c in self.calls
            if experts.startswith(f"{c.name}.") and c.first is not None
            and c.first.shape[-1] == features
            and (made := self.finder.watch.made(c.first_out)) and made.index not in self.stream
        ]  # fmt: skip
        return min(around, key=len, default=None)

    def input_of(self, node: Node, features: int) -> str | None:
        """The outermost module around a linear map whose first argument is what the map reads."""
        given = node.args[0] if node.args and node.args[0].shape[-1] == features else None
        path = node.within[-1]
        around = [
            c.name
            for c in self.calls
            if c.first is given and given is not None and f"{path}.".startswith(f"{c.name}.")
        ]
        return min(around, key=len, default=None)

    def end_of(self, branch: Node) -> str | None:
        """The last module that returned what a branch adds, and ran once in the layer.

        One that returned other things after it comes second. Where none did, the one before: a
        factor, or a dropout that ends several blocks, comes between.
        """
        node = branch
        while True:
            tensor = node.outputs[0]
            by = [c for c in self.calls if c.first_out is tensor and c.name not in self.often]
            alone = [c for c in by if c.bare is tensor]
            leaves = [c for c in alone if not c.inner]
            if by:
                return (leaves[-1] if leaves else (alone or by)[0]).name
            if mixes(node) or self.ends(node) or len(node.sources) != 1:
                return None
            node = node.sources[0]


def is_map(node: Node) -> bool:
    """Whether a node is a linear module."""
    return isinstance(node.function, nn.Module)


def whole(finder: Finder, node: Node) -> Map:
    """A linear module with all of its features."""
    return Map(node.within[-1], ((0, node.outputs[0].shape[-1]),))
