"""Files of the installed packages that hold weights and data."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

LIST = Path(__file__).parent / "packages.txt"


def pinned(package: str) -> str:
    """The version of a package that results are made with.

    Raises:
        ValueError: it is no package of the list.
    """
    for line in LIST.read_text(encoding="utf-8").splitlines():
        name, _, version = line.partition("#")[0].strip().partition("==")
        if name == package:
            return version
    raise ValueError(f"{LIST.name} has no package '{package}'")


@cache
def located(package: str, path: str) -> Path:
    """A file or folder of a package.

    Raises:
        ValueError: the package is not installed, in another version, or without such a file.
    """
    version = pinned(package)
    try:
        found = distribution(package)
    except PackageNotFoundError:
        raise ValueError(f"{package}=={version} is not installed: run `make real`") from None
    if found.version != version:
        raise ValueError(f"{package} is {found.version}, results are made with {version}")
    place = Path(str(found.locate_file(path)))
    if not place.exists():
        raise ValueError(f"{package} {version} has no {path}")
    return place


@cache
def sha256(path: Path) -> str:
    """Of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
