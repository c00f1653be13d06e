"""Templates: compiled once, whatever escapes, and anew when they change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from markupsafe import Markup

from tools.text.escape import commonmark, page
from tools.text.templating import environment


def test_what_is_compiled_is_kept_until_the_text_changes(tmp_path: Path) -> None:
    def rendered(escape: Callable[[str], Markup]) -> str:
        return environment(escape, tmp_path).get_template("a.j2").render(text="a*b")

    (tmp_path / "a.j2").write_text("{{ text }}")
    assert [rendered(page), rendered(commonmark), rendered(page)] == [
        "a&#42;b",
        r"a\*b",
        "a&#42;b",
    ]
    (tmp_path / "a.j2").write_text("c")
    assert rendered(page) == "c"
