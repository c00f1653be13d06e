"""How good methods are: a page of all, one for each board, and what papers print."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import fields
from itertools import groupby
from statistics import fmean
from urllib.parse import quote

from markupsafe import Markup

from ....atlas import Atlas
from ....data.scores import Score, Table, disagreements
from ....text.escape import page
from ....text.markup import table
from ...shared.boards import SHOWN, Board, measured, printed, published
from ...shared.method_words import title
from ...shared.site import Site
from . import scale

COLUMNS = [field.name for field in fields(Score) if field.name != "source"]
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run what begins so


def pages(site: Site) -> Iterator[tuple[str, str]]:
    atlas = site.atlas
    own, suites, rows = measured(atlas), list(published(atlas)), printed(atlas)
    boards = [*own, *suites]
    yield site.render(
        "evidence.md.j2",
        "evidence/index.md",
        own=own,
        suites=suites,
        printed=rows,
        matrix=matrix(atlas, own),
        scale=scale.table_of(atlas),
        planned=scale.RUNS,
        runs=sum(len(group.runs) for board in own for group in board.run),
    )
    for board in boards:
        path = f"evidence/{board.slug}.md"
        yield site.render("board.md.j2", path, board=board, shown=SHOWN, charts=board.charts())
        yield f"evidence/{board.slug}.csv", as_csv(board.scores)
    yield from printed_pages(site, rows)
    every = [score for board in boards for score in board.scores]
    yield "evidence/scores.csv", as_csv([*every, *rows])


def printed_pages(site: Site, rows: list[Score]) -> Iterator[tuple[str, str]]:
    """An overview of what papers print, and a page for each method."""
    atlas = site.atlas
    tables = {name: found for name, found in atlas.printed.items() if name in atlas.methods}
    own = {name: [score for score in rows if score.method == name] for name in tables}
    apart = {name: disagreements(scores) for name, scores in own.items()}
    sources = {(s.source.paper, s.source.citation) for s in rows if s.source}
    yield site.render(
        "printed.md.j2",
        "evidence/printed.md",
        rows=rows,
        tables=tables,
        sources=len(sources),
        summary=summary(atlas, own, apart),
    )
    for name, found in tables.items():
        yield site.render(
            "printed_of.md.j2",
            f"evidence/printed-{name}.md",
            name=name,
            title=title(atlas, name),
            tables=joined(name, found),
            datas=sorted({score.data for score in own[name]}),
            apart=apart[name],
        )


def joined(method: str, tables: Iterable[Table]) -> list[tuple[Table, list[Score]]]:
    """A row of a printed table, by several metrics, with all its scores."""

    def printed_row(table: Table) -> dict[str, object]:
        return table.model_dump(exclude={"metric", "scores"})

    return [
        ((first := next(same)), [*first.rows(method), *(s for t in same for s in t.rows(method))])
        for _, same in groupby(tables, printed_row)
    ]


def summary(
    atlas: Atlas, own: dict[str, list[Score]], apart: dict[str, list[list[Score]]]
) -> Markup:
    """How much is printed of each method, most first, and how much of it differently."""
    cells = [
        [
            f"[{page(title(atlas, name))}](printed-{quote(name)}.md)",
            f"{len(scores):,}",
            str(len({score.model for score in scores})),
            str(len(apart[name])),
        ]
        for name, scores in sorted(own.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    return table(["Method", "Scores", "Models", "Printed differently"], "lrrr", cells)


def matrix(atlas: Atlas, boards: list[Board]) -> list[tuple[str, str, list[Score | None]]]:
    """Of each method, its best score on each board; those on all boards first, the best first."""
    best: dict[str, list[Score | None]] = {}
    for place, board in enumerate(boards):
        for name, score in board.best.items():
            best.setdefault(name, [None] * len(boards))[place] = score

    def order(item: tuple[str, list[Score | None]]) -> tuple[int, float, str]:
        known = [score.value for score in item[1] if score]
        return -len(known), -fmean(known), item[0]

    return [(name, title(atlas, name), row) for name, row in sorted(best.items(), key=order)]


def as_csv(scores: Iterable[Score]) -> str:
    """A line a score. Text that a spreadsheet would take for a formula has an apostrophe before."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*COLUMNS, "paper", "citation", "url", "where"])
    for score in scores:
        source = score.source
        said = (source.paper, source.citation, source.url, source.where) if source else ("",) * 4
        cells = [*(getattr(score, name) for name in COLUMNS), *said]
        writer.writerow(["" if cell is None else _cell(cell) for cell in cells])
    return out.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = isinstance(value, str) and value.startswith(FORMULA)
    return f"'{value}" if text else value
