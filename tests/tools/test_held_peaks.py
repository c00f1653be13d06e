"""Predicted peaks beside what is measured on a processor, and what others print."""

from __future__ import annotations

from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from pydantic import ValidationError

from tools import atlas as material
from tools.atlas import Atlas
from tools.cards import Card
from tools.data.committed import CommittedError
from tools.data.files import ROOT
from tools.data.peaks import Predicted, read_predicted
from tools.data.printed_peaks import PrintedPeak
from tools.site.pages.fits import fits, held
from tools.site.shared.site import Site

HEAD = "method,model,group,rows,lengths,predicted,refused\n"
EVIL = "<script>alert(1)</script>"
ENTRY = {
    "architecture": "Llama 2 7B",
    "rows": 1,
    "length": 512,
    "printed": 20_000_000_000,
    "ours": 21_000_000_000,
    "source": {"citation": EVIL, "url": "https://example.org/a"},
}


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    return material.load(ROOT)


def text(atlas: Atlas) -> str:
    return dict(fits.pages(Site(atlas, "# C")))["methods/fits.md"]


def write(root: Path, lines: str) -> Path:
    (root / "benchmarks").mkdir()
    (root / "benchmarks" / "real_peaks.csv").write_text(HEAD + lines, encoding="utf-8")
    return root


def test_a_line_is_a_run_and_its_peak_or_why_there_is_none(tmp_path: Path) -> None:
    lines = 'a,minilm,trec,16,31 28,9,\nb,minilm,trec,16,31 28,,"it looks, at data"\n'
    one, other = read_predicted(write(tmp_path, lines))
    assert one == ("a", "minilm", "trec", 16, (31, 28), 9, "")
    assert (other.peak, other.refused) == (None, "it looks, at data")
    assert read_predicted(tmp_path / "elsewhere") == ()


@pytest.mark.parametrize("line", ["a,minilm,trec,16,31,x,\n", "a,minilm\n", "a,m,t,16,x,9,\n"])
def test_a_line_that_is_none_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(CommittedError, match=r"benchmarks/real_peaks.csv:3: not a predicted peak"):
        read_predicted(write(tmp_path, "a,minilm,trec,16,31,9,\n" + line))


def test_a_run_is_held_to_its_own_peak_by_its_settings(atlas: Atlas) -> None:
    group = next(g for g in atlas.real if g.method == "lora" and g.task == "trec")
    peak = next(row.peak for row in group.runs if row.peak)
    more = group.model_copy(update={"settings": {"r": 4}})
    told = [
        Predicted("lora", group.model, name, 16, (20,), number, "")
        for name, number in (("trec", peak), ("trec r=4", 2 * peak), ("trec r=5", peak))
    ]
    told += [told[0]._replace(peak=None, refused="no"), told[0]._replace(method="gone")]
    found = held.on_processor(replace(atlas, real=(group, more), predicted=tuple(told)))
    assert [(row.title, row.ratio) for row in found] == [("LoRA", 1.0), ("LoRA, r=4", 2.0)]
    assert {row.place for row in found} == {(group.model, "trec")}
    assert held.far_off(found) == ["LoRA, r=4"]


def test_how_far_ratios_are_off_is_counted() -> None:
    assert held.far([1.0, 0.995, 1.2]) == pytest.approx((0.005, 0.2, 0.005, 2, 3))
    assert held.far([]) == (0.0, 0.0, 0.0, 0, 0)


def test_a_printed_peak_that_is_far_off_says_why() -> None:
    assert PrintedPeak.model_validate(ENTRY).ratio == 1.05
    for ours in (17_000_000_000, 23_000_000_000):
        with pytest.raises(ValidationError, match="differs by more than a tenth needs a note"):
            PrintedPeak.model_validate(ENTRY | {"ours": ours})
        PrintedPeak.model_validate(ENTRY | {"ours": ours, "note": "another batch"})


def test_the_page_has_what_is_printed_beside_what_is_predicted(atlas: Atlas) -> None:
    entry = PrintedPeak.model_validate(ENTRY | {"settings": {"r": 4}, "note": EVIL})
    page = text(
        replace(atlas, cards={"lora": Card(architectures={"Llama 2 7B": {}}, peak=[entry])})
    )
    assert EVIL not in page
    shown = unescape(page)
    assert "LoRA, r 4" in shown
    assert "<td>21.0 GB</td><td>20.0 GB</td><td>1.050</td>" in shown
    assert 'href="https://example.org/a"' in page


def test_the_page_has_a_row_a_method_of_what_was_run_on_a_processor(atlas: Atlas) -> None:
    group = next(g for g in atlas.real if g.method == "lora" and g.task == "trec")
    peak = next(row.peak for row in group.runs if row.peak)
    told = Predicted("lora", group.model, "trec", 16, (20,), int(peak * 1.03), "")
    page = text(replace(atlas, real=(group,), predicted=(told,)))
    assert '<th scope="row">LoRA</th><td>1.030</td>' in unescape(page)
    assert "0 of 1 are within 1%, the furthest is 3% off" in " ".join(page.split())
    bare = text(replace(atlas, predicted=(), cards={}, steps=()))
    assert "Predicted and measured" not in bare
