"""A site as a host serves it: compressed, and with its own page for what is not there."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# Below this address pages arrive in pieces, and so are shown before they are whole.
SLOWLY, PIECES = "slowly/", 8
compressed = cache(lambda path: gzip.compress(path.read_bytes()))


class Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        with suppress(ConnectionError):  # a page that is closed reads no further
            super().handle()

    def do_GET(self) -> None:
        slowly = self.path.startswith(f"/{SLOWLY}")
        name = self.translate_path(self.path[len(SLOWLY) if slowly else 0 :])
        path = Path(name, "index.html") if name.endswith("/") else Path(name)
        try:
            status, data = 200, compressed(path)
        except OSError:
            path = Path(self.directory, "404.html")
            status, data = 404, compressed(path)
        if slowly and path.suffix == ".html":
            self.send_in_pieces(path.read_bytes())
            return
        self.send_response(status)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "max-age=600")
        self.end_headers()
        self.wfile.write(data)

    def send_in_pieces(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        size = -(-len(data) // PIECES)
        for start in range(0, len(data), size):
            self.wfile.write(data[start : start + size])
            time.sleep(0.1)  # in which the browser may show what it has

    def log_message(self, *_: object) -> None:
        """Requests are not worth a line each."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a site, whose files do not change, on a free port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
