"""The real site, built once for all workers of a test run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from tests.site.building import build_site
from tests.site.html_pages import HtmlPage, read_site
from tests.site.test_hostile import hostile_atlas
from tools import atlas as material
from tools.atlas import Atlas
from tools.data.files import ROOT

SITE, REPOSITORY = "https://atlas.example/docs/", "https://github.com/a/b"


@pytest.fixture(scope="session")
def atlas() -> Atlas:
    return material.load(ROOT)


@pytest.fixture(scope="session")
def built(atlas: Atlas, tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.getbasetemp()
    # Workers of one run have their folders side by side in the run's own.
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "built-site"
    with FileLock(shared / "built-site.lock"):
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            build_site(atlas, folder)
            (folder / "done").touch()
    return folder / "site"


@pytest.fixture(scope="session")
def pages(built: Path) -> dict[str, HtmlPage]:
    return read_site(built)


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Atlas, dict[str, HtmlPage]]:
    """A site of hostile text that knows its own address and its repository's."""
    atlas = hostile_atlas(tmp_path_factory.mktemp("published-catalog"))
    places = {"hu2021lora": ("papers/2021.yaml", 53)}
    numbered = Atlas(atlas.catalog, atlas.methods, atlas.source, places=places)
    folder = tmp_path_factory.mktemp("published-site")
    return numbered, read_site(build_site(numbered, folder, SITE, REPOSITORY))
