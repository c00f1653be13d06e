"""A headless Chromium on the built site. Whatever a page asks of another host is refused.

`CHROMIUM` may name the browser. Where there is none these tests are not collected, except in CI,
where that is an error.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.site.serving import served

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
SWITCHES = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--no-first-run",
    "--no-sandbox",
]
PHONE, DESKTOP = 390, 1280
# For what is awaited: on a machine with other work to do it may come late, and that is no fault.
PATIENCE = 120_000
expect.set_options(timeout=PATIENCE)
SHIFTS = """{
  let sum = 0;
  const add = (entries) => entries.forEach((entry) => { sum += entry.value; });
  const observer = new PerformanceObserver((list) => add(list.getEntries()));
  observer.observe({type: "layout-shift", buffered: true});
  globalThis.allShifts = () => { add(observer.takeRecords()); return sum; };
}"""

if not CHROMIUM:
    if os.environ.get("CI"):
        raise pytest.UsageError("no Chromium: install one, or name it in the variable CHROMIUM")
    collect_ignore_glob = ["test_*.py"]

Visit = Callable[..., Page]


@pytest.fixture(scope="session")
def address(built: Path) -> Iterator[str]:
    """Where the real site is served."""
    with served(built) as address:
        yield address


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield browser
        browser.close()


def new_page(
    browser: Browser,
    address: str,
    faults: list[str],
    width: int = DESKTOP,
    scheme: str = "light",
    javascript: bool = True,
) -> Page:
    """An empty page in a context of its own. To `faults` comes what no page may do: ask another
    host than the address's for anything, log an error, or throw."""
    own = (address[: address.index("/", 8) + 1], "data:", "blob:")
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        java_script_enabled=javascript,
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(PATIENCE)
    context.add_init_script(SHIFTS)
    page = context.new_page()
    context.on(
        "request",
        lambda asked: asked.url.startswith(own) or faults.append(f"{page.url}: {asked.url}"),
    )
    page.on("pageerror", lambda error: faults.append(f"{page.url} throws {error}"))
    page.on(
        "console",
        lambda message: message.type == "error" and faults.append(f"{page.url}: {message.text}"),
    )
    return page


class Tabs:
    """Pages that tests use one after the other: for half the price of new ones."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.browser, self.address, self.faults = browser, address, []
        self.free: list[Page] = []
        self.used: list[Page] = []

    def take(self, width: int, scheme: str) -> Page:
        page = self.free.pop() if self.free else new_page(self.browser, self.address, self.faults)
        self.used.append(page)
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        return page

    def give_back(self) -> None:
        """Leave the pages' addresses, and nothing behind."""
        for page in self.used:
            page.evaluate("localStorage.clear(); sessionStorage.clear();")
            page.goto("about:blank")
        self.free, self.used = self.free + self.used, []


@pytest.fixture(scope="session")
def tabs(chromium: Browser, address: str) -> Tabs:
    return Tabs(chromium, address)


@pytest.fixture
def visit(tabs: Tabs) -> Iterator[Visit]:
    """visit(path, width=…, scheme=…) gives a `Page`; `path` may be a whole address.

    javascript=False or fresh=True: in a page of its own, which nothing is done to later.
    After the test no page may have done what `new_page` notes.
    """
    faults: list[str] = []
    pages = []
    tabs.faults.clear()

    def visit(
        path: str,
        width: int = DESKTOP,
        scheme: str = "light",
        javascript: bool = True,
        fresh: bool = False,
    ) -> Page:
        whole = path if path.startswith(("http:", "file:")) else tabs.address + path
        if javascript and not fresh and whole.startswith(tabs.address):
            page = tabs.take(width, scheme)
        else:
            page = new_page(tabs.browser, whole, faults, width, scheme, javascript)
            pages.append(page)
        page.goto(whole)
        return page

    yield visit
    for page in pages:
        page.context.close()
    assert faults + tabs.faults == []
    tabs.give_back()


def settled(page: Page) -> None:
    """Wait until all that a frame brings about is done: layout, and what observes sizes."""
    page.evaluate(
        """() => new Promise(done =>
            requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"""
    )


def serious(page: Page, parts: Sequence[str] = (), contrast: bool = True) -> list[str]:
    """What axe-core finds on the page that is serious or critical, a line each.

    It takes four fifths of its time to compare colors, which `contrast` leaves out.
    """
    settled(page)  # what scrolls becomes focusable when its size is known
    page.evaluate(AXE_FILE_PATH.read_text(encoding="utf-8"))
    options = {
        "resultTypes": ["violations"],
        "selectors": False,
        "rules": {"color-contrast": {"enabled": contrast}},
    }
    found = page.evaluate(
        """async ([parts, options]) =>
            (await axe.run(parts.length ? {include: parts} : document, options)).violations""",
        [list(parts), options],
    )
    return [
        f"{violation['id']}: {node['html'][:160]}"
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


def shift(page: Page) -> float:
    """How far what was shown has moved since, in the browser's own measure."""
    settled(page)
    return page.evaluate("allShifts()")


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
