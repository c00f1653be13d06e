"""How long the pages and the site take for catalogs of several sizes.

    python benchmarks/site.py [--sizes 100 1200 10000]

prints a Markdown table of processor seconds of whole processes: the first build of the pages, one
after a paper's entry was edited, and MkDocs' build of the site. The last column is the site's time
a page: it stays level where the build is linear. Only ratios mean something on another machine.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from fine_tuning_atlas.tools import atlas, readme
from fine_tuning_atlas.tools.commands.manual import manual
from fine_tuning_atlas.tools.data.files import write
from fine_tuning_atlas.tools.site import all_pages
from synthetic import catalog

ROOT = Path(__file__).resolve().parent.parent


def build(folder: Path) -> None:
    """What `python -m tools build` does, without the README where that would be too long."""
    gc.disable()  # as the command does
    material = atlas.load(folder)
    with suppress(atlas.BuildError):
        write(folder / "README.md", readme.render(material))
    contributing = (folder / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for name, text in all_pages.pages(material, contributing, manual()).items():
        write(folder / "docs" / name, text)
    for name, text in all_pages.theme().items():
        write(folder / "overrides" / name, text)
    gc.freeze()  # likewise


def seconds(*command: str, folder: Path) -> float:
    """The processor time of a command. Raises CalledProcessError where it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measure(size: int, folder: Path) -> tuple[float, float, float, int]:
    """Seconds of the first build, of one after an edit and of the site's; the number of pages."""
    for name in ("mkdocs.yml", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "overrides", folder / "overrides")
    (folder / "docs").mkdir()
    shutil.copy(ROOT / "docs/reading.md", folder / "docs")
    entries = folder / "papers.yaml"
    entries.write_text(catalog(size), encoding="utf-8")
    first = seconds(sys.executable, __file__, "--build", str(folder), folder=folder)
    text = entries.read_text(encoding="utf-8")
    entries.write_text(text.replace('note: "', 'note: "Edited. ', 1), encoding="utf-8")
    again = seconds(sys.executable, __file__, "--build", str(folder), folder=folder)
    whole = seconds(sys.executable, "-m", "mkdocs", "build", "--quiet", folder=folder)
    return first, again, whole, sum(1 for _ in (folder / "site").rglob("*.html"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1_200, 10_000])
    parser.add_argument("--build", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build:
        build(options.build)
        return
    print("| papers | pages, first | after an edit | site | HTML pages | site a page |")
    print("| -----: | -----------: | ------------: | ---: | ---------: | ----------: |")
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            first, again, whole, pages = measure(size, Path(folder))
        print(
            f"| {size:,} | {first:.1f} s | {again:.1f} s | {whole:.1f} s | {pages:,} "
            f"| {1000 * whole / pages:.1f} ms |",
            flush=True,
        )


if __name__ == "__main__":
    main()
