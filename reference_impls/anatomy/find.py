"""Finds the parts of a transformer by watching one forward pass: no name of a module is asked for.

What is in a layer, and which modules are layers, is told by `residual.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _disable_current_modes
from transformers import PretrainedConfig, PreTrainedModel

from .alike import spread
from .found import Found, FoundLayer
from .graph import cores
from .inputs import arguments, inputs, token_ids
from .residual import Residual
from .watch import Call, Core, Watch, watch

TOKENS = 6
RESHAPES = {"view", "reshape", "contiguous", "flatten", "squeeze", "unsqueeze", "transpose"}


def find(base: PreTrainedModel, batch: Mapping[str, Tensor] | None = None) -> Found:
    """Watch one forward pass of a model without its head, on what it takes of a batch."""
    # outside of modes in which tensors have no values, or no gradients
    with _disable_current_modes(), torch.inference_mode(False), torch.device("cpu"):
        try:
            given = inputs(base, 1, TOKENS) if batch is None else _taken(base, batch)
            finder = Finder(*watch(base, given), given)
            order = {name: i for i, (name, _) in enumerate(base.named_modules())}
            return spread(finder.found(), finder.watch.alike, order)
        except Exception as error:  # a stranger's forward may raise anything
            advice = "try a batch of yours: anatomy(model, inputs=batch)"
            return Found(unseen=f"its forward pass could not be watched ({error}); {advice}")


def _taken(base: PreTrainedModel, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What a model without its head takes of a batch, of which no text is padded, and what a head
    would have made: a decoder's tokens."""
    accepted = arguments(base)
    given = {name: value.cpu() for name, value in batch.items() if name in accepted}
    if "attention_mask" in given:
        given["attention_mask"] = torch.ones_like(given["attention_mask"])
    made = "labels" in given or not base.config.is_encoder_decoder  # of labels, by the model
    if given and "decoder_input_ids" in accepted and not made:
        rows = len(next(iter(given.values())))
        given.setdefault("decoder_input_ids", token_ids(base.config, rows, TOKENS))
    return given


class Finder:
    """What is asked of one watched pass."""

    def __init__(self, seen: Watch, returned: Any, given: dict[str, Tensor]) -> None:
        self.watch, self.returned = seen, returned
        self.ids = given.get("input_ids")
        self.heads_named = heads_named(seen.model.config)
        self.tokens = 0 if self.ids is None else self.ids.shape[1]
        self.cores = cores(seen)
        self.by_name: dict[str, list[Call]] = {}
        for call in seen.calls:
            self.by_name.setdefault(call.name, []).append(call)
        self.modules = dict(seen.model.named_modules())

    def found(self) -> Found:
        """The layers that attend, each with its parts, and what is outside of them."""
        layers: dict[str, FoundLayer] = {}
        for core in sorted(self.cores.values(), key=lambda core: core.index):
            if not layers.keys() & set(core.within) and (residual := self.around(core)):
                layers[residual.call.name] = residual.layer()
        self.beside(layers)
        states = self.last_states()
        return Found(
            layers=[layers[name] for name in self.modules if name in layers],
            norms=tuple(name for name in self.modules if self.is_norm(name)),
            final=self.final(states) or self.owner(list(layers)[-1:]),
            last_width=self.last_width(),
            positions=self.positions(),
            prompt=self.no_prompt(list(layers)[:1]),
        )

    def around(self, core: Core) -> Residual | None:
        """The innermost of repeated modules that adds attention and another block to its input.

        Where each block is a layer of its own, the innermost that adds attention: what adds several
        of both to a stream is a stage, if there is a layer in it.
        """
        repeated = [name for name in reversed(core.within) if name.rpartition(".")[2].isdigit()]
        calls = (
            next(c for c in self.by_name[name] if c.start <= core.index < c.stop)
            for name in repeated
        )
        adding = [residual for call in calls if (residual := Residual(self, call)).attending]
        found = next((r for r in adding if r.others), adding[0] if adding else None)
        if found and len(found.attending) > 1 < len(found.others):
            return next((r for r in adding if r.goes_on), found)
        return found

    def beside(self, layers: dict[str, FoundLayer]) -> None:
        """Note what stands beside layers in their list and attends to nothing: Mamba's, say."""
        for place in {name.rpartition(".")[0] for name in layers}:
            for key, _ in self.modules[place].named_children():
                name = f"{place}.{key}"
                if name not in {*layers, *self.watch.alike} and name in self.by_name:
                    layers[name] = Residual(self, self.by_name[name][0]).layer()

    def is_norm(self, name: str) -> bool:
        """Whether a module that ran scales features, each by an entry of a trained vector."""
        weight = getattr(self.modules[name], "weight", None)
        calls = self.by_name.get(name, ())
        return (
            isinstance(weight, nn.Parameter)
            and weight.ndim == 1
            and not isinstance(self.modules[name], nn.modules.batchnorm._BatchNorm)
            and any(call.bare is not None and call.bare.shape[-1] == len(weight) for call in calls)
        )

    def last_states(self) -> Tensor | None:
        """The last hidden states that the model returned, as they were before any reshaping."""
        states = getattr(self.returned, "last_hidden_state", None)
        node = None if states is None else self.watch.made(states)
        while node and node.name in RESHAPES and node.sources:
            node = node.sources[0]
        return node and node.outputs[0]

    def last_width(self) -> int | None:
        """The features of a token in the last of all hidden states, if they are one for each."""
        asked = ("decoder_hidden_states", "hidden_states")
        every = next((v for name in asked if (v := getattr(self.returned, name, None))), None)
        if not every or getattr(every[-1], "ndim", 0) != 3:
            return None
        text = self.tokens and not self.watch.model.config.is_encoder_decoder
        return every[-1].shape[-1] if not text or every[-1].shape[1] == self.tokens else None

    def final(self, states: Tensor | None) -> str | None:
        """The outermost module in the model that returns its last states."""
        inside = [
            call
            for call in self.watch.calls
            if call.name and call.first_out is states and self.watch.made(states).index < call.stop
        ]
        return inside[-1].name if inside else None

    def owner(self, layers: list[str]) -> str | None:
        """The innermost model that a layer is in, if that is within the watched one."""
        around = (
            name
            for name, module in self.modules.items()
            if name and isinstance(module, PreTrainedModel)
            and any(layer.startswith(f"{name}.") for layer in layers)
        )  # fmt: skip
        return max(around, key=len, default=None)

    def no_prompt(self, first: list[str]) -> str:
        """Why embedded text cannot be put in front of that of tokens, if it cannot."""
        owner = self.owner(first)
        if owner and any(_prepared(call.given) for call in self.by_name.get(owner, ())):
            return "it gives its layers a mask of its own making"
        table = None if self.watch.model.config.is_encoder_decoder else self.table()
        for node in self.watch.nodes:
            if node.name == "embedding" and node.within and table is not None:
                ids = node.args[0] if node.args else node.kwargs["input"]
                again = self.modules[node.within[-1]] is not table
                if again and not ids.is_meta and ids.ndim == 2 and torch.equal(ids, self.ids):
                    return "its layers look tokens up as well, and a prompt is of none"
        return ""

    def table(self) -> nn.Module | None:
        """The table of tokens, if it has one."""
        try:
            return self.watch.model.get_input_embeddings()
        except (NotImplementedError, AttributeError):
            return None

    def positions(self) -> tuple[str, int] | None:
        """The table of learned positions, and its row for the first token: rows in sequence."""
        table = self.table()
        for node in self.watch.nodes:
            if node.name != "embedding" or not node.within:
                continue
            module = self.modules[node.within[-1]]
            if not isinstance(module, nn.Embedding) or module is table or not self.tokens:
                continue
            ids = node.args[0] if node.args else node.kwargs["input"]
            if ids.ndim not in (1, 2) or ids.shape[-1] != self.tokens:
                continue
            if ids.is_meta:  # a buffer of a model without weights
                text = self.watch.model.config.get_text_config()
                first = module.num_embeddings - getattr(text, "max_position_embeddings", 0)
                if first >= 0 and module.num_embeddings > first:
                    padded = module.padding_idx
                    return node.within[-1], first if padded is None else padded + 1
            elif bool((ids.reshape(-1, self.tokens)[0].diff() == 1).all()):
                return node.within[-1], int(ids.reshape(-1)[0])
        return None


def heads_named(config: PretrainedConfig) -> int | None:
    """How many attention heads a configuration says that there are, in all layers."""
    try:
        heads = getattr(config.get_text_config(), "num_attention_heads", None)
    except AttributeError:  # it differs from layer to layer
        return None
    return heads if isinstance(heads, int) else None


def _prepared(given: tuple[Tensor, ...]) -> bool:
    """Whether there is a mask (batch, 1, n, m) among a module's inputs."""
    return any(t.ndim == 4 and t.shape[-2] == t.shape[-1] for t in given)
