"""Build a site as `make site` does, but somewhere else."""

from __future__ import annotations

import fnmatch
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.atlas import Atlas
from tools.commands.manual import manual
from tools.data.files import ROOT, write
from tools.site import all_pages


def generated(folder: str, names: list[str]) -> list[str]:
    """What of a folder of docs/ a build would write, and so belongs to another catalog."""
    inside = Path(folder).relative_to(ROOT / "docs").as_posix()
    return fnmatch.filter(names, all_pages.FOLDERS[inside]) if inside in all_pages.FOLDERS else []


def build_site(
    atlas: Atlas, folder: Path, site_url: str = "", repo_url: str = "", code: str = ""
) -> Path:
    """Write the pages, run MkDocs in strict mode and give the folder of the site."""
    shutil.copy(ROOT / "mkdocs.yml", folder)
    shutil.copytree(ROOT / "overrides", folder / "overrides")
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=generated)
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for name, text in all_pages.pages(atlas, contributing, manual()).items():
        write(folder / "docs" / name, text)
    for name, text in all_pages.theme().items():
        write(folder / "overrides" / name, text)
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"],
        cwd=folder,
        env={
            **os.environ,
            "NO_MKDOCS_2_WARNING": "1",
            "SITE_URL": site_url,
            "REPO_URL": repo_url,
            "CODE": code,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "site"
