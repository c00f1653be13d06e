"""The taxonomy: no leaf is too full to be read, and none too empty to be one."""

from __future__ import annotations

from tools.data.files import ROOT
from tools.rules.catalog import read

MOST, FEWEST = 60, 4
KEPT: dict[str, str] = {}  # leaf: why it is neither split nor merged


def test_leaves_are_of_a_size_that_can_be_read() -> None:
    papers = read(ROOT / "papers.yaml").papers_in
    odd = {leaf: len(own) for leaf, own in papers.items() if not FEWEST <= len(own) <= MOST}
    assert odd.keys() == KEPT.keys(), (
        f"{odd}: split a leaf of more than {MOST} entries by what its methods change, merge one of "
        f"fewer than {FEWEST}, or say in KEPT why not"
    )
