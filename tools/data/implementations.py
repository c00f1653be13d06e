"""What the reference implementations declare, read from their source without importing it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from .python import parsed

FIELDS = ("Trained", "Frozen", "Stored", "Merge", "Count")
DETAILS = "Details that matter"
DIFFERENCES = "Paper, official code, libraries"
FLAGS = ("init_noop", "mergeable", "frozen_base")
PROTOCOL = "reference_impls/core/method.py"  # its class `Method` has the default of `tasks`
OPTIONS = "reference_impls/core/options.py"
WORDS = ("name", "title", "paper", "leaf")


class Hyperparameter(NamedTuple):
    """A field of a method: its name, what it may be in words, and its default as written."""

    name: str
    type: str
    default: str


@dataclass(frozen=True)
class Page:
    """A method's page: the module's docstring, in parts. All of them are Markdown with LaTeX.

    `lead` is everything between the title and the first bold field: the equation and its terms.
    A part that the docstring lacks is an empty string.
    """

    title: str
    lead: str
    trained: str
    frozen: str
    stored: str
    merge: str
    count: str
    details: str
    differences: str
    source: str


@dataclass(frozen=True)
class Implementation:
    """One method. `path` is relative to the repository; `line` is that of its class.

    `tasks` are those of the lab that it runs on; `shared` are the files of shared parts that it
    imports from, relative to the repository, with what it imports.
    """

    name: str
    class_name: str
    title: str
    paper: str
    leaf: str
    init_noop: bool
    mergeable: bool
    frozen_base: bool
    hyperparameters: tuple[Hyperparameter, ...]
    tasks: tuple[str, ...]
    shared: tuple[tuple[str, tuple[str, ...]], ...]
    path: str
    branch: str
    line: int
    page: Page


class DeclarationError(Exception):
    """A method file does not declare what it must."""

    def __init__(self, path: str, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")
        self.path, self.line, self.message = path, line, message


def discover(root: Path) -> dict[str, Implementation]:
    """Every method below `root`/reference_impls, by name, sorted by name.

    Raises DeclarationError at the first file that does not parse or lacks a declaration.
    """
    found: dict[str, Implementation] = {}
    for path in method_files(root):
        add(read(path, root), found)
    return dict(sorted(found.items()))


def add(implementation: Implementation | None, found: dict[str, Implementation]) -> None:
    """Put a method under its name. Raises DeclarationError where another has that name."""
    if implementation is None:
        return
    twin = found.setdefault(implementation.name, implementation)
    if twin is not implementation:
        message = f"'{twin.name}' is already the name of {twin.path}"
        raise DeclarationError(implementation.path, implementation.line, message)


def method_files(root: Path) -> list[Path]:
    """The files that may hold a method: each is named as its folder, which is a branch's."""
    found = (root / "reference_impls").glob("*/*/*.py")
    return sorted(path for path in found if path.stem == path.parent.name)


def read(path: Path, root: Path) -> Implementation | None:
    """The method in one file, or None where the file registers none. Raises DeclarationError."""
    relative = path.relative_to(root).as_posix()
    try:
        tree = parsed(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise DeclarationError(relative, line, f"is not Python: {error}") from None
    classes = [
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        and any(isinstance(d, ast.Name) and d.id == "register" for d in node.decorator_list)
    ]
    if not classes:
        return None
    if len(classes) > 1:
        raise DeclarationError(relative, classes[1].lineno, "registers a second method; keep one")
    declared, hyperparameters = _declarations(classes[0], relative)
    words = option_types(_text(root / OPTIONS))
    return Implementation(
        **declared,
        class_name=classes[0].name,
        hyperparameters=tuple(h._replace(type=words.get(h.type, h.type)) for h in hyperparameters),
        tasks=_tasks(classes[0], relative) or default_tasks(_text(root / PROTOCOL)),
        shared=tuple(_shared(tree)),
        path=relative,
        branch=path.parents[1].name,
        line=classes[0].lineno,
        page=parse_page(ast.get_docstring(tree) or ""),
    )


def shared_parts(methods: Iterable[Implementation], root: Path) -> dict[str, str]:
    """The texts of the shared parts that the methods import from, by path."""
    paths = sorted({path for method in methods for path, _ in method.shared})
    return {path: (root / path).read_text(encoding="utf-8") for path in paths}


def _shared(tree: ast.Module) -> Iterator[tuple[str, tuple[str, ...]]]:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("shared."):
            path = f"reference_impls/{node.module.replace('.', '/')}.py"
            yield path, tuple(alias.name for alias in node.names)


# Every method asks the same two files.
@cache
def default_tasks(protocol: str) -> tuple[str, ...]:
    """The tasks of a method that names none; none where the protocol's source is empty."""
    classes = [node for node in parsed(protocol).body if isinstance(node, ast.ClassDef)]
    return next((_tasks(node, PROTOCOL) for node in classes if node.name == "Method"), ())


@cache
def option_types(options: str) -> dict[str, str]:
    """What an option of each named type may be, in words, as the source of the options says."""
    kinds = (n.value for n in parsed(options).body if ast.unparse(n).startswith("KINDS = "))
    return {
        key.value: call.args[1].value
        for table in kinds
        for key, call in zip(table.keys, table.values, strict=True)
    }


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _tasks(node: ast.ClassDef, path: str) -> tuple[str, ...]:
    """What a class says of its tasks. Raises DeclarationError where that is no literal."""
    for statement in node.body:
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
            continue
        targets = getattr(statement, "targets", [getattr(statement, "target", None)])
        if ast.unparse(targets[0]) == "tasks":
            try:
                return tuple(ast.literal_eval(statement.value))
            except ValueError:
                message = "'tasks' must be a literal tuple"
                raise DeclarationError(path, statement.lineno, message) from None
    return ()


def _declarations(
    node: ast.ClassDef, path: str
) -> tuple[dict[str, Any], tuple[Hyperparameter, ...]]:
    declared: dict[str, Any] = {}
    hyperparameters = []
    for statement in node.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name, value = statement.targets[0].id, statement.value
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name, value = statement.target.id, statement.value
        else:
            continue
        if name in WORDS + FLAGS:
            kind = str if name in WORDS else bool
            if not isinstance(value, ast.Constant) or not isinstance(value.value, kind):
                message = f"'{name}' must be a literal {kind.__name__}"
                raise DeclarationError(path, statement.lineno, message)
            declared[name] = value.value
        elif isinstance(statement, ast.AnnAssign) and _is_hyperparameter(statement):
            default = ast.unparse(value) if value else ""
            hyperparameters.append(Hyperparameter(name, ast.unparse(statement.annotation), default))
    missing = [name for name in WORDS + FLAGS if name not in declared]
    if missing:
        raise DeclarationError(path, node.lineno, f"does not declare {', '.join(missing)}")
    return declared, tuple(hyperparameters)


def _is_hyperparameter(statement: ast.AnnAssign) -> bool:
    """Whether a typed field is an option: not a ClassVar, not private, not given by the task."""
    annotation, value = ast.unparse(statement.annotation), statement.value
    from_task = isinstance(value, ast.Call) and ast.unparse(value.func) == "from_task"
    private = isinstance(statement.target, ast.Name) and statement.target.id.startswith("_")
    return not (from_task or private or annotation.startswith("ClassVar"))


def parse_page(docstring: str) -> Page:
    """Split a method's docstring into its parts."""
    body, source = _cut(docstring, r"^Source:[ \t]*")
    body, differences = _cut(body, _heading(DIFFERENCES))
    body, details = _cut(body, _heading(DETAILS))
    fields = dict.fromkeys(FIELDS, "")
    pieces = re.split(rf"^\*\*({'|'.join(FIELDS)}):\*\*", body, flags=re.MULTILINE)
    for name, text in zip(pieces[1::2], pieces[2::2], strict=True):
        fields[name] = text.strip()
    title, _, lead = pieces[0].strip().partition("\n")
    return Page(
        title=title.strip(),
        lead=lead.strip(),
        **{name.lower(): text for name, text in fields.items()},
        details=details,
        differences=differences,
        source=source,
    )


def _heading(text: str) -> str:
    return rf"^{re.escape(text)}[ \t]*\n-+[ \t]*$"


def _cut(text: str, pattern: str) -> tuple[str, str]:
    """The text before the last match of `pattern`, and the text after it (empty if no match)."""
    matches = list(re.finditer(pattern, text, flags=re.MULTILINE))
    if not matches:
        return text, ""
    return text[: matches[-1].start()], text[matches[-1].end() :].strip()
