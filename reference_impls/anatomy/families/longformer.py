"""Longformer, whose classifiers attend to the first token from everywhere."""

from __future__ import annotations

from . import Family

FAMILY = Family(
    types=("longformer",),
    no_prompt="its head counts tokens to say which of them attend to all, and a prompt shifts them",
)
