"""What follows from texts alone and takes long to find out, kept for the next run.

The answers lie in a folder that only this user can write, a file for each kind. They are those of
one state of our code and of the libraries that it asks: with another state they are found anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
TOOLS = Path(__file__).parent


@cache
def folder() -> Path | None:
    """Where results are kept; nowhere if no folder is this user's alone."""
    from jinja2 import FileSystemBytecodeCache  # it looks for one, and at who can write there

    with suppress(OSError, RuntimeError):
        return Path(FileSystemBytecodeCache().directory)
    return None


@cache
def _code() -> bytes:
    files = sorted(TOOLS.rglob("*.py"))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).digest()


class Kept:
    """Answers of one kind, each a value of JSON.

    name: what the file is called. libraries: whose results they are as well.
    """

    every: list[Kept] = []

    def __init__(self, name: str, *libraries: str) -> None:
        self.name, self.libraries = name, libraries
        self.asked: dict[str, object] = {}
        self.every.append(self)

    @cached_property
    def state(self) -> str:
        own = " ".join(f"{name} {version(name)}" for name in self.libraries)
        return _digest(f"{own} {_code().hex()}")

    @cached_property
    def known(self) -> dict[str, object]:
        if (place := folder()) is not None:
            with suppress(OSError, ValueError, LookupError, TypeError):
                found = json.loads((place / f"{self.name}.json").read_bytes())
                if found["state"] == self.state:
                    return dict(found["answers"])
        return {}

    def answer(self, question: str, find: Callable[[], T]) -> T:
        """What an earlier run found, or what `find` does; its errors pass, and are not kept."""
        key = _digest(question)
        if key not in self.asked:
            self.asked[key] = self.known[key] if key in self.known else find()
        return self.asked[key]  # type: ignore[return-value]


def save() -> None:
    """Keep what this run asked for, and nothing else, so that the files do not grow."""
    for kind in Kept.every:
        if (place := folder()) is not None and kind.asked.keys() != kind.known.keys():
            text = json.dumps({"state": kind.state, "answers": kind.asked})
            with suppress(OSError):  # one that is read half written is no JSON, and not taken
                (place / f"{kind.name}.json").write_text(text, encoding="utf-8")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
