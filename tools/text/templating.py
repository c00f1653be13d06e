"""Templates in which every expression is escaped, unless it is marked as safe."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined
from jinja2.compiler import CodeGenerator, Frame
from jinja2.nodes import Expr
from markupsafe import Markup

from ..kept import folder


def kept() -> FileSystemBytecodeCache | None:
    """Keeps compiled templates for the next run; compiling all takes half a second.

    What they compile to depends on this file, which therefore has a part in their names.
    """
    ours = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    if (place := folder()) is None:
        return None
    return FileSystemBytecodeCache(str(place), f"__jinja2_{ours}_%s.cache")


class Once(CodeGenerator):
    """Writes what `finalize` gives as it is: it is Markup, which escaping anew only copies."""

    def _output_child_pre(
        self, node: Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo
    ) -> None:
        self.write(finalize.src)

    def _output_child_post(
        self, node: Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo
    ) -> None:
        self.write(")")


class Templates(Environment):
    code_generator_class = Once


def environment(escape: Callable[[str], Markup], *folders: Path) -> Environment:
    """Templates of the folders, whose expressions go through `escape`. Unknown names are errors."""
    return Templates(
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
