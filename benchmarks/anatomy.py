"""What finding the parts of a model costs, beside one forward pass of one token.

    python benchmarks/anatomy.py

Of models with weights, of the sizes of SmolLM2-135M and of a Llama with 1.1 billion parameters, and
of Llama-2-7B's shape without weights. Printed are processor seconds, the least of three.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from fine_tuning_atlas.anatomy.find import find
from transformers import AutoModel, LlamaConfig, PreTrainedModel, logging

ROUNDS = 3
SMALL = {
    "vocab_size": 49152,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
}
MIDDLE = {
    "hidden_size": 2048,
    "intermediate_size": 5632,
    "num_hidden_layers": 22,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
}
SHAPES = {"135M": SMALL, "1.1B": MIDDLE, "7B, no weights": {}}


def least(run: Callable[[], object]) -> float:
    """Processor seconds of the fastest of some runs."""
    found = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        run()
        found.append(time.process_time() - begun)
    return min(found)


def build(name: str) -> PreTrainedModel:
    device = "meta" if "no weights" in name else "cpu"
    with torch.device(device):
        return AutoModel.from_config(LlamaConfig(**SHAPES[name])).eval()


@torch.no_grad()
def main() -> None:
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    token = torch.ones(1, 1, dtype=torch.long)
    print(f"{'model':16}{'finding':>10}{'one token':>12}")
    for name in SHAPES:
        model = build(name)
        forward = "" if "no weights" in name else f"{least(lambda: model(token)):.3f}"  # noqa: B023
        print(f"{name:16}{least(lambda: find(model)):10.3f}{forward:>12}")  # noqa: B023


if __name__ == "__main__":
    main()
