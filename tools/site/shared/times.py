"""What pages say alike of times: how they were measured, and by how much they are off."""

from __future__ import annotations

from ...atlas import Atlas
from ...text.escape import page

HOW = (
    "Processor seconds of small batches on one core, and not a GPU's: a training step as a "
    "multiple of full fine-tuning's, all else as a multiple of the untouched model's. They take "
    "turns on the same batch; what counts is the ratio within a round, and of the rounds the "
    "median and the middle half. The weights are random, in models of these sizes."
)


def noise(atlas: Atlas, here: str = "") -> str:
    """How far from ×1 full fine-tuning is beside itself, in Markdown; `here`: the page's method.

    Its step is the base of all steps, and its passes are those of the untouched model.
    """
    for name, sizes in atlas.times.items():
        itself = [timed for timed in sizes.values() if timed.twin == "itself"]
        own = [against for timed in itself for against in timed.times.values()]
        ratios = [one.median for against in own for one in (against.base, against.twin) if one]
        if ratios and name in atlas.methods:
            link = f"[{page(atlas.methods[name].title)}]({name}.md#time)"
            said = "This method" if name == here else link
            ends = f"×{min(ratios):.2f} to ×{max(ratios):.2f}"
            return f"{said} has {ends} beside itself: so much of any ratio is noise."
    return ""
