"""What the Atlas says of itself is what its files say, and what they say agrees."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pybtex.database import parse_string

from tools.data.committed import CommittedError
from tools.data.files import ROOT
from tools.data.project import CITATION, PACKAGE, Project, read_project
from tools.export.own_citation import own_bibtex, own_text
from tools.site import all_pages

CFF = """\
title: A_b Atlas & c
message: Please cite it.
authors:
  - family-names: van der Berg
    given-names: Rücklé
  - name: "The {Group}"
version: 1.2.3
date-released: 2026-01-02
license: [MIT, CC0-1.0]
abstract: Something.
"""
TOML = """\
[project]
version = "1.2.3"
license = "MIT AND CC0-1.0"
requires-python = ">=3.11"
"""


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Project]:
    def read(cff: str = CFF, toml: str = TOML) -> Project:
        (tmp_path / CITATION).write_text(cff, encoding="utf-8")
        (tmp_path / PACKAGE).write_text(toml, encoding="utf-8")
        return read_project(tmp_path)

    return read


def test_the_committed_files_agree() -> None:
    assert read_project(ROOT).title == "Fine-Tuning Atlas"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("version: 1.2.3", "version: 1.2.4", "version: is '1.2.4', but pyproject.toml has '1.2.3'"),
        ("[MIT, CC0-1.0]", "[MIT]", "license: is 'MIT', but pyproject.toml has 'MIT AND CC0-1.0'"),
        ("date-released: 2026-01-02", "date-released: soon", "date-released: "),
        ("message: Please cite it.\n", "", "message: Field required"),
        ("[MIT, CC0-1.0]", "[", "is not YAML: "),
        (CFF, "Atlas", "is not a mapping"),
    ],
)
def test_what_is_wrong_is_named(
    project: Callable[..., Project], old: str, new: str, complaint: str
) -> None:
    with pytest.raises(CommittedError) as error:
        project(CFF.replace(old, new))
    assert str(error.value).startswith(f"CITATION.cff: {complaint}")
    assert "\n" not in str(error.value)


def test_a_file_that_is_missing_or_no_toml_is_named(
    project: Callable[..., Project], tmp_path: Path
) -> None:
    with pytest.raises(CommittedError, match=r"^pyproject\.toml: is not TOML: "):
        project(toml="[project")
    shutil.copy(ROOT / PACKAGE, tmp_path)
    (tmp_path / CITATION).unlink()
    with pytest.raises(CommittedError, match=r"^CITATION\.cff: there is no such file"):
        read_project(tmp_path)


def test_the_citation_is_read_back(project: Callable[..., Project]) -> None:
    (key, entry), *rest = parse_string(own_bibtex(project()), "bibtex").entries.items()
    assert (key, entry.type, rest) == ("abatlasc2026", "misc", [])
    assert entry.fields["year"] == "2026"
    assert entry.fields["title"] == r"{A\_b Atlas \& c}"
    assert entry.fields["note"] == "Version 1.2.3, 2026-01-02"
    person, group = entry.persons["author"]
    assert (person.prelast_names, person.last_names) == (["van", "der"], ["Berg"])
    assert (person.first_names, group.last_names) == (["Rücklé"], [r"{The \{Group\}}"])
    assert own_text(project()) == (
        "Rücklé van der Berg and The {Group} (2026). A_b Atlas & c (version 1.2.3) "
        "[Software and data]."
    )


def test_the_line_of_every_page_has_version_and_license() -> None:
    known = read_project()
    (text,) = all_pages.theme().values()
    assert text.startswith(f"{known.version} · ")
    assert f">{' and '.join(known.license)}</a>" in text
