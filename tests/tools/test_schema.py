"""The models and the JSON Schema that is made of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft7Validator
from pydantic import ValidationError

from tests.tools.small_catalog import CATALOG, write_tree
from tools.data.json_schema import json_schema
from tools.data.parts import load
from tools.data.schema import Name, Paper
from tools.rules.catalog import CatalogError, read
from tools.rules.schema import CODES

PAPER = {
    "id": "hu2021lora",
    "title": "LoRA",
    "authors": ["Hu, Edward J."],
    "year": 2022,
    "venue": "ICLR",
    "kind": "method",
    "leaves": ["low-rank"],
    "modality": ["LLM"],
    "summary": "A sentence.",
}
LINKS = {
    "acl": ("2021.emnlp-main.468", "https://aclanthology.org/2021.emnlp-main.468/"),
    "doi": ("10.1000/x", "https://doi.org/10.1000/x"),
    "openreview": ("nZeVKeeFYf9", "https://openreview.net/forum?id=nZeVKeeFYf9"),
    "url": ("https://example.org/", "https://example.org/"),
    "arxiv": ("2106.09685", "https://arxiv.org/abs/2106.09685"),
}


def test_link_takes_the_first_identifier_of_the_rule() -> None:
    identifiers = {key: value for key, (value, _) in LINKS.items()}
    for key, (_, link) in LINKS.items():
        paper = Paper.model_validate(PAPER | identifiers)
        assert paper.link == link
        assert paper.arxiv_link == LINKS["arxiv"][1]
        del identifiers[key]


def test_names() -> None:
    authors = ["Hu, Edward J.", {"literal": "Microsoft Research"}, "Ben Zaken, Elad"]
    paper = Paper.model_validate(PAPER | {"arxiv": "2106.09685", "authors": authors})
    names = (Name("Hu", "Edward J."), Name("Microsoft Research"), Name("Ben Zaken", "Elad"))
    assert paper.names == names
    again = Paper.model_validate(PAPER | {"arxiv": "2106.09685", "authors": paper.authors})
    assert again.names == names


def test_models_do_not_change() -> None:
    paper = Paper.model_validate(PAPER | {"arxiv": "2106.09685"})
    with pytest.raises(ValidationError):
        paper.title = "Other"


def test_lookups(tmp_path: Path) -> None:
    catalog = read(write_tree(tmp_path))
    assert list(catalog.nodes) == ["reparameterized", "low-rank", "prompt", "soft"]
    assert list(catalog.leaves) == ["low-rank", "soft"]
    assert catalog.tops["low-rank"].id == "reparameterized"
    assert catalog.paper["hu2021lora"].year == 2022
    assert catalog.venue["ACL"].kind == "conference"
    assert catalog.modality["LLM"].name == "Large language models"
    assert [paper.id for paper in catalog.papers_in["soft"]] == [
        "mao2021unipelt",
        "microsoftndtuning",
        "ruckle2020survey",
    ]
    assert [leaf.id for leaf in catalog.taxonomy[0].leaves()] == ["low-rank"]


def test_read_refuses_what_cannot_be_built_from(tmp_path: Path) -> None:
    faults = {"venue: ICLR": "venue: ICRL", "year: 2020": 'year: "2020"', '"1-13"': "1.5"}
    for good, bad in faults.items():
        with pytest.raises(CatalogError) as error:
            read(write_tree(tmp_path, CATALOG.replace(good, bad)))
        assert len(error.value.findings) == 1
        assert str(error.value).startswith("papers.yaml:")


def test_json_schema_is_deterministic_draft_07() -> None:
    text = json_schema()
    assert text == json_schema()
    assert text.endswith("}\n")
    schema = json.loads(text)
    Draft7Validator.check_schema(schema)
    assert "$defs" not in text
    assert "required" not in json.loads(text)  # a file of entries has no venues
    assert '"null"' not in text
    for word in ("prefixItems", "unevaluatedProperties", "discriminator", "oneOf"):
        assert word not in text
    # draft-07 readers ignore whatever stands beside a reference
    references = [r for r in _objects(schema) if "$ref" in r]
    assert references
    assert all(r.keys() == {"$ref"} for r in references)


def test_another_checker_accepts_the_schema_and_the_catalog(tmp_path: Path) -> None:
    """check-jsonschema is stricter than most on patterns: they must be JavaScript's as well."""
    schema = tmp_path / "papers.schema.json"
    schema.write_text(json_schema(), encoding="utf-8")
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", schema]
    done = subprocess.run([*command, write_tree(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def _objects(value: object) -> list[dict[str, object]]:
    found = []
    if isinstance(value, dict):
        found.append(value)
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            found += _objects(item)
    return found


@pytest.mark.parametrize(
    ("old", "new", "valid"),
    [
        ("", "", True),
        ("year: 2020", 'year: "2020"', False),
        ("    kind: survey", "    kind: servey", False),
        ("    kind: survey", "    knid: survey", False),
        ('    arxiv: "2010.00001"\n', "", False),
        ('"Mao, Yuning"', '"Yuning Mao"', False),
        ("{literal: Microsoft Research}", "{}", False),
        ("[low-rank, soft]", "[soft, soft]", False),
        ("https://example.org/notes", "ftp://example.org/notes", False),
    ],
)
def test_editors_see_what_the_models_see(tmp_path: Path, old: str, new: str, valid: bool) -> None:
    data = load(write_tree(tmp_path, CATALOG.replace(old, new) if old else CATALOG)).data
    assert Draft7Validator(json.loads(json_schema())).is_valid(data) == valid


def test_every_code_of_the_models_is_used_once_a_kind() -> None:
    assert set(CODES.values()) == {f"S1{number:02}" for number in range(1, 12)}
