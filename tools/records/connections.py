"""Connections to public addresses only, cut off at a deadline."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

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


def seconds_left(deadline: float) -> float:
    """Until the deadline. Raises FetchError where it has passed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise FetchError("timeout", "took too long")
    return left


class Adapter(HTTPAdapter):
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
            connection.settimeout(seconds_left(self.deadline))
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

        timer = threading.Timer(seconds_left(self.deadline), cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            for connection in self.sockets:
                connection.close()
