"""S720, S721: what others measured or printed of a method is where it is said to be."""

from __future__ import annotations

from collections.abc import Iterator

from ..data.findings import nearest
from ..data.scores import read_suites
from . import Context, Fault, rule
from .places import at, unread


@rule(
    "S720",
    "Printed score without its source",
    "printed.toml beside a method has the tables that papers print of it: the paper's id in the "
    "catalog, or a citation with its address; the table's number; what was read; and each number "
    "letter by letter, with its spread as in '95.1 ± 0.2'.",
    bad='paper = "hu2021"\n[table.scores]\nMNLI = "about 87"',
    good='paper = "hu2021lora"\n[table.scores]\nMNLI = "87.5"',
)
def printed_without_source(context: Context) -> Iterator[Fault]:
    found, unreadable = context.printed
    yield from unread(unreadable)
    papers = context.ids["papers"]
    for path, printed in found.items():
        for i, table in enumerate(printed.table):
            if table.paper and table.paper not in papers:
                message = f"'{table.paper}' is not a paper"
                yield Fault(
                    at(context, path, "table", i, "paper"), message, nearest(table.paper, papers)
                )


@rule(
    "S721",
    "Run that no suite has",
    "`suite` in a card names the runs of libraries' suites that are of the method; a run is of one "
    "method. `python -m tools suite` brings the runs.",
    bad='suite = ["lora--rank32"]',
    good='suite = ["lora--llama-3.2-3B-rank32"]',
)
def run_of_no_suite(context: Context) -> Iterator[Fault]:
    claimed: dict[str, str] = {}
    cards = {path: card for path, card in context.cards[0].items() if card.suite}
    known = {run.run for suite in read_suites(context.root) for run in suite.runs} if cards else ()
    for path, card in cards.items():
        for run in card.suite:
            if run not in known:
                yield Fault(
                    at(context, path, "suite"), f"no suite has a run '{run}'", nearest(run, known)
                )
            elif run in claimed:
                message = f"'{run}' is of {claimed[run]}, too: a run is of one method"
                yield Fault(at(context, path, "suite"), message)
            claimed.setdefault(run, path)
