"""Funnel, which pools pairs of tokens from layer to layer."""

from __future__ import annotations

from . import Family

FAMILY = Family(
    types=("funnel",),
    no_prompt="it pools its text, so that of a prompt no rows are left to cut off",
)
