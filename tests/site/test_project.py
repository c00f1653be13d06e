"""Version, license, code and citation stand on every page; no address is made up."""

from __future__ import annotations

import pytest

from tests.site.building import build_site
from tests.site.conftest import REPOSITORY
from tests.site.html_pages import HtmlPage, is_external, read_site, target
from tests.site.test_hostile import hostile_atlas
from tools.atlas import Atlas
from tools.data.project import read_project
from tools.export.own_citation import own_bibtex, own_text

Pages = dict[str, HtmlPage]
ARCHIVE = "assets/fine-tuning-atlas-code.zip"


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> HtmlPage:
    """The page about the Atlas of a site that brings its code."""
    atlas = hostile_atlas(tmp_path_factory.mktemp("brought-catalog"))
    folder = tmp_path_factory.mktemp("brought-site")
    return read_site(build_site(atlas, folder, code=ARCHIVE))["about.html"]


def footer(page: HtmlPage) -> str:
    [line] = [e for e in page.elements if e.attributes.get("class") == "md-copyright__highlight"]
    return " ".join(line.text.split())


def test_every_page_says_version_license_code_and_citation(pages: Pages) -> None:
    project = read_project()
    licenses = " and ".join(project.license)
    expected = (
        f"{project.title} {project.version} · {licenses} · Get and install the code "
        "· Cite the Atlas"
    )
    anchors = {"", "license", "code", "cite"}
    for path, page in pages.items():
        assert footer(page) == expected, path
        # the server shows the 404 page at any depth; its links start at the site's root
        start = HtmlPage("index.html") if path == "404.html" else page
        inside = [target(start, link.lstrip("/")) for link in page.links if not is_external(link)]
        assert {anchor for file, anchor in inside if file == "about.html"} >= anchors, path
    assert anchors - {""} <= pages["about.html"].anchors


def test_the_citation_is_that_of_the_file(pages: Pages) -> None:
    project = read_project()
    page = pages["about.html"]
    assert own_text(project) in " ".join(page.text.split())
    assert own_bibtex(project).strip() in {block.text.strip() for block in page.all("pre")}


def test_without_an_address_none_is_made_up(pages: Pages) -> None:
    text = " ".join(pages["about.html"].text.split())
    assert "names no repository on the web and brings no archive" in text
    assert "git clone" not in text
    for page in pages.values():
        assert "Repository" not in footer(page)


def test_code_that_the_site_brings_is_one_click_away(brought: HtmlPage) -> None:
    assert ARCHIVE in brought.links
    assert "git clone" not in brought.text
    assert "make site" in brought.text


def test_the_one_setting_brings_the_address_everywhere(published: tuple[Atlas, Pages]) -> None:
    _, pages = published
    for path, page in pages.items():
        assert footer(page).endswith("· Repository"), path
    about = pages["about.html"]
    assert f"git clone {REPOSITORY} fine-tuning-atlas" in about.text
    assert "names no repository" not in about.text


def test_a_title_has_the_name_of_the_site_once(pages: Pages) -> None:
    for path, page in pages.items():
        [title] = page.all("title")[:1]
        assert title.text.count("Fine-Tuning Atlas") == 1, path
