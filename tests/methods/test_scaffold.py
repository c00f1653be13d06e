"""A folder for a new method: what is refused, what is in it, and what is left to do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from reference_impls import scaffold
from reference_impls.__main__ import main
from reference_impls.core.registry import method_files
from tools.commands.validate import validate
from tools.data.files import ROOT
from tools.data.implementations import read
from tools.data.official import Settings

MODEL = method_files()["lora"]
ARGUMENTS = ["--leaf", "low-rank", "--like", "lora"]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a method of two words made in it; what was printed is in `said`."""
    root = tmp_path_factory.mktemp("copy")
    skipped = shutil.ignore_patterns("__pycache__", "weights")
    shutil.copytree(ROOT / "reference_impls", root / "reference_impls", ignore=skipped)
    for name in ("papers.yaml", "papers.schema.json", "README.md"):
        shutil.copy(ROOT / name, root)
    shutil.copytree(ROOT / "papers", root / "papers")
    done = make(root, "two_words", *ARGUMENTS)
    assert done.returncode == 0, done.stderr
    (root / "said").write_text(done.stdout, encoding="utf-8")
    return root


def make(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command where nothing can import torch."""
    (root / "bare").mkdir(exist_ok=True)
    (root / "bare" / "torch.py").write_text("raise ImportError('torch')", encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "reference_impls", "new", *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": f"{root / 'bare'}"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["Two", *ARGUMENTS], "'Two' is no name"),
        (["two-words", *ARGUMENTS], "small letters"),
        (["class", *ARGUMENTS], "'class' is no name"),
        (["2nd", *ARGUMENTS], "'2nd' is no name"),
        (["lora", *ARGUMENTS], "there is a method called 'lora'"),
        (["x", "--leaf", "low-rnak", "--like", "lora"], "did you mean 'low-rank'?"),
        (["x", "--leaf", "reparameterized", "--like", "lora"], "no leaf 'reparameterized'"),
        (["x", "--leaf", "low-rank", "--like", "lroa"], "did you mean 'lora'?"),
        (["x", *ARGUMENTS, "--title", 'A "B"'], "no quotes"),
        (["x", *ARGUMENTS, "--paper", "hu2021lroa"], "did you mean 'hu2021lora'?"),
        (["x", *ARGUMENTS, "--paper", "nobody"], "no paper 'nobody'; first python -m tools add"),
        (["x", "--leaf", "low-rank"], "--like"),
    ],
)
def test_what_will_not_do_is_refused_in_one_line(arguments, complaint, copy, monkeypatch, capsys):
    monkeypatch.setattr(scaffold, "PACKAGE", copy / "reference_impls")
    before = set(copy.rglob("*"))
    try:
        status = main(["new", *arguments])
    except SystemExit as stop:  # argparse's own refusals
        status = stop.code
    assert (status, set(copy.rglob("*"))) == (2, before)
    assert complaint in capsys.readouterr().err.splitlines()[-1]


def test_the_folder_holds_the_other_methods_code_under_its_own_name(copy):
    folder = copy / "reference_impls" / "reparameterized" / "two_words"
    names = ["__init__.py", "card.toml", "mutants.toml", "official.toml"]
    names += ["test_two_words.py", "two_words.py"]
    assert sorted(path.name for path in folder.iterdir()) == names
    text = (folder / "two_words.py").read_text(encoding="utf-8")
    kept = MODEL.read_text(encoding="utf-8").split("\n    frozen_base", 1)[1]
    assert text.endswith(kept.replace("LoRA", "TwoWords"))
    assert "class TwoWords(" in text
    assert (folder / "__init__.py").read_text() == "from .two_words import TwoWords as TwoWords\n"
    card = tomllib.loads((folder / "card.toml").read_text(encoding="utf-8"))
    assert card.keys() == {"drawing", "beside", "contract"}  # no count that others print
    assert card["beside"].keys() == {"equation"}  # and no detail of another page
    asked = tomllib.loads((folder / "official.toml").read_text(encoding="utf-8"))["settings"]
    assert asked.keys() == Settings.model_fields.keys()
    for command in (["check", "--ignore", "S101"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--config", str(ROOT / "pyproject.toml")]
        done = subprocess.run([*ruff, str(folder)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("every", [10, pytest.param(1, marks=pytest.mark.night)])
def test_every_method_can_be_the_model(copy, monkeypatch, every):
    monkeypatch.setattr(scaffold, "PACKAGE", copy / "reference_impls")
    for like, path in list(method_files().items())[::every]:
        scaffold.new(f"like_{like}", leaf="gated", like=like, paper="mao2021unipelt")
        made = copy / "reference_impls" / "hybrid" / f"like_{like}" / f"like_{like}.py"
        own, other = read(made, copy), read(path, ROOT)
        assert (own.name, own.leaf, own.paper) == (f"like_{like}", "gated", "mao2021unipelt")
        assert (own.branch, own.hyperparameters) == ("hybrid", other.hyperparameters)
        compile(made.read_text(encoding="utf-8"), made.name, "exec")
        card = tomllib.loads(made.with_name("card.toml").read_text(encoding="utf-8"))
        assert not card.keys() & {"architectures", "published", "baseline"}
        shutil.rmtree(made.parent)


def test_validate_names_what_a_person_has_to_write(copy):
    folder = copy / "reference_impls" / "reparameterized" / "two_words"
    findings = [f for f in validate(copy / "papers.yaml")[0] if Path(f.path).parent == folder]
    assert {Path(f.path).name for f in findings} == {"two_words.py", "card.toml", "official.toml"}
    said = {finding.code: finding.message for finding in findings}
    assert said.keys() == {"S705", "S706", "S710", "S711", "S712", "S714"}
    assert all(part in said["S706"] for part in ("a title", "**Count:**", "'Source: …'"))
    assert "measure two_words" in said["S711"]
    assert said["S712"].startswith("has no planted faults; add 3 to")


def test_what_is_left_is_printed_in_order(copy):
    said = (copy / "said").read_text(encoding="utf-8").splitlines()
    order = ("tools add", "two_words.py", "pytest", "mutants/plant.py", "card.toml")
    order += ("official.toml", "measure")
    assert [word in line for word, line in zip(order, said[1:])] == [True] * len(order)
    assert [line.split(": ")[-1] for line in said[-2:]] == [
        "tools/validate",
        "python -m tools build",
    ]


def test_paper_title_and_a_class_name_that_is_taken(copy):
    done = make(copy, "anatomy", *ARGUMENTS, "--paper", "hu2021lora", "--title", "Low: β")
    assert done.returncode == 0, done.stderr
    assert "tools add" not in done.stdout
    text = (copy / "reference_impls/reparameterized/anatomy/anatomy.py").read_text("utf-8")
    assert "class AnatomyMethod(" in text
    assert json.loads(text.partition("    title = ")[2].partition("\n")[0]) == "Low: β"
    assert '    paper = "hu2021lora"\n' in text
    assert "there is a method" in make(copy, "anatomy", *ARGUMENTS).stderr
