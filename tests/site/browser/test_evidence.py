"""The pages of scores in the browser: costs, order, filters, and the address that keeps them."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.site.browser.conftest import DESKTOP, PHONE, Visit, overflow, serious
from tools.atlas import Atlas
from tools.site.pages.evidence.evidence import joined
from tools.site.shared.boards import Board, measured, published

INDEX, PRINTED, LORA = (f"evidence/{name}.html" for name in ("index", "printed", "printed-lora"))


@pytest.fixture(scope="session")
def boards(atlas: Atlas) -> list[Board]:
    return [*measured(atlas), *published(atlas)]


def path(board: Board) -> str:
    return f"evidence/{board.slug}.html"


def order(page: Page) -> list[str]:
    """The methods of the leaderboard, from above."""
    rows = page.locator(".leaderboard tbody th")
    return [text.strip() for text in rows.all_inner_texts()]


def drawn(page: Page) -> list[str]:
    """The costs whose charts can be seen."""
    return page.evaluate(
        "[...document.querySelectorAll('.axes [data-cost]')]"
        ".filter(box => box.offsetParent).map(box => box.dataset.cost)"
    )


def test_every_score_is_on_its_page(visit: Visit, boards: list[Board]) -> None:
    for board in boards:
        page = visit(path(board), javascript=False)
        assert order(page) == [score.label for score in board.ranked]
        shown = page.locator(".leaderboard tbody td strong").all_inner_texts()
        assert shown == [score.shown for score in board.ranked]
        assert len(drawn(page)) == len(board.charts())  # one below the other


def test_one_cost_is_drawn_at_a_time_and_the_address_keeps_it(
    visit: Visit, boards: list[Board]
) -> None:
    page = visit(path(boards[0]))
    assert drawn(page) == ["trained"]
    page.check("[name=cost][value=peak]")
    assert drawn(page) == ["peak"]
    assert page.evaluate("location.search") == "?cost=peak"
    page.reload()
    assert drawn(page) == ["peak"]


def test_a_click_on_a_head_sorts_and_the_address_keeps_it(
    visit: Visit, boards: list[Board]
) -> None:
    board = boards[0]
    page = visit(path(board))
    trained = page.locator(".leaderboard thead button", has_text="Trained")
    trained.click()
    most = sorted(board.scores, key=lambda score: -score.trained)
    assert order(page)[0] == most[0].label
    trained.click()
    assert order(page)[0] == most[-1].label
    page.reload()
    assert order(page)[0] == most[-1].label
    assert page.locator("[aria-sort]").get_attribute("aria-sort") == "ascending"


def test_printed_scores_are_filtered(visit: Visit, atlas: Atlas) -> None:
    rows = [(table.model, scores) for table, scores in joined("lora", atlas.printed["lora"])]
    model, data = rows[0][0], rows[0][1][0].data
    page = visit(f"{LORA}?model={model}&data=gone")
    left = page.locator("#printed tbody tr:visible")
    own = [scores for name, scores in rows if name == model]
    assert left.count() == len(own) < len(rows)
    assert page.inner_text("#printed-filters .count") == f"{len(own)} of {len(rows)} rows"
    page.select_option("[name=data]", data)
    found = [sum(score.data == data for score in scores) for scores in own]
    assert left.count() == sum(map(bool, found))
    assert page.locator("#printed .values span:visible").count() == sum(found)
    assert f"model={model}" in page.evaluate("location.search")


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_and_have_no_serious_fault(
    visit: Visit, boards: list[Board], width: int, scheme: str
) -> None:
    for place in (INDEX, path(boards[0]), path(boards[-1]), PRINTED, LORA):
        page = visit(place, width=width, scheme=scheme)
        assert overflow(page) <= 0, place
        assert serious(page) == [], place
