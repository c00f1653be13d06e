"""The catalog as a SQLite database, which is searched and joined with no program of ours.

The full-text index reads its text from `papers`, and says so in the form by which Datasette knows
that the table can be searched. An index holds columns of one table only: this is why authors and
topics stand in `papers` as text as well, besides in tables of their own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ..data.implementations import Implementation
from ..data.papers import first_seen
from ..data.schema import Catalog, Paper

APPLICATION = 0x46544154  # "FTAT" in the file's header: it is ours, and we may replace it
LAYOUT = 1  # raise it where a table or a column changes its name or its meaning
# where SQLite's file format has its own mark and that of the application
MAGIC, PLACE = b"SQLite format 3\0", slice(68, 72)

TABLES = """
CREATE TABLE venues (
  id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, url TEXT NOT NULL
);
CREATE TABLE modalities (
  id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL
);
CREATE TABLE leaves (
  id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL,
  parent TEXT, branch TEXT NOT NULL, description TEXT NOT NULL
);
CREATE TABLE papers (
  id TEXT PRIMARY KEY NOT NULL, title TEXT NOT NULL, first_year INTEGER, year INTEGER,
  venue TEXT NOT NULL REFERENCES venues(id), kind TEXT NOT NULL,
  summary TEXT NOT NULL, note TEXT, start_here TEXT,
  arxiv TEXT, doi TEXT, acl TEXT, openreview TEXT, url TEXT, link TEXT NOT NULL,
  code TEXT, pages TEXT, added TEXT,
  authors TEXT NOT NULL, topics TEXT NOT NULL
);
CREATE TABLE authors (
  paper TEXT NOT NULL REFERENCES papers(id), place INTEGER NOT NULL,
  family TEXT NOT NULL, given TEXT, PRIMARY KEY (paper, place)
);
CREATE TABLE paper_leaves (
  paper TEXT NOT NULL REFERENCES papers(id), place INTEGER NOT NULL,
  leaf TEXT NOT NULL REFERENCES leaves(id), PRIMARY KEY (paper, place)
);
CREATE TABLE paper_modalities (
  paper TEXT NOT NULL REFERENCES papers(id), place INTEGER NOT NULL,
  modality TEXT NOT NULL REFERENCES modalities(id), PRIMARY KEY (paper, place)
);
CREATE TABLE builds_on (
  paper TEXT NOT NULL REFERENCES papers(id), other TEXT NOT NULL REFERENCES papers(id),
  PRIMARY KEY (paper, other)
);
CREATE TABLE methods (
  name TEXT PRIMARY KEY NOT NULL, title TEXT NOT NULL,
  paper TEXT NOT NULL REFERENCES papers(id), leaf TEXT NOT NULL REFERENCES leaves(id),
  path TEXT NOT NULL
);
CREATE VIRTUAL TABLE papers_fts USING fts5(
  title, authors, summary, topics,
  content="papers", tokenize="porter unicode61 remove_diacritics 2"
);
"""
# keys of an entry, in the order of the columns of `papers`
FIELDS = (
    *("year", "venue", "kind", "summary", "note", "start_here", "arxiv", "doi", "acl"),
    *("openreview", "url", "link", "code", "pages", "added"),
)
Row = tuple[str | int | None, ...]


def database(
    catalog: Catalog, papers: Iterable[Paper], methods: Mapping[str, Implementation]
) -> bytes:
    """The file: the same bytes for the same catalog, by one version of SQLite.

    Leaves, venues and modalities are all there, of papers and methods those that are meant: in a
    subset, a paper that builds on one outside of it builds on nothing.
    """
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {LAYOUT}")
        connection.execute("PRAGMA foreign_keys = ON")  # a row that leads nowhere is an error
        connection.executescript(TABLES)
        for table, rows in _contents(catalog, list(papers), methods):
            for row in rows:
                marks = ", ".join("?" * len(row))
                connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608
        connection.execute("INSERT INTO papers_fts (papers_fts) VALUES ('rebuild')")
        connection.commit()
        return connection.serialize()
    finally:
        connection.close()


def _contents(
    catalog: Catalog, papers: list[Paper], methods: Mapping[str, Implementation]
) -> Iterator[tuple[str, Iterable[Row]]]:
    """Each table with its rows; what others refer to comes first."""
    yield "venues", ((v.id, v.name, v.kind, v.url) for v in catalog.venues)
    yield "modalities", ((m.id, m.name, m.description) for m in catalog.modalities)
    parents = {child.id: n.id for n in catalog.nodes.values() for child in n.children}
    tops = catalog.tops
    yield (
        "leaves",
        (
            (leaf.id, leaf.name, parents.get(leaf.id), tops[leaf.id].id, leaf.description)
            for leaf in catalog.leaves.values()
        ),
    )
    yield "papers", (_paper(paper, catalog) for paper in papers)
    yield (
        "authors",
        ((p.id, i, n.family, n.given or None) for p in papers for i, n in enumerate(p.names, 1)),
    )
    for table, key in (("paper_leaves", "leaves"), ("paper_modalities", "modality")):
        yield table, ((p.id, i, x) for p in papers for i, x in enumerate(getattr(p, key), 1))
    chosen = {paper.id for paper in papers}
    yield "builds_on", ((p.id, other) for p in papers for other in p.builds_on if other in chosen)
    meant = (methods[name] for name in sorted(methods) if methods[name].paper in chosen)
    yield "methods", ((m.name, m.title, m.paper, m.leaf, m.path) for m in meant)


def _paper(paper: Paper, catalog: Catalog) -> Row:
    seen = first_seen(paper)
    authors = (f"{n.family}, {n.given}" if n.given else n.family for n in paper.names)
    leaves = [catalog.leaves[leaf] for leaf in paper.leaves]
    topics = dict.fromkeys(word for leaf in leaves for word in (leaf.name, *leaf.aliases))
    values = (getattr(paper, key) for key in FIELDS)
    first = (paper.id, paper.title, seen.year if seen else None)
    return (*first, *values, "; ".join(authors), "; ".join(topics))


def is_ours(path: Path) -> bool:
    """Whether the file is a database that was written here, by its header."""
    with path.open("rb") as file:
        head = file.read(PLACE.stop)
    return head.startswith(MAGIC) and head[PLACE] == APPLICATION.to_bytes(4, "big")
