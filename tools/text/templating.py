"""Templates in which every expression is escaped, unless it is marked as safe."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined
from markupsafe import Markup


def kept() -> FileSystemBytecodeCache | None:
    """Keeps compiled templates for the next run; compiling all takes half a second."""
    with suppress(OSError, RuntimeError):  # there is no folder that only this user can write
        return FileSystemBytecodeCache()
    return None


def environment(escape: Callable[[str], Markup], *folders: Path) -> Environment:
    """Templates of the folders, whose expressions go through `escape`. Unknown names are errors."""
    return Environment(
        loader=FileSystemLoader(folders),
        bytecode_cache=kept(),
        autoescape=True,  # so that macros and blocks are Markup, which `finalize` lets pass
        finalize=lambda value: value if isinstance(value, Markup) else escape(str(value)),
        undefined=StrictUndefined,
        auto_reload=False,  # an environment lasts for one build
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
