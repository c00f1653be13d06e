"""Synthetic catalogs: as many valid entries as asked for, on a small taxonomy.

    python benchmarks/synthetic.py FOLDER COUNT

writes FOLDER/papers.yaml and what is generated from it. The same count gives the same bytes.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from fine_tuning_atlas.tools.atlas import Atlas, BuildError
from fine_tuning_atlas.tools.data.json_schema import json_schema
from fine_tuning_atlas.tools.readme import render
from fine_tuning_atlas.tools.rules.catalog import read

HEAD = """\
# yaml-language-server: $schema=./papers.schema.json
modalities:
  - id: LLM
    name: Large language models
    description: Models of text.
taxonomy:
  - id: made-up
    name: Made up
    description: A branch for entries that nobody wrote.
    children:
      - id: first
        name: First
        description: The first leaf.
      - id: second
        name: Second
        description: The second leaf.
venues:
  - id: ICLR
    name: International Conference on Learning Representations
    kind: conference
    url: https://iclr.cc/
    color: "#1a6b3c"
papers:
"""
SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "ai", "ei", "ou")]


def catalog(count: int) -> str:
    """The YAML text of a valid catalog of `count` papers."""
    rng = random.Random(count)  # noqa: S311
    words = rng.sample([a + b + c for a in SYLLABLES for b in SYLLABLES for c in "nrsx"], 20_000)
    ids = sorted((word, 2015 + i % 10, i) for i, word in enumerate(rng.sample(words, count)))
    return HEAD + "".join(_entry(word, year, i, words, rng) for word, year, i in ids)


def _entry(family: str, year: int, i: int, words: list[str], rng: random.Random) -> str:
    authors = [family, *rng.sample(words, 4)]
    names = "".join(f'      - "{name.title()}, {rng.choice(words).title()}"\n' for name in authors)
    return (
        f"  - id: {family}{year}{rng.choice(words)}\n"
        f'    title: "{" ".join(rng.sample(words, 8)).capitalize()}"\n'
        f"    authors:\n{names}"
        f"    year: {year + 1}\n"
        "    venue: ICLR\n"
        "    kind: method\n"
        f"    leaves: [{rng.choice(('first', 'second', 'first, second'))}]\n"
        "    modality: [LLM]\n"
        f'    arxiv: "{year % 100}{i % 12 + 1:02}.{i:05}"\n'
        f'    doi: "10.1234/synthetic.{i}"\n'
        f"    openreview: Synthetic{i:05}\n"
        f"    code: https://example.org/{family}/{i}\n"
        f'    summary: "{" ".join(rng.sample(words, 12)).capitalize()}."\n'
        f'    note: "{" ".join(rng.sample(words, 9)).capitalize()}."\n'
    )


def write(folder: Path, count: int) -> Path:
    """Write a catalog and what is generated from it; the README only where it is short enough."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "papers.yaml"
    path.write_text(catalog(count), encoding="utf-8")
    (folder / "papers.schema.json").write_text(json_schema(), encoding="utf-8")
    try:
        readme = render(Atlas(read(path)))
    except BuildError:
        return path
    (folder / "README.md").write_text(readme, encoding="utf-8")
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("count", type=int)
    options = parser.parse_args()
    print(write(options.folder, options.count))
