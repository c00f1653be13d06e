"""Closed forms of a method: what `forms.py` beside it declares, and `measured/forms.json` holds.

`tests/closed_forms` finds them, as a program, in a checkout only. It is not among their sources: a
form that holds is the form, however it was found, and tests hold each against fresh models.
"""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

from ..core.method import Method
from ..core.registry import PACKAGE
from . import files, ledger
from .digests import sources

ROOT = PACKAGE.parent


def declaration(method: type[Method]) -> Path:
    """Where a method declares what its forms are made of, if it does."""
    return Path(inspect.getfile(method)).with_name("forms.py")


def path_of(method: type[Method]) -> Path:
    """Where a method's forms are kept."""
    return declaration(method).parent / "measured" / "forms.json"


def sources_of(method: type[Method]) -> dict[str, str]:
    """Digests of the code that the forms depend on, by path below the package."""
    return sources(Path(inspect.getfile(method)), declaration(method), Path(ledger.__file__))


def can_be_found(method: type[Method]) -> bool:
    """Whether the method declares forms, and what finds them is here."""
    return declaration(method).exists() and (ROOT / "tests" / "closed_forms").is_dir()


def is_stale(method: type[Method]) -> bool:
    """Whether the forms are missing or were found of other code."""
    return files.read(path_of(method)).get("sources") != sources_of(method)


def find(name: str, *, renew: bool = False) -> None:
    """Find a method's forms and write them beside it; with `renew`, only where they do not hold.

    Raises:
        ValueError: there are none of the terms that it declares.
    """
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "tests.closed_forms", name, "--renew" if renew else "--write"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ValueError(f"closed forms of {name}: {done.stderr.strip().splitlines()[-1]}")
