"""Fetch addresses that strangers chose: public ones only, within limits, politely.

Links arrive in pull requests and are followed by machines with a network of their own. So every
address that a host name resolves to is checked, and the connection is made to a checked address
and no other: a name that resolves differently a moment later (DNS rebinding) gains nothing. Each
hop of a redirect goes through the same checks. Nothing of the environment is used: no proxy, no
.netrc, no cookies.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from .connections import Adapter, Address, FetchError, is_public, seconds_left

AGENT = "fine-tuning-atlas/0.1 (+https://github.com/fine-tuning-atlas/fine-tuning-atlas)"
REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True)
class Limits:
    """What one fetch may cost: redirects, bytes of the body, seconds for all hops together."""

    hops: int = 5
    size: int = 5_000_000
    seconds: float = 20.0


@dataclass(frozen=True)
class Answer:
    """What came back. `hops`: the status and target of each redirect on the way to `url`."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    hops: tuple[tuple[int, str], ...] = ()

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asks to be left alone, or None; it may name a date."""
        value = self.headers.get("Retry-After", "").strip()
        if value.isascii() and value.isdigit():
            return float(value)
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())


@dataclass
class Politeness:
    """At most one request at a time to a host, and `pause` seconds between two.

    `pauses` holds what single hosts ask for instead.
    """

    pause: float = 1.0
    pauses: Mapping[str, float] = field(default_factory=dict)
    _hosts: dict[str, tuple[threading.Lock, list[float]]] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def turn(self, host: str) -> Iterator[None]:
        """Wait for the host's turn, and hold it."""
        with self._guard:
            lock, last = self._hosts.setdefault(host, (threading.Lock(), [0.0]))
        with lock:
            wait = last[0] + self.pauses.get(host, self.pause) - time.monotonic()
            if last[0] and wait > 0:
                time.sleep(wait)
            try:
                yield
            finally:
                last[0] = time.monotonic()


class Fetcher:
    """Fetches over http and https; safe to share between threads.

    allowed: which addresses may be connected to.
    """

    def __init__(
        self,
        *,
        allowed: Callable[[Address], bool] = is_public,
        limits: Limits = Limits(),
        politeness: Politeness | None = None,
    ) -> None:
        self.allowed, self.limits = allowed, limits
        self.politeness = politeness or Politeness()

    def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        follow: bool = True,
        read: bool = True,
    ) -> Answer:
        """The answer to a request, redirects followed unless told not to.

        Without `read` the body is left where it is.

        Raises:
            FetchError: there was none, or it broke a rule or a limit.
        """
        deadline, hops = time.monotonic() + self.limits.seconds, []
        while True:
            host = _host(url)
            with self.politeness.turn(host):
                answer = self._once(url, method, headers or {}, deadline, read)
            target = answer.headers.get("Location")
            if answer.status not in REDIRECTS or not target or not follow:
                return Answer(url, answer.status, answer.headers, answer.body, tuple(hops))
            if len(hops) == self.limits.hops:
                raise FetchError("too large", f"more than {self.limits.hops} redirects")
            url = urljoin(url, target)
            hops.append((answer.status, url))

    def patiently(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        tries: int = 4,
        longest: float = 60.0,
    ) -> Answer:
        """As `fetch`, and again after a 429 or a 5xx, when the server says so or ever later.

        A server that asks for more than `longest` seconds is not waited for.

        Raises:
            FetchError: there was no answer, also not in the last try.
        """
        for attempt in range(tries):
            last = attempt == tries - 1
            try:
                answer = self.fetch(url, headers=headers)
            except FetchError as error:
                if last or error.reason not in ("timeout", "unreachable"):
                    raise
                wait = None
            else:
                if last or (answer.status != 429 and answer.status < 500):
                    return answer
                wait = answer.retry_after
                if wait is not None and wait > longest:
                    return answer
            time.sleep(2.0**attempt if wait is None else wait)
        raise AssertionError("the last try returns or raises")

    def _once(
        self, url: str, method: str, headers: Mapping[str, str], deadline: float, read: bool
    ) -> Answer:
        session = requests.Session()
        session.trust_env = False
        adapter = Adapter(self.allowed, deadline)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        try:
            with (
                adapter.watch(),
                session.request(
                    method,
                    url,
                    headers={"User-Agent": AGENT, **headers},
                    allow_redirects=False,
                    stream=True,
                    timeout=seconds_left(deadline),
                ) as response,
            ):
                body = bytearray()
                for chunk in response.iter_content(65_536) if read else ():
                    body += chunk
                    if len(body) > self.limits.size:
                        message = f"the answer is larger than {self.limits.size:,} bytes"
                        raise FetchError("too large", message)
                    seconds_left(deadline)
                return Answer(url, response.status_code, response.headers, bytes(body))
        except FetchError:
            raise
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _explained(error, deadline) from error
        except ValueError as error:  # what urllib3 and http.client make of odd addresses
            raise FetchError("invalid", str(error)) from error
        finally:
            session.close()


def _host(url: str) -> str:
    """The host of a usable address, in lower case."""
    if not url.isprintable() or any(char.isspace() for char in url) or "\\" in url:
        raise FetchError("invalid", "holds a character that no address has")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises where it is no number
    except ValueError as error:
        raise FetchError("invalid", str(error)) from None
    if parts.scheme not in ("http", "https"):
        raise FetchError("invalid", f"'{parts.scheme}' is neither http nor https")
    if not parts.hostname:
        raise FetchError("invalid", "has no host")
    if "@" in parts.netloc:
        raise FetchError("forbidden", "holds a user name or a password")
    return parts.hostname


def _explained(error: Exception, deadline: float) -> FetchError:
    """The FetchError inside what urllib3 and requests wrapped around it, or a new one."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, FetchError):
            return cause
        found = [part for part in cause.args if isinstance(part, BaseException)]
        reason = getattr(cause, "reason", None)
        cause = (
            reason
            if isinstance(reason, BaseException)
            else found[0]
            if found
            else cause.__cause__ or cause.__context__
        )
    slow = isinstance(error, requests.Timeout | TimeoutError) or time.monotonic() >= deadline
    if slow:
        return FetchError("timeout", "took too long")
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return FetchError("invalid", str(error))
    return FetchError("unreachable", " ".join(str(error).split())[:200])
