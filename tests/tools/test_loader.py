"""The reader: places, types, what it refuses, and that nothing makes it fall over."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools.data import loader
from tools.data.document import Document, Mark
from tools.data.parts import load

SOME = """\
# comment
a:
  - id: "x"
    list: [1, {deep: true}, -7]
    folded: >-
      two
      lines
    block: |
      kept
  - null-ish
b: {}
"""


def read(tmp_path: Path, text: str | bytes) -> Document:
    path = tmp_path / "file.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path)


def test_data_are_plain_and_as_yaml_reads_them(tmp_path: Path) -> None:
    document = read(tmp_path, SOME)
    assert document.findings == []
    assert document.data == yaml.safe_load(SOME)
    assert document.first_line == "# comment"


@pytest.mark.parametrize(
    ("path", "mark"),
    [
        ((), (1, 1)),
        (("a",), (2, 1)),
        (("a", 0), (3, 5)),
        (("a", 0, "list"), (4, 5)),
        (("a", 0, "list", 1), (4, 15)),
        (("a", 0, "list", 1, "deep"), (4, 16)),
        (("a", 0, "block"), (8, 5)),
        (("a", 0, "missing"), (3, 5)),
        (("a", 0, "id", 3, "x"), (3, 5)),
        (("a", 1), (10, 5)),
        (("nowhere", 5), (1, 1)),
    ],
)
def test_marks(tmp_path: Path, path: tuple[str | int, ...], mark: tuple[int, int]) -> None:
    assert read(tmp_path, SOME).mark(path) == Mark(*mark)


def test_windows_line_ends_do_not_move_lines(tmp_path: Path) -> None:
    document = read(tmp_path, SOME.replace("\n", "\r\n"))
    assert document.findings == []
    assert document.mark(("a", 0, "block")) == Mark(8, 5)
    assert document.data == yaml.safe_load(SOME)


def test_columns_count_characters(tmp_path: Path) -> None:
    assert read(tmp_path, 'é𝔘: {ü: "ö", x: "y"}').mark(("é𝔘", "x")) == Mark(1, 14)


@pytest.mark.parametrize("text", ["12", "-3", "+4", "0", "9" * 18])
def test_integers(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, f"a: {text}").data == {"a": int(text)}


@pytest.mark.parametrize(
    "text",
    [
        "2106.09685",
        "1.",
        ".5",
        "1e3",
        "9" * 19,
        "1_000",
        "0x1F",
        "0o17",
        "017",
        "0b1",
        "1:30",
        "12:30:45",
        "yes",
        "No",
        "ON",
        "off",
        "y",
        "N",
        "TRUE",
        "False",
        "~",
        "null",
        "NULL",
        ".nan",
        "-.inf",
        "2021-06-17",
        "2021-06-17T10:00:00Z",
        "=",
        "<<",
    ],
)
def test_values_that_yaml_readers_retype_are_refused(tmp_path: Path, text: str) -> None:
    document = read(tmp_path, f"a: {text}\nb: c")
    assert [(f.code, f.line) for f in document.findings] == [("S009", 1)]
    assert read(tmp_path, f'a: "{text}"').findings == []


def test_whatever_pyyaml_retypes_is_refused(tmp_path: Path) -> None:
    """The reader's own pattern covers the resolver of the reader that everybody uses."""
    resolver = yaml.SafeLoader("")
    words = "0 1 -1 00 08 1.5 1.e+3 .1 1_0 0b11 0x_f 190:20:30 190:20:30.15 yes no on off ~ null"
    for word in [
        *words.split(),
        "2001-1-1",
        "2001-12-14t21:59:43.10-05:00",
        "<<",
        "=",
        ".NaN",
        "-.INF",
    ]:
        tag = resolver.resolve(yaml.ScalarNode, word, (True, False))
        value = read(tmp_path, f"a: {word}")
        plain = value.data["a"]
        if tag != "tag:yaml.org,2002:str":
            assert value.findings or isinstance(plain, int), word


@pytest.mark.parametrize("text", ["LoRA", "no-break", "10.18653/v1", "2021.emnlp-main.468"])
def test_other_values_stay_text(tmp_path: Path, text: str) -> None:
    document = read(tmp_path, f"a: {text}")
    assert document.data == {"a": text}
    assert document.findings == []


def test_several_findings_where_reading_can_go_on(tmp_path: Path) -> None:
    text = 'a: &x 1\nb: *x\nc: 1.5\nc: 2\nd: "\u200b"\ne: "e\u0301"\nf: !t g\n'
    document = read(tmp_path, text)
    assert sorted((f.line, f.code) for f in document.findings) == [
        (1, "S004"),
        (2, "S004"),
        (3, "S009"),
        (4, "S008"),
        (5, "S006"),
        (6, "S007"),
        (7, "S004"),
    ]
    assert document.data["c"] == "1.5"


def test_keys_are_looked_at_like_values(tmp_path: Path) -> None:
    document = read(tmp_path, r'"a\e[2J": b')
    assert [(f.code, f.line) for f in document.findings] == [("S006", 1)]


def test_marks_of_a_repeated_key_do_not_outlive_it(tmp_path: Path) -> None:
    repeats = "".join("a: {x: {y: [1, 2, 3]}}\n" for _ in range(50))
    document = read(tmp_path, repeats + "b: {z: {z: [1]}}\nc: [[1], [2]]\n")
    for path in [("b", "x"), ("b", "z", "y"), ("b", "z", "z", 2), ("c", 0, 1), ("c", "x")]:
        assert document.mark(path).line in (51, 52)


@pytest.mark.parametrize("directive", ["%YAML 1.1\n---\na: b", "%TAG ! tag:x,2000:\n---\na: b"])
def test_directives_are_refused(tmp_path: Path, directive: str) -> None:
    assert [f.code for f in read(tmp_path, directive).findings] == ["S004"]


def test_alias_bomb_is_refused_quickly(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60)]
    document = read(tmp_path, "\n".join(lines))
    assert {f.code for f in document.findings} == {"S004"}


def test_nul_bytes_and_binary_files_are_refused(tmp_path: Path) -> None:
    assert [f.code for f in read(tmp_path, b"\x89PNG\r\n\x1a\n\x00").findings] == ["S001"]
    assert {f.code for f in read(tmp_path, b"a: b\x00\n").findings} == {"S006"}
    assert [f.code for f in read(tmp_path, "a: b".encode("utf-16")).findings] == ["S001"]


def test_place_of_a_byte_that_is_not_utf_8(tmp_path: Path) -> None:
    finding = read(tmp_path, "a: b\né: ".encode() + b"\xff").findings[0]
    assert (finding.line, finding.column) == (2, 4)


def test_large_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "MAX_BYTES", 100)
    assert read(tmp_path, "a" * 100).findings == []
    document = read(tmp_path, "a" * 101)
    assert [f.code for f in document.findings] == ["S003"]
    assert document.data is None


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    deepest = loader.MAX_DEPTH
    assert read(tmp_path, "[" * deepest + "]" * deepest).findings == []
    for depth in (deepest + 1, 900, 100_000):
        document = read(tmp_path, "[" * depth + "]" * depth)
        assert [f.code for f in document.findings] == ["S003"]


def test_missing_files_are_the_callers_business(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.yaml")


LINES = st.sampled_from(
    [
        "a: b",
        "- c",
        "  d: e",
        "? f",
        "[",
        "]",
        "{",
        "}",
        "&x",
        "*x",
        "!t",
        "---",
        "...",
        "%YAML 1.2",
        "'",
        '"',
        ">",
        "#",
        ":",
        "- - -",
        "2106.09685",
        "\t",
        "\u202e",
        "é",
        "\x00",
        "\ufeff",
        "k: >-",
    ]
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(LINES, max_size=12).map(lambda lines: "\n".join(lines).encode()),
    )
)
def test_nothing_makes_the_reader_fall_over(tmp_path: Path, raw: bytes) -> None:
    document = read(tmp_path, raw)
    lines = (
        raw.count(b"\n") + raw.count(b"\r") + raw.count(b"\xe2\x80") + raw.count(b"\xc2\x85") + 2
    )
    for finding in document.findings:
        assert 1 <= finding.line <= lines
        assert finding.column >= 1
        assert finding.message
    if not document.findings and document.data is not None:
        assert yaml.safe_load(raw.decode()) is not None


TEXT = st.text(st.characters(exclude_categories=["C", "Z"], max_codepoint=0x24F), max_size=20)
PLAIN_DATA = st.recursive(
    st.one_of(TEXT, st.integers(-(10**9), 10**9), st.booleans()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.from_regex(r"[a-z]{3,8}_", fullmatch=True), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.from_regex(r"[a-z]{3,8}_", fullmatch=True), PLAIN_DATA, min_size=1))
def test_what_pyyaml_writes_is_read_back(tmp_path: Path, data: dict[str, object]) -> None:
    text = yaml.safe_dump(data, allow_unicode=True, width=10_000)
    document = read(tmp_path, text)
    if not document.findings:
        assert document.data == data
