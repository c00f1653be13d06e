"""`python -m tools build`: the same bytes each time, nothing half-written, nothing left behind."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.tools.small_catalog import METHOD, METHOD_PATH, write_tree
from tests.tools.test_runs import MEASURED, run, write
from tools.commands import build
from tools.data.files import ROOT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_tree(tmp_path)
    shutil.copy(ROOT / "CONTRIBUTING.md", tmp_path)
    write(tmp_path, run())
    (tmp_path / "reference_impls" / "lora.py").unlink()
    return tmp_path


def contents(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_every_page_is_written(root: Path) -> None:
    assert build.build(root=root) == 0
    docs = root / "docs"
    for page in ("index", "papers/hu2021lora", "papers/index", "taxonomy/soft", "methods/lora"):
        assert (docs / f"{page}.md").read_text().startswith("---\ntitle: ")
    assert (root / "README.md").read_text().startswith("# Fine-Tuning Atlas")
    assert (root / "papers.schema.json").is_file()


def test_the_same_bytes_on_every_run_and_no_file_touched(root: Path) -> None:
    build.build(root=root)
    before = contents(root)
    times = {path: (root / path).stat().st_mtime_ns for path in before}
    assert build.build(root=root) == 0
    assert contents(root) == before
    assert {path: (root / path).stat().st_mtime_ns for path in before} == times


def test_pages_of_what_is_gone_are_removed_and_others_kept(root: Path) -> None:
    build.build(root=root)
    gone = [root / "docs" / name for name in ("papers/x.md", "methods/y.md", "taxonomy/z.md")]
    kept = [root / "docs" / name for name in ("reading.md", "assets/a.md", "papers/figure.svg")]
    for path in gone + kept:
        path.parent.mkdir(exist_ok=True)
        path.write_text("text")
    build.build(root=root)
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in kept)


@pytest.mark.parametrize("name", ["README.md", "papers.schema.json"])
def test_check_names_what_is_stale_and_writes_nothing(
    root: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    build.build(root=root)
    assert build.build(check=True, root=root) == 0
    for spoil in (
        lambda path: path.write_text(path.read_text() + "\n"),
        lambda path: path.unlink(),
    ):
        spoil(root / name)
        before = contents(root)
        capsys.readouterr()
        assert build.build(check=True, root=root) == 1
        assert contents(root) == before
        assert capsys.readouterr().err == f"{name} is not current: run `python -m tools build`\n"


def test_a_changed_title_makes_the_readme_stale(root: Path) -> None:
    build.build(root=root)
    catalog = root / "papers.yaml"
    catalog.write_text(catalog.read_text().replace("A Survey", "A Study"))
    assert build.build(check=True, root=root) == 1


@pytest.mark.parametrize(
    ("path", "old", "new", "message"),
    [
        ("papers.yaml", "venue: ICLR", "venue: ICRL", "S204"),
        (
            METHOD_PATH,
            "B A x $$",
            "\\frac{B} $$",
            "lora.py: the formula $h = W x + \\frac{B}$ lacks",
        ),
        (
            METHOD_PATH,
            "-rank adaptation.",
            "-rank $\\frac{B}$.",
            "lora.py: the formula $\\frac{B}$",
        ),
        (METHOD_PATH, 'leaf = "low-rank"', 'leaf = "lowrank"', "has no leaf 'lowrank'"),
        (METHOD_PATH, 'leaf = "low-rank"', 'leaf = "rank"', "the catalog has no leaf 'rank'"),
        (METHOD_PATH, 'name = "lora"', "name = lora", "must be a literal"),
        (
            f"{MEASURED}/runs.json",
            '"steps": 300',
            '"steps": "x"',
            "lora/measured/runs.json: cue.steps: ",
        ),
    ],
)
def test_what_cannot_be_built_is_named_and_nothing_is_written(
    root: Path,
    path: str,
    old: str,
    new: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = (root / path).read_text()
    assert old in text
    (root / path).write_text(text.replace(old, new))
    before = contents(root)
    assert build.build(root=root) == 1
    assert contents(root) == before
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "page.md"
    build.write(path, "old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        build.write(path, "new")
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["page.md"]


def test_a_method_page_shows_its_run(root: Path) -> None:
    build.build(root=root)
    page = (root / "docs/methods/lora.md").read_text()
    assert "90.0% | 80.0% to 100.0% | 50.0% | 1 | 1 | 2 | 2.0" in page
    assert "from random weights the same training reaches\n50% on Cue. " in page
    assert "<svg" in page
    assert "python -m reference_impls train lora" in page
    assert METHOD.splitlines()[-1].strip() in page
    assert "before the code's last change" in page  # its source is not among the files here
