"""A headless Chromium on the built site. Whatever a page asks of another host is refused.

`CHROMIUM` may name the browser. Where there is none these tests are not collected, except in CI,
where that is an error.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Browser, Page, Route, sync_playwright

from tests.site.serving import served

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
SWITCHES = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
]
PHONE, DESKTOP = 390, 1280

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


@pytest.fixture
def visit(chromium: Browser, address: str) -> Iterator[Visit]:
    """visit(path, width=…, scheme=…, javascript=…) gives a `Page`; `path` may be a whole address.

    After the test no page may have asked another host for anything, logged an error, or thrown.
    """
    faults: list[str] = []
    contexts = []

    def visit(
        path: str, width: int = DESKTOP, scheme: str = "light", javascript: bool = True
    ) -> Page:
        base = path if "://" in path else address + path

        def decide(route: Route) -> None:
            if route.request.url.startswith((base[: base.index("/", 8) + 1], "data:", "blob:")):
                route.continue_()
            else:
                faults.append(f"{path} asks for {route.request.url}")
                route.abort()

        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=javascript,
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        context.route("**/*", decide)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(f"{path} throws {error}"))
        page.on(
            "console",
            lambda message: message.type == "error" and faults.append(f"{path}: {message.text}"),
        )
        page.goto(base)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert faults == []


def serious(page: Page) -> list[str]:
    """What axe-core finds on the page that is serious or critical, a line each."""
    page.wait_for_timeout(300)  # what scrolls becomes focusable a moment after the page is there
    page.evaluate(AXE_FILE_PATH.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    return [
        f"{violation['id']}: {node['html'][:160]}"
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
