"""S1xx: the models of `data.schema`. Their errors become findings here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from ..data.findings import nearest
from ..data.schema import PATTERNS, Catalog, Group, Modality, Node, Paper, Venue
from . import Fault, Place, declare

CODES = {
    "missing": "S101",
    "extra_forbidden": "S102",
    "string_type": "S103",
    "int_type": "S103",
    "bool_type": "S103",
    "tuple_type": "S103",
    "dict_type": "S103",
    "model_type": "S103",
    "string_pattern_mismatch": "S104",
    "literal_error": "S105",
    "string_too_short": "S106",
    "too_short": "S106",
    "greater_than_equal": "S107",
    "less_than_equal": "S107",
    "repeated": "S108",
    "no_identifier": "S109",
    "no_year": "S110",
    "leaf_only": "S111",
}
_EXPECTED = {
    "string_type": "a text; write it in quotes if it looks like a number",
    "int_type": "a whole number without quotes",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}
# What was a key once, and where what it held is said now
_GONE = {"implementations": "not needed any more: a method's file declares its leaf and its paper"}
_SECTIONS: dict[str, type[BaseModel]] = {
    "modalities": Modality,
    "taxonomy": Node,
    "venues": Venue,
    "papers": Paper,
}


def faults(error: ValidationError) -> Iterator[tuple[str, Fault]]:
    """The models' errors as pairs of a rule's code and a fault."""
    errors = [(_path(e["loc"]), e) for e in error.errors(include_url=False, include_input=True)]
    # A list that loses its only item to an error counts as empty: not worth saying.
    above = {path[:depth] for path, _ in errors for depth in range(len(path))}
    errors = [(path, e) for path, e in errors if e["type"] != "too_short" or path not in above]
    misspelt: set[Place] = set()
    for path, e in errors:
        if e["type"] == "extra_forbidden":
            if path[-1] in _GONE:
                yield "S102", Fault(path, f"is {_GONE[path[-1]]}; delete the key")
                continue
            suggestion = nearest(str(path[-1]), _fields(path))
            misspelt.add((*path[:-1], suggestion or ""))
            yield "S102", Fault(path, f"'{path[-1]}' is not a key here", suggestion)
    for path, e in errors:
        if e["type"] == "extra_forbidden" or (e["type"] == "missing" and path in misspelt):
            continue
        yield CODES.get(e["type"], "S103"), _fault(path, e)


def model_of(path: Place) -> type[BaseModel]:
    """The model of the mapping that the last part of `path` is a key of."""
    if len(path) < 2:
        return Catalog
    return Group if "authors" in path else _SECTIONS[str(path[0])]


def _fields(path: Place) -> list[str]:
    return list(model_of(path).model_fields)


def _path(loc: tuple[str | int, ...]) -> Place:
    return tuple(part for part in loc if part not in ("<person>", "<group>"))


def _fault(path: Place, error: Any) -> Fault:
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "missing":
        return Fault(path, "is missing")
    if kind in _EXPECTED:
        return Fault(path, f"must be {_EXPECTED[kind]}")
    if kind == "string_pattern_mismatch":
        return Fault(path, f"'{value}' is not {PATTERNS[context['pattern']]}")
    if kind == "literal_error":
        message = f"'{value}' is not one of {context['expected']}".replace(" or ", ", ")
        choices = context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return Fault(path, message, nearest(str(value), choices))
    if kind in ("string_too_short", "too_short"):
        return Fault(path, "is empty")
    if kind in ("greater_than_equal", "less_than_equal"):
        return Fault(path, f"{value} is out of range: {error['msg'].removeprefix('Input ')}")
    return Fault(path, error["msg"])


declare(
    "S101",
    "Missing key",
    "An entry lacks a key that every entry of its section has.",
    bad="venue: ICLR",
    good="venue: ICLR\n    kind: method",
)
declare(
    "S102",
    "Unknown key",
    "A key that the schema does not know is nearly always a slip of the keyboard, and what it "
    "holds would never be shown.",
    bad="modalities: [LLM]",
    good="modality: [LLM]",
)
declare(
    "S103",
    "Wrong type",
    "A value has another type than the schema asks for: text where a list should be, a quoted "
    "year, a number where a text should be.",
    bad='year: "2022"',
    good="year: 2022",
)
declare(
    "S104",
    "Malformed value",
    "Ids, identifiers, names, colors, page ranges and links have a fixed form. Identifiers are "
    "written without their resolver and without a version; links are http or https; authors are "
    "'Family, Given', so that no program has to guess where a name splits.",
    bad='arxiv: "arXiv:2106.09685v2"',
    good='arxiv: "2106.09685"',
)
declare(
    "S105",
    "Not in the closed list",
    "The kinds of papers and of venues are closed lists.",
    bad="kind: methods",
    good="kind: method",
)
declare(
    "S106",
    "Empty",
    "A text or a list that must hold something is empty. Leave out an optional key instead.",
    bad="authors: []",
    good='authors: ["Rücklé, Andreas"]',
)
declare(
    "S107",
    "Out of range",
    "A year lies between 1950 and 2100.",
    bad="year: 20222",
    good="year: 2022",
)
declare(
    "S108",
    "Listed twice",
    "A list of ids or titles names the same one twice.",
    bad="leaves: [low-rank, low-rank]",
    good="leaves: [low-rank]",
)
declare(
    "S109",
    "No identifier and no link",
    "A paper needs at least one of arxiv, doi, acl, openreview and url: otherwise nobody can get "
    "from the catalog to the paper.",
    bad="an entry without any of the five keys",
    good="an entry with arxiv, doi, acl, openreview or url",
)
declare(
    "S110",
    "No year",
    "Only a blog post, a course or a code repository may be undated.",
    bad="venue: ICLR",
    good="year: 2022\n    venue: ICLR",
)
declare(
    "S111",
    "Key of a leaf on a branch",
    "Names in other taxonomies belong to leaves; a node that has children is a branch.",
    bad="a node with both children and elsewhere",
    good="elsewhere on each leaf below the node",
)
