"""A method's file as code beside its prose: cut at classes and functions, docstrings moved out."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import groupby

from .implementations import Implementation
from .python import parsed

Definition = ast.ClassDef | ast.FunctionDef

# What the hooks of the protocol (reference_impls/method.py) are for, where a method's own function
# does not say.
HOOKS = {
    "__post_init__": "What the object keeps besides its hyper-parameters.",
    "check": "Refuses a model that lacks what the method needs, before anything is touched.",
    "setup": "Freezes the model, then attaches and hooks what is trained.",
    "trained": "The closed-form number of trained parameters, the task head not counted.",
    "stored": "The closed-form number of values to keep for each task.",
    "optimizer": "The optimizer, where it is not AdamW without weight decay.",
    "schedule": "The share of the learning rate when so much of the training is done.",
    "before_step": "Called before each step.",
    "loss": "The training loss of a batch, where it is not the model's own.",
    "on_grad": "Called between the backward pass and the optimizer's step.",
    "step": "One update, where it is not loss, backward pass and optimizer.",
    "fit": "The training, where it is more than one loop.",
    "fold": "Adds what is attached to the model's own weights, in place.",
    "tensors": "What is stored.",
    "check_fit": "Refuses stored tensors that are not the method's, before anything is touched.",
    "put": "Puts stored tensors onto a model.",
    "release": "Removes hooks and attached modules.",
    "candidates": "The parameters that compete for the mask.",
}


@dataclass(frozen=True)
class Piece:
    """Lines of the file, from line `first`, without blank ones at their ends."""

    first: int
    text: str


@dataclass(frozen=True)
class Segment:
    """A class without its methods, a function, the imports or the constants between them.

    `name` is dotted, empty for the module's docstring. `moved` is its docstring as it stands in the
    file, `docstring` the same without quotes and indentation. `file` is the path of the shared part
    that it stands in, empty for the method's own.
    """

    name: str
    kind: str
    code: tuple[Piece, ...] = ()
    moved: Piece | None = None
    docstring: str = ""
    file: str = ""

    @property
    def anchor(self) -> str:
        return f"source-{self.name.partition(',')[0]}"

    @property
    def lines(self) -> tuple[int, int]:
        """The first and the last line."""
        pieces = [piece for piece in (*self.code, self.moved) if piece]
        return (
            min(piece.first for piece in pieces),
            max(piece.first + piece.text.count("\n") for piece in pieces),
        )


@dataclass(frozen=True)
class Docstring:
    """A docstring's parts: paragraphs, what each argument is, what is raised when."""

    paragraphs: tuple[str, ...] = ()
    arguments: dict[str, str] = field(default_factory=dict)
    raises: dict[str, str] = field(default_factory=dict)


def all_segments(
    method: Implementation, source: str, shared: Mapping[str, str]
) -> tuple[Segment, ...]:
    """The method's file, and what it imports from shared parts, which `shared` holds by path."""
    return (
        *segments(source),
        *(
            replace(segment, file=path)
            for path, names in method.shared
            for segment in _needed(segments(shared[path]), set(names))
        ),
    )


def _needed(found: tuple[Segment, ...], names: set[str]) -> list[Segment]:
    """The definitions of these names, and of those that they use in turn."""
    kept: list[Segment] = []
    while more := [s for s in found if s not in kept and names & _defined(s)]:
        kept += more
        names = {word for s in more for piece in s.code for word in re.findall(r"\w+", piece.text)}
    return [s for s in found if s in kept and s.kind != "imports"]


def _defined(segment: Segment) -> set[str]:
    """The names at the top of the module: of one class or function, of several constants."""
    return set(segment.name.partition(".")[0].split(", "))


@cache
def segments(source: str) -> tuple[Segment, ...]:
    """The file's segments in their order: all its lines but blank ones are in one of them."""
    lines = source.splitlines()
    starts = list(_starts(parsed(source), lines))
    ends = [start for start, *_ in starts[1:]] + [len(lines) + 1]
    found = []
    for (start, name, kind, node), end in zip(starts, ends, strict=True):
        docstring = node and _docstring(node, lines)
        cut = (docstring.lineno, docstring.end_lineno + 1) if docstring else (end, end)
        pieces = (_piece(lines, start, cut[0]), _piece(lines, cut[1], end))
        found.append(
            Segment(
                name=name,
                kind=kind,
                code=tuple(piece for piece in pieces if piece.text),
                moved=_piece(lines, *cut) if docstring else None,
                docstring=inspect.cleandoc(docstring.value.value) if docstring else "",
            )
        )
    return tuple(found)


def _starts(tree: ast.Module, lines: list[str]) -> Iterator[tuple[int, str, str, ast.AST | None]]:
    """First line, name, kind and definition of each segment."""
    body = tree.body
    if ast.get_docstring(tree, clean=False) is not None:
        yield 1, "", "module", tree
        body = body[1:]
    for kind, nodes in groupby(body, key=_kind):
        if kind == "definition":
            for node in nodes:
                yield from _definition(node, lines)
        else:
            group = list(nodes)
            name = "imports" if kind == "imports" else ", ".join(_names(group)) or "statements"
            yield _first_line(group[0], lines), name, kind, None


def _kind(node: ast.stmt) -> str:
    if isinstance(node, Definition):
        return "definition"
    return "imports" if isinstance(node, ast.Import | ast.ImportFrom) else "constants"


def _definition(
    node: Definition, lines: list[str]
) -> Iterator[tuple[int, str, str, ast.AST | None]]:
    kind = "class" if isinstance(node, ast.ClassDef) else "function"
    yield _first_line(node, lines), node.name, kind, node
    if isinstance(node, ast.ClassDef):
        for own in node.body:
            if isinstance(own, Definition):
                yield _first_line(own, lines), f"{node.name}.{own.name}", "method", own


def _names(nodes: Iterable[ast.stmt]) -> list[str]:
    """What the statements assign to."""
    targets = [
        target
        for node in nodes
        for target in getattr(node, "targets", [getattr(node, "target", None)])
    ]
    names = [name for target in targets for name in getattr(target, "elts", [target])]
    return [name.id for name in names if isinstance(name, ast.Name)]


def _first_line(node: ast.stmt, lines: list[str]) -> int:
    """Where a statement starts, its decorators and the comment right above it included."""
    line = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    while line > 1 and lines[line - 2].lstrip().startswith("#"):
        line -= 1
    return line


def _docstring(node: ast.AST, lines: list[str]) -> ast.Expr | None:
    """A definition's docstring, where it stands on lines of its own."""
    if ast.get_docstring(node, clean=False) is None:
        return None
    statement = node.body[0]
    before = lines[statement.lineno - 1][: statement.col_offset]
    return None if before.strip() else statement


def _piece(lines: list[str], start: int, end: int) -> Piece:
    """The lines from `start` up to `end`, this excluded."""
    while start < end and not lines[start - 1].strip():
        start += 1
    while start < end and not lines[end - 2].strip():
        end -= 1
    return Piece(start, "\n".join(lines[start - 1 : end - 1]))


def read_docstring(text: str) -> Docstring:
    """The parts of a class's or function's docstring, as they are written in this repository.

    `name: …` at the start of a line names an argument; so do lines under "Args:"; under "Raises:"
    it is what is raised.
    """
    paragraphs, arguments, raises = [], {}, {}
    for block in re.split(r"\n\s*\n", text.strip()):
        head, _, rest = block.partition("\n")
        if head in ("Raises:", "Args:"):
            (raises if head == "Raises:" else arguments).update(_entries(inspect.cleandoc(rest)))
        elif re.match(r"[a-z_][\w, ]*: ", block) and paragraphs:
            arguments.update(_entries(block))
        elif block:
            paragraphs.append(" ".join(block.split()))
    return Docstring(tuple(paragraphs), arguments, raises)


def _entries(block: str) -> dict[str, str]:
    """'name: text' entries whose further lines are indented, or are no entries themselves."""
    starts = [*re.finditer(r"^([A-Za-z_][\w, ]*): ", block, flags=re.MULTILINE)]
    ends = [match.start() for match in starts[1:]] + [len(block)]
    return {
        match[1]: " ".join(block[match.end() : end].split())
        for match, end in zip(starts, ends, strict=True)
    }


def read_details(text: str) -> dict[int, str]:
    """The items of a numbered list, by number."""
    starts = [*re.finditer(r"^(\d+)\. ", text, flags=re.MULTILINE)]
    ends = [match.start() for match in starts[1:]] + [len(text)]
    return {
        int(match[1]): " ".join(text[match.end() : end].split())
        for match, end in zip(starts, ends, strict=True)
    }
