"""Step time and memory of each method beside a library's implementation of it.

    .parity/a/bin/python -m benchmarks.methods [NAME ...]

`make parity` builds the environment, with peft in it. Both sides adapt the same model and train on
the same batch with the same optimizer, in turn, in one process on one core.
Printed are ratios, the median over rounds: those of processor time are the ones that carry over to
other machines. The floor is the same model, frozen, with the loss differentiated through all of its
layers. Memory is what autograd keeps for the backward pass (`reference_impls/measure/ledger.py`).

Not here: the adapters library. It needs a transformers before 5, which cannot be in one process
with the one that finds the parts of a model here.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import repeat
from statistics import median

import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
    logging,
)

from reference_impls.core.method import Batch, trainable
from reference_impls.core.registry import load_methods
from reference_impls.measure.ledger import Activations

Step = Callable[[], torch.Tensor]
WIDTH, LAYERS, HEADS, VOCABULARY = 256, 4, 4, 2000
ROWS, LENGTH = 16, 64


def build(kind: str) -> PreTrainedModel:
    """The model to adapt; the same weights each time."""
    torch.manual_seed(0)
    if kind == "bert":
        config = BertConfig(
            vocab_size=VOCABULARY,
            hidden_size=WIDTH,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            intermediate_size=4 * WIDTH,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
        return BertForSequenceClassification(config)
    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_embd=WIDTH,
        n_layer=LAYERS,
        n_head=HEADS,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        use_cache=False,
    )
    return GPT2LMHeadModel(config)


def batch(kind: str) -> Batch:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(3, VOCABULARY, (ROWS, LENGTH), generator=generator)
    mask = torch.ones_like(ids)
    mask[0, -5:] = 0  # without any padding some code takes shortcuts
    labels = torch.randint(2, (ROWS,), generator=generator) if kind == "bert" else ids
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def peft_cases() -> dict[tuple[str, str], tuple[dict, Callable]]:
    """(method, model) -> our arguments, and how peft adapts the model."""
    import peft

    def with_config(config_class: type, **options: object) -> Callable:
        def adapt(model: PreTrainedModel) -> torch.nn.Module:
            task = "SEQ_CLS" if isinstance(model, BertForSequenceClassification) else "CAUSAL_LM"
            return peft.get_peft_model(model, config_class(task_type=task, **options))

        return adapt

    bert = {"target_modules": ["query", "value"]}
    ia3 = {
        "target_modules": ["key", "value", r"intermediate.dense"],
        "feedforward_modules": [],
    }
    return {
        ("lora", "bert"): (
            {"r": 8, "alpha": 16.0},
            with_config(peft.LoraConfig, r=8, lora_alpha=16, **bert),
        ),
        ("ia3", "bert"): ({}, with_config(peft.IA3Config, **ia3)),
        ("prompt_tuning", "gpt2"): (
            {"length": 20, "init": "uniform"},
            with_config(peft.PromptTuningConfig, num_virtual_tokens=20),
        ),
        ("p_tuning_v2", "bert"): (
            {"length": 20},
            with_config(peft.PrefixTuningConfig, num_virtual_tokens=20),
        ),
        ("p_tuning_v2", "gpt2"): (
            {"length": 20},
            with_config(peft.PrefixTuningConfig, num_virtual_tokens=20),
        ),
        ("prefix_tuning", "gpt2"): (
            {"length": 20, "bottleneck": WIDTH},
            with_config(
                peft.PrefixTuningConfig,
                num_virtual_tokens=20,
                prefix_projection=True,
                encoder_hidden_size=WIDTH,
            ),
        ),
    }


def ours(name: str, kind: str, arguments: dict) -> torch.nn.Module:
    model = build(kind)
    method = load_methods()[name](**arguments)
    method.setup(model, repeat(batch(kind)))
    return model


def floor(kind: str) -> torch.nn.Module:
    """The frozen model, differentiated down to its embeddings."""
    model = build(kind)
    head = model.classifier if kind == "bert" else model.transformer.ln_f
    model.requires_grad_(False)
    head.requires_grad_(True)
    model.get_input_embeddings().register_forward_hook(
        lambda module, args, output: output.requires_grad_(True)
    )
    return model


def stepper(model: torch.nn.Module, inputs: Batch) -> Step:
    """A training step, which must reach every trained tensor."""
    model.train()
    optimizer = torch.optim.AdamW(trainable(model), lr=1e-4)

    def step() -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        loss = model(**inputs).loss
        loss.backward()
        optimizer.step()
        return loss

    step()
    without = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    if without:
        raise RuntimeError(f"no gradient reaches {', '.join(without[:3])}")
    return step


def seconds(step: Step, times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        step()
    return time.process_time() - start


def kept(step: Step, model: torch.nn.Module) -> int:
    saved = Activations([*model.parameters(), *model.buffers()])
    with saved:
        step()
    return saved.peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=3, help="in each round")
    parser.add_argument("methods", nargs="*", help="default: all")
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    print(
        "| method | model | step, ours / peft | ours / floor | activations, ours / peft "
        "| trained, ours | peft |"
    )
    print("|---|---|--:|--:|--:|--:|--:|")
    for (name, kind), (arguments, adapt) in peft_cases().items():
        if options.methods and name not in options.methods:
            continue
        inputs = batch(kind)
        competitors = [ours(name, kind, arguments), adapt(build(kind)), floor(kind)]
        steps = [stepper(model, inputs) for model in competitors]
        rounds = [[seconds(step, options.steps) for step in steps] for _ in range(options.rounds)]
        memory = [kept(step, model) for step, model in zip(steps, competitors)]
        trained = [sum(p.numel() for p in trainable(model)) for model in competitors]
        beside = median(mine / theirs for mine, theirs, _ in rounds)
        above = median(mine / least for mine, _, least in rounds)
        print(
            f"| {name} | {kind} | {beside:.2f} | {above:.2f} | {memory[0] / memory[1]:.2f} "
            f"| {trained[0]:,} | {trained[1]:,} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
