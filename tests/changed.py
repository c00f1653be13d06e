"""Run the tests that a change can break: python -m tests.changed BASE [--night] [--list] [ARG ...]

What changed since BASE (a commit; uncommitted changes count too) is followed along the imports to
the tests. A method is tested alone where only its folder changed, with all that share a changed
part where that did, and all are where the core did. Docstrings and comments change nothing.

With `--night`, what the gate leaves out runs as well; `--list` prints and runs nothing; all other
arguments are pytest's.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from reference_impls.core.registry import PACKAGE, method_files
from reference_impls.measure import digests

ROOT = PACKAGE.parent
HALVES = ("reference_impls", "tools", "tests")
METHODS = "tests/methods"
PAPERS = ("citations", "every_template", "home", "news", "papers", "search", "taxonomy", "timeline")
CATALOG = (
    *("tests/catalog", "tests/tools", "tests/site/test_pages.py", "tests/site/test_papers.py"),
    # the other pages show methods and what was measured, and nothing of the catalog
    *(f"tests/site/browser/test_{page}.py" for page in PAPERS),
)
# what is no Python, and what reads it
READERS = {
    "papers.yaml": CATALOG,
    "papers/": CATALOG,
    "tools/": ("tests/tools", "tests/site"),
    "benchmarks/": ("tests/site", "tests/tools"),
    "docs/guides/": ("tests/guides", "tests/tools"),
    "docs/": ("tests/site", "tests/tools"),
    "overrides/": ("tests/site",),
    "mkdocs.yml": ("tests/site",),
    ".github/": ("tests/tools/test_issue.py", "tests/tools/test_workflows.py"),
    "README.md": ("tests/catalog",),
    "CITATION.cff": ("tests/site", "tests/tools/test_project.py"),
    "reference_impls/lab/": ("tests/lab", METHODS),
    "reference_impls/measure/": (METHODS, "tests/tools"),
    "reference_impls/real/": ("tests/real", "tests/tools"),
}
ALL = ("pyproject.toml", "constraints.txt", "conftest.py", "Makefile", ".ci/")


def changed(base: str) -> set[str]:
    """The files that are not as they were, but for docstrings and comments."""
    names = git("diff", "--name-only", base).splitlines()
    names += git("ls-files", "--others", "--exclude-standard").splitlines()
    return {name for name in names if not (name.endswith(".py") and same_code(base, name))}


def same_code(base: str, name: str) -> bool:
    """Whether only words for readers changed in a Python file."""
    path = ROOT / name
    before = subprocess.run(
        ["git", "show", f"{base}:{name}"], cwd=ROOT, capture_output=True, text=True
    )
    if before.returncode or not path.is_file():
        return False
    return digests.code(before.stdout) == digests.code(path.read_text(encoding="utf-8"))


def git(*arguments: str) -> str:
    """What git prints.

    Raises:
        SystemExit: it fails: there is no such commit, or no repository.
    """
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"changed: git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


@cache
def importers() -> dict[str, set[str]]:
    """From each Python file to the files that import it, by path from the root."""
    found: dict[str, set[str]] = {}
    for half in HALVES:
        for path in (ROOT / half).rglob("*.py"):
            for other in (*digests.imports(path), *absolute(path)):
                name = other.relative_to(ROOT).as_posix()
                found.setdefault(name, set()).add(path.relative_to(ROOT).as_posix())
    return found


def absolute(path: Path) -> Iterator[Path]:
    """The files of this repository that a file imports by their whole names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                place = ROOT.joinpath(*name.split("."))
                yield from (
                    f for f in (place.with_suffix(".py"), place / "__init__.py") if f.is_file()
                )


def touched(names: set[str]) -> set[str]:
    """The files, and all that import them, directly or not."""
    found, left = set(), list(names)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += importers().get(name, ())
    return found


def selection(names: set[str]) -> list[list[str]]:
    """Arguments of pytest, a list for each run of it; [[]] is everything."""
    if any(name.startswith(ALL) for name in names):
        return [[]]
    folders = {
        method: f"{path.parent.relative_to(ROOT).as_posix()}/"
        for method, path in method_files().items()
    }
    reached = touched(names)
    own = {m: f for m, f in folders.items() if any(name.startswith(f) for name in reached)}
    # what reads a method as an example is none of its tests
    shared = touched({name for name in names if not name.startswith(tuple(folders.values()))})
    tests = {name for name in shared if name.startswith("tests/") and "/test_" in name}
    for name in names:
        if not name.endswith(".py"):
            tests |= {r for prefix, rs in READERS.items() if name.startswith(prefix) for r in rs}
    runs = [sorted(own.values())] if own else []
    if own and METHODS not in tests:
        everyone = len(own) == len(folders)
        runs.append([METHODS] if everyone else [METHODS, "-k", " or ".join(own)])
        if everyone:
            tests = {name for name in tests if not name.startswith(METHODS)}
    folded = {name for name in tests if "." not in name}
    tests = {t for t in tests if t in folded or not t.startswith(tuple(f"{f}/" for f in folded))}
    tests = {t for t in tests if not t.startswith("tests/parity") and (ROOT / t).exists()}
    return [*runs, sorted(tests)] if tests else runs


def main(arguments: list[str] | None = None) -> int:
    """Run the selection; 0 where every test passed or none was to run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("base", help="the commit before the change, such as origin/main")
    parser.add_argument("--night", action="store_true", help="what the gate leaves out as well")
    parser.add_argument("--list", action="store_true", help="print what would run")
    options, rest = parser.parse_known_args(arguments)
    runs = selection(changed(options.base))
    if not runs:
        print("nothing that a test reads has changed")
    codes = []
    for run in runs:
        command = [*run, *rest, *(() if options.night else ("-m", "not night"))]
        print("pytest", *command, flush=True)
        if not options.list:
            codes.append(
                subprocess.run([sys.executable, "-m", "pytest", *command], cwd=ROOT).returncode
            )
    return max((code for code in codes if code != 5), default=0)  # 5: no test was selected


if __name__ == "__main__":
    sys.exit(main())
