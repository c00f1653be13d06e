"""The drawings of the methods, in a real browser: legible, apart from each other, and named."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page

from tests.site.browser.conftest import Visit, overflow
from tools.cards import read_cards
from tools.data.files import ROOT
from tools.drawings.figure import drawing, small

DRAWINGS = {name: card.drawn for name, card in read_cards(ROOT).items()}
# In user units, from the drawing's own coordinates, whatever its size on the page.
FAULTS = """(name) => {
    const figure = document.getElementById(name).querySelector(".drawing > svg");
    const found = [], frame = figure.viewBox.baseVal, box = node => node.getBBox();
    const meets = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width
        && a.y < b.y + b.height && b.y < a.y + a.height;
    const holds = (a, b) => a.x <= b.x + 0.5 && a.y <= b.y + 0.5
        && a.x + a.width >= b.x + b.width - 0.5 && a.y + a.height >= b.y + b.height - 0.5;
    const texts = [...figure.querySelectorAll("text")];
    const shapes = [...figure.querySelectorAll("rect:not(.frame), circle")];
    for (const node of figure.querySelectorAll("text, rect, circle, path"))
        if (!holds(frame, box(node))) found.push(`outside: ${node.outerHTML}`);
    for (const text of texts) {
        const own = box(text);
        for (const other of texts)
            if (other !== text && meets(own, box(other)))
                found.push(`"${text.textContent}" over "${other.textContent}"`);
        for (const shape of shapes) {
            // the height of a line is more than that of its letters
            const letters = {x: own.x, y: own.y + 3, width: own.width, height: own.height - 6};
            if (meets(letters, box(shape)) && !holds(box(shape), letters))
                found.push(`"${text.textContent}" over the edge of ${shape.outerHTML}`);
        }
    }
    return found;
}"""
CONTRASTS = """(name) => {
    const figure = document.getElementById(name), found = [];
    const light = color => {
        const part = color.match(/[\\d.]+/g).slice(0, 3).map(c => c / 255)
            .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
    };
    const contrast = (a, b) => {
        const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
        return (high + 0.05) / (low + 0.05);
    };
    const page = getComputedStyle(document.body).backgroundColor;
    const grounds = [...figure.querySelectorAll("svg rect, svg circle")]
        .map(node => [node.getBoundingClientRect(), getComputedStyle(node).fill])
        .filter(([, fill]) => fill !== "none");
    const ground = (x, y) => (grounds.filter(([box]) =>
        box.left <= x && x <= box.right && box.top <= y && y <= box.bottom).pop() || [0, page])[1];
    for (const node of figure.querySelectorAll("svg text")) {
        const box = node.getBoundingClientRect();
        const below = ground(box.left + box.width / 2, box.top + box.height / 2);
        const value = contrast(getComputedStyle(node).fill, below);
        if (value < 4.5) found.push(`${value.toFixed(2)} "${node.textContent}"`);
    }
    const frame = getComputedStyle(document.querySelector(".frame")).fill;
    const drawn = "svg :is(rect, circle, path):not(.columns, .bars)";
    for (const node of figure.querySelectorAll(drawn)) {
        const style = getComputedStyle(node);
        if (style.stroke === "none") continue;
        const value = Math.max(contrast(style.stroke, page), contrast(style.stroke, frame));
        if (value < 3) found.push(`${value.toFixed(2)} ${node.outerHTML}`);
    }
    return found;
}"""


@pytest.fixture
def sheet(chromium: Browser):
    """sheet(scheme) gives a page with every drawing on it."""
    contexts = []

    def sheet(scheme: str) -> Page:
        style = (ROOT / "tools/site/assets/drawings.css").read_text(encoding="utf-8")
        figures = "".join(
            f'<section id="{name}">{drawing(name, own)}{small(own)}</section>'
            for name, own in DRAWINGS.items()
        )
        context = chromium.new_context(viewport={"width": 420, "height": 800})
        contexts.append(context)
        page = context.new_page()
        page.set_content(
            f'<!doctype html><style>{style}</style><body data-md-color-scheme="{scheme}" '
            'style="background: var(--drawing-ground); font-family: sans-serif" '
            f'class="md-typeset">{figures}</body>'
        )
        return page

    yield sheet
    for context in contexts:
        context.close()


def test_nothing_is_cut_off_or_drawn_over_words(sheet) -> None:
    page = sheet("default")
    assert {name: faults for name in DRAWINGS if (faults := page.evaluate(FAULTS, name))} == {}


@pytest.mark.night
@pytest.mark.parametrize("scheme", ["default", "slate"])
def test_words_and_lines_stand_out(sheet, scheme: str) -> None:
    page = sheet(scheme)
    assert {name: faults for name in DRAWINGS if (faults := page.evaluate(CONTRASTS, name))} == {}


def test_a_method_page_has_its_drawing_by_name(visit: Visit) -> None:
    page = visit("methods/lora.html", javascript=False)
    figure = page.get_by_role("img", name="Where LoRA acts in a transformer block")
    assert figure.is_visible()
    assert "low-rank update beside the query map" in figure.locator("desc").text_content()


@pytest.mark.night
def test_the_smallest_phone_shows_it_whole_and_legible(visit: Visit) -> None:
    page = visit("methods/compacter.html", width=320)
    assert overflow(page) <= 0
    box = page.locator(".drawing > svg").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 320
    sizes = page.evaluate(
        """() => [...document.querySelectorAll(".drawing text")].map(text =>
            parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a)"""
    )
    assert min(sizes) >= 9.5
