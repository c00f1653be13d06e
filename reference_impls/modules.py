"""Modules of this package that a command needs, imported when it runs."""

from __future__ import annotations

import importlib
from typing import Any


def modules(*names: str) -> list[Any]:
    """Modules of this package, under whatever name it runs."""
    importlib.import_module("torch")  # first: without it transformers has another complaint
    return [importlib.import_module(f".{name}", __package__) for name in names]
