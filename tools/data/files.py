"""Where the repository is, and how a file of it is replaced."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_HERE = Path(__file__).resolve().parents[2]
# installed, these tools work on the repository that they are called in
ROOT = _HERE if (_HERE / "papers.yaml").is_file() else Path.cwd()


def write(path: Path | str, content: str | bytes) -> bool:
    """Replace the file at once if its content differs; returns whether it did."""
    data = content.encode() if isinstance(content, str) else content
    with suppress(FileNotFoundError), open(path, "rb") as file:  # noqa: PTH123 (it is called often)
        if file.read() == data:
            return False
    # A build writes thousands: strings, and no look at the folder, take half the time.
    folder, name = os.path.split(path)
    draft = os.path.join(folder, f".{name}.{os.getpid()}")  # noqa: PTH118
    try:
        try:
            put(draft, data)
        except FileNotFoundError:  # the first file of its folder
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103
            put(draft, data)
        os.replace(draft, path)  # noqa: PTH105
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    return True


def put(path: str, data: bytes) -> None:
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(data)
