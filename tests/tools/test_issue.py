"""The form's text is cut into answers, whatever is in it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.services import answer, fetcher, serve
from tests.tools.small_catalog import CATALOG
from tests.tools.test_add import BIB
from tests.tools.test_sources import ATOM
from tools.commands.fmt import formatted
from tools.commands.issue import (
    FIELDS,
    LARGEST,
    LONGEST,
    REQUIRED,
    FormError,
    as_arguments,
    identifier,
    main,
    parse,
)
from tools.data.files import ROOT
from tools.records.registries import Registries
from tools.rules.catalog import read

ANSWERS = {
    "Identifier": "2106.09999",
    "BibTeX": "_No response_",
    "Where it belongs": "soft, low-rank",
    "Kind": "method",
    "One sentence": "Trains two\nsmall matrices.",
    "Code": "_No response_",
    "Disclosure": "- [x] I am an author of this work.",
}


def body(**changes: str) -> str:
    answers = {**ANSWERS, **{key.replace("_", " "): value for key, value in changes.items()}}
    return "\n\n".join(f"### {label}\n\n{value}" for label, value in answers.items())


def test_the_labels_are_those_of_the_form():
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/paper.yml").read_text("utf-8"))
    labels = {item["attributes"]["label"]: item["id"] for item in form["body"]}
    assert labels == FIELDS
    required = [i["id"] for i in form["body"] if i.get("validations", {}).get("required")]
    assert set(REQUIRED) <= set(required)


def test_answers_by_field():
    assert parse(body()) == {
        "identifier": "2106.09999",
        "leaf": "soft, low-rank",
        "kind": "method",
        "summary": "Trains two\nsmall matrices.",
        "author": "- [x] I am an author of this work.",
    }
    fenced = parse(body(BibTeX="```bibtex\n@misc{a}\n```"))
    assert fenced["bibtex"] == "@misc{a}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "'identifier' has no answer"),
        ("hello", "'identifier' has no answer"),
        (body(Identifier="_No response_"), "'identifier' has no answer"),
        (body() + "\n### Identifier\n\n10.1/evil", "'identifier' is there twice"),
        (body(One_sentence="x" * 9000), "'summary' is longer than 8,000 characters"),
        ("x" * (LARGEST + 1), "longer than 20,000 characters"),
    ],
)
def test_what_the_form_does_not_make_is_refused(text, complaint):
    with pytest.raises(FormError, match=complaint):
        parse(text)


def test_the_longest_that_is_read():
    assert len(parse(body(One_sentence="x" * LONGEST))["summary"]) == LONGEST
    text = body()
    assert parse(text + "\n" * (LARGEST - len(text)))
    with pytest.raises(FormError):
        parse(body(One_sentence="x" * (LONGEST + 1)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2106.09685", ("arxiv", "2106.09685")),
        ("arXiv:2106.09685v2", ("arxiv", "2106.09685")),
        (" https://arxiv.org/abs/2106.09685 ", ("arxiv", "2106.09685")),
        ("10.18653/v1/2022.acl-long.1", ("doi", "10.18653/v1/2022.acl-long.1")),
        ("https://doi.org/10.1162/tacl_a_00413", ("doi", "10.1162/tacl_a_00413")),
        ("2022.acl-long.1", ("acl", "2022.acl-long.1")),
        ("https://aclanthology.org/P19-1001/", ("acl", "P19-1001")),
        ("https://openreview.net/forum?id=nZeVKeeFYf9", ("openreview", "nZeVKeeFYf9")),
        ("10.48550/arXiv.2106.09685", ("arxiv", "2106.09685")),
        ("https://arxiv.org/html/2106.09685v1", ("arxiv", "2106.09685")),
        ("<https://arxiv.org/abs/2106.09685>", ("arxiv", "2106.09685")),
    ],
)
def test_identifiers(text, expected):
    assert identifier(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "lora", "--help", "$(id)", "http://127.0.0.1/", "https://evil.example/?10.1", "a\nb"],
)
def test_no_identifier(text):
    with pytest.raises(FormError, match="no arXiv id, DOI or ACL id"):
        identifier(text)


@pytest.fixture
def catalog(tmp_path):
    path = tmp_path / "papers.yaml"
    path.write_bytes(formatted(CATALOG.encode(), "papers.yaml", tmp_path))
    return path


def test_the_form_becomes_an_entry(catalog, monkeypatch, capsys):
    monkeypatch.setenv("ISSUE_BODY", body())
    atom = ATOM.replace("2106.09685", "2106.09999").replace("LoRA: Low", "Other: Low")
    atom = atom.replace('<arxiv:doi xmlns:arxiv="http://arxiv.org/schemas/atom">10.1000/xyz', "")
    with serve({"/arxiv": answer(atom.replace("</arxiv:doi>", ""))}) as service:
        registries = Registries(fetcher(), arxiv=f"{service.url}/arxiv")
        assert main(argparse.Namespace(catalog=catalog), registries) == 0, capsys.readouterr().err
    paper = read(catalog).paper["hu2021other"]
    assert (paper.leaves, paper.summary) == (("soft", "low-rank"), "Trains two small matrices.")


def test_bibtex_needs_no_registry(catalog, monkeypatch):
    monkeypatch.setenv("ISSUE_BODY", body(BibTeX=f"```bibtex\n{BIB}\n```"))
    assert main(argparse.Namespace(catalog=catalog)) == 0
    assert read(catalog).paper["wang2021multitask"].arxiv == "2106.09999"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"One_sentence": "--write"}, "starts with '-'"),
        ({"Where_it_belongs": "--catalog=/etc/passwd"}, "'--catalog=/etc/passwd' is no leaf"),
        ({"Code": "javascript:alert(1)"}, "code"),
        ({"Kind": "evil"}, "kind"),
        ({"One_sentence": "<script>alert(1)</script>."}, "HTML"),
        ({"One_sentence": "{{ secrets.TOKEN }} is here."}, "template"),
        ({"BibTeX": "@misc{a, title = {no end"}, "BibTeX:1: a brace"),
    ],
)
def test_hostile_answers_are_only_answers(catalog, monkeypatch, capsys, changes, complaint):
    before = catalog.read_bytes()
    monkeypatch.setenv("ISSUE_BODY", body(**{"BibTeX": BIB, **changes}))
    status = main(argparse.Namespace(catalog=catalog))
    assert status == 1
    assert complaint in capsys.readouterr().err
    assert catalog.read_bytes() == before


LINES = [*(f"### {label}" for label in FIELDS), "", "x", "```", "- [x] y"]


@settings(max_examples=300)
@given(
    st.one_of(
        st.text(max_size=500),
        st.lists(st.sampled_from(LINES)).map("\n".join),
        st.fixed_dictionaries({label: st.text(max_size=40) for label in FIELDS}).map(
            lambda answers: "\n".join(f"### {k}\n\n{v}\n" for k, v in answers.items())
        ),
    )
)
def test_any_text_is_answers_or_one_line(text):
    try:
        given_arguments = as_arguments(parse(text))
    except FormError as error:
        given_arguments, said = [], str(error)
        assert said.isprintable()
    assert all(isinstance(part, str) for part in given_arguments)


def test_the_command_reads_the_environment_only():
    environment = {**os.environ, "ISSUE_BODY": "nothing"}
    command = [sys.executable, "-m", "tools", "issue"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 1
    assert done.stderr == "the field 'identifier' has no answer\n"


def test_the_workflow_never_puts_the_text_into_a_script():
    text = (ROOT / ".github/workflows/paper.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    steps = workflow["jobs"]["draft"]["steps"]
    assert "${{" not in "".join(step.get("run", "") for step in steps)
    assert "pull_request_target" not in text
    assert workflow["permissions"] == {}
