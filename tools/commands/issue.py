"""`python -m tools issue`: what the form "Suggest a paper" asks for, done.

The issue's text comes in the environment variable ISSUE_BODY and is data all the way: it is cut
into the form's fields, an identifier is recognized by its pattern, and the rest is what `add` does.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..data.files import ROOT
from ..records import bib
from ..records.identifiers import find
from ..records.record import Record, SourceError, all_of, letters
from . import add

LARGEST = 20_000  # characters of the whole text
LONGEST = 8_000  # of one answer
# Label in .github/ISSUE_TEMPLATE/paper.yml -> its id there.
FIELDS = {
    "Identifier": "identifier",
    "BibTeX": "bibtex",
    "Where it belongs": "leaf",
    "Kind": "kind",
    "One sentence": "summary",
    "Code": "code",
    "Disclosure": "author",
}
REQUIRED = ("identifier", "leaf", "summary")
NO_ANSWER = "_No response_"
BIBTEX = "BibTeX"  # what errors call that answer


class FormError(Exception):
    """The text is not what the form makes; one line."""


def parse(body: str) -> dict[str, str]:
    """The form's answers by field id, without those that are empty. Raises FormError."""
    if len(body) > LARGEST:
        raise FormError(f"the text is longer than {LARGEST:,} characters")
    answers: dict[str, str] = {}
    field = ""
    for line in body.replace("\r\n", "\n").split("\n"):
        label = FIELDS.get(line.removeprefix("### ").strip()) if line.startswith("### ") else None
        if label in answers:
            raise FormError(f"the field '{label}' is there twice")
        if label:
            field = label
            answers[field] = ""
        elif field:
            answers[field] += f"{line}\n"
    answers = {key: _answer(value) for key, value in answers.items()}
    answers = {key: value for key, value in answers.items() if value}
    for key, value in answers.items():
        if len(value) > LONGEST:
            raise FormError(f"the field '{key}' is longer than {LONGEST:,} characters")
    missing = [key for key in REQUIRED if key not in answers]
    if missing:
        raise FormError(f"the field '{missing[0]}' has no answer")
    return answers


def _answer(text: str) -> str:
    text = text.strip()
    fenced = re.fullmatch(r"```[a-z]*\n(.*)\n?```", text, re.DOTALL)
    text = (fenced[1] if fenced else text).strip()
    return "" if text == NO_ANSWER else text


def identifier(text: str) -> tuple[str, str]:
    """Which registry to ask, and for what. Raises FormError."""
    found = find(text)
    for key in add.REGISTRIES:
        if key in found:
            return key, found[key]
    raise FormError("the identifier is no arXiv id, DOI or ACL id, and no link that holds one")


def as_arguments(answers: dict[str, str]) -> list[str]:
    """The arguments of `add` that do what the form asks for. Raises FormError."""
    leaves = [leaf for leaf in re.split(r"[,\s]+", answers["leaf"]) if leaf]
    # one word an option, so that an answer that begins with a dash stays an answer
    options = [f"--leaf={leaf}" for leaf in leaves]
    options += [f"--summary={' '.join(answers['summary'].split())}", "--write"]
    options += [f"--{key}={answers[key]}" for key in ("kind", "code") if key in answers]
    if answers.get("bibtex"):
        return [*options, "bibtex", BIBTEX]
    source, value = identifier(answers["identifier"])
    return [*options, "--network", source, "--", value]


def described(answers: dict[str, str]) -> Record:
    """What the BibTeX says, with the identifier that is asked for beside it.

    Raises FormError where they contradict each other, SourceError where the BibTeX cannot be read.
    """
    found = list(bib.read(answers["bibtex"], BIBTEX))
    if len(found) != 1:
        raise FormError(f"the BibTeX holds {len(found)} entries; suggest one paper a form")
    (record,) = all_of(found)
    text = answers["identifier"]
    if re.fullmatch(r"https?://\S+", text) and not find(text):
        return replace(record, url=record.url or text)
    key, value = identifier(text)
    told = getattr(record, key)
    if told and letters(told) != letters(value):
        raise FormError(f"the identifier is {value}, and the BibTeX says {told}; which is right?")
    return replace(record, **{key: told or value}).tidy()


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--catalog", type=Path, default=ROOT / "papers.yaml")


def main(options: argparse.Namespace, registries: Any = None) -> int:
    try:
        answers = parse(os.environ.get("ISSUE_BODY", ""))
        parser = argparse.ArgumentParser(exit_on_error=False)
        add.arguments(parser)
        wanted = parser.parse_args(as_arguments(answers))
        wanted.catalog = options.catalog
        if wanted.source == "bibtex":
            return add.put([described(answers)], wanted)
        return add.main(wanted, registries)
    except (FormError, SourceError, argparse.ArgumentError) as error:
        print(f"{' '.join(str(error).split())}", file=sys.stderr)
        return 1
