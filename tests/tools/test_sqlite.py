"""The database holds what the catalog says, and finds it; no file of others is lost to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tools.test_export import CATALOG, HOSTILE, METHODS
from tools.__main__ import main
from tools.commands.export import chosen
from tools.data.papers import first_seen
from tools.data.schema import Paper
from tools.export.sqlite import FIELDS, database

ALL = CATALOG.model_copy(update={"papers": (*CATALOG.papers, Paper.model_validate(HOSTILE))})
# by what Datasette takes a table for one that can be searched (datasette.utils.detect_fts_sql)
SEARCHABLE = """
SELECT name FROM sqlite_master WHERE rootpage = 0
AND sql LIKE '%VIRTUAL TABLE%USING FTS%content="papers"%'
"""


def opened(content: bytes) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.deserialize(content)
    return connection


@pytest.fixture(scope="module")
def whole() -> Iterator[sqlite3.Connection]:
    """The real catalog, and one more paper that holds what formats trip over."""
    with closing(opened(database(ALL, ALL.papers, METHODS))) as connection:
        yield connection


def rows(connection: sqlite3.Connection, query: str, *values: str) -> list[tuple]:
    return connection.execute(query, values).fetchall()


def found(connection: sqlite3.Connection, words: str) -> set[str]:
    """The ids of the papers that a search gives, asked for as Datasette does."""
    hits = "SELECT rowid FROM papers_fts WHERE papers_fts MATCH ?"
    return {
        key for (key,) in rows(connection, f"SELECT id FROM papers WHERE rowid IN ({hits})", words)
    }


def sound(connection: sqlite3.Connection) -> bool:
    checks = ("PRAGMA integrity_check", "PRAGMA foreign_key_check")
    return [rows(connection, check) for check in checks] == [[("ok",)], []]


def test_every_paper_is_given_back(whole: sqlite3.Connection) -> None:
    columns = ", ".join(("id", "title", "first_year", *FIELDS))
    expected = [
        (
            p.id,
            p.title,
            seen.year if (seen := first_seen(p)) else None,
            *(getattr(p, k) for k in FIELDS),
        )
        for p in ALL.papers
    ]
    assert rows(whole, f"SELECT {columns} FROM papers ORDER BY rowid") == expected
    authors: dict[str, list[tuple[str, str]]] = {paper.id: [] for paper in ALL.papers}
    for paper, family, given in rows(
        whole, "SELECT paper, family, given FROM authors ORDER BY paper, place"
    ):
        authors[paper].append((family, given or ""))
    assert authors == {paper.id: [*paper.names] for paper in ALL.papers}
    groups = {n.family for p in ALL.papers for n in p.names if not n.given}
    assert {name for (name,) in rows(whole, "SELECT family FROM authors WHERE given IS NULL")} == (
        groups
    )


@pytest.mark.parametrize(
    ("table", "column", "key"),
    [("paper_leaves", "leaf", "leaves"), ("paper_modalities", "modality", "modality")],
)
def test_what_a_paper_lists_is_there_in_its_order(
    whole: sqlite3.Connection, table: str, column: str, key: str
) -> None:
    given = rows(whole, f"SELECT paper, place, {column} FROM {table} ORDER BY rowid")
    assert given == [
        (p.id, place, value) for p in ALL.papers for place, value in enumerate(getattr(p, key), 1)
    ]


def test_the_other_tables_are_the_catalogs(whole: sqlite3.Connection) -> None:
    assert rows(whole, "SELECT * FROM venues ORDER BY rowid") == [
        (v.id, v.name, v.kind, v.url) for v in ALL.venues
    ]
    assert rows(whole, "SELECT * FROM modalities ORDER BY rowid") == [
        (m.id, m.name, m.description) for m in ALL.modalities
    ]
    assert rows(whole, "SELECT paper, other FROM builds_on ORDER BY rowid") == [
        (paper.id, other) for paper in ALL.papers for other in paper.builds_on
    ]
    assert rows(whole, "SELECT name, title, paper, leaf, path FROM methods ORDER BY name") == [
        (m.name, m.title, m.paper, m.leaf, m.path) for _, m in sorted(METHODS.items())
    ]
    leaves = rows(whole, "SELECT id, name, parent, branch, description FROM leaves ORDER BY rowid")
    assert [(leaf[0], leaf[1], leaf[4]) for leaf in leaves] == [
        (leaf.id, leaf.name, leaf.description) for leaf in ALL.leaves.values()
    ]
    for leaf, _, parent, branch, _ in leaves:
        siblings = {child.id for child in ALL.nodes[parent].children} if parent else {branch}
        assert leaf in siblings
        assert leaf in {node.id for node in ALL.nodes[branch].leaves()}
        assert branch in {top.id for top in ALL.taxonomy}


def test_it_is_sound_and_can_be_searched_where_the_papers_are(whole: sqlite3.Connection) -> None:
    assert sound(whole)
    whole.execute("INSERT INTO papers_fts (papers_fts, rank) VALUES ('integrity-check', 1)")
    assert rows(whole, SEARCHABLE) == [("papers_fts",)]


def by(family: str) -> set[str]:
    return {p.id for p in ALL.papers if family in {name.family for name in p.names}}


def test_an_author_is_found_without_the_accents(whole: sqlite3.Connection) -> None:
    assert by("Rücklé")
    for words in ("ruckle", "RÜCKLÉ", "authors : ruckle"):
        assert found(whole, words) >= by("Rücklé")
    assert "doe2026hostile" in found(whole, '"o neil"')


def test_a_word_is_found_in_another_form_and_with_words_of_other_columns(
    whole: sqlite3.Connection,
) -> None:
    assert "ruckle2020adapterdrop" in found(whole, "rückle adapter efficient")
    assert "ruckle2020adapterdrop" not in found(whole, "rückle quantization")


def test_a_paper_is_found_by_every_name_and_alias_of_its_leaves(whole: sqlite3.Connection) -> None:
    assert any(leaf.aliases for leaf in ALL.leaves.values())
    for leaf in ALL.leaves.values():
        meant = {paper.id for paper in ALL.papers if leaf.id in paper.leaves}
        for words in (leaf.name, *leaf.aliases):
            assert found(whole, 'topics : "{}"'.format(words.replace('"', '""'))) >= meant, words


def test_the_same_catalog_gives_the_same_file() -> None:
    backwards = dict(reversed(METHODS.items()))
    one, other = (database(ALL, ALL.papers, methods) for methods in (METHODS, backwards))
    with closing(opened(one)) as first, closing(opened(other)) as second:
        assert list(first.iterdump()) == list(second.iterdump())
    assert one == other


@pytest.mark.parametrize(
    "wanted",
    [
        {"leaf": "prompt"},
        {"venue": "ACL"},
        {"year": 2021},
        {"paper": "mao2021unipelt"},
        {"year": 1950},
    ],
)
def test_nothing_of_a_subset_leads_out_of_it(wanted: dict[str, str | int]) -> None:
    papers = chosen(CATALOG, **wanted)
    ids = {paper.id for paper in papers}
    with closing(opened(database(CATALOG, papers, METHODS))) as part:
        assert sound(part)
        assert column(part, "SELECT id FROM papers ORDER BY rowid") == [p.id for p in papers]
        assert column(part, "SELECT name FROM methods ORDER BY name") == sorted(
            m.name for m in METHODS.values() if m.paper in ids
        )
        assert rows(part, "SELECT * FROM builds_on ORDER BY rowid") == [
            (p.id, other) for p in papers for other in p.builds_on if other in ids
        ]
        assert found(part, "tuning") <= ids


def column(connection: sqlite3.Connection, query: str) -> list[str]:
    return [value for (value,) in rows(connection, query)]


def test_a_row_that_leads_nowhere_is_an_error() -> None:
    astray = {"lora": replace(METHODS["lora"], leaf="no-leaf")}
    with pytest.raises(sqlite3.IntegrityError):
        database(CATALOG, CATALOG.papers, astray)


def export(style: str, path: Path, *more: str) -> int:
    return main(["export", style, "--output", str(path), *more])


def test_the_command_writes_a_file_and_replaces_its_own(tmp_path: Path) -> None:
    path, link = tmp_path / "new" / "atlas.sqlite", tmp_path / "link"
    link.symlink_to(path)
    for target, paper in ((path, "hu2021lora"), (path, "mao2021unipelt"), (link, "hu2021lora")):
        assert export("sqlite", target, "--paper", paper) == 0
        with closing(sqlite3.connect(path)) as connection:
            assert sound(connection)
            assert column(connection, "SELECT id FROM papers") == [paper]
    assert link.is_symlink()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def of_others(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE papers (id TEXT)")
        connection.commit()


@pytest.mark.parametrize(
    "make",
    [
        of_others,
        lambda path: path.write_text("SQLite format 3 is what I write about.\n" * 9),
        lambda path: path.write_bytes(b""),
    ],
)
def test_a_file_of_others_stays_as_it_is(tmp_path: Path, capsys, make) -> None:
    path = tmp_path / "atlas.sqlite"
    make(path)
    before = path.read_bytes()
    assert export("sqlite", path) == 2
    said = f"tools export: ExportError: '{path}' is no database of ours; it stays as it is\n"
    assert capsys.readouterr() == ("", said)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_is_told_in_one_line(tmp_path: Path, capsys) -> None:
    assert main(["export", "sqlite"]) == 2
    said = "a database is no text to print: say where it goes with --output FILE"
    assert capsys.readouterr() == ("", f"tools export: ExportError: {said}\n")
    for style in ("sqlite", "json"):
        assert export(style, tmp_path) == 2
        said = f"'{tmp_path}' is no file"
        assert capsys.readouterr() == ("", f"tools export: ExportError: {said}\n")
    path = tmp_path / "atlas.sqlite"
    assert export("sqlite", path, "--paper", "hu2021lora") == 0
    before = path.read_bytes()
    assert export("sqlite", path, "--venue", "ICRL") == 2
    assert path.read_bytes() == before


def test_a_text_goes_to_a_file_as_it_is_printed(tmp_path: Path, capsys) -> None:
    for more in (["bibtex", "--venue", "TACL"], ["json-schema"]):
        path = tmp_path / more[0]
        assert export(more[0], path, *more[1:]) == 0
        assert capsys.readouterr().out == ""
        assert main(["export", *more]) == 0
        assert capsys.readouterr().out == path.read_text(encoding="utf-8")
