"""`python -m tools links`: does every link of the catalog still lead somewhere?

The data is checked, not the rendered pages, so each finding has an entry, a field and a line. A
publisher that blocks programs is not taken for dead: a DOI is looked up at its registry, which
answers everyone. Only what is gone on two different days is an error.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlsplit

from ..data.document import Document
from ..data.files import ROOT, write
from ..data.findings import Finding, as_github, as_json, as_text
from ..data.parts import FOLDER, joined, load

# imported late: the site's page of commands asks this module for its options alone
if TYPE_CHECKING:
    from ..records.web import Answer, Fetcher

State = Literal[
    "ok", "moved", "blocked", "rate-limited", "gone", "unresolved", "timed out", "invalid"
]
FORMATS = {"text": as_text, "json": as_json, "github": as_github}
CODES = {
    "moved": "L301",
    "blocked": "L403",
    "rate-limited": "L429",
    "gone": "L404",
    "unresolved": "L502",
    "timed out": "L504",
    "invalid": "L400",
}
# Days for which an answer is good enough; a link not yet known to be gone is asked again at once.
AGES = {"ok": 30, "moved": 30, "blocked": 30}
ARCHIVE = "https://archive.org/wayback/available?url="
WORKERS = 32
# Pages that never answer programs: what is behind them has an identifier that can be asked for.
_IDENTIFIERS = {
    "arxiv": "https://arxiv.org/abs/",
    "doi": "https://doi.org/",
    "acl": "https://aclanthology.org/",
    "openreview": "https://openreview.net/forum?id=",
}


@dataclass(frozen=True)
class Link:
    """A link of the catalog and where it stands there."""

    url: str
    entry: str
    field: str
    file: str
    line: int
    column: int


@dataclass(frozen=True)
class Result:
    """What a link answered. `gone_on`: the first two days on which it was gone."""

    state: State
    checked: str
    detail: str = ""
    moved_to: str = ""
    archived: str = ""
    gone_on: tuple[str, ...] = ()

    @property
    def is_dead(self) -> bool:
        return self.state == "gone" and len(self.gone_on) > 1


def links(document: Document) -> Iterator[Link]:
    """Every link and identifier of papers and venues, in the order of the file."""
    for section in ("venues", "papers"):
        for place, item in enumerate(document.data[section]):
            for key, value in item.items():
                if not isinstance(value, str):
                    continue
                where = (section, place, key)
                at = (document.file(where), *document.mark(where))
                if key in ("url", "code"):
                    yield Link(value, item["id"], key, *at)
                elif section == "papers" and key in _IDENTIFIERS:
                    yield Link(_IDENTIFIERS[key] + quote(value), item["id"], key, *at)


def check(url: str, fetcher: Fetcher, today: str) -> Result:
    """Ask for one link: HEAD first, then GET where a server does not like that."""
    from ..records.connections import FetchError

    registered = url.startswith(_IDENTIFIERS["doi"])  # a redirect says that the DOI exists
    settings: dict[str, Any] = {"follow": not registered, "read": False}
    try:
        answer = fetcher.fetch(url, method="HEAD", **settings)
        if answer.status in (400, 403, 404, 405, 501):
            answer = fetcher.fetch(url, headers={"Range": "bytes=0-1023"}, **settings)
    except FetchError as error:
        reasons: dict[str, State] = {
            "unresolved": "unresolved",
            "timeout": "timed out",
            "unreachable": "timed out",
        }
        return Result(reasons.get(error.reason, "invalid"), today, str(error))
    return _judged(url, answer, today, registered)


def _judged(url: str, answer: Answer, today: str, registered: bool) -> Result:
    status = answer.status
    if status < 300 or status in (304, 416) or (registered and status < 400):
        permanent = answer.hops and all(code in (301, 308) for code, _ in answer.hops)
        if permanent and _differ(url, answer.url):
            return Result("moved", today, f"status {answer.hops[0][0]}", answer.url)
        return Result("ok", today)
    if status in (404, 410):
        return Result("gone", today, f"status {status}", gone_on=(today,))
    if status in (401, 403, 406, 418, 451, 999):
        return Result("blocked", today, f"status {status}: it may refuse programs only")
    if status in (429, 503):
        wait = answer.retry_after
        asks = f", asks to wait {wait:.0f} s" if wait is not None else ""
        return Result("rate-limited", today, f"status {status}{asks}")
    if status >= 500:
        return Result("timed out", today, f"status {status}")
    return Result("invalid", today, f"status {status}")


def _differ(one: str, other: str) -> bool:
    """Whether a redirect led to another place, and not to the same one with a slash or TLS."""

    def core(url: str) -> str:
        parts = urlsplit(url)
        host = (parts.hostname or "").removeprefix("www.")
        return f"{host}{parts.path.rstrip('/')}?{parts.query}"

    return core(one) != core(other)


def remembered(old: Result | None, new: Result) -> Result:
    """The new result, with the days on which the link was gone before."""
    if new.state != "gone" or old is None or not old.gone_on:
        return new
    days = tuple(sorted({*old.gone_on, *new.gone_on})[:2])
    return replace(new, gone_on=days, archived=old.archived)


def due(urls: Iterable[str], known: dict[str, Result], today: str) -> list[str]:
    """Links whose last answer is too old, the oldest first, those never asked before all."""
    day = date.fromisoformat(today)

    def fresh(url: str) -> bool:
        result = known.get(url)
        if result is None:
            return False
        age = timedelta(days=AGES.get(result.state, 1))
        return day - date.fromisoformat(result.checked) < age

    waiting = [url for url in dict.fromkeys(urls) if not fresh(url)]
    return sorted(waiting, key=lambda url: known[url].checked if url in known else "")


def check_all(
    urls: list[str], fetcher: Fetcher, today: str, done: Callable[[str, Result], None]
) -> None:
    """Check links, those of a host one after another, many hosts at once.

    A host that asks for a long pause is left alone: its other links stay unchecked.
    """
    hosts: dict[str, list[str]] = defaultdict(list)
    for url in urls:
        hosts[urlsplit(url).hostname or ""].append(url)

    def work(own: list[str]) -> None:
        for url in own:
            result = check(url, fetcher, today)
            done(url, result)
            if result.state == "rate-limited":
                return

    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        for finished in [pool.submit(work, own) for own in hosts.values()]:
            finished.result()


def archived(url: str, fetcher: Fetcher) -> str:
    """An archived copy of a page, if the Wayback Machine has one."""
    from ..records.connections import FetchError

    try:
        answer = json.loads(fetcher.fetch(ARCHIVE + quote(url, safe="")).body)
        return str(answer["archived_snapshots"]["closest"]["url"])
    except (FetchError, ValueError, KeyError, TypeError):
        return ""


def finding(link: Link, result: Result) -> Finding:
    message = f"{result.state}: {link.url}"
    if result.detail:
        message += f" ({result.detail})"
    if result.moved_to:
        message += f"; it is now at {result.moved_to}"
    if result.state == "gone" and not result.is_dead:
        message += "; an error if it is gone tomorrow as well"
    if result.archived:
        message += f"; a copy is at {result.archived}"
    return Finding(
        CODES[result.state], link.file, link.line, link.column, link.entry, link.field, message
    )


def read_cache(path: Path) -> dict[str, Result]:
    """Results of earlier runs; none where the file is missing or holds something else."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {
            url: Result(**{**value, "gone_on": tuple(value["gone_on"])})
            for url, value in data.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def new_since(document: Document, reference: str, path: Path) -> list[Link]:
    """The links that a git reference's version of the catalog does not have.

    Raises OSError where git cannot show that version.
    """

    def git(*arguments: str) -> bytes:
        command = ["git", "-C", str(path.parent), *arguments]
        shown = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
        if shown.returncode:
            raise OSError(f"git knows no {path.name} at '{reference}'")
        return shown.stdout

    listed = git("ls-tree", "--name-only", reference, f"./{FOLDER}/").decode().splitlines()
    names = [path.name, *(name for name in listed if name.endswith(".yaml"))]
    files = {name: git("show", f"{reference}:./{name}") for name in names}
    old = {link.url for link in links(joined(files, path.name))}
    return [link for link in links(document) if link.url not in old]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--network", action="store_true", help="ask; else report what is known")
    parser.add_argument("--changed", metavar="REF", help="only links that REF does not have")
    parser.add_argument("--budget", type=int, default=0, help="ask for so many at most")
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "links.json")
    parser.add_argument("--format", choices=sorted(FORMATS), default="text")
    parser.add_argument("--catalog", type=Path, default=ROOT / "papers.yaml")


def main(options: argparse.Namespace, fetcher: Fetcher | None = None) -> int:
    path: Path = options.catalog
    document = load(path)
    if not isinstance(document.data, dict) or document.findings:
        raise ValueError(f"{path.name} cannot be read; see `python -m tools validate`")
    wanted = list(links(document))
    if options.changed:
        wanted = new_since(document, options.changed, path)
    today, known = date.today().isoformat(), read_cache(options.cache)
    if options.network:
        urls = due((link.url for link in wanted), known, today)
        from ..records.web import Fetcher, Politeness

        urls = urls[: options.budget] if options.budget else urls
        _ask(urls, known, fetcher or Fetcher(politeness=Politeness(1.0)), today, options.cache)
    bad = [link for link in wanted if link.url in known and known[link.url].state != "ok"]
    dead = [link for link in bad if known[link.url].is_dead]
    findings = [finding(link, known[link.url]) for link in bad]
    unknown = sum(link.url not in known for link in wanted)
    summary = f"{len(wanted):,} links: {len(bad):,} to look at, {len(dead):,} dead"
    summary += f", {unknown:,} never asked" if unknown else ""
    sys.stdout.write(FORMATS[options.format](findings, summary))
    return 1 if dead else 0


def _ask(
    urls: list[str], known: dict[str, Result], fetcher: Fetcher, today: str, cache: Path
) -> None:
    """Check links, and keep what they answer."""
    from tqdm import tqdm

    with tqdm(total=len(urls), desc="links", unit="link", disable=not urls) as bar:

        def done(url: str, result: Result) -> None:
            known[url] = remembered(known.get(url), result)
            bar.update()

        try:
            check_all(urls, fetcher, today, done)
            for url in urls:
                if url in known and known[url].state == "gone" and not known[url].archived:
                    known[url] = replace(known[url], archived=archived(url, fetcher))
        finally:  # what was learned is kept, also when the run is stopped
            data = {url: asdict(known[url]) for url in sorted(known)}
            write(cache, json.dumps(data, indent=1, ensure_ascii=False) + "\n")
