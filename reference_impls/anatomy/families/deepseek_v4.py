"""DeepSeek-V4, whose first layers choose experts by token ids."""

from __future__ import annotations

from . import Family

FAMILY = Family(
    types=("deepseek_v4",),
    no_prompt="its first layers choose experts by token ids, and a prompt has none",
)
