"""S9xx: every checkout can hold the repository's files, on Windows and macOS as well."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from . import Context, Fault, Source, rule

# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
REFUSED = re.compile(r'[<>:"|?*\\\x00-\x1f\x7f]')
DEVICE = re.compile(r"(con|prn|aux|nul|(com|lpt)[1-9¹²³]) *(\.|$)", re.IGNORECASE)
LONGEST = 180  # of the 260 characters of a whole path on Windows, what a clone's folder leaves
# what git would not list: caches, environments, what is built
LEFT_OUT = re.compile(r"\..*|__pycache__|node_modules|.*\.egg-info|build|site")


@rule(
    "S901",
    "File name is refused elsewhere",
    'Windows refuses names with `<`, `>`, `:`, `"`, `|`, `?`, `*`, a backslash or a control '
    "character, names of devices such as `CON` or `nul.txt`, and a dot or a blank at the end. One "
    "such file makes a clone fail there. A path may have 180 characters, which leaves room for the "
    "folder that it is in.",
    bad="papers/lora?.md",
    good="papers/lora.md",
)
def names_are_portable(context: Context) -> Iterator[Fault]:
    for path in repository_files(context.root):
        if trouble := refused(path):
            yield Fault(Source(path, 1, ""), f"{trouble}; rename or remove the file")


@rule(
    "S902",
    "File names differ by case only",
    "Windows and macOS take two names that differ only by case, or in how an accent is written, "
    "for one: of two such files or folders a clone gets one, and git shows changes that nobody "
    "made.",
    bad="docs/Reading.md beside docs/reading.md",
    good="docs/reading.md alone",
)
def names_differ_by_more_than_case(context: Context) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for path in repository_files(context.root):
        for place in (*reversed(PurePosixPath(path).parents[:-1]), PurePosixPath(path)):
            name = place.as_posix()
            first = seen.setdefault(normalize("NFC", name).casefold(), name)
            if first != name:
                yield Fault(
                    Source(path, 1, ""), f"'{name}' is '{first}' to Windows and macOS; rename one"
                )
                break


def refused(path: str) -> str:
    """Why Windows would not take the path, which is relative and has slashes; else ''."""
    for name in path.split("/"):
        if found := REFUSED.search(name):
            return f"{name!a} holds {found[0]!a}, which no name on Windows may"
        if DEVICE.match(name):
            return f"'{name}' is the name of a device on Windows"
        if name.endswith((".", " ")):
            return f"'{name}' ends with a dot or a blank, which Windows drops"
    if len(path) > LONGEST:
        return f"the path has {len(path)} characters, over {LONGEST}"
    return ""


def repository_files(root: Path) -> list[str]:
    """Every file that is or would be committed, by its path below `root`, in order.

    Without git it is every file outside the folders of caches and builds.
    """
    if (root / ".git").exists():
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        try:
            listed = subprocess.run(  # noqa: S603
                command, cwd=root, capture_output=True, check=True
            ).stdout
        except (OSError, subprocess.CalledProcessError):
            pass  # no git here, or another user's folder: the files are there all the same
        else:
            return sorted({name for name in os.fsdecode(listed).split("\0") if name})
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not LEFT_OUT.fullmatch(name)]
        below = Path(folder).relative_to(root)
        found += [(below / name).as_posix() for name in files if name != ".git"]
    return sorted(found)
