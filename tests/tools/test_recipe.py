"""The table on a method's page that compares recipes of training."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.small_catalog import OFFICIAL, write_tree
from tools import atlas as material
from tools.data.official import read_officials
from tools.site import all_pages
from tools.site.pages.methods.recipe import LABELS, recipe


def shown(root: Path, text: str) -> dict[str, str]:
    write_tree(root, official=text)
    return recipe(read_officials(root)["lora"])


def test_what_differs_is_a_row_and_the_rest_a_sentence(tmp_path: Path) -> None:
    found = shown(tmp_path, OFFICIAL)
    assert found["table"].splitlines()[2:] == [
        "| Weight decay | 0&#46;1 &#91;<code>run.sh</code>&#93; | none |"
    ]
    assert found["folded"] == (
        "**Equal:** start, schedule, clipping, dropout, loss and what is trained. "
        "**In neither:** warm-up and label smoothing."
    )
    assert "microsoft/LoRA</a> at <code>c4593f0</code>." in found["read"]


def test_what_is_not_known_is_folded_too(tmp_path: Path) -> None:
    text = OFFICIAL.replace('"0.1 [`run.sh`]"', '"not known"')
    found = shown(tmp_path, text)
    assert found["table"] is None
    assert found["folded"].endswith("**Not known of the official code:** weight decay.")


def test_no_code_says_why(tmp_path: Path) -> None:
    settings = OFFICIAL.partition("\n\n")[2]
    assert shown(tmp_path, f'unavailable = "No <code> is known."\n\n{settings}')["read"] == (
        "No &#60;code&#62; is known."
    )


def test_text_is_escaped(tmp_path: Path) -> None:
    text = OFFICIAL.replace('here = "none"', 'here = "<b>|$x$ `a|<i>`"')
    row = shown(tmp_path, text)["table"].splitlines()[2]
    assert row.count("|") == 4
    assert "<b>" not in row
    assert "<i>" not in row
    assert "$" not in row


@pytest.mark.parametrize("with_file", [True, False])
def test_a_page_has_the_table_where_there_is_a_file(with_file: bool, tmp_path: Path) -> None:
    catalog = write_tree(tmp_path)
    if not with_file:
        next(tmp_path.rglob("official.toml")).unlink()
    pages = all_pages.pages(material.load(catalog.parent), "# C")
    assert ("### Training recipe: official code vs. here" in pages["methods/lora.md"]) is with_file


def test_each_thing_of_the_checklist_has_a_label(tmp_path: Path) -> None:
    write_tree(tmp_path)
    assert [key for key, _ in read_officials(tmp_path)["lora"].settings.items()] == list(LABELS)
