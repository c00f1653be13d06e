"""Whether the code that a measurement ran is unchanged.

Only code counts: docstrings, comments and blank lines may change. (The same digests as those of
`reference_impls/measure/digests.py`: the two halves share no code.)
"""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
from functools import cache
from pathlib import Path


def unchanged(sources: dict[str, str], root: Path) -> bool:
    """Whether each file below `root`/reference_impls has the code of that digest."""
    return all(
        _digest(root / "reference_impls" / path) == digest for path, digest in sources.items()
    )


def _digest(path: Path) -> str:
    return digest(path.read_text(encoding="utf-8")) if path.is_file() else ""


@cache
def digest(source: str) -> str:
    """SHA-256 of a file's code, in hexadecimal; empty where it is no Python."""
    try:
        return hashlib.sha256(code(source).encode()).hexdigest()
    except (SyntaxError, tokenize.TokenError):
        return ""


def code(source: str) -> str:
    """The source without docstrings, comments and blank lines."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if ast.get_docstring(node, clean=False) is None:
                continue
            first, last = node.body[0].lineno - 1, node.body[0].end_lineno
            if not lines[first][: node.body[0].col_offset].strip():
                lines[first:last] = [""] * (last - first)
    return "\n".join(line.rstrip() for line in lines if line.strip())
