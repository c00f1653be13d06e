"""Peaks of training steps that others print, beside what is predicted for the same step."""

from __future__ import annotations

from pydantic import PositiveInt, model_validator

from .published import Arguments, Source, _Model

NEAR = 0.1  # of the printed one: what is further off needs a reason


class PrintedPeak(_Model):
    """One printed peak, in bytes. `ours` is what is predicted for such a step.

    `architecture` is a label of the card's `architectures`, `settings` are the method's that differ
    from the paper's; `weights`: their type.
    """

    architecture: str
    settings: Arguments = {}
    weights: str = "bfloat16"
    rows: PositiveInt
    length: PositiveInt
    printed: PositiveInt
    source: Source
    ours: PositiveInt
    note: str = ""

    @property
    def ratio(self) -> float:
        """Predicted, as a multiple of what is printed."""
        return self.ours / self.printed

    @model_validator(mode="after")
    def _explained(self) -> PrintedPeak:
        if abs(self.ratio - 1) > NEAR and not self.note:
            raise ValueError("a peak that differs by more than a tenth needs a note that says why")
        return self
