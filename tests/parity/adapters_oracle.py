"""What the library adapters computes, written down for the tests beside this file.

adapters needs an older transformers than the reference implementations do, so it runs in an
environment of its own: `python -m tests.parity.adapters_oracle FOLDER` writes one safetensors file
per case of `CASES`, with the base weights, the batch, the shaken weights of the method, their
gradients and the logits, and the versions and counts as metadata.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import adapters
import torch
from adapters import composition
from safetensors.torch import save_file
from torch import Tensor

from tests.methods import models


@dataclass(frozen=True)
class Case:
    """`model` of `models.MODELS` with one adapter of `config`, or with a fusion of several.

    padding: whether the batch has any (without, some code takes shortcuts).
    merge: also write the logits of the merged model.
    fused: how many adapters are fused. change: changes the shaken weights in place.
    """

    model: str
    config: adapters.AdapterConfig
    attention: str = "sdpa"
    padding: bool = True
    merge: bool = False
    fused: int = 0
    change: Callable[[dict[str, Tensor]], None] | None = None


def zero_query_biases(weights: dict[str, Tensor]) -> None:
    for name, weight in weights.items():
        if name.endswith("query.bias"):
            weight.zero_()


def share_gates(weights: dict[str, Tensor]) -> None:
    """Give LoRA's update of the values the gate of that of the queries."""
    for name, weight in weights.items():
        if ".value.loras." in name and ".gate." in name:
            weight.copy_(weights[name.replace(".value.", ".query.")])


FAMILIES = ("bert", "gpt2-lm", "llama-lm", "t5-lm")
DECODERS = ("gpt2-lm", "llama-lm")
LORA = {"r": 3, "alpha": 7}
BOTTLENECK = {"reduction_factor": 32 / 6}
COMPACTER = {"reduction_factor": 4, "non_linearity": "gelu_new"}
FLAT = adapters.PrefixTuningConfig(flat=True, prefix_length=3)
MLP = {"flat": False, "prefix_length": 3, "bottleneck_size": 5}
PARALLEL = adapters.ParBnConfig(**BOTTLENECK)
PFEIFFER = adapters.SeqBnConfig(**BOTTLENECK)
UNIPELT = adapters.UniPELTConfig(
    adapters.PrefixTuningConfig(**MLP, use_gating=True),
    adapters.SeqBnConfig(**BOTTLENECK, use_gating=True),
    adapters.LoRAConfig(**LORA, use_gating=True),
)


def _of_family(model: str) -> dict[str, Case]:
    """The cases that every family has."""
    first = [0, 2] if model == "t5-lm" else [0]  # of each stack of two layers
    dropped = adapters.SeqBnConfig(**BOTTLENECK, leave_out=first)
    houlsby = adapters.DoubleSeqBnConfig(**BOTTLENECK)
    mlp = adapters.PrefixTuningConfig(**MLP)
    lora = adapters.LoRAConfig(**LORA, attn_matrices=["q", "k", "v"])
    return {
        "lora": Case(model, lora, merge=True),
        "ia3": Case(model, adapters.IA3Config(), merge=True),
        "prefix": Case(model, FLAT),
        "prefix-mlp": Case(model, mlp, "eager"),
        "houlsby": Case(model, houlsby),
        "houlsby-gelu": Case(model, houlsby.replace(non_linearity="gelu_new")),
        "pfeiffer": Case(model, PFEIFFER),
        "drop": Case(model, dropped),
        "parallel": Case(model, PARALLEL),
        "fusion": Case(model, PFEIFFER, fused=2),
        "fusion-unbiased": Case(model, PFEIFFER, fused=2, change=zero_query_biases),
        "mam": Case(model, adapters.MAMConfig(mlp, PARALLEL), "eager"),
        "compacter": Case(model, adapters.CompacterConfig(**COMPACTER)),
        "compacter-plus": Case(model, adapters.CompacterPlusPlusConfig(**COMPACTER)),
    }


CASES = {f"{name}-{model}": case for model in FAMILIES for name, case in _of_family(model).items()}
CASES |= {f"prefix-unpadded-{model}": Case(model, FLAT, padding=False) for model in DECODERS}
CASES |= {f"prefix-eager-{model}": Case(model, FLAT, "eager", padding=False) for model in DECODERS}
CASES |= {
    "lora-output-llama-lm": Case(
        "llama-lm", adapters.LoRAConfig(**LORA, attn_matrices=[], output_lora=True)
    ),
    "unipelt-bert": Case("bert", UNIPELT),
    "unipelt-one-gate-bert": Case("bert", UNIPELT, change=share_gates),
    "unipelt-unpadded-bert": Case("bert", UNIPELT, padding=False, change=share_gates),
    "parallel-learned-bert": Case("bert", PARALLEL.replace(scaling="learned")),
    "prompt-bert": Case("bert", adapters.PromptTuningConfig(prompt_length=3)),
}


def run(case: Case) -> tuple[dict[str, Tensor], dict[str, object]]:
    """The tensors and the metadata of a case."""
    base = models.build(case.model)
    base.set_attn_implementation(case.attention)
    batch = models.batch(case.model)
    if not case.padding:
        batch |= {"attention_mask": torch.ones_like(batch["attention_mask"])}
        batch["input_ids"] = batch["input_ids"].clamp(min=3)
    tensors = {f"base.{name}": value.clone() for name, value in base.state_dict().items()}
    tensors |= {f"batch.{name}": value for name, value in batch.items()}
    tensors["logits.base"] = base(**batch).logits
    before = {name for name, _ in base.named_parameters()}

    adapters.init(base)
    names = [f"a{index}" for index in range(max(1, case.fused))]
    for name in names:
        base.add_adapter(name, config=case.config)
    if case.fused:
        setup = composition.Fuse(*names)
        base.add_adapter_fusion(setup)
        base.train_adapter_fusion(setup)
    else:
        base.train_adapter(names[0])
    base.eval()
    added = {n: p for n, p in base.named_parameters() if n not in before}
    initial = {name: parameter.detach().clone() for name, parameter in added.items()}
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in added.values():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        if case.change:
            case.change(added)
    tensors |= {f"initial.{name}": value for name, value in initial.items()}
    tensors |= {f"method.{name}": p.detach().clone() for name, p in added.items()}

    output = base(**batch)
    output.loss.backward()
    tensors["logits.adapted"] = output.logits
    gradients = {name: p.grad for name, p in added.items() if p.grad is not None}
    tensors |= {f"gradient.{name}": gradient for name, gradient in gradients.items()}
    trained = {name: p.numel() for name, p in base.named_parameters() if p.requires_grad}
    if case.merge:
        base.merge_adapter(names[0])
        tensors["logits.merged"] = base(**batch).logits
    facts = {
        "model": case.model,
        "attention": case.attention,
        "versions": {name: version(name) for name in ("adapters", "transformers", "torch")},
        "trained": {n: count for n, count in trained.items() if n in added},
    }
    return tensors, facts


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("adapters", "transformers"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for name, case in CASES.items():
        tensors, facts = run(case)
        whole = {key: value.detach().contiguous().clone() for key, value in tensors.items()}
        save_file(whole, folder / f"{name}.safetensors", metadata={"facts": json.dumps(facts)})
    print(f"{len(CASES)} cases written to {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
