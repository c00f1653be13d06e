"""The same methods in peft, at the same places of the same model and with the same sizes.

Not here: the adapters library. It needs a transformers before 5, which cannot be in one process
with the one that finds the parts of a model here. bitsandbytes, below peft's QLoRA, goes without
the kernels that it would fetch from the network.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import nn
from transformers import BitsAndBytesConfig, PreTrainedModel

from reference_impls.anatomy import Anatomy, anatomy
from reference_impls.core.method import Method
from reference_impls.core.registry import load_method

Adapt = Callable[[Method, PreTrainedModel], nn.Module]


class Twin(NamedTuple):
    """Another implementation of a method.

    library: whose it is; "itself": the same code once more, which shows the noise.
    adapt: from our method object and a model to the adapted model.
    settings: those of ours that make it do the same work.
    """

    library: str
    adapt: Adapt
    settings: dict[str, Any] = {}


def _itself(method: Method, model: PreTrainedModel) -> nn.Module:
    load_method("full_fine_tuning")().setup(model)
    return model


def _peft(model: PreTrainedModel, config: str, **options: Any) -> nn.Module:
    import peft  # only the environment of `make parity` has it

    kind = "SEQ_CLS" if anatomy(model).head else "CAUSAL_LM"
    return peft.get_peft_model(model, getattr(peft, config)(task_type=kind, **options))


def _names(model: PreTrainedModel, modules: Iterable[nn.Module]) -> list[str]:
    """The names that modules have in the model."""
    wanted = {id(module) for module in modules}
    return [name for name, module in model.named_modules() if id(module) in wanted]


def _lora(method: Method, model: PreTrainedModel) -> nn.Module:
    layers = anatomy(model).layers
    found = [p.module for layer in layers for t in method.targets for p in layer.projections(t)]
    options = {"r": method.r, "lora_alpha": method.alpha, "lora_dropout": method.dropout}
    return _peft(model, "LoraConfig", target_modules=_names(model, found), **options)


def _ia3(method: Method, model: PreTrainedModel) -> nn.Module:
    parts = anatomy(model)
    blocks = [block for layer in parts.layers for block in layer.attentions]
    scaled = [p.module for block in blocks for p in (block.key, block.value)]
    down = [layer.feed_forward_down.module for layer in parts.layers]
    options = {"feedforward_modules": _names(model, down)}
    return _peft(model, "IA3Config", target_modules=_names(model, [*scaled, *down]), **options)


def _ln_tuning(method: Method, model: PreTrainedModel) -> nn.Module:
    norms = {id(parameter) for parameter in anatomy(model).norm_parameters()}
    found = [m for m in model.modules() if any(id(p) in norms for p in m.parameters(False))]
    return _peft(model, "LNTuningConfig", target_modules=_names(model, found))


def _prefix(method: Method, model: PreTrainedModel) -> nn.Module:
    options = {"num_virtual_tokens": method.length, "prefix_projection": method.reparametrize}
    if method.reparametrize:
        options["encoder_hidden_size"] = method.bottleneck
    return _peft(model, "PrefixTuningConfig", **options)


def _prompt(method: Method, model: PreTrainedModel) -> nn.Module:
    return _peft(model, "PromptTuningConfig", num_virtual_tokens=method.length)


def _p_tuning(method: Method, model: PreTrainedModel) -> nn.Module:
    options = {
        "num_virtual_tokens": sum(method.template),
        "encoder_reparameterization_type": "LSTM",
        "encoder_hidden_size": anatomy(model).embedding.embedding_dim // 2,  # a direction's units
    }
    return _peft(model, "PromptEncoderConfig", **options)


def _qlora(method: Method, model: PreTrainedModel) -> nn.Module:
    parts: Anatomy = anatomy(model)
    maps = [p.module for layer in parts.layers for p in layer.linear_maps]
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
        llm_int8_skip_modules=["lm_head", "pooler", "classifier"],  # outside the layers
    )
    names = _names(model, maps)
    options = {"r": method.r, "lora_alpha": method.alpha, "lora_dropout": method.dropout}
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        quantized = type(model).from_pretrained(
            folder, quantization_config=config, device_map="cpu", dtype=torch.float32
        )
    return _peft(quantized, "LoraConfig", target_modules=names, **options)


TWINS = {
    "full_fine_tuning": Twin("itself", _itself),
    "lora": Twin("peft", _lora),
    "qlora": Twin("peft", _qlora),
    "ia3": Twin("peft", _ia3),
    "ln_tuning": Twin("peft", _ln_tuning),
    "prompt_tuning": Twin("peft", _prompt),
    # peft's pseudo-tokens are in front, all together
    "p_tuning": Twin("peft", _p_tuning, {"template": (6,), "places": (0,)}),
    "prefix_tuning": Twin("peft", _prefix),
    "p_tuning_v2": Twin("peft", _prefix, {"dropout": 0.0}),  # peft has none
}
