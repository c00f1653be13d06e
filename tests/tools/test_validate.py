"""The command line, as a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.tools.small_catalog import CATALOG, write_generated, write_tree
from tools.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
FAULTS = CATALOG.replace("venue: ICLR", "venue: ICRL").replace("year: 2020", "year: 2010")


def tools(*arguments: str | Path, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | env
    return subprocess.run(
        [sys.executable, "-m", "tools", *map(str, arguments)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_clean(tmp_path: Path) -> None:
    path = write_tree(tmp_path)
    write_generated(tmp_path)
    done = tools("validate", path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "5 entries, 0 findings\n", "")


def test_text_from_another_directory(tmp_path: Path) -> None:
    write_tree(tmp_path, FAULTS)
    done = tools("validate", "papers.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == (
        "papers.yaml:55:5 S204 hu2021lora.venue: 'ICRL' is not a venue; did you mean 'ICLR'?"
    )
    assert lines[1].startswith("papers.yaml:111:5 S401 ruckle2020survey.year: ")
    assert lines[2:] == ["5 entries, 2 findings"]


def test_json(tmp_path: Path) -> None:
    done = tools("validate", "--format", "json", write_tree(tmp_path, FAULTS))
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["summary"] == "5 entries, 2 findings"
    assert [(f["code"], f["line"]) for f in report["findings"]] == [("S204", 55), ("S401", 111)]


def test_github(tmp_path: Path) -> None:
    write_tree(tmp_path, FAULTS)
    done = tools("validate", "--format", "github", "papers.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == (
        "::error file=papers.yaml,line=55,col=5,title=S204::S204 hu2021lora.venue: "
        "'ICRL' is not a venue; did you mean 'ICLR'?"
    )


@pytest.mark.parametrize("name", ["none.yaml", "."])
def test_no_file_to_read(tmp_path: Path, name: str) -> None:
    done = tools("validate", tmp_path / name)
    assert done.returncode == 2
    assert done.stdout == ""
    assert str(tmp_path) in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_failure_of_the_tool_is_one_line_and_status_2(tmp_path: Path) -> None:
    """A summary file that cannot be written is nobody's finding."""
    path = write_tree(
        tmp_path, CATALOG.replace("venue: ACL", "venue: ACLX").replace("[LLM]", "[X]")
    )
    many = path.read_text(encoding="utf-8").replace("[low-rank]", "[a, b, c, d, e, f, g, h]")
    path.write_text(many, encoding="utf-8")
    done = tools("validate", "--format", "github", path, GITHUB_STEP_SUMMARY=str(tmp_path / "no/x"))
    assert done.returncode == 2
    assert done.stderr.startswith("tools validate: FileNotFoundError:")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("said", "shown"), [("a\n  b\n", "a b"), ("", "no message")])
def test_whatever_an_error_says_is_one_line(
    said: str, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(options: object) -> int:
        raise RuntimeError(said)

    monkeypatch.setattr("tools.commands.validate.main", fail)
    assert main(["validate"]) == 2
    assert capsys.readouterr().err == f"tools validate: RuntimeError: {shown}\n"


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["validate", "--format", "xml"]])
def test_wrong_usage(arguments: list[str]) -> None:
    done = tools(*arguments)
    assert done.returncode == 2
    assert "usage: python -m tools" in done.stderr


@pytest.mark.parametrize("python", ["bin/python3", "copy/.venv/bin/python"])
def test_executable_is_the_same_program(tmp_path: Path, python: str) -> None:
    """With the python3 on the path, or the copy's own; not misled by a package called `tools`."""
    write_tree(tmp_path, FAULTS)
    expected = tools("validate", "papers.yaml", cwd=tmp_path)
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/__init__.py").write_text("raise SystemExit(9)\n")
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "tools", copy / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    wrapper = tmp_path / python
    wrapper.parent.mkdir(parents=True)
    wrapper.write_text(f'#!/bin/sh\necho "$0" >"{tmp_path}/ran"\nexec "{sys.executable}" "$@"\n')
    wrapper.chmod(0o755)
    done = subprocess.run(
        [copy / "tools/validate", "papers.yaml"],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, expected.stdout), done.stderr
    assert (tmp_path / "ran").read_text() == f"{wrapper}\n"


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    """Neither torch nor transformers nor the implementations; for --help not even pydantic."""
    path = write_tree(tmp_path)
    write_generated(tmp_path)
    program = (
        "import sys; from tools.__main__ import main\n"
        "print('pydantic' in sys.modules)\n"
        f"status = main(['validate', {str(path)!r}])\n"
        "heavy = {'torch', 'transformers', 'numpy', 'reference_impls', 'mkdocs'}\n"
        "print(status, sorted(heavy & sys.modules.keys()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == ["False", "5 entries, 0 findings", "0 []"], done.stderr


def test_it_runs_as_a_part_of_another_package(tmp_path: Path) -> None:
    """That is how it is installed. Every command says how it is called, and each rule is found."""
    path = write_tree(tmp_path)
    write_generated(tmp_path)
    (tmp_path / "house").mkdir()
    (tmp_path / "house/tools").symlink_to(ROOT / "tools")
    program = (
        "import sys; from house.tools.__main__ import main\n"
        "from house.tools import atlas, rules\n"
        "from house.tools.commands.manual import manual\n"
        "from house.tools.data.files import ROOT\n"
        "from house.tools.site.all_pages import pages\n"
        f"status = main(['validate', {str(path)!r}])\n"
        "made = pages(atlas.load(ROOT), '', manual())\n"
        "print(status, len(rules.load()) > 60, 'commands.md' in made, 'tools' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == ["5 entries, 0 findings", "0 True True False"], done.stderr


def test_without_its_libraries_a_command_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "pydantic.py").write_text("raise ModuleNotFoundError(name='pydantic')")
    done = subprocess.run(
        [sys.executable, "-m", "tools", "validate"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    need = "this needs pydantic: pip install 'fine-tuning-atlas[catalog]'"
    assert (done.returncode, done.stderr) == (2, f"tools validate: {need}\n")


def test_what_is_no_code_is_installed_with_it() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["*"]
    folders = {path.parent for path in (ROOT / "tools").rglob("*.py")}
    packed = {path for folder in folders for pattern in patterns for path in folder.glob(pattern)}
    kinds = (".j2", ".css", ".js", ".svg", ".toml")
    assert packed >= {path for path in (ROOT / "tools").rglob("*") if path.suffix in kinds}


def test_the_catalogs_that_benchmarks_run_on_are_clean(tmp_path: Path) -> None:
    script = [sys.executable, ROOT / "benchmarks/synthetic.py", tmp_path, "1000"]
    subprocess.run(script, check=True, capture_output=True)
    done = tools("validate", tmp_path / "papers.yaml")
    assert (done.returncode, done.stdout) == (0, "1,000 entries, 0 findings\n")
