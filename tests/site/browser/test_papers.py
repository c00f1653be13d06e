"""The list of papers in a browser: filters, sorting, address."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.site.browser.conftest import PHONE, Visit, overflow, serious, shift
from tests.site.browser.listing import LIST, shown
from tests.site.serving import SLOWLY
from tools.atlas import Atlas, counted
from tools.data.papers import first_seen, full_authors, last_seen_first
from tools.data.schema import Paper
from tools.export import formats as export
from tools.site.pages.papers.papers import FIRST


def choose(page: Page, **values: str) -> None:
    for name, value in values.items():
        field = page.locator(f"[name={name}]")
        if name in ("words", "from", "to"):
            field.fill(value)
        elif name == "code":
            field.set_checked(bool(value))
        else:
            field.select_option(value)


@dataclass(frozen=True)
class Case:
    """Filters, and which papers fit them."""

    values: dict[str, str]
    fits: Callable[[Atlas, Paper], bool]


CASES = [
    Case({"leaf": "low-rank"}, lambda atlas, p: "low-rank" in p.leaves),
    Case(
        {"leaf": "prompt"},
        lambda atlas, p: bool({n.id for n in atlas.catalog.nodes["prompt"].leaves()} & {*p.leaves}),
    ),
    Case({"modality": "VLM"}, lambda atlas, p: "VLM" in p.modality),
    Case({"venue": "Findings of EMNLP"}, lambda atlas, p: p.venue == "Findings of EMNLP"),
    Case({"kind": "survey"}, lambda atlas, p: p.kind == "survey"),
    Case({"from": "2022"}, lambda atlas, p: year(p) >= 2022),
    Case({"to": "2019"}, lambda atlas, p: 0 < year(p) <= 2019),
    Case({"code": "1"}, lambda atlas, p: bool(atlas.methods_of.get(p.id))),
    Case(
        {"leaf": "additive", "from": "2021", "to": "2022", "code": "1", "words": "adapter"},
        lambda atlas, p: (
            bool({*p.leaves} & {leaf.id for leaf in atlas.catalog.nodes["additive"].leaves()})
            and year(p) in (2021, 2022)
            and bool(atlas.methods_of.get(p.id))
            and "adapter" in text(atlas, p)
        ),
    ),
    Case({"words": "machine"}, lambda atlas, p: "machine" in text(atlas, p)),
    Case(
        {"words": "prompt  SHOT"},
        lambda atlas, p: all_words("prompt shot", atlas, p),
    ),
    Case({"words": "ia3"}, lambda atlas, p: "ia3" in text(atlas, p)),
    Case({"words": "rank allocation"}, lambda atlas, p: all_words("rank allocation", atlas, p)),
    Case({"words": "adapterhub"}, lambda atlas, p: "adapterhub" in text(atlas, p)),
    Case({"kind": "code"}, lambda atlas, p: p.kind == "code"),
    Case({"words": "zzz"}, lambda atlas, p: False),
]


def text(atlas: Atlas, paper: Paper) -> str:
    venue = atlas.catalog.venue[paper.venue]
    parts = [paper.title, paper.summary, *full_authors(paper), venue.id, venue.name]
    for leaf in map(atlas.catalog.leaves.get, paper.leaves):
        parts += [leaf.name, *leaf.aliases]
    for method in atlas.methods_of.get(paper.id, ()):
        parts += [method.title, *atlas.card(method.name).aliases]
    return " ".join(parts).casefold()


def all_words(typed: str, atlas: Atlas, paper: Paper) -> bool:
    return all(word in text(atlas, paper) for word in typed.split())


def year(paper: Paper) -> int:
    date = first_seen(paper)
    return date.year if date else 0


def test_filters_leave_what_fits(visit: Visit, atlas: Atlas) -> None:
    page = visit(LIST)
    papers = last_seen_first(atlas.catalog.papers)
    for case in CASES:
        page.get_by_role("button", name="Clear filters").click()
        choose(page, **case.values)
        left = [paper for paper in papers if case.fits(atlas, paper)]
        fitting = [paper.id for paper in left]
        assert shown(page) == fitting, case.values
        assert len(fitting) < len(papers)
        count = page.locator(".count").inner_text()
        assert count == f"{counted(left)} of {len(papers):,} entries"
        assert page.get_by_text("No paper fits.").is_visible() is (not fitting)


def test_words_are_found_however_they_are_written(visit: Visit, atlas: Atlas) -> None:
    page = visit(LIST)
    for typed, found in (
        ("rücklé", "ruckle2020adapterdrop"),
        ("Ruckle", "ruckle2020adapterdrop"),
        ("ru\u0308ckle\u0301", "ruckle2020adapterdrop"),
        ("vulić", "ansell2021ltsft"),
        ("vulic", "ansell2021ltsft"),
        ("šnajder DUKIC", "dukic2024looking"),
        ("p tuning", "liu2021ptuningv2"),
        ("ptuning", "liu2021ptuningv2"),
        ("P–Tuning", "liu2021ptuningv2"),
        ("finetuning", "dettmers2023qlora"),
        ("fine-tuning", "dodge2020finetuning"),
        ("Learning Representations lora", "hu2021lora"),
        ("rank low", "hu2021lora"),
    ):
        choose(page, words=typed)
        ids = shown(page)
        assert found in ids, typed
        assert len(ids) < len(atlas.catalog.papers), typed


@pytest.mark.night
def test_every_author_is_found_with_and_without_accents(visit: Visit, atlas: Atlas) -> None:
    page = visit(f"{LIST}?words=a")  # with all rows loaded
    wanted = {name.family: p.id for p in atlas.catalog.papers for name in p.names}
    found = page.evaluate(
        """(names) => names.filter(([name, id]) => {
            const plain = name.normalize("NFD").replace(/\\p{M}/gu, "").toUpperCase();
            return ![name, plain].every((typed) => {
                const field = document.querySelector("[name=words]");
                field.value = typed;
                field.dispatchEvent(new InputEvent("input", {bubbles: true}));
                // of very many that fit, such as of "Le", not all are there at once
                const more = document.querySelector("button.more");
                return document.querySelector(`.listing a[href="${id}.html"]`) || !more.hidden;
            });
        })""",
        [[name, paper] for name, paper in wanted.items() if len(name) > 4],
    )
    assert found == []


@pytest.mark.night
def test_columns_sort_up_and_down_by_keyboard(visit: Visit, atlas: Atlas) -> None:
    page = visit(LIST)
    papers = last_seen_first(atlas.catalog.papers)
    keys: dict[str, Callable[[Paper], Any]] = {
        "Authors": lambda p: p.id,
        "Year": year,
        "Venue": lambda p: p.venue.lower(),
        "Kind": lambda p: p.kind,
        "Leaf": lambda p: list(atlas.catalog.nodes).index(p.leaves[0]),
        "Runs here": lambda p: p.id not in atlas.methods_of,
    }
    for name, key in keys.items():
        head = page.locator("th", has=page.get_by_role("button", name=name))
        head.get_by_role("button").focus()
        first = "ascending" if name != "Year" else "descending"
        for direction in (first, "descending" if first == "ascending" else "ascending"):
            page.keyboard.press("Enter")
            assert head.get_attribute("aria-sort") == direction
            assert page.locator("th[aria-sort]").count() == 1
            # In both directions ties stay newest first.
            ordered = sorted(papers, key=key, reverse=direction == "descending")
            assert shown(page) == [paper.id for paper in ordered], (name, direction)


def test_titles_sort_by_their_letters(visit: Visit) -> None:
    page = visit(f"{LIST}?sort=title")
    titles = page.locator(".listing td:first-child a").all_inner_texts()
    folded = [unicodedata.normalize("NFKD", title).casefold() for title in titles]
    plain = [re.sub(r"[-'’\u0300-\u036f\u2010-\u2015]", "", title) for title in folded]
    assert plain == sorted(plain)


def test_the_address_holds_the_state_and_can_be_shared(visit: Visit) -> None:
    page = visit(LIST)
    choose(page, words="adapter", leaf="composition", code="1")
    page.get_by_role("button", name="Authors").click()
    state = parse_qs(urlsplit(page.url).query)
    assert state == {
        "words": ["adapter"],
        "leaf": ["composition"],
        "code": ["1"],
        "sort": ["author"],
    }
    ids = shown(page)
    other = visit(page.url)
    assert shown(other) == ids
    assert other.locator("[name=words]").input_value() == "adapter"
    assert other.locator("th[aria-sort=ascending]").inner_text().startswith("Authors")


@pytest.mark.night
def test_what_the_address_makes_up_is_ignored(visit: Visit, atlas: Atlas) -> None:
    page = visit(f"{LIST}?leaf=nonsense&sort=__proto__&venue=%3Cb%3E&from=x&kind=&other=1")
    assert len(shown(page)) == len(atlas.catalog.papers)
    assert page.locator("[name=leaf]").input_value() == ""


def test_back_and_forward(visit: Visit, atlas: Atlas) -> None:
    page = visit(LIST)
    page.locator("[name=words]").press_sequentially("lora", delay=5)
    typed = shown(page)
    choose(page, kind="survey")
    page.go_back()
    assert page.locator("[name=words]").input_value() == "lora"
    assert shown(page) == typed
    page.go_back()  # what was typed in one go is one step
    assert page.locator("[name=words]").input_value() == ""
    assert len(shown(page)) == len(atlas.catalog.papers)
    page.go_forward()
    assert shown(page) == typed
    page.reload()
    assert shown(page) == typed


def test_the_count_is_announced_once_when_typing_ends(visit: Visit) -> None:
    page = visit(LIST, fresh=True)  # with a clock of its own
    heard = page.locator("[aria-live=polite]", has_not=page.locator("*"))
    assert heard.count() == 1
    page.evaluate(
        """() => {
            window.heard = [];
            const region = document.querySelector("form [aria-live=polite]");
            new MutationObserver(() => window.heard.push(region.textContent))
                .observe(region, {childList: true, characterData: true, subtree: true});
        }"""
    )
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    for letter in "adapterdrop":
        page.locator("[name=words]").press_sequentially(letter)
        page.clock.run_for(100)
    assert page.evaluate("window.heard") == []
    page.clock.run_for(5000)
    assert page.evaluate("window.heard") == [page.locator(".count").inner_text()]


@pytest.mark.night
def test_filters_are_cleared_at_once(visit: Visit, atlas: Atlas) -> None:
    page = visit(f"{LIST}?words=lora&leaf=low-rank&kind=method&from=2020&code=1&modality=LLM")
    assert len(shown(page)) < 5
    page.get_by_role("button", name="Clear filters").click()
    assert len(shown(page)) == len(atlas.catalog.papers)
    assert urlsplit(page.url).query == ""
    assert page.evaluate("document.activeElement.name") == "words"


def test_it_works_from_a_disk(chromium: Browser, built: Path, atlas: Atlas) -> None:
    page = chromium.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{(built / LIST).as_uri()}?words=lora")
    ids = {*shown(page)}
    assert 0 < len(ids) < len(atlas.catalog.papers)
    choose(page, kind="method")
    assert "kind=method" in page.url
    page.go_back()
    assert {*shown(page)} == ids
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    papers = [paper for paper in atlas.catalog.papers if paper.id in ids]
    wanted = export.bibtex(atlas.catalog, papers)
    assert Path(download.value.path()).read_bytes() == wanted.encode()
    assert download.value.suggested_filename == "papers-lora.bib"
    page.close()
    # The theme's search wants a server.
    assert [fault for fault in faults if "search_index" not in fault] == []


def test_without_scripts_it_is_a_table(visit: Visit, atlas: Atlas) -> None:
    page = visit(LIST, javascript=False)
    assert page.locator(".listing tbody tr").count() == FIRST
    assert not page.locator("form.filters").is_visible()
    assert page.locator(".listing button").count() == 0
    assert page.locator("th[aria-sort=descending]").inner_text() == "Year"
    page.get_by_role("link", name="one plain table").click()
    expect(page.locator(".listing tbody tr")).to_have_count(len(atlas.catalog.papers))


def test_on_a_phone_rows_are_cards_and_still_a_table(visit: Visit, atlas: Atlas) -> None:
    page = visit(f"{LIST}?words=bottleneck", width=PHONE)
    assert overflow(page) <= 0
    assert page.evaluate("getComputedStyle(document.querySelector('.listing tr')).display") == (
        "flex"
    )
    cards = page.locator(".listing tbody tr")
    assert cards.count() == len(shown(page))
    for box in (cards.nth(i).bounding_box() for i in range(3)):
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    roles = [node["role"]["value"] for node in nodes if not node["ignored"]]
    assert roles.count("row") == cards.count() + 1
    assert roles.count("columnheader") == 8


@pytest.mark.night
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, 800, 1280])
def test_axe_finds_nothing_serious_while_filtering(visit: Visit, scheme: str, width: int) -> None:
    page = visit(f"{LIST}?words=adapter&leaf=additive", width=width, scheme=scheme)
    assert serious(page) == []
    assert overflow(page) <= 0
    choose(page, words="zzz")
    assert serious(page) == []


@pytest.mark.night
def test_a_shared_list_does_not_jump(visit: Visit) -> None:
    page = visit(f"{SLOWLY}{LIST}?leaf=soft&words=prompt")
    page.wait_for_load_state("networkidle")
    assert shift(page) < 0.01


def test_the_keyboard_reaches_every_control_in_order(visit: Visit) -> None:
    page = visit(LIST)
    page.locator("[name=words]").focus()
    reached = []
    for _ in range(19):
        reached.append(
            page.evaluate("document.activeElement.name || document.activeElement.textContent")
        )
        page.keyboard.press("Tab")
    assert [*dict.fromkeys(reached)] == [
        *("words", "leaf", "venue", "kind", "modality", "from", "to", "code"),
        *("Clear filters", "download", "copy"),
        *("Paper", "Authors", "Year", "Venue", "Leaf", "Kind", "Modality", "Runs here"),
    ]
