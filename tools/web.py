"""Fetch addresses that strangers chose: public ones only, within limits, politely.

Links arrive in pull requests and are followed by machines with a network of their own. So every
address that a host name resolves to is checked, and the connection is made to a checked address
and no other: a name that resolves differently a moment later (DNS rebinding) gains nothing. Each
hop of a redirect goes through the same checks. Nothing of the environment is used: no proxy, no
.netrc, no cookies.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

AGENT = "fine-tuning-atlas/0.1 (+https://github.com/fine-tuning-atlas/fine-tuning-atlas)"
REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Public by their number, and yet services of the machines themselves in two clouds.
METADATA = frozenset(map(ipaddress.ip_address, ("168.63.129.16", "192.0.0.192")))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Reason = Literal["invalid", "forbidden", "unresolved", "timeout", "unreachable", "too large"]


class FetchError(Exception):
    """A fetch that brought no answer.

    reason: invalid (not a usable http address), forbidden (it leads to a private network),
    unresolved (no such host), timeout, unreachable (no connection, bad TLS, garbled answer), too
    large (in bytes or in hops).
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


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


def is_public(address: Address) -> bool:
    """Whether anyone on the internet would reach the same machine at this address."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped or address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        inner = (address.sixtofour, *(address.teredo or ()))
        if address.is_site_local or any(part and not is_public(part) for part in inner):
            return False
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and address not in METADATA
    )


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
        adapter = _Adapter(self.allowed, deadline)
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
                    timeout=_left(deadline),
                ) as response,
            ):
                body = bytearray()
                for chunk in response.iter_content(65_536) if read else ():
                    body += chunk
                    if len(body) > self.limits.size:
                        message = f"the answer is larger than {self.limits.size:,} bytes"
                        raise FetchError("too large", message)
                    _left(deadline)
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


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise FetchError("timeout", "took too long")
    return left


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


class _Adapter(HTTPAdapter):
    """Makes connections through `_connect`, and cuts them off at the deadline."""

    def __init__(self, allowed: Callable[[Address], bool], deadline: float) -> None:
        self.allowed, self.deadline = allowed, deadline
        self.sockets: list[socket.socket] = []
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: object, **kwargs: object) -> None:
        super().init_poolmanager(*args, **kwargs)
        adapter = self

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return adapter.connect(self._dns_host, self.port)

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return adapter.connect(self._dns_host, self.port)

        class PlainPool(urllib3.HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(urllib3.HTTPSConnectionPool):
            ConnectionCls = Secure

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}

    def connect(self, host: str, port: int) -> socket.socket:
        """A connection to an address of `host` that was checked; none if one of them fails."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise FetchError("unresolved", f"{host}: {error}") from error
        for *_, place in found:
            address = ipaddress.ip_address(place[0].partition("%")[0])
            if not self.allowed(address):
                raise FetchError("forbidden", f"{host} leads to {address}, which is not public")
        failure: OSError | None = None
        for family, kind, protocol, _, place in found:
            connection = socket.socket(family, kind, protocol)
            connection.settimeout(_left(self.deadline))
            try:
                connection.connect(place)
            except OSError as error:
                connection.close()
                failure = error
                continue
            self.sockets.append(connection.dup())  # TLS takes the original over
            return connection
        raise FetchError("unreachable", f"{host}: {failure}")

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Cut the connection at the deadline: a server may send a byte now and then for ever."""

        def cut() -> None:
            for connection in self.sockets:
                with suppress(OSError):  # closed by the other side already
                    connection.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(_left(self.deadline), cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            for connection in self.sockets:
                connection.close()
