"""What people declare of a method beside its code, in TOML: read into a model, with lines."""

from __future__ import annotations

import re
import tomllib
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from .committed import CommittedError

T = TypeVar("T", bound=BaseModel)


class DeclaredError(CommittedError):
    """Such a file cannot be read; `message` says why, the error itself also where."""

    def __init__(self, path: str, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")
        self.path, self.line, self.message = path, line, message


def files(root: Path, name: str) -> list[Path]:
    """The files of this name in the methods' folders below `root`, by the method's name."""
    found = (root / "reference_impls").glob(f"*/*/{name}")
    return sorted(found, key=lambda path: path.parent.name)


def read(path: Path, root: Path, kind: type[T]) -> T:
    """One file. Raises DeclaredError."""
    relative = path.relative_to(root).as_posix()
    try:
        text = path.read_text(encoding="utf-8")
        return kind.model_validate(tomllib.loads(text))
    except UnicodeDecodeError:
        raise DeclaredError(relative, 1, "is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        number = int(line[1]) if line else text.count("\n") + 1
        raise DeclaredError(relative, number, f"is not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        keys, message = first["loc"], first["msg"].removeprefix("Value error, ")
        if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            message = f"is not a key here; these are: {', '.join(_known(kind, keys))}"
        where = ".".join(map(str, keys))
        message = f"{where}: {message}" if where else message
        raise DeclaredError(relative, line_of(text, keys), message) from None


def _known(kind: type[BaseModel], keys: tuple[str | int, ...]) -> list[str]:
    """The keys that there can be where the last of these stands."""
    known: Any = kind.model_fields
    for key in keys[:-1]:
        if isinstance(key, str):
            hint = known[key].annotation
            inner = next(t for t in (hint, *get_args(hint)) if is_dataclass(t) or _is_model(t))
            known = inner.model_fields if _is_model(inner) else inner.__dataclass_fields__
    return list(known)


def _is_model(kind: object) -> bool:
    return isinstance(kind, type(BaseModel))


def line_of(text: str, keys: tuple[str | int, ...]) -> int:
    """The line of a key, or of the innermost table above it that has a line of its own."""
    lines, at = text.splitlines(), 0
    for key, following in zip(keys, (*keys[1:], ""), strict=False):
        name = rf'"?{re.escape(str(key))}"?'
        own = re.compile(rf"\[*([^=#]*[. ])?{name}(\.[^=]*)?(\]| *=)|.*[{{,] *{name} *=")
        found = [i for i, line in enumerate(lines) if i >= at and own.match(line)]
        if found:  # the n-th of an array of tables
            at = found[min(following, len(found) - 1)] if isinstance(following, int) else found[0]
    return at + 1
