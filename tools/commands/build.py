"""`python -m tools build`: write README.md, the schema and the site's pages from the catalog."""

from __future__ import annotations

import argparse
import fnmatch
import gc
import os
import sys
from pathlib import Path

from .. import atlas, kept, readme
from ..data.committed import CommittedError
from ..data.files import ROOT, write
from ..data.implementations import DeclarationError
from ..data.json_schema import json_schema
from ..readme import picture
from ..rules.catalog import CatalogError
from ..site import all_pages
from .manual import manual

ERRORS = (CatalogError, CommittedError, DeclarationError, atlas.BuildError)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="only say what is not current")


def main(options: argparse.Namespace) -> int:
    gc.disable()  # nearly all that is made is kept to the end: collecting costs time, frees little
    status = build(check=options.check)
    kept.save()
    gc.freeze()  # or all of it is gone through once more as the interpreter ends
    return status


def build(check: bool = False, root: Path = ROOT) -> int:
    """Write what is not current; with `check`, only say what of the committed files is not.

    Returns 0, or 1 where something is stale or cannot be built; then it says what.
    """
    try:
        material = atlas.load(root)
        committed = {
            "README.md": readme.render(material),
            picture.FILE: picture.picture(material),
            "papers.schema.json": json_schema(),
        }
        if check:
            return _check(root, committed)
        contributing = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
        pages, theme = all_pages.pages(material, contributing, manual()), all_pages.theme()
    except ERRORS as error:
        print(error, file=sys.stderr)
        return 1
    written = [write(root / name, text) for name, text in committed.items()]
    written += [write(f"{root}/docs/{name}", text) for name, text in pages.items()]
    written += [write(f"{root}/overrides/{name}", text) for name, text in theme.items()]
    removed = remove_stale(root / "docs", set(pages))
    print(
        f"{len(pages)} pages and {len(committed) + len(theme)} files, "
        f"{sum(written)} of them changed; {removed} removed"
    )
    return 0


def _check(root: Path, committed: dict[str, str]) -> int:
    stale = [
        name
        for name, text in committed.items()
        if not (root / name).is_file() or (root / name).read_bytes() != text.encode()
    ]
    for name in stale:
        print(f"{name} is not current: run `python -m tools build`", file=sys.stderr)
    return 1 if stale else 0


def remove_stale(docs: Path, pages: set[str]) -> int:
    """Remove the pages of earlier builds from the folders that hold nothing else."""
    stale = [
        docs / folder / name
        for folder, pattern in all_pages.FOLDERS.items()
        if (docs / folder).is_dir()
        for name in fnmatch.filter(os.listdir(docs / folder), pattern)  # noqa: PTH208 (thousands)
        if f"{folder}/{name}" not in pages
    ]
    for path in stale:
        path.unlink()
    return len(stale)
