"""A model is watched on a copy, left as it was, and found the same in whatever state it is."""

from __future__ import annotations

import contextlib
import copy
import dataclasses

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import LlamaConfig, LlamaForCausalLM, LlamaModel

from reference_impls import anatomy as package
from reference_impls import architectures
from reference_impls.anatomy import anatomy
from reference_impls.anatomy.inputs import inputs
from reference_impls.anatomy.watch import Watch, skeleton, watch
from reference_impls.core.registry import load_method

torch.set_num_threads(1)

# fused, shared, interleaved, of both kinds, with experts, of an image
SOME = ("gpt2", "albert", "bloom", "t5", "mixtral", "vit", "deepseek_v3", "clip")
some = pytest.mark.parametrize("name", SOME)


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch):
    monkeypatch.setattr(package, "_FOUND", {})


def seen(model) -> list:
    """What is found in a model, by names: it can be compared."""
    base = model.base_model
    found = dataclasses.asdict(package._found(base))
    parts = anatomy(model)
    names = {module: name for name, module in base.named_modules()}
    return [found, [names[layer.block] for layer in parts.layers], parts.positions]


def state(model) -> dict:
    """All that may be changed in a model by looking at it."""
    kept = model.state_dict(keep_vars=True)
    return {
        "weights": {key: (id(value), value.clone(), value._version) for key, value in kept.items()},
        "flags": [p.requires_grad for p in model.parameters()],
        "gradients": [p.grad for p in model.parameters()],
        "training": [module.training for module in model.modules()],
        "hooks": [
            len(hooks)
            for module in model.modules()
            for name, hooks in vars(module).items()
            if "hooks" in name and hooks is not None and not isinstance(hooks, bool)
        ],
        "attributes": [sorted(vars(module)) for module in model.modules()],
        "modules": [(name, id(module)) for name, module in model.named_modules()],
        "config": model.config.to_json_string(use_diff=False),
        "attention": [
            module.config._attn_implementation
            for module in model.modules()
            if hasattr(module, "config")
        ],
        "generator": torch.get_rng_state(),
        "gradient mode": torch.is_grad_enabled(),
        "running": Watch.running,
    }


def same(one, other) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@some
@pytest.mark.parametrize("training", [False, True])
def test_watching_leaves_a_model_untouched(name, training):
    model = architectures.build(name).train(training)
    next(model.parameters()).requires_grad_(False)
    model.register_forward_hook(lambda *_: pytest.fail("the model itself was run"))
    before = state(model)
    anatomy(model)
    after = state(model)
    for key in before:
        assert same(before[key], after[key]), key


@some
def test_the_copy_has_no_weights_and_none_of_the_hooks(name):
    model = architectures.build(name).train()
    for module in model.modules():
        module.register_forward_hook(lambda *_: None)
        module.register_forward_pre_hook(lambda *_: None)
    copied = skeleton(model)
    assert all(p.is_meta and not p.requires_grad for p in copied.parameters())
    assert not copied.training
    names = dict(copied.named_modules())
    assert names.keys() == dict(model.named_modules()).keys()
    for key, parameter in model.named_parameters():
        twin = copied.get_parameter(key)
        assert (twin.shape, twin.dtype) == (parameter.shape, parameter.dtype)
    for module in names.values():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
    known = [(a.data_ptr(), b.data_ptr()) for a, b in zip(model.buffers(), copied.buffers())]
    assert all(own == shared for own, shared in known)


def test_the_copy_has_what_a_module_keeps_by_itself_but_no_values_that_are_not_there():
    model = nn.Linear(2, 2)
    model.kept = {"a": [torch.ones(2)]}
    assert skeleton(model).kept["a"][0].tolist() == [1, 1]
    with FakeTensorMode():
        model.kept = {"a": [torch.ones(3)]}
    copied = skeleton(model).kept["a"][0]  # copying a tensor without memory corrupts memory
    assert type(copied) is torch.Tensor
    assert copied.is_meta
    assert copied.shape == (3,)


def test_tied_weights_are_tied_in_the_copy():
    copied = skeleton(architectures.build("gpt2"))
    assert copied.lm_head.weight is copied.transformer.wte.weight


@some
def test_no_activation_has_values_but_those_of_ids_positions_and_masks(name):
    base = architectures.build(name).base_model
    recorded, _ = watch(base, inputs(base, 1, 6))
    for node in recorded.nodes:
        if node.name == "linear":
            assert all(t.is_meta for t in node.outputs), node.within
    assert [node.index for node in recorded.nodes] == list(range(len(recorded.nodes)))
    assert all(source.index < node.index for node in recorded.nodes for source in node.sources)


STATES = {
    "training": lambda model: model.train(),
    "copied": copy.deepcopy,
    "without weights": lambda model: model.to("meta"),
    "bfloat16": lambda model: model.bfloat16(),
    "frozen": lambda model: model.requires_grad_(False),
}


@some
@pytest.mark.parametrize("change", STATES.values(), ids=STATES)
def test_a_model_is_found_the_same_in_whatever_state_it_is(name, change):
    expected = seen(architectures.build(name))
    model = change(architectures.build(name))
    package._FOUND.clear()
    assert seen(model) == expected


AROUND = {
    "no gradients": torch.no_grad,
    "inference": torch.inference_mode,
    "fake tensors": lambda: FakeTensorMode(allow_non_fake_inputs=True),
    "on meta": lambda: torch.device("meta"),
    "another type": lambda: DefaultType(torch.bfloat16),
}


class DefaultType(contextlib.ContextDecorator):
    """While it is entered, new tensors have a type."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype

    def __enter__(self) -> None:
        self.before = torch.get_default_dtype()
        torch.set_default_dtype(self.dtype)

    def __exit__(self, *_: object) -> None:
        torch.set_default_dtype(self.before)


@some
@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_a_model_is_found_the_same_whatever_is_around(name, around):
    model = architectures.build(name)
    expected = seen(model)
    package._FOUND.clear()
    with around():
        found = seen(model)
    assert found == expected


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama", "t5"])
@pytest.mark.parametrize("method", ["lora", "houlsby", "ia3", "prefix_tuning", "parallel_adapter"])
def test_a_method_on_a_model_does_not_hide_its_parts(name, method):
    model = architectures.build(name)
    before = anatomy(model)
    names = {module: key for key, module in model.named_modules()}
    adapted = load_method(method)()
    adapted.setup(model)
    package._FOUND.clear()
    after = anatomy(model)
    for one, other in zip(before.layers, after.layers, strict=True):
        assert one.found == other.found, names[one.block]
        assert [b.found for b in one.attentions] == [b.found for b in other.attentions]
    assert (before.final, before.positions) == (after.final, after.positions)
    with torch.no_grad():
        model(**architectures.batch(name))


def test_after_resizing_the_table_of_tokens_it_is_the_new_one():
    model = architectures.build("gpt2")
    layers = len(anatomy(model).layers)
    model.resize_token_embeddings(50)
    parts = anatomy(model)
    assert parts.embedding.num_embeddings == 50
    assert (len(parts.layers), parts.positions) == (layers, 64)


def test_an_adapted_copy_has_parts_of_its_own():
    model = architectures.build("llama")
    load_method("lora")().setup(model)
    copied = copy.deepcopy(model)
    own = {id(module) for module in copied.modules()}
    for layer in anatomy(copied).layers:
        assert id(layer.query.module) in own


# what was found is not looked for again


@pytest.fixture
def looks(monkeypatch) -> list:
    """The models that are watched."""
    watched: list = []
    find = package.find

    def spy(base, batch=None):
        watched.append(base)
        return find(base, batch)

    monkeypatch.setattr(package, "find", spy)
    return watched


def test_a_model_of_the_same_structure_is_not_watched_again(looks):
    for name in ("llama", "llama", "gpt2", "llama"):
        anatomy(architectures.build(name))
    assert len(looks) == 2


@pytest.mark.parametrize("method", ["lora", "houlsby", "prefix_tuning"])
def test_a_model_that_a_method_is_on_is_not_watched_again(looks, method):
    model = architectures.build("bert")
    adapted = load_method(method)()
    adapted.setup(model)
    anatomy(model)
    adapted.detach(model)
    anatomy(model)
    assert len(looks) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.model.layers.append(copy.deepcopy(model.model.layers[0])),
        lambda model: setattr(model.model.layers[0], "mlp", nn.Identity()),
        lambda model: setattr(model.model.layers[0].mlp, "down_proj", nn.Linear(64, 32)),
        lambda model: setattr(model.model.layers[0].mlp, "act_fn", nn.Identity()),
        lambda model: setattr(model.config, "num_hidden_layers", 1),
        lambda model: model.resize_token_embeddings(77),
    ],
)
def test_another_structure_is_watched_anew(looks, change):
    model = architectures.build("llama")
    anatomy(model)
    change(model)
    anatomy(model)
    anatomy(model)
    assert len(looks) == 2


def test_the_cache_holds_no_module_and_no_weight():
    anatomy(architectures.build("gpt2"))
    (found,) = package._FOUND.values()
    text = repr(dataclasses.asdict(found))
    assert "tensor" not in text
    assert "Module" not in text
    assert "Linear" not in text


# what cannot be watched


class Failing(LlamaModel):
    def forward(self, input_ids=None, **kwargs):
        raise OSError("the disk is full")


class Deaf(LlamaForCausalLM):
    def __init__(self, config):
        super().__init__(config)
        self.model = Failing(config)


CONFIG = LlamaConfig(
    vocab_size=20, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2
)


def test_a_forward_that_raises_is_a_refusal_with_its_words():
    complaint = (
        "Failing has no layers that were found: its forward pass could not be watched .the disk is "
        r"full.; try a batch of yours: anatomy.model, inputs=batch."
    )
    parts = anatomy(Deaf(CONFIG))
    with pytest.raises(ValueError, match=complaint):
        _ = parts.layers
    assert Watch.running is None
    with pytest.raises(ValueError, match=complaint):
        load_method("lora")().setup(Deaf(CONFIG))


@pytest.mark.parametrize("wrap", [nn.Sequential, nn.DataParallel, lambda model: model.config])
def test_what_is_no_transformers_model_is_refused_by_what_it_is(wrap):
    wrapped = wrap(architectures.build("llama"))
    name = type(wrapped).__name__
    with pytest.raises(ValueError, match=f"this is a {name}: pass the transformers model itself"):
        anatomy(wrapped)
