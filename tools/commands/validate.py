"""`python -m tools validate`: every rule over the catalog, all findings at once."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Iterator
from pathlib import Path

from .. import rules
from ..data.files import ROOT
from ..data.findings import Finding, as_github, as_json, as_text
from ..data.parts import load
from ..rules import Context, Fault, Source
from ..rules.catalog import examine, in_order, items_of
from ..rules.generated import stale
from ..text.words import count

FORMATS = {"text": as_text, "json": as_json, "github": as_github}


def validate(path: Path) -> tuple[list[Finding], int]:
    """The findings in the order of the file, and the number of entries. Raises OSError."""
    document = load(path, _shown(path))
    context, findings = examine(document, path.resolve().parent)
    if context is None:
        return in_order(findings, document.path), 0
    findings += rules.check(context, "S200", "S799") + rules.check(context, "S900", "S999")
    if not findings:
        # A README rendered from a catalog with faults would only repeat them.
        findings = rules.check(context, "S800", "S899")
        findings += [rules.as_finding("S801", fault, document) for fault in readme_faults(context)]
    return in_order(findings, document.path), len(items_of(document.data, "papers"))


def readme_faults(context: Context) -> Iterator[Fault]:
    """Whether the README is what the catalog makes of it."""
    # Templates take a while to import; a catalog with other findings does not get this far.
    from ..atlas import Atlas, BuildError
    from ..readme import render

    try:
        wanted = render(Atlas(context.catalog, context.implementations[0]))
    except BuildError as error:
        yield Fault(Source("README.md", 1, ""), str(error))
        return
    yield from stale(context, "README.md", wanted)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", nargs="?", type=Path, default=ROOT / "papers.yaml", help="default: papers.yaml"
    )
    parser.add_argument("--format", choices=sorted(FORMATS), default="text")


def main(options: argparse.Namespace) -> int:
    path = options.path
    gc.disable()  # a short process that keeps all it makes: collecting costs time, frees nothing
    try:
        findings, entries = validate(path)
    except FileNotFoundError:
        print(f"tools validate: {path}: there is no such file", file=sys.stderr)
        return 2
    counted = f"{count(entries, 'entry', 'entries')}, {count(len(findings), 'finding')}"
    sys.stdout.write(FORMATS[options.format](findings, counted))
    gc.freeze()  # or all of it is gone through once more as the interpreter ends
    return 1 if findings else 0


def _shown(path: Path) -> str:
    """The path as findings print it: relative to where the command runs, where it lies below."""
    path, here = path.resolve(), Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.as_posix()
