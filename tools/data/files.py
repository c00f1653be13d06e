"""Where the repository is, and how a file of it is replaced."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_HERE = Path(__file__).resolve().parents[2]
# installed, these tools work on the repository that they are called in
ROOT = _HERE if (_HERE / "papers.yaml").is_file() else Path.cwd()


def write(path: Path, content: str | bytes) -> bool:
    """Replace the file at once if its content differs; returns whether it did."""
    data = content.encode() if isinstance(content, str) else content
    with suppress(FileNotFoundError), open(path, "rb") as file:  # noqa: PTH123 (it is called often)
        if file.read() == data:
            return False
    # A build writes thousands: strings, and no look at the folder, take half the time.
    draft = f"{path.parent}/.{path.name}.{os.getpid()}"
    try:
        try:
            put(draft, data)
        except FileNotFoundError:  # the first file of its folder
            path.parent.mkdir(parents=True, exist_ok=True)
            put(draft, data)
        os.replace(draft, path)  # noqa: PTH105
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    return True


def put(path: str, data: bytes) -> None:
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(data)
