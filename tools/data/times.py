"""What methods take in time beside the untouched model and peft: what benchmarks/times.py kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from .committed import measured
from .digests import unchanged

# Titles of the sizes of models in the files
SIZES = {"minilm": "MiniLM", "smollm2": "SmolLM2"}
What = Literal["step", "forward-1", "forward-32", "merged-1", "merged-32", "generation"]
Multiple = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Ratio(_Model):
    """Of processor seconds within a round: the median over rounds, and the quartiles."""

    median: Multiple
    low: Multiple
    high: Multiple
    rounds: Annotated[int, Field(ge=1)]


class Against(_Model):
    """Beside `base`, which is full fine-tuning's step or else the untouched model, and `twin`."""

    base: Ratio
    twin: Ratio | None = None


class Timed(_Model):
    """A method on a model of one size, or why it is `refused` there.

    settings: those that differ from the defaults. phases: of its training; the longest was timed.
    batches: rows and tokens. tokens: how many a generation writes.
    twin: whose implementation it is beside, "itself" for the same code once more.
    trained: how many numbers ours and the twin train. kept: the bytes kept for backward, as a
    multiple of the twin's.
    """

    current: bool = True
    sources: dict[str, str]
    versions: dict[str, str]
    refused: str = ""
    settings: dict[str, object] = {}
    phases: int = 1
    batches: dict[What, tuple[int, int]] = {}
    tokens: int | None = None
    twin: Literal["", "peft", "itself"] = ""
    trained: tuple[int, int] | None = None
    kept: Multiple | None = None
    times: dict[What, Against] = {}

    @model_validator(mode="after")
    def _something(self) -> Timed:
        if bool(self.refused) == bool(self.times):
            raise ValueError("either times, or why it is refused")
        return self


_FILE = TypeAdapter(dict[str, Timed])


def read_times(root: Path) -> dict[str, dict[str, Timed]]:
    """By method and size; `current` is whether the code is as it was.

    Raises CommittedError.
    """
    return {
        method: {
            size: timed.model_copy(update={"current": unchanged(timed.sources, root)})
            for size, timed in sizes.items()
        }
        for method, sizes in measured(root, "times", _FILE).items()
    }
