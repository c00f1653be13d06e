"""The storeys of both halves: an arrow leads down, never up, to a neighbor, or in a circle.

All imports count, also those inside functions and for type checkers. What the command line loads
by name (its commands, the families of rules) is no arrow: who loads need not know what.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

from tools.data.files import ROOT

HANDWRITTEN = ("benchmarks", "docs", "reference_impls", "tests", "tools")
LONGEST = 350  # lines: what is longer holds a second idea

# From the ground up. A room is a module or a folder, with stars every folder there. A method's
# folder is a room of its own: it sees the core and the shared parts, and no other method.
STOREYS = {
    "tools": (
        ("kept",),
        ("text", "data"),
        ("drawings", "records", "export"),
        ("cards",),
        ("rules",),
        ("atlas",),
        ("readme", "site.shared"),
        ("site.pages.*",),
        ("site.all_pages",),
        ("commands",),
        ("__main__",),
    ),
    "reference_impls": (
        ("anatomy", "architectures"),
        ("core",),
        ("shared",),
        ("lab", "*.*"),
        ("measure", "scaffold", "hyperparameters", "deltas", "modules"),
        ("real", "peft_format", "trainer"),
        ("exchange",),
        ("__main__",),
    ),
}
FORBIDDEN = {
    "tools": {"reference_impls", "tests", "torch", "transformers"},
    "reference_impls": {"tests", "tools"},
}


class Arrow(NamedTuple):
    """An import: its file and line, the module that it stands in, and what it brings.

    `typed`: for type checkers only.
    """

    file: str
    line: int
    source: str
    target: str
    typed: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.source} -> {self.target}"


def arrows(folder: Path) -> Iterator[Arrow]:
    """Every import of the files below the folder but those of tests that stand beside the code."""
    for path in sorted(folder.rglob("*.py")):
        if path.name.startswith("test_") or path.name == "forms.py":  # which tests alone read
            continue
        file = path.relative_to(folder.parent)
        *package, name = file.with_suffix("").parts
        source = ".".join(package if name == "__init__" else [*package, name])
        tree = ast.parse(path.read_text(encoding="utf-8"))
        checks = [n for n in ast.walk(tree) if isinstance(n, ast.If)]
        checks = [n for n in checks if ast.unparse(n.test) == "TYPE_CHECKING"]
        typed = {id(inner) for check in checks for inner in ast.walk(check)}
        for node in ast.walk(tree):
            targets = []
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                above = package[: len(package) - node.level + 1] if node.level else []
                start = ".".join([*above, *filter(None, [node.module])])
                names = [f"{start}.{alias.name}" for alias in node.names]
                targets = [name if is_module(folder.parent, name) else start for name in names]
            for target in dict.fromkeys(targets):
                yield Arrow(file.as_posix(), node.lineno, source, target, id(node) in typed)


def is_module(root: Path, name: str) -> bool:
    path = root.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def place(module: str) -> tuple[int, str]:
    """The storey of a module, from 0, and its room. Fails where the table has none."""
    half, *parts = module.split(".")
    rooms = [(room, storey) for storey, rooms in enumerate(STOREYS[half]) for room in rooms]
    for room, storey in sorted(rooms, key=lambda known: "*" in known[0]):
        found = ".".join(parts[: room.count(".") + 1])
        if fnmatch(found, room):
            return storey, found
    pytest.fail(f"{module} has no place in STOREYS")


def within(folder: Path) -> list[Arrow]:
    """The arrows between two modules of one half."""
    found = arrows(folder)
    return [arrow for arrow in found if arrow.target.startswith(f"{folder.name}.")]


def wrong(found: list[Arrow]) -> list[str]:
    """Those that lead up, or to another room of the same storey."""
    return [
        str(arrow)
        for arrow in found
        if place(arrow.source)[1] != place(arrow.target)[1]
        and place(arrow.source)[0] <= place(arrow.target)[0]
    ]


def circle(found: list[Arrow]) -> list[str]:
    """The modules of a circle, if there is one; two may name each other's types."""
    graph: dict[str, set[str]] = {}
    for arrow in (arrow for arrow in found if not arrow.typed):
        graph.setdefault(arrow.source, set()).add(arrow.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


@pytest.mark.parametrize("folder", STOREYS)
def test_no_arrow_leads_up_or_to_a_neighbor(folder: str) -> None:
    assert wrong(within(ROOT / folder)) == []


@pytest.mark.parametrize("folder", STOREYS)
def test_no_module_needs_itself(folder: str) -> None:
    assert circle(within(ROOT / folder)) == []


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_neither_half_imports_the_other(folder: str) -> None:
    found = arrows(ROOT / folder)
    assert [str(a) for a in found if a.target.partition(".")[0] in FORBIDDEN[folder]] == []


@pytest.mark.parametrize("folder", STOREYS)
def test_imports_inside_are_relative(folder: str) -> None:
    """The folder is installed under the name of another package."""
    for path in (p for p in (ROOT / folder).rglob("*.py") if not p.name.startswith("test_")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = [alias.name for alias in getattr(node, "names", []) if hasattr(alias, "name")]
            start = [node.module or ""] if isinstance(node, ast.ImportFrom) else named
            absolute = isinstance(node, ast.Import) or getattr(node, "level", 1) == 0
            assert not (absolute and folder in {s.partition(".")[0] for s in start}), path


def test_every_file_is_short() -> None:
    files = (p for name in HANDWRITTEN for p in (ROOT / name).rglob("*.py"))
    lines = {p.relative_to(ROOT): p.read_text(encoding="utf-8").count("\n") for p in files}
    assert {path.as_posix(): number for path, number in lines.items() if number >= LONGEST} == {}


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("text/a.py", "from ..data import b", "text/a.py:1: tools.text.a -> tools.data.b"),
        ("data/b.py", "\nfrom ..atlas import x", "data/b.py:2: tools.data.b -> tools.atlas"),
        (
            "records/c.py",
            "def f():\n    from ..export import d",
            "records/c.py:2: tools.records.c -> tools.export.d",
        ),
        (
            "site/pages/e/e.py",
            "if TYPE_CHECKING:\n    from ..f.f import x",
            "site/pages/e/e.py:2: tools.site.pages.e.e -> tools.site.pages.f.f",
        ),
    ],
)
def test_a_wrong_arrow_is_named(tmp_path: Path, file: str, text: str, said: str) -> None:
    for name in ("data/b.py", "atlas.py", "site/pages/f/f.py", "export/d.py", file):
        path = tmp_path / "tools" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    path.write_text(text, encoding="utf-8")
    (message,) = wrong(within(tmp_path / "tools"))
    assert message == f"tools/{said}"


def test_a_circle_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "tools" / "data"
    folder.mkdir(parents=True)
    (folder / "a.py").write_text("from . import b")
    (folder / "b.py").write_text("def f():\n    from .a import x")
    assert set(circle(within(tmp_path / "tools"))) == {"tools.data.a", "tools.data.b"}
