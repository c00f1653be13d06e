"""What was measured of a method, kept beside it: one line a seed, a report, a comparison."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import Any


def versions() -> dict[str, str]:
    """Of the libraries that figures depend on, whatever processor torch was built for."""
    torch = importlib.metadata.version("torch").partition("+")[0]
    return {"torch": torch, "transformers": importlib.metadata.version("transformers")}


def read(path: Path) -> dict[str, Any]:
    """What the file holds, nothing where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write(path: Path, value: Any, depth: int) -> None:
    """Replace the file at once; containers `depth` deep have a line for each of their items."""
    replace(path, text(value, depth))


def replace(path: Path, content: str) -> None:
    """Write the file and a last line's end, or leave it as it was."""
    path.parent.mkdir(exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(content + "\n", encoding="utf-8")
    draft.replace(path)


def text(value: Any, depth: int, indent: str = "\n") -> str:
    """JSON, laid out."""
    if not depth or not value or not isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    inner = indent + " "
    if isinstance(value, dict):
        items = [f"{text(k, 0)}: {text(v, depth - 1, inner)}" for k, v in value.items()]
    else:
        items = [text(item, depth - 1, inner) for item in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return opening + inner + f",{inner}".join(items) + indent + closing
