"""Guides: how a file is split, what is refused, and how a recorded run becomes a page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tools import atlas as material
from tools.atlas import Atlas, BuildError
from tools.data.files import ROOT
from tools.data.guides import (
    GUIDES,
    ORDER,
    Bars,
    Block,
    Boxes,
    Dots,
    GuideError,
    digest,
    read,
    split,
)
from tools.site import all_pages
from tools.site.pages.guides.guides import drawn
from tools.site.shared.spread_chart import dots

SOURCE = '''"""How to count

One, *two*, three.
"""

# ## First
#
# Prose with $x^2$.

import math

def inside():
    # a comment of the code

    return math.pi

# more prose
# of two lines

print(
# not prose: a statement goes on
1)

# ## Last words
'''


def test_comments_at_the_margin_are_prose_and_the_rest_is_code() -> None:
    title, introduction, blocks = split(SOURCE, "guide.py")
    assert (title, introduction) == ("How to count", "One, *two*, three.")
    assert [block.prose for block in blocks] == [
        "## First\n\nProse with $x^2$.",
        "more prose\nof two lines",
        "## Last words",
    ]
    first, second, last = (block.code for block in blocks)
    assert first.startswith("import math")
    assert first.endswith("return math.pi")
    assert "# a comment of the code" in first
    assert second == "print(\n# not prose: a statement goes on\n1)"
    assert last == ""


def test_a_block_knows_where_its_code_starts() -> None:
    lines = SOURCE.split("\n")
    for block in split(SOURCE, "guide.py")[2]:
        assert not block.code or block.code.split("\n")[0] == lines[block.line - 1]


def test_prose_may_change_without_another_run_and_code_may_not() -> None:
    blocks = split(SOURCE, "guide.py")[2]
    assert digest(blocks) == digest(split(SOURCE.replace("more", "other"), "guide.py")[2])
    assert digest(blocks) != digest(split(SOURCE.replace("pi", "e"), "guide.py")[2])


@pytest.mark.parametrize(
    ("source", "complaint"),
    [("x =", "is not Python"), ("x = 1\n", "has no docstring"), ("'''\n'''", "has no docstring")],
)
def test_what_is_no_guide(source: str, complaint: str) -> None:
    with pytest.raises(GuideError, match=rf"^guide.py: {complaint}"):
        split(source, "guide.py")


def write(folder: Path, **changes: object) -> Path:
    """A guide and its recorded run, with changes to that."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "adapting.py"
    path.write_text(SOURCE, encoding="utf-8")
    blocks = split(SOURCE, path.name)[2]
    run = {
        "code": digest(blocks),
        "seconds": 2.0,
        "tolerance": 0.02,
        "versions": {"torch": "2"},
        "shown": [{}, {"output": "1 <b>"}, {}],
    }
    path.with_suffix(".json").write_text(json.dumps(run | changes), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (
            {"code": "0"},
            r"adapting.py: its code changed .* `python docs/guides/record.py adapting`",
        ),
        ({"shown": [{}]}, "adapting.py: its code changed"),
        ({"seconds": "long"}, "adapting.json: seconds: "),
        ({"shown": [{"figures": [{"kind": "pie"}]}]}, r"adapting.json: shown.0.figures.0: "),
    ],
)
def test_a_run_that_does_not_fit_is_refused(tmp_path: Path, changes: dict, complaint: str) -> None:
    path = write(tmp_path, **changes)
    with pytest.raises(GuideError, match=complaint) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_missing_or_broken_run_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.with_suffix(".json").write_text("{", encoding="utf-8")
    with pytest.raises(GuideError, match=r"adapting.json: is not JSON"):
        read(path)
    path.with_suffix(".json").unlink()
    with pytest.raises(GuideError, match=r"adapting.py: no run of it is recorded"):
        read(path)


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    return material.load(ROOT)


def test_a_page_has_prose_code_output_and_figures_in_their_order(
    atlas: Atlas, tmp_path: Path
) -> None:
    figure = {"kind": "dots", "title": "A & b", "rows": {"one": [0.5, 1.0]}, "chance": None}
    shown = [{}, {"output": "1 <b>", "figures": [figure]}, {}]
    guide = read(write(tmp_path, shown=shown))
    made = all_pages.pages(replace(atlas, guides=(guide,)), "")
    text = made["guides/adapting.md"]
    order = [
        "# How to count",
        "## First",
        "<math",
        "```python\nimport math",
        "more prose",
        "```text\n1 <b>\n```",
        "A &amp; b",
        "<svg",
        "## Last words",
    ]
    places = [text.index(piece) for piece in order]
    assert places == sorted(places)
    assert "$x^2$" not in text
    assert "](adapting.py)" in text
    assert "](adapting.md)" in made["guides/index.md"]


def test_without_guides_their_list_says_so(atlas: Atlas) -> None:
    made = all_pages.pages(replace(atlas, guides=()), "")
    assert "There is no guide yet." in made["guides/index.md"]
    assert [name for name in made if name.startswith("guides/")] == ["guides/index.md"]


def test_a_formula_that_cannot_be_shown_names_the_guide(atlas: Atlas) -> None:
    guide = replace(atlas.guides[0], blocks=(Block(r"$\nonsense{x}$", "", 1),))
    with pytest.raises(BuildError, match=rf"{guide.name}.py: the formula"):
        all_pages.pages(replace(atlas, guides=(guide,)), "")


def test_every_guide_is_listed_and_cites_what_the_catalog_has(atlas: Atlas) -> None:
    helpers = {"figures", "record"}
    assert {path.stem for path in (ROOT / GUIDES).glob("*.py")} == {*ORDER, *helpers}
    assert [guide.name for guide in atlas.guides] == list(ORDER)
    for guide in atlas.guides:
        text = "\n".join([guide.introduction, *(block.prose for block in guide.blocks)])
        papers = set(re.findall(r"\]\(\.\./papers/([^)]+)\.md\)", text))
        methods = set(re.findall(r"\]\(\.\./methods/([^)]+)\.md\)", text)) - {"compare", "models"}
        assert papers, guide.name
        assert papers <= set(atlas.catalog.paper), guide.name
        assert methods <= set(atlas.methods), guide.name
        assert len(re.sub(r"\]\([^)]*\)|\$[^$]*\$", " ", text).split()) < 1500, guide.name


def test_boxes_say_what_is_trained_and_what_is_frozen() -> None:
    columns = {"A<b": ((0, 5000), (20, 20)), "B": ((7, 5007), (0, 20))}
    text = drawn(Boxes(kind="boxes", title="T", parts=("body", "head"), columns=columns))
    assert text.count("<td class=") == 4
    assert '<td class="frozen">frozen<span>5,000</span>' in text
    assert '<td class="trained">trained<span>20</span>' in text
    assert '<td class="added">7 trained<span>of 5,007</span>' in text
    assert '<th scope="col">A&lt;b</th>' in text
    assert '<th scope="row">body</th>' in text


def test_a_title_stands_above_every_figure() -> None:
    bars = Bars(kind="bars", title="Bytes", unit="kB", parts=("weights",), rows={"A": (1.0,)})
    assert '<p class="figure">Bytes, in kB</p>' in drawn(bars)
    spread = Dots(kind="dots", title="Scores", rows={"A": (1.0,)}, chance=0.5)
    assert '<p class="figure">Scores</p>' in drawn(spread)


def test_dots_lie_where_their_scores_are() -> None:
    text = dots("T", {"low": [0.0, 1.0], "x<y": [0.5]}, chance=0.5)
    across = [float(x) for x in re.findall(r'<circle class="seed" cx="([\d.]+)"', text)]
    assert across[2] == pytest.approx((across[0] + across[1]) / 2)
    means = [float(x) for x in re.findall(r'<line class="mean" x1="([\d.]+)"', text)]
    assert means == [across[2]] * 2
    (mean,) = re.findall(r'<line class="mean" x1="([\d.]+)"', dots("T", {"low": [0.0, 0.0, 0.75]}))
    quarter = across[0] + (across[1] - across[0]) / 4
    assert float(mean) == pytest.approx(quarter, abs=0.1)  # and not the middle of the extremes
    assert "low ends at between 0.0% and 100.0%" in text
    assert "x&lt;y" in text
    assert "x<y" not in text
    assert '<li class="chance">' in text
    assert '<li class="chance">' not in dots("T", {"low": [0.0]})
