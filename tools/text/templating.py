"""Templates in which every expression is escaped, unless it is marked as safe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup


class Compiled(BytecodeCache):
    """Compiled templates, for as long as the process lives: a preview builds again and again."""

    def __init__(self) -> None:
        self.codes: dict[tuple[str, str], object] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self.codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.codes[bucket.key, bucket.checksum] = bucket.code


COMPILED = Compiled()


def environment(escape: Callable[[str], Markup], *folders: Path) -> Environment:
    """Templates of the folders, whose expressions go through `escape`. Unknown names are errors."""
    return Environment(
        loader=FileSystemLoader(folders),
        bytecode_cache=COMPILED,
        autoescape=True,  # so that macros and blocks are Markup, which `finalize` lets pass
        finalize=lambda value: value if isinstance(value, Markup) else escape(str(value)),
        undefined=StrictUndefined,
        auto_reload=False,  # an environment lasts for one build
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
