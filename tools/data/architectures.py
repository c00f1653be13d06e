"""On which architectures each method runs: what is tried, and what was measured and committed.

An architecture is a table in one of the files of `reference_impls/architectures`, which are read as
data; the file says of which kind it is.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, TypeAdapter

from .committed import CommittedError, measured
from .digests import unchanged

FOLDER = "reference_impls/architectures"
KINDS = {  # what the tables of each file are called
    "encoders": "encoder",
    "decoders": "decoder",
    "encoder_decoders": "encoder-decoder",
    "vision": "vision model",
    "audio": "audio model",
    "joined": "multimodal model",
}
# what a reason says of one model alone, the option that asks for a part, and how to name it by hand
_PLACE = re.compile(r"\b\w+'s layer '[^']*'")
_TITLE = re.compile(r"\b[A-Z]\w*(?:Model|For[A-Z]\w+|Encoder|Decoder)\b")
_OPTION = re.compile(r"^\w+ = [^:]+: (?=a layer |the model |the cross-attention )")
_BY_HAND = re.compile(r"; give its name, anatomy\(model, \w+=…\), or the layers .*$")


class Architecture(NamedTuple):
    """A model type, and its kind, a value of `KINDS`."""

    name: str
    kind: str


class Cells(BaseModel):
    """What became of one method on each architecture; of those it does not run on, the reason.

    `current` says whether the code is unchanged.
    """

    model_config = ConfigDict(frozen=True)

    runs: tuple[str, ...]
    refused: dict[str, str]
    fault: dict[str, str]
    versions: dict[str, str]
    sources: dict[str, str]
    current: bool = True

    @property
    def tried(self) -> set[str]:
        """The architectures that it was tried on."""
        return {*self.runs, *self.refused, *self.fault}

    def refusals(self) -> dict[str, list[str]]:
        """The architectures of each reason, by name; the reason of most comes first."""
        found: dict[str, list[str]] = {}
        for name in sorted(self.refused):
            found.setdefault(gist(self.refused[name]), []).append(name)
        return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


_FILE = TypeAdapter(Cells)


@cache
def gist(reason: str) -> str:
    """A reason in the words that it has in common with those on other architectures.

    "BertModel's layer 'layer.0' has no key: …" is "a layer has no key: …".
    """
    said = _TITLE.sub("the model", _PLACE.sub("a layer", _BY_HAND.sub("", reason)))
    return _OPTION.sub("", said)


def read_architectures(root: Path) -> tuple[Architecture, ...]:
    """What is tried, by kind and name. Raises CommittedError."""
    found = []
    for stem, kind in KINDS.items():
        path = root / FOLDER / f"{stem}.toml"
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except ValueError as error:
            raise CommittedError(f"{FOLDER}/{stem}.toml: {error}") from None
        found += [Architecture(name, kind) for name in sorted(tables)]
    return tuple(found)


def read_cells(root: Path) -> dict[str, Cells]:
    """What was measured, by method; nothing of methods that were not. Raises CommittedError."""
    return {
        method: cells.model_copy(update={"current": unchanged(cells.sources, root)})
        for method, cells in measured(root, "architectures", _FILE).items()
    }
