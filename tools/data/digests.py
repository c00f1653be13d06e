"""Whether the code that a measurement ran is unchanged.

Only code counts: docstrings, comments and blank lines may change. (The same digests as those of
`reference_impls/measure/digests.py`: the two halves share no code.)
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ..kept import Kept
from .python import parsed

_KEPT = Kept("digests")

# A comment, or a string, in which '#' begins none. In source that Python reads nothing else holds
# quotes, so that this finds what `tokenize` does in a tenth of the time.
_COMMENT = re.compile(
    r"""(?P<comment>[#][^\n]*)
    | \"{3}(?:\\.|[^\\])*?\"{3} | '{3}(?:\\.|[^\\])*?'{3}
    | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""",
    re.DOTALL | re.VERBOSE,
)


def unchanged(sources: dict[str, str], root: Path) -> bool:
    """Whether each file below `root`/reference_impls has the code of that digest."""
    folder = str(root / "reference_impls")  # of thousands of files: paths of pathlib are slow
    return all(_digest(f"{folder}/{path}") == digest for path, digest in sources.items())


def _digest(path: str) -> str:
    try:
        return _of_file(path, os.stat(path).st_mtime_ns)  # noqa: PTH116
    except OSError:
        return ""


@cache
def _of_file(path: str, _changed: int) -> str:
    """Of hundreds of measurements each asks for the same files: read once, until they change."""
    return digest(Path(path).read_text(encoding="utf-8"))


@cache
def digest(source: str) -> str:
    """SHA-256 of a file's code, in hexadecimal; empty where it is no Python."""
    return _KEPT.answer(source, lambda: _of_code(source))


def _of_code(source: str) -> str:
    try:
        return hashlib.sha256(code(source).encode()).hexdigest()
    except SyntaxError:
        return ""


def code(source: str) -> str:
    """The source without docstrings, comments and blank lines."""
    tree = parsed(source)
    lines = _COMMENT.sub(lambda found: "" if found["comment"] else found[0], source).splitlines()
    for node in _statements(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if ast.get_docstring(node, clean=False) is None:
                continue
            words = node.body[0]
            first, last = words.lineno - 1, words.end_lineno
            before, after = lines[first][: words.col_offset], lines[last - 1].encode()
            if not before.strip() and not after[words.end_col_offset :].strip():
                lines[first:last] = [""] * (last - first)
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """The node and every statement below it; what has a docstring is one, no part of one."""
    yield node
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        below = getattr(node, name, ())
        for child in below if isinstance(below, list) else ():
            yield from _statements(child)
