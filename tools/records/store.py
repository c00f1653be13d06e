"""The raw records that are kept: `tools/evidence/`, a text file for each kind of record.

An item is a head, the record as its source has it with `| ` before each line, and an empty line:

    paper: hu2021lora
    from: microsoft/LoRA@0039e88… README.md
    seen: 2026-11-27
    cut: abstract
    why year: The preprint is of the year before.
    sha256: 5f0c…
    | @inproceedings{hu2022lora,

`from` is a repository, a commit and a path, or the address that answered; `cut` names what was cut
out, and is left out where nothing was; `why FIELD` is a curator's reason for a disagreement.
Nothing that can be read from the record stands beside it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ..data.committed import CommittedError
from ..data.files import write
from .parsers import PARSERS, Printed, parse
from .record import SourceError

FOLDER = Path("tools") / "evidence"
_NEEDED = {"paper", "from", "seen", "sha256"}
_KEY = re.compile(r"paper|from|seen|cut|why [a-z]+|sha256")
_PLACE = re.compile(r"([\w.-]+/[\w.-]+)@([0-9a-f]{40}) (\S+)|(https?://\S+)")
# Who publishes: what stands there is the registry's own.
_REGISTRIES = re.compile(
    r"acl-org/acl-anthology|mlresearch/v\d+"
    r"|https://(?:doi\.org|aclanthology\.org|export\.arxiv\.org)/.*"
)


class EvidenceError(CommittedError):
    """A file does not hold evidence; one line."""


@dataclass(frozen=True)
class Evidence:
    """One raw record, where it is from, and what a curator says of where it disagrees.

    source: a repository, or the address that answered; commit and path are empty for an address.
    kind: one of PARSERS. digest: SHA-256 of the raw bytes. place: file and line of the item.
    """

    paper: str
    source: str
    kind: str
    seen: str
    raw: str
    digest: str
    commit: str = ""
    path: str = ""
    cut: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    place: str = ""

    @cached_property
    def record(self) -> Printed:
        """What the record prints. Raises EvidenceError."""
        try:
            return parse(self.raw, self.kind, self.place or self.source)
        except SourceError as error:
            raise EvidenceError(str(error)) from None

    @property
    def registry(self) -> bool:
        """The source is the publisher or the registry itself, no list that someone else keeps."""
        return bool(_REGISTRIES.fullmatch(self.source))

    @property
    def origin(self) -> str:
        return f"{self.source}@{self.commit} {self.path}" if self.commit else self.source

    @property
    def link(self) -> str:
        """Where a reader finds the record."""
        if self.commit:
            return f"https://github.com/{self.source}/blob/{self.commit}/{self.path}"
        return self.source


def digest(raw: str) -> str:
    return hashlib.sha256(raw.encode()).hexdigest()


def read_evidence(root: Path) -> dict[str, tuple[Evidence, ...]]:
    """What is kept of each paper, by its id. Raises EvidenceError."""
    known: dict[str, list[Evidence]] = {}
    for path in sorted((root / FOLDER).glob("*.txt")):
        where = path.relative_to(root).as_posix()
        if path.stem not in PARSERS:
            raise EvidenceError(f"{where}: there is no kind of record '{path.stem}'")
        try:
            text = path.read_bytes().decode()
        except UnicodeDecodeError as error:
            raise EvidenceError(f"{where}: {error}") from None
        for item in _items(text, path.stem, where):
            known.setdefault(item.paper, []).append(item)
    return {paper: tuple(items) for paper, items in sorted(known.items())}


def _items(text: str, kind: str, where: str) -> Iterator[Evidence]:
    head: dict[str, str] = {}
    body: list[str] = []
    start = 1
    for number, line in enumerate([*text.split("\n"), ""], 1):
        if line == "|" or line.startswith("| "):
            body.append(line[2:])
        elif line:
            key, colon, value = line.partition(": ")
            if not colon or not _KEY.fullmatch(key) or key in head or body:
                raise EvidenceError(f"{where}:{number}: '{line[:40]}' has no place here")
            start = start if head else number
            head[key] = value
        elif head:
            yield _item(head, body, kind, f"{where}:{start}")
            head, body = {}, []
        elif body:
            raise EvidenceError(f"{where}:{number}: a record has no head")


def _item(head: dict[str, str], body: list[str], kind: str, place: str) -> Evidence:
    if missing := sorted(_NEEDED - head.keys()):
        raise EvidenceError(f"{place}: has no '{missing[0]}'")
    if not (origin := _PLACE.fullmatch(head["from"])):
        raise EvidenceError(f"{place}: from: write OWNER/NAME@COMMIT PATH or an address")
    repository, commit, path, address = origin.groups()
    return Evidence(
        paper=head["paper"],
        source=repository or address,
        commit=commit or "",
        path=path or "",
        kind=kind,
        seen=head["seen"],
        raw="\n".join(body),
        digest=head["sha256"],
        cut=tuple(head["cut"].split(", ")) if "cut" in head else (),
        reasons={key[4:]: value for key, value in head.items() if key.startswith("why ")},
        place=place,
    )


def as_files(known: Mapping[str, tuple[Evidence, ...]]) -> dict[str, str]:
    """The text of each file, by its name."""
    files: dict[str, list[str]] = {}
    items = [item for paper in sorted(known) for item in known[paper]]
    for item in sorted(items, key=lambda one: (one.paper, one.origin)):
        head = {
            "paper": item.paper,
            "from": item.origin,
            "seen": item.seen,
            "cut": ", ".join(item.cut),
            **{f"why {name}": reason for name, reason in sorted(item.reasons.items())},
            "sha256": item.digest,
        }
        lines = [f"{key}: {value}" for key, value in head.items() if value]
        lines += [f"| {line}" if line else "|" for line in item.raw.split("\n")]
        files.setdefault(f"{item.kind}.txt", []).append("\n".join(lines) + "\n")
    return {name: "\n".join(texts) for name, texts in sorted(files.items())}


def save(root: Path, known: Mapping[str, tuple[Evidence, ...]]) -> None:
    """Write what is kept, and remove the file of a kind of which nothing is."""
    files = as_files(known)
    for name, text in files.items():
        write(root / FOLDER / name, text)
    for path in (root / FOLDER).glob("*.txt"):
        if path.name not in files:
            path.unlink()
