"""LoRA and (IA)³ in peft, on every architecture."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from peft import IA3Config, LoraConfig, PeftConfig
from peft.utils.constants import (
    TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING,
    TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING,
)
from peft.utils.error import NoMatchingPeftModuleError
from torch import Tensor

from reference_impls import architectures
from reference_impls.additive.ia3.ia3 import IA3, keys_and_values
from reference_impls.anatomy import Projection, anatomy
from reference_impls.core.method import Method
from reference_impls.reparameterized.lora.lora import LoRA
from tests.parity import zoo

R, ALPHA = 3, 7
TARGETS = ("query", "value")
LOGITS = "logits, by architecture"
DEFAULT = "modules by default, by architecture"
EXPERTS = "told one module of a model with experts, adapts all of that name: the others' B is zero"
OUTPUTS = ("query", "key", "value", "feed_forward_up")  # where to scale what comes out
PARTLY = "changes the whole of a projection of which only a part is known here, and now no more"
FUSED = {
    "lora": "query, key and value of a fused projection share one A, and the keys get no update",
    "ia3": "the factors of the queries in a fused projection are 1",
}
Places = dict[str, list[tuple[str, Projection]]]


def by_module(model, found: Iterable[tuple[str, Projection]]) -> Places:
    """What is adapted of each module, by its name."""
    names = {module: name for name, module in model.named_modules()}
    places: Places = {}
    for what, projection in found:
        places.setdefault(names[projection.module], []).append((what, projection))
    return places


def covered(width: int, projections: Iterable[Projection]) -> Tensor:
    """Which of a module's features belong to one of these."""
    found = torch.zeros(width, dtype=torch.bool)
    for projection in projections:
        found[projection.columns] = True
    return found


def narrowed(base, place: str, width: int, adapted: Iterable[Projection], fused: str) -> set[str]:
    """Why we do not adapt all features of a module that peft adapts."""
    if covered(width, adapted).all():
        return set()
    parts = zoo.roles(anatomy(base))[base.get_submodule(place)].values()
    return {fused if covered(width, parts).all() else PARTLY}


def adapted(model, attribute: str) -> dict[str, torch.nn.Module]:
    """Modules of peft's with this attribute, by the name that they have in the model itself."""
    modules = model.base_model.model.named_modules()
    return {name: module for name, module in modules if hasattr(module, attribute)}


@zoo.every()
def test_lora(outcomes, name):
    base, method = zoo.base(name), LoRA(r=R, alpha=ALPHA, targets=TARGETS)
    model = zoo.ours(method, base)
    defaults(outcomes, method, name, isinstance(model, str), LoraConfig(r=R), "lora_A")
    if isinstance(model, str):
        return
    layers = anatomy(base).layers
    found = ((t, p) for layer in layers for t in TARGETS for p in layer.projections(t))
    places = by_module(base, found)
    config = LoraConfig(r=R, lora_alpha=ALPHA, target_modules=zoo.exactly(places))
    theirs, notes = zoo.peft(base, config), set()
    with torch.no_grad():
        for place, module in adapted(theirs, "lora_A").items():
            a, b = (getattr(module, x)["default"].weight for x in ("lora_A", "lora_B"))
            ours = [projection for _, projection in places.get(place, [])]
            b[~covered(len(b), ours)] = 0.0
            notes |= narrowed(base, place, len(b), ours, FUSED["lora"]) if ours else {EXPERTS}
            for target, projection in places.get(place, []):
                update = model.get_submodule(f"{place}.lora_{target}")
                update.a.copy_(a)
                update.b.copy_(b[projection.columns])
    compare(outcomes, method, name, model, theirs, notes)


@zoo.every()
def test_ia3(outcomes, name):
    base, method = zoo.base(name), IA3()
    model = zoo.ours(method, base)
    defaults(outcomes, method, name, isinstance(model, str), IA3Config(), "ia3_l")
    if isinstance(model, str):
        return
    parts = anatomy(base)
    places = by_module(base, keys_and_values(parts))
    down = by_module(base, (("ia3_input", layer.feed_forward_down) for layer in parts.layers))
    config = IA3Config(
        target_modules=zoo.exactly(places | down), feedforward_modules=zoo.exactly(down)
    )
    theirs, notes = zoo.peft(base, config), set()
    vectors = {k: m.ia3_l["default"].data.view(-1) for k, m in adapted(theirs, "ia3_l").items()}
    assert vectors.keys() == places.keys() | down.keys()
    with torch.no_grad():
        for place in down:
            model.get_submodule(f"{place}.ia3_input").factor.copy_(vectors[place])
        for place, projections in places.items():
            ours, width = [projection for _, projection in projections], len(vectors[place])
            vectors[place][~covered(width, ours)] = 1.0
            notes |= narrowed(base, place, width, ours, FUSED["ia3"])
            for vector, projection in projections:
                factor = model.get_submodule(f"{place}.{vector}").factor
                factor.copy_(vectors[place][projection.columns])
    compare(outcomes, method, name, model, theirs, notes)


def compare(outcomes, method: Method, name: str, model, theirs, notes: set[str]) -> None:
    """Logits of our model and of peft's, in which the same weights are."""
    batch = architectures.batch(name)
    with torch.no_grad():
        logits = [architectures.logits(m, batch) for m in (zoo.base(name), model, theirs)]
    zoo.equal(outcomes, (method.name, LOGITS, name), *logits, after="; ".join(sorted(notes)))


def defaults(
    outcomes, method: Method, name: str, refused: bool, config: PeftConfig, attribute: str
) -> None:
    """What peft adapts of a model type that it knows, and we by default."""
    base = zoo.base(name)
    known = {
        "lora": TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING,
        "ia3": TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING,
    }[method.name]
    if base.config.model_type not in known:
        return
    place = (method.name, DEFAULT, name)
    try:
        theirs = adapted(zoo.peft(base, config), attribute)
    except NoMatchingPeftModuleError:
        outcomes.architecture(*place, note="raises an error: it has to be told the modules")
        return
    if refused:
        note = "has a default for a model without the parts that it needs here, which is refused"
        outcomes.architecture(*place, note=note)
        return
    found = zoo.roles(anatomy(base))
    wanted = TARGETS if method.name == "lora" else ("key", "value", "feed_forward_down")
    here = {role for each in found.values() for role in each if role[2] in wanted}
    there = set()
    for module, adapter in theirs.items():
        roles = found.get(base.get_submodule(module), {(-1, -1, module.rsplit(".", 1)[-1]): None})
        if method.name == "ia3":
            assert all(adapter.is_feedforward == (role not in OUTPUTS) for _, _, role in roles)
        there |= roles.keys()
    note = zoo.apart(there, here, "adapts" if method.name == "lora" else "scales")
    outcomes.architecture(*place, difference=None if note else 0, note=note)
