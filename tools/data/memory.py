"""Predicted peaks of a training step, for any batch, as committed beside each method.

A peak is the largest of some polynomials in the batch's rows B and length S, in bytes.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter

from .committed import measured

GIB = 2**30
# A CUDA context, and what an allocator rounds up: an assumption, which the page states.
RESERVED = GIB
CARDS = (8, 12, 16, 24, 48, 80)  # GiB

Polynomial = tuple[int, int, int, int, int, int]  # of 1, S, S*S, B, B*S, B*S*S
Peak = tuple[Polynomial, ...]


class _Told(BaseModel):
    """Of one architecture: by setting its peak, or why none is told."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Peak | str]

    of: str


class _Memory(BaseModel):
    architectures: dict[str, _Told]


_FILE = TypeAdapter(_Memory)


def read_memory(root: Path) -> dict[str, dict[str, dict[str, Peak | str]]]:
    """Architecture -> method -> setting -> peak, or why none is told. Raises CommittedError."""
    found: dict[str, dict[str, dict[str, Peak | str]]] = {}
    for method, memory in measured(root, "memory", _FILE).items():
        for architecture, told in memory.architectures.items():
            found.setdefault(architecture, {})[method] = told.__pydantic_extra__
    return found


def at(peak: Peak, rows: int, length: int) -> int:
    """The peak of a step on a batch, in bytes."""
    terms = (1, length, length**2, rows, rows * length, rows * length**2)
    return max(sum(c * t for c, t in zip(form, terms, strict=True)) for form in peak)


def most_rows(peak: Peak, length: int, room: int) -> int:
    """The most rows of a batch whose step takes no more than so many bytes; 0: not even one."""
    least = []
    for one, s, ss, b, bs, bss in peak:
        fixed, each = one + s * length + ss * length**2, b + bs * length + bss * length**2
        least.append((room - fixed) // each if each else (0 if fixed > room else None))
    return max(0, min(rows for rows in least if rows is not None))
