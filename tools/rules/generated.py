"""S8xx: what is generated and committed is current. Checked only where all else is clean.

Whether the README is (S801) says the command `validate`: only above the rules can one be made.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..data.json_schema import json_schema
from ..data.parts import PART_LINE, SCHEMA_LINE
from . import Context, Fault, Source, declare, rule

declare(
    "S801",
    "README.md is stale",
    "README.md is generated from the catalog. Run `python -m tools build` and commit the result. "
    "It must stay below 500,000 bytes: GitHub cuts off what is longer.",
    bad="a changed papers.yaml with an unchanged README.md",
    good="papers.yaml and README.md changed together",
)


@rule(
    "S802",
    "papers.schema.json is stale",
    "papers.schema.json is generated from the models in tools/data/schema.py. Run `python -m tools "
    "build` and commit the result.",
    bad="a changed tools/data/schema.py with an unchanged papers.schema.json",
    good="tools/data/schema.py and papers.schema.json changed together",
)
def schema_current(context: Context) -> Iterator[Fault]:
    yield from stale(context, "papers.schema.json", json_schema())


@rule(
    "S803",
    "Schema is not named",
    "The first line of each of the catalog's files tells editors where the schema is, so that they "
    "complete and check while typing.",
    bad="# The catalog",
    good=SCHEMA_LINE,
)
def schema_named(context: Context) -> Iterator[Fault]:
    if context.document.first_line != SCHEMA_LINE:
        yield Fault((), f"the first line must be '{SCHEMA_LINE}'")
    for part in context.document.parts:
        if part.first_line != PART_LINE:
            yield Fault(("papers", part.start), f"the file's first line must be '{PART_LINE}'")


def stale(context: Context, name: str, wanted: str) -> Iterator[Fault]:
    """A fault where the file beside the catalog is missing or says something else."""
    path = context.root / name
    text = path.read_text(encoding="utf-8") if path.is_file() else None
    if text != wanted:
        state = "is missing" if text is None else "is not current"
        yield Fault(Source(name, 1, ""), f"{state}; run `python -m tools build`")
