"""Show the site as it is edited: a change reaches the browser in about a second.

The first build makes every page, each later one only those whose text has changed, so that the
search then knows only these, and a change of the navigation needs a restart. A change of the
tools' Python code does, too.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile

from ..data.files import ROOT
from .build import build

# Edited by hand. What is written to docs/ by the build is not watched: it would build twice.
WATCHED = (
    "papers.yaml",
    "papers",
    "CONTRIBUTING.md",
    "reference_impls",
    "tools/readme",
    "tools/site",
    "overrides",
    "docs/guides",
    "docs/reading.md",
)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=8000, help="on this machine (default: 8000)")


def main(options: argparse.Namespace) -> int:
    os.environ["NO_MKDOCS_2_WARNING"] = "1"
    from mkdocs.commands.build import build as build_site
    from mkdocs.config import load_config
    from mkdocs.livereload import LiveReloadServer

    logging.getLogger("mkdocs").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        address = f"http://127.0.0.1:{options.port}/"

        def pages(first: bool = False) -> None:
            if build() == 0:
                config = load_config(str(ROOT / "mkdocs.yml"), site_dir=folder, site_url=address)
                build_site(config, dirty=not first)

        pages(first=True)
        server = LiveReloadServer(pages, "127.0.0.1", options.port, folder, polling_interval=0.1)
        for path in WATCHED:
            server.watch(str(ROOT / path))
        print(
            f"The site is at {address} and follows what you edit. Stop it with Ctrl-C.", flush=True
        )
        try:
            server.serve()
        except KeyboardInterrupt:
            server.shutdown()
    return 0
