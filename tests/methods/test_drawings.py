"""The drawings of the site say of each method what its code does."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from reference_impls.anatomy import Anatomy, Layer, anatomy
from reference_impls.core.method import METHODS, Method, trainable
from reference_impls.full_fine_tuning.mixout.mixout import Pretrained
from reference_impls.hybrid.unipelt.unipelt import Gate
from reference_impls.shared.masks import MaskedMethod
from tests.methods import models
from tests.methods.settings import CARDS, CONTRACTS, NAMES, batches, make
from tools.drawings.vocabulary import BASE, MAPS, PARTS, Piece, State

DRAWINGS = {name: CARDS[name].drawn for name in NAMES}
WIDTH = models.BERT.hidden_size


@pytest.fixture(params=NAMES)
def name(request) -> str:
    return request.param


def adapt(name: str) -> tuple[Method, nn.Module, Anatomy]:
    """A method on a small BERT classifier, as the drawings have it: all but sizes as by default."""
    model, method = models.build("bert"), make(name)
    for option, value in CONTRACTS[name].arguments.items():
        if isinstance(value, bool | tuple):
            setattr(method, option, METHODS[name].__dataclass_fields__[option].default)
    method.setup(model, batches("bert"))
    return method, model, anatomy(model)


def modules(parts: Anatomy) -> dict[str, list[nn.Module]]:
    """The modules that a drawing's parts stand for, in all layers."""
    layers, embeddings = parts.layers, parts.base.embeddings
    found: dict[str, list[nn.Module]] = {
        "embeddings": [m for m in embeddings.modules() if isinstance(m, nn.Embedding)],
        "embedding_norm": [embeddings.LayerNorm],
        "attention_norm": [layer.norms[0] for layer in layers],
        "feed_forward_norm": [layer.norms[1] for layer in layers],
        "pooler": [parts.base.pooler.dense],
        "head": [m for head in parts.head for m in head.modules()],
    }
    for part in MAPS:
        found[part] = [p.module for layer in layers for p in layer.projections(part)]
    return found


def own(found: list[nn.Module]) -> dict[nn.Parameter, str]:
    """The parameters of these modules themselves, and the names of each."""
    return {p: name for m in found for name, p in m.named_parameters(recurse=False)}


def states(method: Method, model, parts: Anatomy) -> dict[str, State]:
    """What training does to each part of the model."""
    candidates = set()
    if isinstance(method, MaskedMethod):
        candidates = set(method.candidates(parts).values())
    optimizer = method.optimizer(trainable(model))
    low_rank = {p for g in optimizer.param_groups if "rank" in g for p in g["params"]}
    return {
        part: _state(own(found), found, candidates, low_rank, sampled(method, model))
        for part, found in modules(parts).items()
    }


def _state(parameters, found, candidates, low_rank, dropped) -> State:
    if any("codes" in dict(m.named_buffers(recurse=False)) for m in found):
        return State.QUANTIZED
    if parameters.keys() <= candidates:
        return State.ENTRIES
    trained = {p: name for p, name in parameters.items() if p.requires_grad}
    if not trained:
        return State.FROZEN
    if set(trained.values()) == {"bias"}:
        return State.BIASES
    assert trained == parameters  # a drawing has no state for anything in between
    if any(isinstance(child, Pretrained) for m in found for child in m.children()):
        return State.MIXED
    if trained.keys() <= dropped:
        return State.SAMPLED
    return State.PROJECTED if trained.keys() & low_rank else State.TRAINED


def sampled(method: Method, model) -> set[nn.Parameter]:
    """The parameters of whose gradient the optimizer throws a part away."""
    twin = copy.deepcopy(model)
    optimizer = method.optimizer(trainable(twin))
    for parameter in trainable(twin):
        parameter.grad = torch.ones_like(parameter)
    try:
        optimizer.step()
    except TypeError:  # one that computes gradients itself
        return set()
    pairs = zip(trainable(model), trainable(twin), strict=True)
    return {p for p, after in pairs if after.grad.eq(0).any()}


def pieces(method: Method, model, parts: Anatomy) -> set[Piece]:
    """What the method has added; every layer must have the same."""
    kept, names = method.delta(model), {p: name for name, p in model.named_parameters()}
    found: dict[nn.Module | None, set[Piece]] = {}
    for parent, attribute in method._attached:
        child = getattr(parent, attribute)
        if not any(True for _ in child.parameters()):
            continue
        layer = next((one for one in parts.layers if parent in set(one.block.modules())), None)
        gone = [p for p in child.parameters() if p.requires_grad and names[p] not in kept]
        for kind, module in kinds(child):
            requires = {p.requires_grad for p in module.parameters()}
            assert len(requires) == 1
            piece = Piece(
                kind,
                place(kind, parent, layer, parts),
                State.TRAINED if requires == {True} else State.EARLIER,
                residual=kind == "adapter" and carries_on(module),
                norm=any(isinstance(m, nn.LayerNorm) for m in module.modules())
                and kind == "adapter",
                gated=any(isinstance(m, Gate) for m in module.modules()),
                helper=bool(gone),
            )
            found.setdefault(layer and layer.block, set()).add(piece)
    layers = [found.pop(layer.block, set()) for layer in parts.layers]
    assert all(layer == layers[0] for layer in layers)
    return layers[0].union(*found.values())


def kinds(child: nn.Module) -> list[tuple[str, nn.Module]]:
    """What an attached module is made of, by what it has."""
    if isinstance(child, nn.ModuleList):
        return [pair for part in child for pair in kinds(part)]
    if isinstance(child, nn.Linear):
        return [("probe", child)]
    if hasattr(child, "adapters"):
        fusion = copy.deepcopy(child)
        del fusion.adapters
        adapters = [("adapter", adapter) for adapter in child.adapters]
        return [*adapters, ("fusion", fusion)]
    if hasattr(child, "down") and hasattr(child, "up"):
        assert not is_linear(child, WIDTH)
        return [("adapter", child)]
    if hasattr(child, "a") and hasattr(child, "b"):
        assert is_linear(child, child.a.shape[1]) or isinstance(child.gate, Gate)
        return [("low_rank", child)]
    marks = {
        "ladders": "side",
        "factor": "scale",
        "trunk": "prefix",
        "keys": "prefix",
        "prefix": "prefix",
        "shown": "prompt",
        "place": "prompt",
        "places": "vectors",
    }
    return [(next(kind for mark, kind in marks.items() if hasattr(child, mark)), child)]


def is_linear(module: nn.Module, width: int) -> bool:
    """Whether a map of hidden states, dropout aside, is linear up to a constant."""
    one, other = torch.randn(2, 1, 3, width)
    module = copy.deepcopy(module).eval()
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    with torch.no_grad():
        both = module(one + other) + module(torch.zeros_like(one))
        return torch.allclose(both, module(one) + module(other), rtol=1e-3, atol=1e-3)


def carries_on(adapter: nn.Module) -> bool:
    """Whether an adapter with a dead way up returns its input."""
    adapter, h = copy.deepcopy(adapter), torch.randn(1, 3, WIDTH)
    with torch.no_grad():
        for parameter in adapter.up.parameters():
            parameter.zero_()
        return torch.equal(adapter(h), h)


def place(kind: str, parent: nn.Module, layer: Layer | None, parts: Anatomy) -> str:
    """Where in a drawing the module is that something was attached to."""
    if layer is None:
        places = {
            "prompt": {parts.final: "input"},
            "side": {parts.base: "layer_outputs"},
            "probe": {parts.base: "last_states"},
        }
        return places[kind][parent]
    if kind in ("low_rank", "scale"):
        return next(m for m in MAPS for p in layer.projections(m) if p.module is parent)
    if layer.feed_forward_input is parent:
        return "beside_feed_forward"
    if hasattr(layer.feed_forward_input, "parallel") and parent is layer.feed_forward_end:
        return "beside_feed_forward"
    places = {
        layer.attention: "attention",
        layer.block: "entrance",
        layer.attention_end: "after_attention",
        layer.attention_output.module: "after_attention",
        layer.feed_forward_end: "after_feed_forward",
        layer.feed_forward_down.module: "after_feed_forward",
        layer.norms[-1]: "between_norms",
    }
    return places[parent]


def test_what_is_drawn_as_trained_is_what_the_code_trains(name):
    method, model, parts = adapt(name)
    drawn = {part: DRAWINGS[name].state(part) for part in PARTS}
    drawn = {p: State.FROZEN if s is State.UNUSED else s for p, s in drawn.items()}
    assert states(method, model, parts) == drawn


def test_what_is_drawn_as_added_is_what_the_code_adds(name):
    method, model, parts = adapt(name)
    assert pieces(method, model, parts) == set(DRAWINGS[name].added)
    assert len(DRAWINGS[name].added) == len(set(DRAWINGS[name].added))


def test_what_is_drawn_as_unused_changes_nothing(name):
    _, model, _ = adapt(name)
    inputs = models.batch("bert")
    before = models.logits(model.eval(), inputs)
    for part in ("pooler", "head"):
        twin = copy.deepcopy(model)
        with torch.no_grad():
            for parameter in own(modules(anatomy(twin))[part]):
                parameter.add_(torch.randn_like(parameter))
        unused = torch.equal(models.logits(twin, inputs), before)
        assert unused == (DRAWINGS[name].state(part) is State.UNUSED), part


def test_arrows_tell_how_the_gradients_go(name, monkeypatch):
    method, model, _ = adapt(name)
    aside = DRAWINGS[name].aside
    if method.frozen_base or any(DRAWINGS[name].state(p) is not State.TRAINED for p in BASE):
        assert not aside or aside.picture not in ("backward", "fused", "forward")
        return
    calls, backward = [], torch.Tensor.backward
    monkeypatch.setattr(
        torch.Tensor, "backward", lambda *args, **kw: (calls.append(1), backward(*args, **kw))
    )
    method.step(model, models.batch("bert"), method.optimizer(trainable(model)), 0)
    held = any(p.grad is not None for p in trainable(model))
    expected = {True: "backward"}.get(held, "fused" if calls else "forward")
    if type(method).fit is not Method.fit:  # which is more than one loop
        expected = "phases"
    assert aside.picture == expected


def test_no_gradient_flows_back_only_beside_a_side_network(name):
    method, model, parts = adapt(name)
    reached = []
    parts.layers[-1].block.register_forward_hook(
        lambda module, args, output: reached.append(
            (output[0] if isinstance(output, tuple) else output).requires_grad
        )
    )
    method.before_step(model, 0)
    method.loss(model, models.batch("bert"))
    added = {piece.kind for piece in DRAWINGS[name].added}
    assert any(reached) != bool(added & {"side", "probe"})
