"""The catalog's schema: what `papers.yaml` may hold, as pydantic models.

The same models give `papers.schema.json` (`data/json_schema.py`), which editors read.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
    Tag,
    model_validator,
)
from pydantic_core import PydanticCustomError

PAPER_ID = r"^[a-z]+([0-9]{4}|nd)[a-z0-9]+$"
NODE_ID = r"^[a-z][a-z0-9-]*$"
MODALITY_ID = r"^[A-Z][A-Za-z]*$"
COLOR = r"^#[0-9a-f]{6}$"
PERSON = r"^[^\s,][^,]*, [^\s,][^,]*$"
ARXIV = r"^([0-9]{4}\.[0-9]{4,5}|[a-z-]+(\.[A-Z]{2})?/[0-9]{7})$"
DOI = r'^10\.[0-9]{4,9}/[^\s"<>{}\\]+$'
ACL = r"^([0-9]{4}\.[a-z0-9]+-[a-z0-9]+\.[0-9]+|[A-Z][0-9]{2}-[0-9]{4,5})$"
OPENREVIEW = r"^[A-Za-z0-9_-]{6,20}$"
PAGES = r"^[A-Za-z]?[0-9]+(:[0-9]+)?(-[A-Za-z]?[0-9]+(:[0-9]+)?)?$"
DATE = r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
LINK = r'^https?://[^\s/<>"\\^`{|}]+(/[^\s<>"\\^`{|}]*)?$'

# What a value of each pattern is, for messages.
PATTERNS = {
    PAPER_ID: "family name, year (or nd) and a word in lower-case ASCII, such as hu2021lora",
    NODE_ID: "lower-case words joined by hyphens, such as low-rank",
    MODALITY_ID: "a short name of letters, such as LLM",
    COLOR: "a color of six lower-case hexadecimal digits, such as '#1a6b3c'",
    PERSON: "'Family, Given' with one comma; write {literal: …} for a group",
    ARXIV: "an arXiv identifier without its version, such as '2106.09685'",
    DOI: "a DOI without its resolver, such as '10.18653/v1/2021.acl-long.353'",
    ACL: "an ACL Anthology identifier, such as '2021.emnlp-main.468' or 'P18-1031'",
    OPENREVIEW: "an OpenReview forum identifier, such as nZeVKeeFYf9",
    DATE: "a day, such as '2026-11-21'",
    PAGES: "a page or a range with one hyphen, such as '2790-2799'",
    LINK: "an http or https link, with anything unusual in it percent-encoded",
}

# Kinds of entries that are no papers: only these may have no year.
RESOURCES = ("blog", "course", "code")

T = TypeVar("T")


def _all_different(values: tuple[T, ...]) -> tuple[T, ...]:
    seen: set[T] = set()
    for value in values:
        if value in seen:
            raise PydanticCustomError("repeated", "'{value}' is listed twice", {"value": value})
        seen.add(value)
    return values


def _author_kind(value: Any) -> str:
    return "<group>" if isinstance(value, dict | Group) else "<person>"


Text = Annotated[str, StringConstraints(min_length=1)]
PaperId = Annotated[str, StringConstraints(pattern=PAPER_ID)]
NodeId = Annotated[str, StringConstraints(pattern=NODE_ID)]
ModalityId = Annotated[str, StringConstraints(pattern=MODALITY_ID)]
Link = Annotated[str, StringConstraints(pattern=LINK), Field(json_schema_extra={"format": "uri"})]
Distinct = [AfterValidator(_all_different), Field(json_schema_extra={"uniqueItems": True})]


class Model(BaseModel):
    """Unknown keys are errors, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Group(Model):
    """An author that is a group: its name is not split."""

    literal: Text


class Name(NamedTuple):
    """An author's name. `given` is empty exactly for groups."""

    family: str
    given: str = ""


Author = Annotated[
    Annotated[str, StringConstraints(pattern=PERSON), Tag("<person>")]
    | Annotated[Group, Tag("<group>")],
    Discriminator(_author_kind),
]


class Modality(Model):
    """What the models read and write: the catalog's second axis."""

    id: ModalityId
    name: Text
    description: Text


class Node(Model):
    """A branch of the taxonomy (it has children) or a leaf (it has none)."""

    id: NodeId
    name: Text
    description: Text = Field(description="One paragraph of plain text.")
    main: StrictBool = Field(
        default=False,
        description="Top-level branches only: every leaf below needs an implementation.",
    )
    aliases: Annotated[tuple[Text, ...], *Distinct] = Field(
        default=(), description="Other words by which people look for it, such as RLHF."
    )
    no_code: Text | None = Field(
        default=None, description="Leaves only: why there is nothing to implement in it."
    )
    open: StrictBool = Field(
        default=False,
        description="Leaves of a main branch only: an implementation is still wanted.",
    )
    children: tuple[Node, ...] = ()
    elsewhere: dict[str, Text] = Field(
        default={},
        description="Leaves only: id of a survey -> the name of its category for this leaf.",
    )

    @model_validator(mode="after")
    def _branches_hold_no_leaf_keys(self) -> Node:
        for key in ("elsewhere", "no_code", "open"):
            if self.children and getattr(self, key):
                raise PydanticCustomError(
                    "leaf_only", "only a leaf may have {key}; this node has children", {"key": key}
                )
        return self

    @property
    def is_leaf(self) -> bool:
        return not self.children

    def walk(self) -> Iterator[Node]:
        """This node and all below it, parents first, in the catalog's order."""
        yield self
        for child in self.children:
            yield from child.walk()

    def leaves(self) -> Iterator[Node]:
        """The leaves below this node (the node itself where it is one)."""
        return (node for node in self.walk() if node.is_leaf)


class Venue(Model):
    """Where papers appear."""

    id: Text = Field(description="Short name, shown on the badge.")
    name: Text
    kind: Literal["conference", "journal", "workshop", "preprint", "report", "web"]
    url: Link
    color: Annotated[str, StringConstraints(pattern=COLOR)] = Field(
        description="The badge's background; contrast with white text at least 4.5."
    )


class Paper(Model):
    """One work: a paper, a survey, a blog post, a course or code."""

    id: PaperId = Field(description="Family name, year of first publication (or nd), a word.")
    title: Text
    authors: tuple[Author, ...] = Field(
        min_length=1, description="'Family, Given' each; {literal: …} for a group."
    )
    year: Annotated[StrictInt, Field(ge=1950, le=2100)] | None = Field(
        default=None,
        description="Year of the official publication; only a blog, course or code may have none.",
    )
    venue: Text = Field(description="Id of a venue.")
    kind: Literal["method", "analysis", "survey", "theory", "benchmark", "blog", "course", "code"]
    leaves: Annotated[tuple[NodeId, ...], *Distinct] = Field(
        min_length=1, description="Ids of leaves of the taxonomy."
    )
    modality: Annotated[tuple[ModalityId, ...], *Distinct] = Field(
        min_length=1, description="Ids of modalities."
    )
    arxiv: Annotated[str, StringConstraints(pattern=ARXIV)] | None = Field(
        default=None, description="arXiv identifier in quotes, without its version."
    )
    doi: Annotated[str, StringConstraints(pattern=DOI)] | None = Field(
        default=None, description="DOI in quotes, without its resolver."
    )
    acl: Annotated[str, StringConstraints(pattern=ACL)] | None = Field(
        default=None, description="ACL Anthology identifier in quotes."
    )
    openreview: Annotated[str, StringConstraints(pattern=OPENREVIEW)] | None = Field(
        default=None, description="OpenReview forum identifier."
    )
    url: Link | None = Field(
        default=None, description="Canonical page where no identifier gives one."
    )
    code: Link | None = Field(default=None, description="The authors' own code.")
    pages: Annotated[str, StringConstraints(pattern=PAGES)] | None = None
    also_titled: Annotated[tuple[Text, ...], *Distinct] = ()
    summary: Text = Field(description="One sentence, ending with a full stop.")
    note: Text | None = Field(default=None, description="One line by the curator.")
    builds_on: Annotated[tuple[PaperId, ...], *Distinct] = Field(
        default=(),
        description="Ids of the papers whose method this one extends, combines or changes.",
    )
    related: Annotated[tuple[PaperId, ...], *Distinct] = ()
    start_here: Text | None = Field(
        default=None, description="Why it is one of the works of its first leaf to read first."
    )
    added: Annotated[str, StringConstraints(pattern=DATE)] | None = Field(
        default=None, description="Day on which the entry was added, in quotes: feeds go by it."
    )

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"required": [key]} for key in ("arxiv", "doi", "acl", "openreview", "url")]
        }
    )

    @model_validator(mode="after")
    def _can_be_found(self) -> Paper:
        if not (self.arxiv or self.doi or self.acl or self.openreview or self.url):
            raise PydanticCustomError(
                "no_identifier", "needs at least one of arxiv, doi, acl, openreview, url"
            )
        return self

    @model_validator(mode="after")
    def _is_dated(self) -> Paper:
        if self.year is None and self.is_paper:
            raise PydanticCustomError(
                "no_year", "year is missing; only a blog, course or code may have none"
            )
        return self

    def __hash__(self) -> int:
        return hash(self.id)  # what pydantic gives goes over every field, and much is kept by paper

    @property
    def is_paper(self) -> bool:
        """Whether it is a paper, published or a preprint, and not another resource."""
        return self.kind not in RESOURCES

    @cached_property
    def names(self) -> tuple[Name, ...]:
        """The authors, with family and given names apart."""
        return tuple(
            Name(author.literal)
            if isinstance(author, Group)
            else Name(*map(str.strip, author.split(",", 1)))
            for author in self.authors
        )

    @property
    def link(self) -> str:
        """The one link to the work: official publication first, preprint last."""
        if self.acl:
            return f"https://aclanthology.org/{self.acl}/"
        if self.doi:
            return f"https://doi.org/{self.doi}"
        if self.openreview:
            return f"https://openreview.net/forum?id={self.openreview}"
        return self.url or self.arxiv_link or ""

    @property
    def arxiv_link(self) -> str | None:
        return f"https://arxiv.org/abs/{self.arxiv}" if self.arxiv else None


class Catalog(Model):
    """Fine-Tuning Atlas: the catalog of papers."""

    modalities: tuple[Modality, ...]
    taxonomy: tuple[Node, ...]
    venues: tuple[Venue, ...]
    papers: tuple[Paper, ...]

    @cached_property
    def nodes(self) -> dict[str, Node]:
        """Every branch and leaf by id, in the catalog's order."""
        return {node.id: node for top in self.taxonomy for node in top.walk()}

    @cached_property
    def leaves(self) -> dict[str, Node]:
        """Every leaf by id, in the catalog's order."""
        return {leaf: node for leaf, node in self.nodes.items() if node.is_leaf}

    @cached_property
    def tops(self) -> dict[str, Node]:
        """The top-level branch of every node, by the node's id."""
        return {node.id: top for top in self.taxonomy for node in top.walk()}

    @cached_property
    def paper(self) -> dict[str, Paper]:
        """Papers by id."""
        return {paper.id: paper for paper in self.papers}

    @cached_property
    def venue(self) -> dict[str, Venue]:
        """Venues by id."""
        return {venue.id: venue for venue in self.venues}

    @cached_property
    def modality(self) -> dict[str, Modality]:
        """Modalities by id."""
        return {modality.id: modality for modality in self.modalities}

    @cached_property
    def papers_in(self) -> dict[str, tuple[Paper, ...]]:
        """The papers of every leaf, by the leaf's id, in the catalog's order."""
        found: dict[str, list[Paper]] = {leaf: [] for leaf in self.leaves}
        for paper in self.papers:
            for leaf in paper.leaves:
                found[leaf].append(paper)
        return {leaf: tuple(papers) for leaf, papers in found.items()}
