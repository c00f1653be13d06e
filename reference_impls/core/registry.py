"""Where the methods are: found by their files, imported by name.

The file is all that says a method is there; finding it imports neither torch nor transformers.
"""

from __future__ import annotations

import difflib
import importlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .method import Method

PACKAGE = Path(__file__).resolve().parents[1]


def method_files() -> dict[str, Path]:
    """Each method's file, by name: the one named as its folder, which is in a branch's folder."""
    found = {path.stem: path for path in PACKAGE.glob("*/*/*.py") if path.stem == path.parent.name}
    return dict(sorted(found.items()))


def method_file(name: str) -> Path:
    """One method's file.

    Raises:
        ValueError: no method has this name.
    """
    files = method_files()
    if name not in files:
        near = difflib.get_close_matches(name, files, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(files)}"
        raise ValueError(f"no method is called '{name}'; {hint}")
    return files[name]


def load_method(name: str) -> type[Method]:
    """Import one method's file and return its class.

    Raises:
        ValueError: no method has this name.
    """
    branch, folder, _ = method_file(name).relative_to(PACKAGE).parts
    importlib.import_module(f"..{branch}.{folder}.{name}", __package__)
    return importlib.import_module(".method", __package__).METHODS[name]


def load_methods() -> dict[str, type[Method]]:
    """Every method's class, by name."""
    return {name: load_method(name) for name in method_files()}
