"""How long the list of papers takes to follow a keystroke, in a headless Chromium.

    python -m benchmarks.filter [--sizes 1000 10000] [--chromium PATH]

builds the list with the site's own template and MkDocs, of papers that have the shape of the real
ones, and types into its search field. A keystroke's time ends when style and layout are done, a
frame's when the next one is drawn. Prints a Markdown table, with the size of the page and of the
script that holds its BibTeX, compressed.
"""

from __future__ import annotations

import argparse
import gzip
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

from fine_tuning_atlas.tools.atlas import Atlas, load
from fine_tuning_atlas.tools.data.files import ROOT, write
from fine_tuning_atlas.tools.data.schema import Catalog, Paper
from fine_tuning_atlas.tools.site.all_pages import assets
from fine_tuning_atlas.tools.site.pages.papers import papers
from fine_tuning_atlas.tools.site.shared.site import Site

from benchmarks.synthetic import SYLLABLES

# One letter matches nearly all papers, the last word few; then the words are deleted again.
QUERY = "adapt mono kei"
MEASURE = """async (queries) => {
    const field = document.querySelector("[name=words]");
    const times = [];
    for (const query of queries) {
        await new Promise((done) => setTimeout(done, 50));
        const start = performance.now();
        field.value = query;
        field.dispatchEvent(new InputEvent("input", {bubbles: true}));
        document.body.offsetHeight;
        const laidOut = performance.now();
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        times.push([laidOut - start, performance.now() - start]);
    }
    return times;
}"""


def many(atlas: Atlas, count: int) -> Atlas:
    """The real papers, and up to `count` more like them in made-up words of the same lengths.

    The same count gives the same papers.
    """
    rng = random.Random(count)  # noqa: S311
    words = ["".join(rng.choices(SYLLABLES, k=9)) for _ in range(4000)]
    real = atlas.catalog.papers

    def scrambled(text: str) -> str:
        return re.sub("[a-z]+", lambda m: rng.choice(words)[: len(m[0])], text)

    def paper(number: int) -> Paper:
        model = real[number % len(real)]
        authors = (scrambled(a) if isinstance(a, str) else a for a in model.authors)
        changed = {
            "id": f"{scrambled('abcdefg')}{2015 + number % 10}n{number}",
            "title": scrambled(model.title),
            "authors": tuple(authors),
            "summary": scrambled(model.summary),
            "builds_on": (),
            "related": (),
        }
        return model.model_copy(update=changed)

    made = sorted([*real, *map(paper, range(len(real), count))], key=lambda paper: paper.id)
    own = {name: getattr(atlas.catalog, name) for name in ("modalities", "taxonomy", "venues")}
    return replace(atlas, catalog=Catalog.model_construct(**own, papers=tuple(made)))


def build(atlas: Atlas, folder: Path) -> tuple[Path, float, float]:
    """The list alone as a site: its page, and the seconds of its template and of MkDocs."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "mkdocs.yml", folder)
    shutil.copytree(ROOT / "overrides", folder / "overrides")
    for name, text in assets():
        write(folder / "docs" / name, text)
    start = time.perf_counter()
    for name, text in papers.pages(Site(atlas, "")):
        write(folder / "docs" / name, text)
        if name == "export/papers.bib.js":  # behind it come the pages of single papers
            break
    rendered = time.perf_counter()
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet"]
    subprocess.run(command, cwd=folder, capture_output=True, check=True)
    return (
        folder / "site" / "papers" / "index.html",
        rendered - start,
        time.perf_counter() - rendered,
    )


def queries() -> list[str]:
    """What stands in the field after each keystroke."""
    typed = [QUERY[: i + 1] for i in range(len(QUERY))]
    return [*typed, *reversed(typed), ""]


def keystrokes(page: Path, chromium: str) -> list[tuple[float, float]]:
    """Milliseconds of each keystroke: until laid out, until drawn."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        tab.goto(page.as_uri(), timeout=0)
        tab.wait_for_selector("form.ready")
        times = tab.evaluate(MEASURE, queries())
        browser.close()
    return [(laid_out, drawn) for laid_out, drawn in times]


def compressed(path: Path) -> float:
    return len(gzip.compress(path.read_bytes())) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[300, 1_000, 10_000])
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    options = parser.parse_args()
    atlas = load(ROOT)
    print(
        "| papers | template | MkDocs | page, gzip | its BibTeX | laid out: median, most | drawn |"
    )
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            page, template, mkdocs = build(many(atlas, size), Path(folder))
            script = page.parent.parent / "export" / "papers.bib.js"
            sizes = f"{compressed(page):.0f} kB | {compressed(script):.0f} kB"
            laid_out, drawn = zip(*keystrokes(page, options.chromium))
        print(
            f"| {size:,} | {template:.2f} s | {mkdocs:.1f} s | {sizes} "
            f"| {median(laid_out):.1f}, {max(laid_out):.1f} ms "
            f"| {median(drawn):.1f}, {max(drawn):.1f} ms |",
            flush=True,
        )


if __name__ == "__main__":
    main()
