"""The README's picture counts what the catalog has, and is an image that carries nothing else."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.tools.small_catalog import CATALOG, write_tree
from tools import atlas as material
from tools.atlas import Atlas
from tools.data.files import ROOT
from tools.readme.picture import FILE, FIRST, LARGEST, by_year, picture

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    return material.load(ROOT)


def test_the_committed_picture_is_of_this_catalog(atlas: Atlas) -> None:
    assert (ROOT / FILE).read_text(encoding="utf-8") == picture(atlas)


def test_a_disk_for_each_year_of_a_branch_whose_area_is_the_number(atlas: Atlas) -> None:
    drawn = ET.fromstring(picture(atlas))
    numbers = [n for node in atlas.catalog.taxonomy for n in by_year(atlas, node).values()]
    radii = [float(disk.get("r", 0)) for disk in drawn.iter(f"{SVG}circle")]
    assert len(radii) == len(numbers)
    for radius, number in zip(sorted(radii), sorted(numbers), strict=True):
        wanted = LARGEST * (number / max(numbers)) ** 0.5
        assert radius == pytest.approx(max(wanted, 1.5), abs=0.06)


def test_rows_and_sums_are_those_of_the_taxonomy(atlas: Atlas) -> None:
    texts = [text.text for text in ET.fromstring(picture(atlas)).iter(f"{SVG}text")]
    for node in atlas.catalog.taxonomy:
        assert node.name in texts
        papers = [p for p in atlas.papers(node) if p.is_paper]
        assert sum(by_year(atlas, node).values()) == len(papers)
        assert f"{len(papers):,}" in texts


def test_earlier_years_share_a_column(tmp_path: Path) -> None:
    old = CATALOG.replace("ruckle2020drop", "ruckle2001drop").replace('"2011.', '"0111.')
    write_tree(tmp_path, old)
    small = material.load(tmp_path)
    found = sum((by_year(small, node) for node in small.catalog.taxonomy), Counter())
    assert min(found) == FIRST


def test_it_holds_no_script_and_no_address_and_text_is_escaped(tmp_path: Path) -> None:
    write_tree(tmp_path, CATALOG.replace("name: Prompt", "name: 'A & B < C'"))
    text = picture(material.load(tmp_path))
    ET.fromstring(text)
    assert not re.search(r"<script|href|url\(|\bon\w+=", text)
    assert set(re.findall(r"https?://[^\"]+", text)) == {"http://www.w3.org/2000/svg"}
