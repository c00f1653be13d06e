"""Check 1,000 local links with 20 ms latency, and let linkinator do the same in the same run.

    python benchmarks/links.py [ROUNDS]

The links are on 100 hosts (addresses of the loopback network), ten on each, as a catalog's links
are spread over hosts. linkinator runs through npx: it needs Node, and its registry the first time.
"""

from __future__ import annotations

import asyncio
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from fine_tuning_atlas.tools.commands.links import check_all
from fine_tuning_atlas.tools.records.web import Fetcher, Limits, Politeness

HOSTS, EACH, LATENCY = 100, 10, 0.02


def serve() -> int:
    """Start a server on every loopback address; returns its port."""
    ready: list[int] = []

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(LATENCY)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(client, "0.0.0.0", 0, backlog=1000)  # noqa: S104
        ready.append(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    threading.Thread(target=lambda: asyncio.run(run()), daemon=True).start()
    while not ready:
        time.sleep(0.01)
    return ready[0]


def ours(urls: list[str]) -> float:
    fetcher = Fetcher(allowed=lambda _: True, limits=Limits(), politeness=Politeness(0))
    results: dict[str, object] = {}
    started = time.perf_counter()
    check_all(urls, fetcher, "2026-11-21", results.__setitem__)
    seconds = time.perf_counter() - started
    assert len(results) == len(urls)  # noqa: S101
    assert {result.state for result in results.values()} == {"ok"}  # noqa: S101
    return seconds


def linkinator(urls: list[str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "index.html"
        page.write_text("".join(f'<a href="{url}">x</a>\n' for url in urls))
        command = ["npx", "--yes", "linkinator@7", "index.html", "--concurrency", "100", "--silent"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    said = re.search(r"scanned (\d+) links in ([\d.]+) seconds", done.stdout + done.stderr)
    assert said is not None  # noqa: S101
    assert int(said[1]) >= len(urls)  # noqa: S101
    return float(said[2])  # what it measures itself, without the start of Node


def main() -> None:
    port = serve()
    urls = [f"http://127.0.{h}.1:{port}/{n}" for h in range(1, HOSTS + 1) for n in range(EACH)]
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    times = [(ours(urls), linkinator(urls)) for _ in range(rounds)]
    mine, theirs = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"{len(urls)} links, {LATENCY * 1000:.0f} ms each, median of {rounds}:")
    print(f"tools links {mine:.2f} s, linkinator {theirs:.2f} s, ratio {mine / theirs:.2f}")


if __name__ == "__main__":
    main()
