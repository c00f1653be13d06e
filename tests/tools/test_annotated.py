"""A method's file is cut into segments, nothing is lost, and prose stands where it belongs."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.tools.small_catalog import METHOD
from tools import atlas as material
from tools.atlas import Atlas
from tools.cards import Beside
from tools.data.annotated import (
    HOOKS,
    Docstring,
    Segment,
    read_details,
    read_docstring,
    segments,
)
from tools.data.files import ROOT
from tools.site.pages.methods import source as source_page

SOURCE = '''"""The page."""

import os
from sys import path

# how wide
WIDE, HIGH = 3, 4
NAMES: tuple[str, ...] = ()


class Plain:
    def first(self):
        return 1

    # why twice
    @property
    def second(self):
        """Two.

        Raises:
            ValueError: never, or
                nearly never.
        """

        return 2


# said of the class
@register
class Method:
    """It has fields."""

    size: int = 3  # inline comments stay

    def third(self): "no line of its own"


def last():
    """Only this."""


print("statements are no assignments")
'''


@pytest.fixture(scope="module")
def real() -> Atlas:
    return material.load(ROOT)


def restored(found: list[Segment], length: int) -> str:
    """The file put together again, each piece at its line; no two may claim one."""
    lines = [""] * length
    for segment in found:
        for piece in filter(None, (*segment.code, segment.moved)):
            for number, line in enumerate(piece.text.split("\n"), piece.first - 1):
                assert not lines[number], f"line {number + 1} comes twice"
                lines[number] = line
    return "\n".join(lines) + "\n"


def test_a_file_is_cut_at_classes_functions_and_methods() -> None:
    found = segments(SOURCE)
    assert [(s.name, s.kind) for s in found] == [
        ("", "module"),
        ("imports", "imports"),
        ("WIDE, HIGH, NAMES", "constants"),
        ("Plain", "class"),
        ("Plain.first", "method"),
        ("Plain.second", "method"),
        ("Method", "class"),
        ("Method.third", "method"),
        ("last", "function"),
        ("statements", "constants"),
    ]
    assert restored(found, SOURCE.count("\n")) == SOURCE


def test_docstrings_move_out_and_the_numbers_of_lines_stay() -> None:
    found = {segment.name: segment for segment in segments(SOURCE)}
    second = found["Plain.second"]
    lines = SOURCE.split("\n")
    assert [lines[piece.first - 1] for piece in second.code] == [
        "    # why twice",
        "        return 2",
    ]
    assert second.docstring.startswith("Two.\n\nRaises:\n    ValueError: never")
    assert not any('"""' in piece.text for s in found.values() for piece in s.code)
    assert found["Method.third"].code[0].text.endswith('"no line of its own"')
    assert found["Method.third"].docstring == ""
    assert found["last"].code[0].text == "def last():"
    assert [piece.first for piece in found["Method"].code] == [28, 33]
    assert found["Method"].lines == (28, 33)
    assert found["WIDE, HIGH, NAMES"].anchor == "source-WIDE"


def test_every_method_file_comes_back_whole(real: Atlas) -> None:
    assert len(real.source) > 30
    for name, text in real.source.items():
        found = segments(text)
        assert restored(found, text.count("\n")) == text, name
        anchors = [segment.anchor for segment in found]
        assert len(set(anchors)) == len(anchors), name


def test_a_docstring_is_read_by_parts() -> None:
    text = """What it does
    in two lines.

    More of it: with a colon.

    first: one thing
        on two lines.
    second: another.

    Raises:
        ValueError: wrong.
        KeyError: missing.
    """
    assert read_docstring(text.replace("\n    ", "\n")) == Docstring(
        ("What it does in two lines.", "More of it: with a colon."),
        {"first": "one thing on two lines.", "second": "another."},
        {"ValueError": "wrong.", "KeyError": "missing."},
    )
    assert read_docstring("") == Docstring()


def test_details_are_read_by_number() -> None:
    assert read_details("1. One\n   more.\n2. Two 3. no item.\n") == {
        1: "One more.",
        2: "Two 3. no item.",
    }


def _parts(atlas: Atlas, name: str) -> list[source_page.Part]:
    method, beside = atlas.methods[name], atlas.card(name).beside
    return source_page.parts(method, atlas.source[name], atlas.shared, beside)


def own_parts(atlas: Atlas, name: str) -> list[source_page.Part]:
    return [part for part in _parts(atlas, name) if not part.file]


def test_a_shared_part_that_carries_the_equation_is_shown_behind_the_file(real: Atlas) -> None:
    shown = {part.name: part for part in _parts(real, "lora") if part.file}
    assert list(shown) == ["LowRank", "LowRank.__init__", "LowRank.forward"]
    assert {part.file for part in shown.values()} == {"reference_impls/shared/low_rank.py"}
    assert "<math" in shown["LowRank.forward"].prose
    assert "self.b.T" in shown["LowRank.forward"].code
    # what an imported function calls counts as imported; what carries nothing is not shown
    assert {"adapt_norm", "Bottleneck.forward"} <= {p.name for p in _parts(real, "pfeiffer")}
    assert "nf4_levels" in {p.name for p in _parts(real, "qlora")}  # by way of a constant
    assert not any(part.file for part in _parts(real, "prefix_tuning"))


def test_most_functions_have_prose_beside_them(real: Atlas) -> None:
    parts = [
        part
        for name in real.methods
        for part in _parts(real, name)
        if not part.name.endswith("__init__")
    ]
    silent = [part.name for part in parts if not part.prose.strip()]
    assert len(silent) < len(parts) / 5


def test_hooks_are_those_of_the_protocol(real: Atlas) -> None:
    protocol = (ROOT / "reference_impls/core/method.py").read_text(encoding="utf-8")
    masks = (ROOT / "reference_impls/shared/masks.py").read_text(encoding="utf-8")
    known = set(re.findall(r"^    def (\w+)", protocol + masks, flags=re.MULTILINE))
    assert set(HOOKS) <= known


def test_the_page_has_every_line_of_the_file_beside_its_prose(real: Atlas) -> None:
    for name, text in real.source.items():
        rest = text.split("\n")
        for part in own_parts(real, name):
            for first, code in re.findall(
                r'^`{3,}python linenums="(\d+)"\n(.*?)\n`{3,}$', part.code, re.DOTALL | re.MULTILINE
            ):
                for number, line in enumerate(code.split("\n"), int(first) - 1):
                    assert rest[number] == line, f"{name}: line {number + 1}"
                    rest[number] = ""
        moved = [segment.moved.text for segment in segments(text) if segment.moved]
        assert "\n".join(rest).split() == "\n".join(moved).split(), name


def test_of_several_equations_each_stands_beside_its_own_code(real: Atlas) -> None:
    several = 0
    for name, method in real.methods.items():
        note = real.card(name).beside
        number = len(re.findall(r"\$\$.+?\$\$", method.page.lead, re.DOTALL))
        beside = {tuple(source_page._equations(method, note, place)) for place in note.equation}
        if number == len(note.equation) > 1:
            several += 1
            assert len(beside) == number, name
        elif note.equation:
            assert len(beside) == 1, name
    assert several


def test_what_a_docstring_says_is_shown_as_text(real: Atlas) -> None:
    lora = replace(real.methods["lora"], shared=())
    hostile = "<script>x</script> {{ 7 }} *a* $x^2$ `b_c` "
    text = real.source["lora"].replace('    """LoRA on', f'    """{hostile}LoRA on')
    assert hostile in text
    part = next(
        p for p in source_page.parts(lora, text, {}, Beside(equation=())) if p.name == "LoRA"
    )
    assert "<script" not in part.prose
    assert "{{" not in part.prose
    assert "*a*" not in part.prose
    assert "<math" in part.prose
    assert "<code>b&#95;c</code> LoRA on" in part.prose


def test_a_file_that_is_not_annotated_is_shown_too(real: Atlas) -> None:
    assert [segment.name for segment in segments(METHOD)][-1] == "LoRA"
