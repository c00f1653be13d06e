"""A local server that plays the registries, and misbehaves where asked to."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tools.records.connections import Address, is_public
from tools.records.web import Fetcher, Limits, Politeness

HERE = ipaddress.ip_address("127.0.0.1")
Handler = Callable[[BaseHTTPRequestHandler], None]


def here_or_public(address: Address) -> bool:
    """The local server, and what the real rule allows."""
    return address == HERE or is_public(address)


def fetcher(seconds: float = 60.0, size: int = 100_000) -> Fetcher:
    limits = Limits(seconds=seconds, size=size)
    return Fetcher(allowed=here_or_public, limits=limits, politeness=Politeness(0))


def answer(body: str | bytes = "", status: int = 200, **headers: str) -> Handler:
    """A handler that always answers the same; header names with underscores for hyphens."""
    data = body.encode() if isinstance(body, str) else body

    def handle(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(data)

    return handle


@dataclass
class Service:
    """Paths (without the query) and what answers them; a list answers in turn."""

    port: int
    paths: dict[str, Handler | list[Handler]]
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serve(paths: dict[str, Handler | list[Handler]]) -> Iterator[Service]:
    class Handling(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            service.asked.append((self.command, self.path, dict(self.headers)))
            chosen = paths.get(self.path.partition("?")[0], answer("no such page", 404))
            if isinstance(chosen, list):
                chosen = chosen.pop(0) if len(chosen) > 1 else chosen[0]
            chosen(self)

        do_GET = do_HEAD = handle_one  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handling)
    server.daemon_threads = True
    service = Service(server.server_port, paths)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
