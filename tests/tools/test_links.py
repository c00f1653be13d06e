"""Links: every state, remembered fairly; only what is gone on two days is an error."""

from __future__ import annotations

import argparse
import json
import subprocess
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.tools.services import answer, fetcher, serve
from tests.tools.small_catalog import CATALOG
from tools.commands import links as links_module
from tools.commands.links import (
    Result,
    arguments,
    check,
    check_all,
    due,
    finding,
    links,
    main,
    new_since,
    read_cache,
    remembered,
)
from tools.data.loader import parse
from tools.data.parts import load
from tools.records.connections import FetchError

TODAY = "2026-11-21"


def head_refused(request):
    """No HEAD here; GET is fine."""
    (answer("", 405) if request.command == "HEAD" else answer("fine"))(request)


@pytest.mark.parametrize(
    ("handler", "state", "detail"),
    [
        (answer("x"), "ok", ""),
        (answer("", 204), "ok", ""),
        (answer(b"x" * 1_000_000), "ok", ""),
        (head_refused, "ok", ""),
        (answer("", 404), "gone", "status 404"),
        (answer("", 410), "gone", "status 410"),
        (answer("", 403), "blocked", "status 403"),
        (answer("", 401), "blocked", "status 401"),
        (answer("", 429, Retry_After="120"), "rate-limited", "asks to wait 120 s"),
        (answer("", 503), "rate-limited", "status 503"),
        (answer("", 500), "timed out", "status 500"),
        (answer("", 400), "invalid", "status 400"),
        (answer("", 302, Location="http://169.254.169.254/"), "invalid", "not public"),
        (answer("", 302, Location="/"), "invalid", "redirects"),
        (answer("", 302, Location="http://no-such-host.invalid/"), "unresolved", "no-such-host"),
    ],
)
def test_states(handler, state, detail):
    with serve({"/": handler}) as service:
        result = check(f"{service.url}/", fetcher(), TODAY)
    assert result.state == state
    assert detail in result.detail
    assert result.gone_on == ((TODAY,) if state == "gone" else ())


def test_head_comes_first_and_get_asks_for_little():
    with serve({"/a": answer("x"), "/b": head_refused}) as service:
        check(f"{service.url}/a", fetcher(), TODAY)
        check(f"{service.url}/b", fetcher(), TODAY)
        asked = [(method, path) for method, path, _ in service.asked]
        assert asked == [("HEAD", "/a"), ("HEAD", "/b"), ("GET", "/b")]
        assert service.asked[-1][2]["Range"] == "bytes=0-1023"


@pytest.mark.parametrize(
    ("status", "target", "state"),
    [
        (301, "/new", "moved"),
        (308, "/new", "moved"),
        (302, "/new", "ok"),
        (301, "/old/", "ok"),
    ],
)
def test_a_permanent_redirect_to_another_place_is_a_move(status, target, state):
    paths = {"/old": answer("", status, Location=target)}
    with serve({**paths, "/new": answer("x"), "/old/": answer("x")}) as service:
        result = check(f"{service.url}/old", fetcher(), TODAY)
        assert result.state == state
        assert result.moved_to == (f"{service.url}/new" if state == "moved" else "")


def test_a_doi_is_looked_up_at_its_registry_and_its_publisher_is_left_alone(monkeypatch):
    publisher = answer("", 403)
    with serve({"/10.1/x": answer("", 302, Location="/paper"), "/paper": publisher}) as service:
        monkeypatch.setitem(links_module._IDENTIFIERS, "doi", f"{service.url}/")
        assert check(f"{service.url}/10.1/x", fetcher(), TODAY).state == "ok"
        assert [path for _, path, _ in service.asked] == ["/10.1/x"]
        assert check(f"{service.url}/10.1/none", fetcher(), TODAY).state == "gone"


def test_only_what_is_gone_on_two_days_is_dead():
    first = Result("gone", "2026-11-20", gone_on=("2026-11-20",))
    again = Result("gone", "2026-11-20", gone_on=("2026-11-20",))
    next_day = Result("gone", TODAY, gone_on=(TODAY,))
    assert not remembered(None, first).is_dead
    assert not remembered(first, again).is_dead
    dead = remembered(first, next_day)
    assert dead.is_dead
    assert dead.gone_on == ("2026-11-20", TODAY)
    assert remembered(dead, Result("ok", TODAY)) == Result("ok", TODAY)
    third = replace(next_day, checked="2026-11-22", gone_on=("2026-11-22",))
    assert remembered(dead, third) == replace(dead, checked="2026-11-22")  # the first two days
    archived = replace(first, archived="https://a.org/x")
    assert remembered(archived, next_day).archived == "https://a.org/x"
    timed_out = remembered(first, Result("timed out", TODAY))
    assert not remembered(timed_out, next_day).is_dead


@pytest.mark.parametrize(
    ("state", "days"),
    [("ok", 30), ("moved", 30), ("blocked", 30), ("gone", 1), ("timed out", 1), ("invalid", 1)],
)
def test_an_answer_is_good_for_so_many_days_and_no_longer(state, days):
    checked = date.fromisoformat(TODAY) - timedelta(days=days)
    known = {
        "old": Result(state, checked.isoformat()),
        "good": Result(state, (checked + timedelta(days=1)).isoformat()),
    }
    assert due(known, known, TODAY) == ["old"]


def test_what_is_due_is_oldest_first():
    known = {
        "old": Result("ok", "2026-10-01"),
        "older": Result("blocked", "2026-09-01"),
        "fresh": Result("ok", "2026-11-01"),
        "gone yesterday": Result("gone", "2026-11-20"),
        "gone today": Result("gone", TODAY),
    }
    urls = ["old", "never", "fresh", "older", "gone yesterday", "gone today", "never"]
    assert due(urls, known, TODAY) == ["never", "older", "old", "gone yesterday"]


def test_every_link_and_identifier_has_its_line():
    document = parse(CATALOG.encode(), "papers.yaml")
    found = list(links(document))
    lines = CATALOG.splitlines()
    for link in found:
        assert lines[link.line - 1].strip().removeprefix("- ").startswith(f"{link.field}:")
    shown = {(link.entry, link.field, link.url) for link in found}
    assert ("hu2021lora", "arxiv", "https://arxiv.org/abs/2106.09685") in shown
    assert ("hu2021lora", "doi", "https://doi.org/10.1109/5.771073") in shown
    assert ("ICLR", "url", "https://iclr.cc/") in shown
    assert ("mao2021unipelt", "acl", "https://aclanthology.org/2022.acl-long.433") in shown


def test_a_finding_says_where_and_what_to_do():
    link = next(iter(links(parse(CATALOG.encode(), "papers.yaml"))))
    text = str(finding(link, Result("moved", TODAY, "status 301", "https://new.org/")))
    assert text.startswith(f"papers.yaml:{link.line}:{link.column} L301 ICLR.url: moved: ")
    assert "it is now at https://new.org/" in text
    gone = finding(link, Result("gone", TODAY, archived="https://a.org/x")).message
    assert "an error if it is gone tomorrow as well; a copy is at https://a.org/x" in gone


def test_a_host_that_is_busy_is_left_alone():
    with serve({"/1": answer("", 429), "/2": answer("x")}) as service:
        got: dict[str, Result] = {}
        urls = [f"{service.url}/1", f"{service.url}/2"]
        check_all(urls, fetcher(), TODAY, got.__setitem__)
    assert {url[-1]: result.state for url, result in got.items()} == {"1": "rate-limited"}


def git(folder: Path, *command: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *command], check=True, capture_output=True)


@pytest.fixture
def catalog(tmp_path) -> Path:
    path = tmp_path / "papers.yaml"
    path.write_text(CATALOG, encoding="utf-8")
    return path


def test_only_new_links_are_wanted_of_a_change(catalog):
    git(catalog.parent, "init", "-q")
    git(catalog.parent, "add", "papers.yaml")
    git(catalog.parent, "commit", "-qm", "old")
    catalog.write_text(CATALOG.replace("example.org/notes", "example.org/new"), encoding="utf-8")
    found = new_since(load(catalog), "HEAD", catalog)
    assert [(link.entry, link.url) for link in found] == [
        ("microsoftndtuning", "https://example.org/new")
    ]
    with pytest.raises(OSError, match="git knows no papers"):
        new_since(load(catalog), "no-such-branch", catalog)


def options(catalog: Path, *given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    arguments(parser)
    cache = str(catalog.parent / "cache.json")
    return parser.parse_args([*given, "--catalog", str(catalog), "--cache", cache])


class Web:
    """Answers by address, without a network."""

    def __init__(self, states: dict[str, int]) -> None:
        self.states, self.asked = states, []

    def fetch(self, url: str, **_: object):
        from tools.records.web import Answer

        self.asked.append(url)
        if url.startswith(links_module.ARCHIVE):
            body = json.dumps({"archived_snapshots": {"closest": {"url": "https://a.org/x"}}})
            return Answer(url, 200, {}, body.encode())
        status = next((s for part, s in self.states.items() if part in url), 200)
        if status == 0:
            raise FetchError("timeout", "took too long")
        return Answer(url, status, {}, b"")


def test_the_command_remembers_and_turns_red_on_the_second_day(catalog, capsys, monkeypatch):
    web = Web({"example.org/notes": 404, "iclr.cc": 0})
    assert main(options(catalog), web) == 0
    assert web.asked == []
    capsys.readouterr()

    class Day(links_module.date):
        now = "2026-11-20"

        @classmethod
        def today(cls):
            return cls.fromisoformat(cls.now)

    monkeypatch.setattr(links_module, "date", Day)
    assert main(options(catalog, "--network"), web) == 0
    shown = capsys.readouterr().out
    assert "gone: https://example.org/notes (status 404)" in shown
    assert "a copy is at https://a.org/x" in shown
    assert "timed out: https://iclr.cc/" in shown
    Day.now = TODAY
    web.asked.clear()
    assert main(options(catalog, "--network"), web) == 1
    assert {url.split("/")[2] for url in web.asked} == {"example.org", "iclr.cc"}
    assert capsys.readouterr().out.splitlines()[-1].endswith("2 to look at, 1 dead")


def test_the_budget_bounds_what_is_asked(catalog):
    web = Web({})
    main(options(catalog, "--network", "--budget", "3"), web)
    assert len([url for url in web.asked if "example.org/notes" not in url]) <= 2 * 3
    assert len(read_cache(catalog.parent / "cache.json")) == 3


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', '{"a": {"state": "ok"}}', "\x00"])
def test_a_cache_that_is_none_is_no_cache(tmp_path, content):
    path = tmp_path / "cache.json"
    path.write_text(content)
    assert read_cache(path) == {}
    assert read_cache(tmp_path / "missing") == {}
