"""Qwen4 (experimental), whose layers look up the ids of neighboring tokens."""

from __future__ import annotations

from . import Family

FAMILY = Family(
    types=("qwen4_exp_text", "qwen4_exp"),
    no_prompt="its layers look up the ids of neighboring tokens, and those of a prompt have none",
)
