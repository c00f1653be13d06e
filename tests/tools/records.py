"""An entry, and records of it that say the same but for what is changed."""

from __future__ import annotations

import json
from typing import Any

from tools.data.schema import Paper, Venue
from tools.records.store import Evidence, digest

PAPER = Paper.model_validate(
    {
        "id": "hu2021lora",
        "title": "LoRA: Low-Rank Adaptation",
        "authors": ["Hu, Edward J.", "Shen, Yelong"],
        "year": 2022,
        "venue": "ICLR",
        "kind": "method",
        "leaves": ["low-rank"],
        "modality": ["LLM"],
        "arxiv": "2106.09685",
        "doi": "10.1000/xyz",
        "also_titled": ["Low-Rank Adaptation"],
        "summary": "Trains two matrices.",
    }
)
# What a registry of DOIs answers.
RECORD: dict[str, Any] = {
    "title": "LoRA: low-rank adaptation.",
    "author": [{"family": "Hu", "given": "Edward J."}, {"family": "Shen", "given": "Yelong"}],
    "issued": {"date-parts": [[2022]]},
    "DOI": "10.1000/xyz",
}
BIBTEX = "@inproceedings{key,\n title = {%s},\n author = {%s},\n year = {%s}\n}"
VENUES = {
    name: Venue(id=name, name=full, kind="conference", url="https://a.org", color="#000000")
    for name, full in {
        "ICLR": "International Conference on Learning Representations",
        "NeurIPS": "Neural Information Processing Systems",
        "Findings": "Findings of ACL",
    }.items()
}


def evidence(change: dict[str, Any] | None = None, **values: Any) -> Evidence:
    """What the registry of DOIs says of the paper; `source="o/n"` is a list that others keep."""
    raw = json.dumps({**RECORD, **(change or {})}, ensure_ascii=False)
    listed = not values.get("source", "https").startswith("https")
    given = {
        "source": "https://doi.org/10.1000/xyz",
        "kind": "csl",
        "seen": "2026-11-21",
        "raw": raw,
        "digest": digest(values.get("raw", raw)),
        "commit": "0" * 40 if listed else "",
        "path": "x.json" if listed else "",
    }
    return Evidence(**{"paper": PAPER.id, **given, **values})


def without(**first: str) -> dict[str, Any]:
    """RECORD's authors with other parts of the first one's name."""
    return {"author": [{**RECORD["author"][0], **first}, RECORD["author"][1]]}
