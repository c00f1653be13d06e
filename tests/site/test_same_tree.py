"""The comparison of two builders' sites sees what differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.site.same_tree import differences

PAGE = (
    '<html><head><meta name="description" content="d"><script src="assets/a.js"></script></head>'
    '<body><nav>theirs</nav><article><h1 id="t">Title</h1> <p>Said <a href="./b.html#c">there</a>.'
    "</p></article></body></html>"
)


def site(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "a.html").write_text(text)
    return folder


def test_what_surrounds_the_article_may_differ(tmp_path: Path) -> None:
    other = (
        PAGE.replace("theirs", "ours").replace("./b.html", "b.html").replace("<p>Said", "<p>\nSaid")
    )
    assert list(differences(site(tmp_path / "1", PAGE), site(tmp_path / "2", other))) == []


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("Said", "Sad", "text"),
        ("b.html#c", "b.html#d", "links"),
        ('id="t"', 'id="u"', "anchors"),
        ("assets/a.js", "assets/b.js", "scripts and styles"),
        ('content="d"', 'content="e"', "meta"),
    ],
)
def test_a_difference_is_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    [line] = differences(site(tmp_path / "1", PAGE), site(tmp_path / "2", PAGE.replace(old, new)))
    assert line.startswith(f"a.html: {named}: ")


def test_a_page_that_only_one_has_is_named(tmp_path: Path) -> None:
    one, other = site(tmp_path / "1", PAGE), site(tmp_path / "2", PAGE)
    (one / "more.html").write_text(PAGE)
    assert list(differences(one, other)) == ["more.html: only one of the two has it"]
