"""What the comparisons on all architectures share."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from functools import lru_cache

import pytest
import torch
from peft import PeftConfig, get_peft_model
from torch import Tensor, nn
from transformers import PreTrainedModel

from reference_impls import architectures
from reference_impls.anatomy import ATTENTION, Anatomy, Projection
from reference_impls.core.method import Method
from tests.parity.conftest import TOLERANCE, Outcomes
from tests.parity.samples import difference, shake

Role = tuple[int, int, str]  # of a layer, of its attention (or its feed-forward block)

WORDS = {
    "query": "queries",
    "key": "keys",
    "value": "values",
    "attention_output": "the attention's output map",
    "feed_forward_up": "the first feed-forward map",
    "feed_forward_down": "the second feed-forward map",
}


def every(*kinds: str) -> pytest.MarkDecorator:
    """Architectures of these kinds, or all. The scope puts those of one architecture together."""
    names = [n for n in architectures.names() if not kinds or architectures.kind(n) in kinds]
    return pytest.mark.parametrize("name", names, scope="session")


@lru_cache(maxsize=1)
def base(name: str) -> PreTrainedModel:
    """An architecture's tiny model, to be copied and not to be changed."""
    return architectures.build(name)


def ours(method: Method, model: PreTrainedModel) -> PreTrainedModel | str:
    """A copy with our method on it; where the method refuses the model, its reason."""
    adapted = copy.deepcopy(model)
    try:
        method.setup(adapted)
    except ValueError as error:
        return str(error)
    return adapted.eval()


def peft(model: nn.Module, config: PeftConfig) -> nn.Module:
    """A copy with a shaken adapter of peft's. Raises whatever it raises."""
    torch.manual_seed(0)
    adapted = get_peft_model(copy.deepcopy(model), config).eval()
    shake({n: p for n, p in adapted.named_parameters() if re.search("lora_|ia3_l|prompt_enc", n)})
    return adapted


def exactly(names: Iterable[str]) -> str:
    """The pattern of these modules; in a list, peft takes a name for the end of others as well."""
    return "|".join(re.escape(name) for name in sorted(names))


def equal(
    outcomes: Outcomes,
    place: tuple[str, str, str],
    bare: Tensor,
    found: Tensor,
    theirs: Tensor,
    after: str = "",
) -> None:
    """Both outputs of an architecture are the same, while those without a method are not.

    `place`: the method, what is compared, the architecture.
    """
    about = {"difference": difference(found, theirs), "tolerance": tolerance(bare, theirs)}
    outcomes.architecture(*place, **about, note=after)


def tolerance(bare: Tensor, theirs: Tensor) -> float:
    """How far apart equal outputs may be: a small part of them, and of what a method changes."""
    return min(TOLERANCE * max(1.0, bare.abs().max().item()), 1e-3 * difference(bare, theirs))


def roles(parts: Anatomy) -> dict[nn.Module, dict[Role, Projection]]:
    """What the linear modules of the layers are, a fused one several things."""
    found: dict[nn.Module, dict[Role, Projection]] = {}
    for i, layer in enumerate(parts.layers):
        of_layer = [
            ((i, j, role), block.part(role))
            for j, block in enumerate(layer.attentions)
            for role in ATTENTION
            if block.has(role)
        ]
        for role in ("feed_forward_up", "feed_forward_down"):
            if layer.has(role):
                of_layer += [((i, -1, role), each) for each in layer.projections(role)]
        for role, projection in of_layer:
            found.setdefault(projection.module, {})[role] = projection
    return found


def apart(theirs: set[Role], here: set[Role], verb: str) -> str:
    """In words, what peft changes in place of what we change; nothing where both are the same."""
    more, less = theirs - here, here - theirs
    layers = {i for i, _, _ in less} - {i for i, _, _ in theirs}
    if layers and not more and all(i in layers for i, _, _ in less):
        return f"{verb} one tower of several"
    also, instead = _listed(more), _listed(less)
    if also and instead:
        return f"{verb} {also} in place of {instead}"
    if also:
        return f"{verb} {also} too"
    return f"{verb} no {instead}" if instead else ""


def _listed(found: set[Role]) -> str:
    known = [word for role, word in WORDS.items() if any(role == each for _, _, each in found)]
    others = sorted({f"`{each}` elsewhere" for _, _, each in found if each not in WORDS})
    *words, last = [*known, *others] or [""]
    return f"{', '.join(words)} and {last}" if words else last
