"""What is wanted: read line by line or refused, and shown until the catalog has it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.tools.small_catalog import write_tree
from tools import atlas as material
from tools.data.committed import CommittedError
from tools.data.files import ROOT
from tools.data.wanted import FILE, Wanted, read_wanted
from tools.site.pages.wanted import wanted
from tools.site.shared.site import Site

ROWS = (
    "soft\t2020\tAn Older One\tdoi:10.1000/xyz",
    "soft\t2021\tA <b>New</b> One\tarXiv:2101.00001\tNewOne",
    "reparameterized\t2022\tOf a Branch\thttps://example.org/work",
    "soft\t-\tUnpublished\t-",  # of which no paper is known
    "low-rank\t2021\tAnother Title\tarXiv:2106.09685",  # the identifier of an entry
    "low-rank\t2022\tA survey\tACL:2022.acl-long.7",  # the title of another
)


def write(root: Path, *rows: str) -> Site:
    write_tree(root)
    (root / FILE).parent.mkdir(exist_ok=True)
    (root / FILE).write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return Site(material.load(root), "# C")


def test_a_line_is_a_work(tmp_path: Path) -> None:
    write(tmp_path, *ROWS)
    works = read_wanted(tmp_path)
    assert works[1] == Wanted("soft", 2021, "A <b>New</b> One", "arXiv:2101.00001", "NewOne")
    assert [work.link for work in works] == [
        "https://doi.org/10.1000/xyz",
        "https://arxiv.org/abs/2101.00001",
        "https://example.org/work",
        "",
        "https://arxiv.org/abs/2106.09685",
        "https://aclanthology.org/2022.acl-long.7",
    ]


def test_without_a_file_nothing_is_wanted(tmp_path: Path) -> None:
    assert read_wanted(tmp_path) == ()


@pytest.mark.parametrize(
    "row",
    [
        "soft\t2020\tNo identifier",
        "soft\t20\tA Year\tarXiv:2101.00001",
        "soft\t2020\t \tarXiv:2101.00001",
        "soft\t2020\tNo Number\tarXiv:LoRA",
        "soft\t2020\tNo Kind\tjavascript:alert(1)",
    ],
)
def test_any_other_line_is_refused_by_place(tmp_path: Path, row: str) -> None:
    with pytest.raises(CommittedError, match=r"papers/wanted\.tsv:2: write node, year"):
        write(tmp_path, ROWS[0], row)


def test_what_the_catalog_has_is_wanted_no_more(tmp_path: Path) -> None:
    left = [work.title for work in wanted.missing(write(tmp_path, *ROWS))]
    assert left == ["An Older One", "A <b>New</b> One", "Of a Branch", "Unpublished"]


def test_works_stand_below_their_node_the_newest_first(tmp_path: Path) -> None:
    site = write(tmp_path, *ROWS)
    found = wanted.by_node(site, wanted.missing(site))
    assert [(node.id, [work.year for work in works]) for node, works in found] == [
        ("reparameterized", [2022]),
        ("soft", [2021, 2020, 0]),
    ]


def test_an_unknown_node_is_refused(tmp_path: Path) -> None:
    site = write(tmp_path, "sort\t2020\tA Slip\tarXiv:2101.00001")
    with pytest.raises(CommittedError, match="the taxonomy has no 'sort'"):
        dict(wanted.pages(site))


def test_titles_are_text_and_each_work_says_what_the_form_asks(tmp_path: Path) -> None:
    [(name, text)] = wanted.pages(write(tmp_path, *ROWS))
    assert name == "papers/wanted.md"
    assert "<b>" not in text
    assert re.search(r'data-identifier="https://arxiv.org/abs/2101.00001" data-leaf="soft"', text)
    assert "- Unpublished <span" in text
    assert 'data-identifier="https://example.org/work">' in text  # a branch is no leaf


def test_the_committed_file_can_be_shown() -> None:
    site = Site(material.load(ROOT), "# C")
    works = wanted.missing(site)
    assert sum(len(own) for _, own in wanted.by_node(site, works)) == len(works)
    titles = [work.title for work in works]
    assert len(set(titles)) == len(titles)
