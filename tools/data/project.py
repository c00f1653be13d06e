"""What the Atlas says of itself: version, license, and how it wants to be cited.

`pyproject.toml` has the version, `CITATION.cff` the citation (https://citation-file-format.github.io);
where both say a thing they agree.
"""

from __future__ import annotations

import datetime
import tomllib
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from .committed import CommittedError, first_fault
from .files import ROOT

CITATION, PACKAGE = "CITATION.cff", "pyproject.toml"
Text = Annotated[str, Field(min_length=1)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Person(_Model):
    family: Text = Field(alias="family-names")
    given: Text = Field(alias="given-names")


class Group(_Model):
    name: Text


class Project(_Model):
    """CITATION.cff, as far as it is shown; `python` is what pyproject.toml demands."""

    title: Text
    message: Text
    authors: Annotated[tuple[Person | Group, ...], Field(min_length=1)]
    version: Text
    released: datetime.date = Field(alias="date-released")
    license: Annotated[tuple[Text, ...], Field(min_length=1)]
    abstract: Text
    python: Text


_FILE = TypeAdapter(Project)


def read_project(root: Path = ROOT) -> Project:
    """What the two files below `root` say. Raises CommittedError naming file and field."""
    try:
        package = tomllib.loads(_text(root, PACKAGE)).get("project", {})
    except tomllib.TOMLDecodeError as error:
        raise CommittedError(f"{PACKAGE}: is not TOML: {error}") from None
    try:
        given = yaml.safe_load(_text(root, CITATION))
    except yaml.YAMLError as error:
        raise CommittedError(f"{CITATION}: is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(given, dict):
        raise CommittedError(f"{CITATION}: is not a mapping of keys")
    try:
        project = _FILE.validate_python({**given, "python": package.get("requires-python")})
    except ValidationError as error:
        raise CommittedError(f"{CITATION}: {first_fault(error)}") from None
    said = {
        "version": (project.version, package.get("version")),
        "license": (" AND ".join(project.license), package.get("license")),
    }
    for field, (cited, packaged) in said.items():
        if cited != packaged:
            raise CommittedError(
                f"{CITATION}: {field}: is {cited!r}, but {PACKAGE} has {packaged!r}"
            )
    return project


def _text(root: Path, name: str) -> str:
    try:
        return (root / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CommittedError(f"{name}: there is no such file") from None
