"""The predicted peak of a method's step in bytes, as every page has it."""

from __future__ import annotations

from ...atlas import Atlas
from ...data import closed_forms
from ...data.closed_forms import Counts
from ...data.memory import at

ARCHITECTURE, SETTING = "llama-2-7b", "bfloat16"  # of the figure that stands beside others
ADAMW = 8  # bytes of state for each number that AdamW trains


def settings(atlas: Atlas) -> list[str]:
    """The settings that peaks are told for, in order."""
    found = {s: None for told in atlas.memory.values() for own in told.values() for s in own}
    return list(found)


def peak(
    atlas: Atlas, method: str, architecture: str, setting: str, rows: int, length: int
) -> int | None:
    """The peak for a batch, with the paper's settings; None where none is told."""
    told = atlas.memory.get(architecture, {}).get(method, {}).get(setting)
    return at(told, rows, length) if isinstance(told, tuple) else None


def usual(atlas: Atlas, method: str, setting: str = SETTING) -> int | None:
    """The figure that stands beside others."""
    batch = closed_forms.read()["batch"]
    return peak(atlas, method, ARCHITECTURE, setting, batch["B"], batch["S"])


def without_state(peak: int, counts: Counts) -> int | None:
    """What remains with an optimizer without state, as SGD is; None where AdamW does not train.

    Of a method with several phases it is not known in which one the peak is.
    """
    state = counts.ledger["optimizer"]
    adamw = state >= ADAMW * (counts.trained + counts.head) > 0 and counts.phase[1] == 1
    return peak - state if adamw else None
