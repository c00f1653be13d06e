"""Templates: compiled once, whatever escapes, and anew when they change."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

import tools.kept
from tools.text import templating
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


def test_it_works_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/does/not/exist")
    assert tools.kept.folder.__wrapped__() is None
    monkeypatch.setattr(templating, "folder", lambda: None)
    assert render("{{ text }}", text="*") == "&#42;"


def render(template: str, **values: object) -> str:
    return environment(page).from_string(template).render(**values)


def test_text_is_escaped_once_and_what_is_safe_is_left_alone() -> None:
    values = {"text": "a*b", "safe": Markup("<b>*</b>"), "number": 7}
    assert render("{{ text }} {{ safe }} {{ number }}", **values) == "a&#42;b <b>*</b> 7"
    macro = "{% macro m(t) %}<i>{{ t }}</i>{% endmacro %}{{ m(text) }}"
    assert render(macro, text="*") == "<i>&#42;</i>"


@pytest.mark.parametrize(
    "text", ["{{ nothing }}", "{{ text.nothing }}", "{% if nothing %}{% endif %}"]
)
def test_an_unknown_name_is_an_error(text: str) -> None:
    with pytest.raises(UndefinedError, match="nothing"):
        render(text, text="a")


def test_what_another_form_of_the_module_compiled_is_not_taken(tmp_path: Path) -> None:
    code = "from a.text.templating import kept; print(kept().pattern)"
    names = []
    (tmp_path / "a" / "text").mkdir(parents=True)
    shutil.copy(tools.kept.__file__, tmp_path / "a")
    for text in ("", "# changed\n"):
        source = Path(templating.__file__).read_text(encoding="utf-8")
        (tmp_path / "a" / "text" / "templating.py").write_text(source + text, encoding="utf-8")
        command = [sys.executable, "-c", code]
        names.append(subprocess.check_output(command, cwd=tmp_path, text=True))
    assert names[0] != names[1]
