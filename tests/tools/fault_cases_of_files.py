"""Files that are not the entries they should be, and names that a checkout cannot hold (S9xx)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.tools.fault_cases import Case
from tests.tools.small_catalog import write_parts


def _files(*names: str) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("x", encoding="utf-8")

    return spoil


def _no_part(root: Path) -> None:
    (write_parts(root).parent / "papers" / "2018.yaml").write_text("venues: []\n")


def _other_year(root: Path) -> None:
    papers = write_parts(root).parent / "papers"
    (papers / "undated.yaml").rename(papers / "2019.yaml")


FAULTS_OF_FILES = [
    Case("S010", says="than the section 'papers'", file="papers/2018.yaml", spoil=_no_part),
    Case(
        "S603",
        at="  - id: ",
        says="belongs into papers/undated.yaml",
        file="papers/2019.yaml",
        spoil=_other_year,
    ),
    *(
        Case("S901", says=says, file=name, spoil=_files(name))
        for name, says in (
            ("papers/lora?.md", "'lora?.md' holds '?', which no name on Windows may"),
            ("a|b/note.md", "holds '|'"),
            ("docs/a:b.md", "holds ':'"),
            ("docs/back\\slash.md", "which no name on Windows may"),
            ("docs/bell\x07.md", "'bell\\x07.md' holds '\\x07'"),
            ("docs/Con", "'Con' is the name of a device on Windows"),
            ("docs/lpt1.tar.gz", "'lpt1.tar.gz' is the name of a device"),
            ("docs/end.", "'end.' ends with a dot or a blank"),
            ("end /note.md", "'end ' ends with a dot or a blank"),
            ("/".join(9 * ["a" * 20]), "the path has 188 characters, over 180"),
        )
    ),
    *(
        Case("S902", says=says, file=name, spoil=_files(other, name))
        for other, name, says in (
            ("docs/Reading.md", "docs/reading.md", "'docs/reading.md' is 'docs/Reading.md' to Win"),
            ("Docs/a.md", "docs/b.md", "'docs' is 'Docs' to Windows and macOS; rename one"),
            ("docs/cafe\u0301", "docs/caf\u00e9", "is 'docs/cafe\u0301' to"),
        )
    ),
]
