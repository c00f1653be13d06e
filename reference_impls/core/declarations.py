"""What a method declares, read from its file without running it: no option costs an import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .registry import method_file


@dataclass
class Declaration:
    """A method's class attributes, and its options with their types and defaults as written."""

    values: dict[str, Any] = field(default_factory=dict)
    options: dict[str, tuple[str, Any]] = field(default_factory=dict)


def declared(name: str) -> Declaration:
    """What a method and the classes that it is made from declare.

    Raises:
        ValueError: no method has this name.
    """
    found = Declaration()
    for node in reversed(list(_ancestry(method_file(name), name))):
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign):
                _annotated(statement, found)
            elif isinstance(statement, ast.Assign):
                word = ast.unparse(statement.targets[0])
                if word in found.options:  # a base's option with another default
                    kind = found.options[word][0]
                    found.options[word] = (kind, _literal(statement.value))
                else:
                    found.values[word] = _literal(statement.value)
    return found


def _ancestry(path: Path, name: str = "", title: str = "Method") -> Iterator[ast.ClassDef]:
    """The class, the one it is made from, and so on up to `Method`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    node = next((c for c in classes.values() if name and _registered(c)), classes.get(title))
    yield node
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in classes:
            yield from _ancestry(path, title=base.id)
        for found in (n for n in tree.body if isinstance(n, ast.ImportFrom)):
            if ast.unparse(base) in [alias.name for alias in found.names]:
                module = path.parents[found.level - 1].joinpath(*found.module.split("."))
                yield from _ancestry(module.with_suffix(".py"), title=ast.unparse(base))


def _registered(node: ast.ClassDef) -> bool:
    return any(ast.unparse(decorator) == "register" for decorator in node.decorator_list)


def _annotated(statement: ast.AnnAssign, found: Declaration) -> None:
    word, kind = ast.unparse(statement.target), ast.unparse(statement.annotation)
    if kind.startswith("ClassVar"):
        if statement.value:
            found.values[word] = _literal(statement.value)
    elif not (statement.value and ast.unparse(statement.value).startswith("from_task(")):
        found.options[word] = (kind, _literal(statement.value) if statement.value else None)


def _literal(node: ast.expr) -> Any:
    """The value, or its text where it is no literal."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)
