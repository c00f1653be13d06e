"""A method's page in the browser: its source beside its prose, its links, its buttons."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.site.browser.conftest import DESKTOP, PHONE, Visit, overflow, serious, settled
from tools.atlas import Atlas
from tools.data.annotated import segments

PAGES = ("lora", "unipelt", "mezo", "pet", "adaptersoup", "qlora")
AT_THE_GATE = "unipelt"
# What this page has and no other: the rest is looked at with every template.
OWN_PARTS = [
    *(".badges", ".jump", ".equation", ".details", ".counts", ".pair", ".curves"),
    *(".annotated", "section", ".file"),
]
BOXES = """() => [...document.querySelectorAll(".segment")].map(segment =>
    [".prose", ".code"].map(part => {
        const box = segment.querySelector(part).getBoundingClientRect();
        return {left: box.left, right: box.right, top: box.top, bottom: box.bottom};
    }))"""


def read(page: Page) -> Page:
    """The page after it was scrolled to the parts that are laid out only then."""
    for part in page.locator(".counts, .programs, .annotated").all():
        part.scroll_into_view_if_needed()
        settled(page)
    return page


def boxes(page: Page) -> list[tuple[dict, dict]]:
    found = page.evaluate(BOXES)
    assert len(found) > 5
    return found


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.night] * (name != AT_THE_GATE)) for name in PAGES],
)
def test_code_stands_beside_its_prose_and_below_it_on_a_phone(visit: Visit, name: str) -> None:
    for prose, code in boxes(visit(f"methods/{name}.html", width=DESKTOP)):
        assert code["left"] > prose["right"]
        assert abs(code["top"] - prose["top"]) < 20
        assert code["right"] - code["left"] > 1.8 * (prose["right"] - prose["left"])
    page = visit(f"methods/{name}.html", width=PHONE)
    assert overflow(page) <= 0
    for prose, code in boxes(page):
        assert code["top"] >= prose["bottom"]
        assert abs(code["left"] - prose["left"]) < 2


@pytest.mark.night
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["unipelt", "qlora"])
def test_axe_finds_nothing_serious(visit: Visit, name: str, scheme: str, width: int) -> None:
    page = read(visit(f"methods/{name}.html", scheme=scheme, width=width))
    assert serious(page, OWN_PARTS) == []


def test_lines_have_the_numbers_of_the_file_which_are_not_part_of_the_text(
    visit: Visit, atlas: Atlas
) -> None:
    page = visit("methods/lora.html")
    shown = page.evaluate(
        """() => [...document.querySelectorAll(".segment pre")].map(block =>
            [block.querySelector("[data-linenos]").dataset.linenos, block.textContent])"""
    )
    shared = (
        part for path, _ in atlas.methods["lora"].shared for part in segments(atlas.shared[path])
    )
    carrying = [part for part in shared if part.name.startswith("LowRank")]
    pieces = [p for s in (*segments(atlas.source["lora"]), *carrying) for p in s.code]
    assert [(int(number), text.strip("\n")) for number, text in shown] == [
        (piece.first, piece.text) for piece in pieces
    ]


def test_a_link_to_a_function_marks_it(visit: Visit) -> None:
    page = visit("methods/lora.html#source-LowRank.forward")
    colors = """name => getComputedStyle(
        document.getElementById(name).closest(".segment")).backgroundColor"""
    marked = page.evaluate(colors, "source-LowRank.forward")
    assert marked != page.evaluate(colors, "source-LoRA.setup")
    assert page.locator("[id='source-LowRank.forward']").bounding_box()["y"] < 300
    page.locator("#detail-5 a", has_text="LowRank.forward").click()
    assert page.url.endswith("#source-LowRank.forward")
    page.locator(".detail a", has_text="Detail 2").click()
    assert page.url.endswith("#detail-2")
    item = page.locator("#detail-2")
    assert item.evaluate("item => item.tagName") == "LI"
    assert item.evaluate("item => getComputedStyle(item).backgroundColor") == marked


@pytest.mark.night
def test_jump_links_lead_to_sections_that_are_there(visit: Visit) -> None:
    page = visit("methods/mezo.html")
    links = page.locator(".jump a")
    names = links.all_inner_texts()
    assert "Counts" not in names
    assert {"Details", "Cost", "Source", "Papers"} <= set(names)
    for link in links.all():
        target = link.get_attribute("href")
        assert page.locator(f"h2{target}").count() == 1, target
    page.locator(".jump a", has_text="Source").click()  # past parts that are not laid out yet
    page.wait_for_function(
        """() => {
            const top = document.querySelector("h2#source").getBoundingClientRect().top;
            return 40 < top && top < 120;
        }"""
    )


@pytest.mark.night
def test_prose_stays_in_sight_beside_long_code(visit: Visit) -> None:
    page = visit("methods/prompt_tuning.html#source-prepend")
    segment = page.locator(".segment", has=page.locator("[id='source-prepend']"))
    height = segment.bounding_box()["height"]
    assert 0 < segment.bounding_box()["y"] < 150  # a link leads to its first line
    prose = segment.locator(".prose")
    assert height > prose.bounding_box()["height"] + 150
    page.evaluate("scrollBy(0, 120)")
    box = prose.bounding_box()
    assert box["y"] > 40  # below the header
    assert box["y"] > segment.bounding_box()["y"] + 20


def test_the_whole_file_is_one_click_away(visit: Visit, atlas: Atlas, built: Path) -> None:
    page = visit("methods/qlora.html")
    page.get_by_role("button", name="Copy the file").click()
    page.locator("#copied", has_text="Copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == atlas.source["qlora"]
    link = page.get_by_role("link", name="Download the file")
    assert link.get_attribute("download") == "qlora.py"
    file = built / "methods" / link.get_attribute("href")
    assert file.read_text(encoding="utf-8") == atlas.source["qlora"]


@pytest.mark.night
def test_without_scripts_there_is_no_dead_button_and_all_the_code(visit: Visit) -> None:
    page = visit("methods/lora.html", javascript=False)
    assert not page.locator("#copy-file").is_visible()
    line = "nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))"
    code = page.locator(".segment pre", has_text=line)  # there, if not laid out yet
    code.scroll_into_view_if_needed()
    expect(code).to_contain_text(line, use_inner_text=True)


@pytest.mark.night
def test_a_formula_that_scrolls_can_be_reached_by_keyboard(visit: Visit) -> None:
    page = read(visit("methods/unipelt.html", width=PHONE))
    scrolling = page.evaluate(
        """() => [...document.querySelectorAll(".md-content .formula")]
            .filter(formula => formula.scrollWidth > formula.clientWidth)
            .map(formula => formula.tabIndex)"""
    )
    assert scrolling
    assert set(scrolling) == {0}


def test_search_finds_no_code(built: Path) -> None:
    index = json.loads((built / "search" / "search_index.json").read_text(encoding="utf-8"))
    own = [doc for doc in index["docs"] if doc["location"].startswith("methods/lora.html")]
    assert any("details-that-matter" in doc["location"] for doc in own)
    text = " ".join(doc["title"] + doc["text"] for doc in own)
    assert "kaiming_uniform_(" not in text
    assert "low_rank" not in text
    assert not any("#source-" in doc["location"] for doc in own)


@pytest.mark.night
def test_bars_of_the_cost_name_method_and_baselines(visit: Visit) -> None:
    page = visit("methods/pfeiffer.html")
    charts = page.locator(".pair svg")
    assert charts.count() == 2
    for chart in charts.all():
        labels = chart.locator("text").all_text_contents()
        assert {"Pfeiffer adapters", "Full fine-tuning", "LoRA", "Linear probe"} <= set(labels)
