"""`python -m tools validate`: every rule over the catalog, all findings at once."""

from __future__ import annotations

import argparse
import gc
import sys
from pathlib import Path

from tools import rules
from tools.catalog import examine, in_order, items_of
from tools.findings import Finding, as_github, as_json, as_text
from tools.loader import load

ROOT = Path(__file__).resolve().parent.parent
FORMATS = {"text": as_text, "json": as_json, "github": as_github}


def validate(path: Path) -> tuple[list[Finding], int]:
    """The findings in the order of the file, and the number of papers. Raises OSError."""
    document = load(path, _shown(path))
    context, findings = examine(document, path.resolve().parent)
    if context is None:
        return in_order(findings, document.path), 0
    findings += rules.check(context, "S200", "S799")
    if not findings:
        # A README rendered from a catalog with faults would only repeat them.
        findings = rules.check(context, "S800", "S899")
    return in_order(findings, document.path), len(items_of(document.data, "papers"))


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", nargs="?", type=Path, default=ROOT / "papers.yaml", help="default: papers.yaml"
    )
    parser.add_argument("--format", choices=sorted(FORMATS), default="text")


def main(options: argparse.Namespace) -> int:
    path = options.path
    gc.disable()  # a short process that keeps all it makes: collecting costs time, frees nothing
    try:
        findings, papers = validate(path)
    except FileNotFoundError:
        print(f"tools validate: {path}: there is no such file", file=sys.stderr)
        return 2
    counted = f"{papers:,} papers, {len(findings):,} finding{'s' * (len(findings) != 1)}"
    sys.stdout.write(FORMATS[options.format](findings, counted))
    return 1 if findings else 0


def _shown(path: Path) -> str:
    """The path as findings print it: relative to where the command runs, where it lies below."""
    path, here = path.resolve(), Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.as_posix()
