"""The theme's search against Pagefind: what comes over the line, how long it takes, what is found.

    pip install 'pagefind[bin]'
    python -m benchmarks.search [--site site] [--chromium PATH]

takes the index of the built site, gives the same pages and words to Pagefind, and asks both the
same questions in a headless Chromium, served compressed. Bytes are those of the first question with
its first five results shown, and of all. Times are that of the first answer, with all that is
loaded for it, and the median of the later ones. A work is asked for by its title and by the three
longest words of it, an author by the family name; shares are of questions whose page comes first,
and among the first five. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median

from fine_tuning_atlas.tools.atlas import Atlas, load
from fine_tuning_atlas.tools.data.files import ROOT
from pagefind.index import PagefindIndex
from playwright.sync_api import Response, sync_playwright

from tests.site.serving import served

KINDS = ("method", "other name", "title", "words", "author")
THEME = """async ({queries, worker}) => {
    let resolve;
    const start = performance.now();
    const index = await (await fetch("search_index.json")).json();
    const search = new Worker(worker);
    search.onmessage = ({data}) => resolve(data);
    const ask = (message) => new Promise((done) => {
        resolve = done;
        search.postMessage(message);
    });
    await ask({type: 0, data: {...index, options: {suggest: false}}});
    const answers = [];
    for (const query of queries) {
        const asked = answers.length ? performance.now() : start;
        const {data} = await ask({type: 2, data: query});
        answers.push([performance.now() - asked, data.items.map((page) => page[0].location)]);
    }
    return answers;
}"""
PAGEFIND = """async ({queries}) => {
    const start = performance.now();
    const pagefind = await import(new URL("pagefind/pagefind.js", location.href).href);
    await pagefind.init();
    const answers = [];
    for (const query of queries) {
        const asked = answers.length ? performance.now() : start;
        const {results} = await pagefind.search(query);
        const shown = await Promise.all(results.slice(0, 5).map((result) => result.data()));
        answers.push([performance.now() - asked, shown.map((result) => result.url)]);
    }
    return answers;
}"""


def questions(atlas: Atlas, seed: int = 1) -> list[tuple[str, str, set[str]]]:
    """(kind, what is typed, the pages of which one is wanted), shuffled."""
    rng = random.Random(seed)  # noqa: S311
    asked = [("method", m.title, {f"methods/{m.name}.html"}) for m in atlas.methods.values()]
    for node in atlas.catalog.nodes.values():
        asked += [("other name", alias, {f"taxonomy/{node.id}.html"}) for alias in node.aliases]
    pages: dict[str, set[str]] = defaultdict(set)
    for paper in atlas.catalog.papers:
        for name in paper.names:
            pages[name.family].add(f"papers/{paper.id}.html")
    for paper in rng.sample(atlas.catalog.papers, 150):
        words = re.findall(r"\w+", paper.title)
        longest = sorted(sorted(words, key=len)[-3:], key=words.index)
        for kind, text in (("title", paper.title), ("words", " ".join(longest))):
            asked.append((kind, text, {f"papers/{paper.id}.html"}))
    asked += [("author", family, pages[family]) for family in rng.sample(list(pages), 100)]
    rng.shuffle(asked)
    return asked


async def write_pagefind(docs: list[dict[str, str]], folder: Path) -> None:
    """Pagefind's files for the same pages, titles and texts."""
    pages: dict[str, list[str]] = defaultdict(list)
    for doc in docs:
        path, _, anchor = doc["location"].partition("#")
        level = "h2" if pages[path] else "h1"
        pages[path].append(f'<{level} id="{anchor}">{doc["title"]}</{level}>{doc["text"]}')
    async with PagefindIndex(config={"output_path": str(folder)}) as index:
        for path, parts in pages.items():
            page = f'<html lang="en"><body>{"".join(parts)}</body></html>'
            await index.add_html_file(content=page, url=path)


def measure(
    script: str, folder: Path, asked: list[str], chromium: str, **values: object
) -> tuple[float, float, list[list]]:
    """kB of the first question and of all, and for each how long it took and what was found."""
    came = []
    with served(folder) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for queries in (asked[:1], asked):
            page = browser.new_context().new_page()
            page.goto(f"{address}search/empty.html")
            files: list[Response] = []
            page.context.on("response", lambda file, files=files: files.append(file))
            answers = page.evaluate(script, {"queries": queries, **values})
            page.wait_for_timeout(200)  # until the browser has told of every file
            came.append(sum(int(file.headers.get("content-length", 0)) for file in files) / 1000)
        browser.close()
    return came[0], came[1], answers


def row(name: str, first: float, whole: float, answers: list[list], asked: list) -> str:
    ranks = defaultdict(list)
    for (kind, _, wanted), (_, found) in zip(asked, answers, strict=True):
        pages = list(
            dict.fromkeys(address.split("#")[0].removeprefix("/search/") for address in found)
        )
        ranks[kind].append(next((n for n, page in enumerate(pages, 1) if page in wanted), 99))
    shares = (
        f"{sum(r == 1 for r in ranks[kind]) / len(ranks[kind]):.0%}, "
        f"{sum(r <= 5 for r in ranks[kind]) / len(ranks[kind]):.0%}"
        for kind in KINDS
    )
    times = [time for time, _ in answers]
    cells = (
        f"{first:.0f} kB",
        f"{whole:.0f} kB",
        f"{times[0]:.0f} ms",
        f"{median(times[1:]):.1f} ms",
    )
    return f"| {' | '.join([name, *cells, *shares])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--site", type=Path, default=ROOT / "site")
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    options = parser.parse_args()
    docs = json.loads((options.site / "search/search_index.json").read_text("utf-8"))["docs"]
    asked = questions(load(ROOT))
    typed = [words for _, words, _ in asked]
    heads = "search", "first question", f"{len(asked)} questions", "first answer", "later ones"
    print(f"| {' | '.join([*heads, *(f'{kind}: first, of five' for kind in KINDS)])} |")
    print(f"| --- |{' ---: |' * (len(heads) - 1 + len(KINDS))}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "search").mkdir()
        # what the site makes of a question is in this script
        shutil.copy(options.site / "assets/search-iframe-worker.js", folder / "search/asked.js")
        for empty in ("search/empty.html", "404.html"):
            (folder / empty).write_text('<!doctype html><script src="asked.js"></script>', "utf-8")
        shutil.copy(options.site / "search/search_index.json", folder / "search")
        (worker,) = (options.site / "assets/javascripts/workers").glob("search.*.js")
        shutil.copy(worker, folder / "search")
        theme = measure(THEME, folder, typed, options.chromium, worker=worker.name)
        print(row("the theme's", *theme, asked), flush=True)
        asyncio.run(write_pagefind(docs, folder / "search/pagefind"))
        print(row("Pagefind", *measure(PAGEFIND, folder, typed, options.chromium), asked))


if __name__ == "__main__":
    main()
