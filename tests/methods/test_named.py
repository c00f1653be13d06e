"""Parts that are given by name: what may be given, what is refused, and a model only they serve."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, CausalLMOutput

from reference_impls import architectures
from reference_impls.additive.houlsby.houlsby import Houlsby
from reference_impls.additive.ia3.ia3 import IA3
from reference_impls.anatomy import anatomy
from reference_impls.anatomy.named import PARTS
from reference_impls.prompt.prefix_tuning.prefix_tuning import PrefixTuning
from reference_impls.reparameterized.lora.lora import LoRA
from tests.methods.zoo import close, learns

torch.set_num_threads(1)


class Config(PretrainedConfig):
    model_type = "toy_that_nothing_knows"

    def __init__(self, **kwargs) -> None:
        self.hidden_size, self.num_attention_heads, self.vocab_size = 8, 2, 20
        super().__init__(**kwargs)


class Mixing(nn.Module):
    """Attention by a loop over tokens, without a softmax that could be seen."""

    def __init__(self) -> None:
        super().__init__()
        self.ask_and_offer, self.give, self.close = (
            nn.Linear(8, 16),
            nn.Linear(8, 8),
            nn.Linear(8, 8),
        )

    def forward(self, x: Tensor) -> Tensor:
        asked, offered = self.ask_and_offer(x).split(8, -1)
        given, rows = self.give(x), []
        for i in range(x.shape[1]):
            weights = (asked[:, i : i + 1] * offered[:, : i + 1]).sum(-1).exp()
            weights = weights / weights.sum(-1, keepdim=True)
            rows.append((weights[..., None] * given[:, : i + 1]).sum(1))
        return self.close(torch.stack(rows, 1))


class Step(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mixing, self.widen, self.narrow = Mixing(), nn.Linear(8, 12), nn.Linear(12, 8)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.mixing(x)
        return x + self.narrow(self.widen(x).relu())


class Toy(PreTrainedModel):
    config_class = Config
    base_model_prefix = "body"

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.words = nn.Embedding(20, 8)
        self.steps = nn.ModuleDict({name: Step() for name in ("one", "two")})
        self.post_init()

    def get_input_embeddings(self) -> nn.Embedding:
        return self.words

    def forward(self, input_ids=None, attention_mask=None, inputs_embeds=None, **kwargs):
        x = self.words(input_ids) if inputs_embeds is None else inputs_embeds
        for step in self.steps.values():
            x = step(x)
        return BaseModelOutput(last_hidden_state=x)


class ToyLM(PreTrainedModel):
    config_class = Config
    base_model_prefix = "body"

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.body, self.out = Toy(config), nn.Linear(8, 20, bias=False)
        self.post_init()

    def get_output_embeddings(self) -> nn.Linear:
        return self.out

    def forward(self, input_ids=None, attention_mask=None, labels=None, **kwargs):
        logits = self.out(self.body(input_ids, attention_mask).last_hidden_state)
        loss = None
        if labels is not None:
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
        return CausalLMOutput(loss=loss, logits=logits)


NAMES = {
    "layers": "steps",
    "query": ("mixing.ask_and_offer", 0, 8),
    "key": ("mixing.ask_and_offer", 8, 16),
    "value": "mixing.give",
    "attention_output": "mixing.close",
    "attention": "mixing",
    "attention_end": "mixing",
    "feed_forward_up": "widen",
    "feed_forward_down": "narrow",
    "feed_forward_end": "narrow",
    "feed_forward_input": "widen",
    "end": "",
}


@pytest.fixture
def toy() -> ToyLM:
    torch.manual_seed(0)
    model = ToyLM(Config()).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return model


def test_a_model_that_is_not_seen_through_is_refused_until_its_parts_are_named(toy):
    complaint = "Toy has no layers that were found: no attention was seen"
    with pytest.raises(ValueError, match=complaint):
        LoRA().setup(toy)
    parts = anatomy(toy, **NAMES)
    assert [layer.block for layer in parts.layers] == list(toy.body.steps.values())
    first = parts.layers[0]
    step = toy.body.steps["one"]
    assert first.query.module is first.key.module is step.mixing.ask_and_offer
    assert (first.query.runs, first.key.runs) == (((0, 8),), ((8, 16),))
    assert first.value.module is step.mixing.give
    assert first.attention is first.attention_end is step.mixing
    assert [up.module for up in first.feed_forward_up] == [step.widen]
    assert (first.feed_forward_down.module, first.feed_forward_input) == (step.narrow, step.widen)
    assert first.end is step
    assert [layer.width for layer in parts.layers] == [8, 8]
    assert (parts.hidden_size, parts.heads) == (8, 2)
    assert parts.entrance is toy.body


@pytest.mark.parametrize("method", [LoRA, Houlsby, IA3])
def test_methods_run_on_a_model_whose_parts_were_named(toy, method):
    anatomy(toy, **NAMES)
    ids = torch.arange(12).reshape(2, 6)
    with torch.no_grad():
        before = toy(ids).logits
    adapted = method()
    adapted.setup(toy)
    counted = sum(p.numel() for p in toy.parameters() if p.requires_grad)
    assert counted == adapted.trained(anatomy(toy)) > 0
    assert close(toy(ids).logits.detach(), before) == adapted.init_noop
    optimizer = torch.optim.Adam([p for p in toy.parameters() if p.requires_grad], lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        toy(ids, labels=ids).loss.backward()
        optimizer.step()
    with torch.no_grad():
        after = toy(ids).logits
        assert not close(after, before)
        if adapted.mergeable:
            adapted.merge(toy)
            assert close(toy(ids).logits, after)
        else:
            adapted.detach(toy)
            assert torch.equal(toy(ids).logits, before)


def test_attention_by_a_loop_takes_no_prefix(toy):
    anatomy(toy, **NAMES)
    with pytest.raises(ValueError, match=r"attention by itself|needs a model with"):
        PrefixTuning().setup(toy)


def test_names_are_remembered_by_the_model_and_its_copies_and_may_be_given_anew(toy):
    anatomy(toy, layers="steps", query="mixing.give")
    anatomy(toy, key="mixing.close")
    for model in (toy, copy.deepcopy(toy)):
        layer = anatomy(model).layers[1]
        step = model.body.steps["two"]
        assert (layer.query.module, layer.key.module) == (step.mixing.give, step.mixing.close)
    anatomy(toy, query="mixing.close")
    assert anatomy(toy).layers[0].query.module is toy.body.steps["one"].mixing.close
    assert anatomy(toy).layers[0].key.module is toy.body.steps["one"].mixing.close
    other = ToyLM(Config())
    with pytest.raises(ValueError, match="has no layers that were found"):
        _ = anatomy(other).layers
    assert "_named_parts" not in toy.state_dict()


def test_a_refused_name_is_not_remembered(toy):
    anatomy(toy, layers="steps")
    for odd in ({"query": "mixing.asks"}, {"quary": "mixing"}, {"layers": "stages"}):
        with pytest.raises(ValueError, match=r"'(mixing.asks|quary|stages)'"):
            anatomy(toy, value="widen", **odd)
        parts = anatomy(toy)
        assert not parts.layers[0].has("value")


def test_some_layers_may_be_named_in_their_order(toy):
    parts = anatomy(toy, layers=("steps.two",), query="mixing.give")
    assert [layer.block for layer in parts.layers] == [toy.body.steps["two"]]
    parts = anatomy(toy, layers=("steps.two", "steps.one"))
    assert [layer.block for layer in parts.layers] == [
        toy.body.steps["two"],
        toy.body.steps["one"],
    ]


def test_several_maps_up_may_be_named(toy):
    parts = anatomy(toy, layers="steps", feed_forward_up=("widen", ("mixing.ask_and_offer", 4, 9)))
    step = toy.body.steps["one"]
    found = [(up.module, up.runs) for up in parts.layers[0].feed_forward_up]
    assert found == [(step.widen, ((0, 12),)), (step.mixing.ask_and_offer, ((4, 9),))]


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        ({"quary": "mixing.give"}, r"a layer has no part 'quary' \(parts: layers, attention, atte"),
        ({"layers": "stages"}, "layers: Toy has no 'stages'"),
        ({"layers": "words"}, "layers: Toy has no 'words'"),
        ({"layers": ("steps.one", "steps.three")}, "layers: Toy has no 'steps.three'"),
        ({"query": "mixing.asks"}, "query = 'mixing.asks': layer 'steps.one' has none"),
        ({"query": "mixing"}, "query = 'mixing': Mixing is no linear map"),
        ({"query": ""}, "query = '': Step is no linear map"),
        ({"query": ("mixing.give", 0, 9)}, "query: 'mixing.give' has no features 0 to 9"),
        ({"query": ("mixing.give", -1, 4)}, "query: 'mixing.give' has no features -1 to 4"),
        ({"query": ("mixing.give", 4, 4)}, "query: 'mixing.give' has no features 4 to 4"),
        ({"feed_forward_up": ("widen", "high")}, "'high': layer 'steps.one' has none"),
        ({"feed_forward_up": "high"}, "feed_forward_up = 'high': layer 'steps.one' has none"),
        ({"end": "last"}, "end = 'last': layer 'steps.one' has none"),
    ],
)
def test_what_is_wrong_with_a_name_is_said(toy, names, complaint):
    with pytest.raises(ValueError, match=complaint):
        anatomy(toy, **{"layers": "steps", **names})


def test_every_part_that_a_message_offers_can_be_named(toy):
    assert set(PARTS) == NAMES.keys() - {"layers"}
    anatomy(toy, layers="steps")
    for name in PARTS:
        with pytest.raises(ValueError, match=rf"anatomy\(model, {name}=…\)"):
            getattr(anatomy(toy).layers[0], name)
        anatomy(toy, **{name: NAMES[name]})
        getattr(anatomy(toy).layers[0], name)


# models of transformers that are found in part


def test_lora_runs_on_the_layers_of_qwen3_next_that_attend():
    model = architectures.build("qwen3_next")
    with pytest.raises(ValueError, match=r"'layers.0' has no query: it has no attention; give its"):
        LoRA().setup(model)
    parts = anatomy(model, layers=("layers.1",))
    assert [layer.place for layer in parts.layers] == ["Qwen3NextModel's layer 'layers.1'"]
    learns(model, LoRA())


def test_a_linear_attention_may_stand_for_attention():
    model = architectures.build("qwen3_next")
    anatomy(
        model, layers=("layers.0",), query="linear_attn.in_proj_qkvz", value="linear_attn.out_proj"
    )
    learns(model, LoRA(targets=("query", "value")))


def test_lora_runs_on_xlm_whose_blocks_are_in_lists_of_their_own():
    model = architectures.build("xlm")
    parts = anatomy(
        model, layers=("ffns.0", "ffns.1"), feed_forward_up="lin1", feed_forward_down="lin2"
    )
    assert [layer.feed_forward_up[0].module for layer in parts.layers] == [
        ffn.lin1 for ffn in parts.base.ffns
    ]
    learns(model, LoRA(targets=("feed_forward_up", "feed_forward_down")))
    model = architectures.build("xlm")
    anatomy(model, layers="attentions")
    learns(model, LoRA())
