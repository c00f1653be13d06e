"""Which files the rules about names look at: those of a commit, with git or without."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools.data.files import ROOT
from tools.rules.files import refused, repository_files

NAMES = ("a?b.md", "docs/c.md", "site/d.html", ".venv/e.py", "pkg.egg-info/f", "x/__pycache__/g")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x", encoding="utf-8")
    return tmp_path


def test_without_git_what_is_built_or_kept_aside_is_left_out(tree: Path) -> None:
    assert repository_files(tree) == ["a?b.md", "docs/c.md"]


def test_with_git_what_would_be_committed_counts(tree: Path) -> None:
    (tree / ".gitignore").write_text("/site/\n/docs/\n.venv\n", encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=tree, check=True)
    subprocess.run(["git", "add", "--force", "docs/c.md"], cwd=tree, check=True)
    expected = [".gitignore", "a?b.md", "docs/c.md", "pkg.egg-info/f", "x/__pycache__/g"]
    assert repository_files(tree) == expected


def test_a_folder_that_git_cannot_read_is_walked(tree: Path) -> None:
    (tree / ".git").write_text("gitdir: /nowhere\n", encoding="utf-8")
    assert repository_files(tree) == ["a?b.md", "docs/c.md"]


@pytest.mark.parametrize(
    "name", ["console.md", "com10", "nullable.py", "a.b.c", "docs/con-text.md", "é.md", "-", "lpt"]
)
def test_names_that_only_look_odd_are_taken(name: str) -> None:
    assert refused(name) == ""


@pytest.mark.parametrize("name", ["NUL", "a/aux.tar.gz", "COM1", "lpt³.x", "con .md"])
def test_devices_are_refused_however_they_are_written(name: str) -> None:
    assert "device" in refused(name)


def test_the_repository_has_files_to_look_at() -> None:
    found = repository_files(ROOT)
    assert "papers.yaml" in found
    assert not [name for name in found if name.startswith("site/")]
