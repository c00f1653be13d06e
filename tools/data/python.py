"""Python files as data: their syntax trees, each text parsed once."""

from __future__ import annotations

import ast
from functools import cache


@cache
def parsed(source: str) -> ast.Module:
    """The syntax tree, which nobody may change. Raises SyntaxError or ValueError."""
    return ast.parse(source)
