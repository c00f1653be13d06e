"""The guides: runnable files whose comments are the prose, and what running them printed.

A guide is a Python file in docs/guides/. Its docstring is the title and the introduction; comments
that start at the margin are prose, in Markdown; between them is the code. What each piece of code
printed and drew is in the JSON file beside it, which `docs/guides/record.py` writes.
"""

from __future__ import annotations

import ast
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .committed import CommittedError, first_fault

GUIDES = Path("docs") / "guides"
ORDER = ("adapting", "models", "attention", "users", "domains", "recipe")
Number = Annotated[float, Field(allow_inf_nan=False)]


class GuideError(CommittedError):
    """A guide cannot be shown; the message is one line and names the file."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bars(_Model):
    """A bar for each row, made of one number a part."""

    kind: Literal["bars"]
    title: str
    unit: str
    parts: tuple[str, ...]
    rows: dict[str, tuple[Number, ...]]


class Dots(_Model):
    """A line for each row, with a dot for each fraction."""

    kind: Literal["dots"]
    title: str
    rows: dict[str, tuple[Annotated[float, Field(ge=0, le=1)], ...]]
    chance: float | None


class Boxes(_Model):
    """A column for each method, with (trained, all) parameters for each part of the model."""

    kind: Literal["boxes"]
    title: str
    parts: tuple[str, ...]
    columns: dict[str, tuple[tuple[int, int], ...]]


class Shown(_Model):
    """What a piece of code printed and drew."""

    output: str = ""
    figures: tuple[Annotated[Bars | Dots | Boxes, Field(discriminator="kind")], ...] = ()


class Recorded(_Model):
    """One run of a guide. `tolerance`: by how much a repeated fraction may differ."""

    code: str
    seconds: Number
    tolerance: Number
    versions: dict[str, str]
    shown: tuple[Shown, ...]


class Block(NamedTuple):
    """Prose and the code that follows it, which starts at `line`; either may be empty."""

    prose: str
    code: str
    line: int


@dataclass(frozen=True)
class Guide:
    """One guide: its text in pieces, and a recorded run."""

    name: str
    title: str
    introduction: str
    blocks: tuple[Block, ...]
    recorded: Recorded

    @property
    def path(self) -> str:
        """Relative to the repository."""
        return (GUIDES / f"{self.name}.py").as_posix()


def read_guides(root: Path) -> tuple[Guide, ...]:
    """The guides below `root`, in the order for readers. Raises GuideError."""
    paths = [root / GUIDES / f"{name}.py" for name in ORDER]
    return tuple(read(path) for path in paths if path.is_file())


def read(path: Path) -> Guide:
    """A guide and its recorded run. Raises GuideError, also where that is of other code."""
    name = (GUIDES / path.name).as_posix()
    title, introduction, blocks = split(path.read_text(encoding="utf-8"), name)
    again = f"run `python {GUIDES.as_posix()}/record.py {path.stem}`"
    try:
        text = path.with_suffix(".json").read_text(encoding="utf-8")
        recorded = Recorded.model_validate(json.loads(text))
    except FileNotFoundError:
        raise GuideError(f"{name}: no run of it is recorded; {again}") from None
    except ValidationError as error:
        message = f"{name.removesuffix('py')}json: {first_fault(error)}; {again}"
        raise GuideError(message) from None
    except ValueError as error:
        raise GuideError(f"{name.removesuffix('py')}json: is not JSON: {error}") from None
    if recorded.code != digest(blocks) or len(recorded.shown) != len(blocks):
        raise GuideError(f"{name}: its code changed since its run was recorded; {again}")
    return Guide(path.stem, title, introduction, blocks, recorded)


def digest(blocks: tuple[Block, ...]) -> str:
    """SHA-256 of the code alone: prose may change without another run."""
    return hashlib.sha256("\0".join(block.code for block in blocks).encode()).hexdigest()


def split(source: str, name: str) -> tuple[str, str, tuple[Block, ...]]:
    """A guide's title, introduction and blocks. Raises GuideError where it is no guide."""
    try:
        tree = ast.parse(source, name)
    except (SyntaxError, ValueError) as error:
        raise GuideError(f"{name}: is not Python: {error}") from None
    title, _, introduction = (ast.get_docstring(tree) or "").partition("\n")
    if not title:
        raise GuideError(f"{name}: has no docstring, which is its title and introduction")
    lines, start = source.split("\n"), tree.body[0].end_lineno or 0
    in_code = {
        line
        for statement in tree.body[1:]
        for line in range(statement.lineno, (statement.end_lineno or 0) + 1)
    }
    blocks, prose, code, first = [], [], [], start + 1
    for number, line in enumerate(lines[start:], start + 1):
        comment = line.startswith("#") and number not in in_code
        if comment and any(map(str.strip, code)):
            blocks.append(_block(prose, code, first))
            prose, code = [], []
        if comment or not any(map(str.strip, [*code, line])):
            prose.append(line.removeprefix("#").removeprefix(" "))
            first = number + 1
        else:
            code.append(line)
    blocks.append(_block(prose, code, first))
    return title, introduction.strip(), tuple(block for block in blocks if any(block[:2]))


def _block(prose: list[str], code: list[str], first: int) -> Block:
    return Block("\n".join(prose).strip(), "\n".join(code).rstrip(), first)
