"""LayoutLMv3, whose tokens have places on a page."""

from __future__ import annotations

from . import Family

FAMILY = Family(
    types=("layoutlmv3",), no_prompt="each token has a place on a page, and those of a prompt none"
)
