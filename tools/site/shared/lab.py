"""What runs on tiny models can show of a method: that it learns."""

from __future__ import annotations

from ...atlas import Atlas


def learns(atlas: Atlas, method: str) -> tuple[int, int] | None:
    """On how many tasks every seed ends above all of the lower baseline's, and of how many.

    None where there is nothing to compare.
    """
    lower = atlas.baseline.get("lower", "")
    found = [
        runs[method].spread[0] > runs[lower].spread[1]
        for runs in atlas.runs.values()
        if lower in runs and method in runs and method != lower
    ]
    return (sum(found), len(found)) if found else None
