"""What a measurement depends on: the code that it ran, and all that this code imports.

Only code counts: docstrings, comments and blank lines may change. The text is digested, not the
syntax tree, whose form changes from one Python to the next. (`tools/data/digests.py` digests in the
same way: the two halves share no code.)
"""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ..core.registry import PACKAGE


def sources(*files: Path) -> dict[str, str]:
    """Digests of the files and of their imports within this package, by path below it."""
    found: set[Path] = set()
    left = [path.resolve() for path in files]
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            left += imports(path)
    return {path.relative_to(PACKAGE).as_posix(): digest(path) for path in sorted(found)}


@cache
def imports(path: Path) -> tuple[Path, ...]:
    """The files of this package that a file imports, types for checkers apart."""
    return tuple(sorted(set(_imports(ast.parse(path.read_text(encoding="utf-8")), path))))


def _imports(node: ast.AST, path: Path) -> Iterator[Path]:
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.ImportFrom) and node.level:
        folder = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
        for name in (folder, *(folder / alias.name for alias in node.names)):
            yield from (f for f in (name.with_suffix(".py"), name / "__init__.py") if f.is_file())
    for child in ast.iter_child_nodes(node):
        yield from _imports(child, path)


@cache
def digest(path: Path) -> str:
    """SHA-256 of a file's code, in hexadecimal."""
    return hashlib.sha256(code(path.read_text(encoding="utf-8")).encode()).hexdigest()


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
            words = node.body[0]
            first, last = words.lineno - 1, words.end_lineno
            before, after = lines[first][: words.col_offset], lines[last - 1].encode()
            if not before.strip() and not after[words.end_col_offset :].strip():
                lines[first:last] = [""] * (last - first)
    return "\n".join(line.rstrip() for line in lines if line.strip())
