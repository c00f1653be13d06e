"""The catalog's tools and the implementations meet in data only."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tools.build import ROOT

FORBIDDEN = {
    "tools": {"reference_impls", "tests", "torch", "transformers"},
    "reference_impls": {"tests", "tools"},
}


def imported(folder: str) -> Iterator[tuple[str, str]]:
    """Every file below the folder with each top package that it imports anywhere.

    What stands beside a method for the tests is theirs.
    """
    for path in (ROOT / folder).rglob("*.py"):
        if path.name.startswith("test_") or path.name == "forms.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((path.name, alias.name.partition(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield path.name, node.module.partition(".")[0]


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_neither_half_imports_the_other(folder: str) -> None:
    assert [pair for pair in imported(folder) if pair[1] in FORBIDDEN[folder]] == []
