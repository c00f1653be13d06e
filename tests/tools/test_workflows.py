"""What workflows may do: each job as little as it needs, with actions that nobody can exchange."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tools.data.files import ROOT

FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
# all that may write, and what for
WRITES = {
    "pages.deploy": {"pages", "id-token"},
    "paper.draft": {"contents", "pull-requests"},
    "release.release": {"contents"},
}
WORKFLOWS: dict[str, dict[str, Any]] = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in FILES
}
JOBS = {f"{name}.{job}": body for name, w in WORKFLOWS.items() for job, body in w["jobs"].items()}


def test_every_action_is_one_commit_the_same_everywhere() -> None:
    lines = [
        line for path in FILES for line in path.read_text("utf-8").splitlines() if "uses:" in line
    ]
    found = [re.search(r"uses: ([\w./-]+)@([0-9a-f]{40} # v[0-9.]+)$", line) for line in lines]
    assert lines
    assert all(found), lines
    pins: dict[str, set[str]] = {}
    for action, pin in (match.groups() for match in found if match):
        pins.setdefault(action, set()).add(pin)
    assert {action: pin for action, pin in pins.items() if len(pin) > 1} == {}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_nothing_that_its_jobs_do_not_name(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {}


def test_only_what_publishes_may_write() -> None:
    writes = {
        name: {scope for scope, may in job["permissions"].items() if may == "write"}
        for name, job in JOBS.items()
    }
    assert {name: scopes for name, scopes in writes.items() if scopes} == WRITES


@pytest.mark.parametrize("name", JOBS)
def test_no_job_keeps_the_token_or_runs_for_ever(name: str) -> None:
    job = JOBS[name]
    assert job["timeout-minutes"] <= 90
    for step in job["steps"]:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_a_release_has_the_package_the_site_and_the_catalog() -> None:
    steps = JOBS["release.release"]["steps"]
    text = "\n".join(step.get("run", "") for step in steps)
    assert "${{" not in text  # the tag's name is data
    assert "make zip" in text
    assert "pip wheel --no-deps --wheel-dir dist ." in text
    written = re.findall(r"tools export (\w+) --output dist/(\S+)", text)
    assert written == [
        ("json", "papers.json"),
        ("bibtex", "papers.bib"),
        ("sqlite", "atlas.sqlite"),
    ]
    told = [step["run"] for step in steps if "GH_TOKEN" in step.get("env", {})]
    assert len(told) == 1
    assert re.search(
        r'gh release create "\$GITHUB_REF_NAME" .*dist/\* \S+\.zip', told[0], re.DOTALL
    )
    # YAML 1.1 reads the key `on` as true
    assert WORKFLOWS["release"][True] == {"push": {"tags": ["v*"]}}
