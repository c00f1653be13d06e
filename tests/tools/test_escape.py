"""Any text shows as itself in every format."""

from __future__ import annotations

import html as standard
import json
from html.parser import HTMLParser

import markdown
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.text import escape

# The extensions of mkdocs.yml, none of which may give a meaning to escaped text.
EXTENSIONS = [
    "admonition",
    "attr_list",
    "def_list",
    "md_in_html",
    "tables",
    "toc",
    "pymdownx.details",
    "pymdownx.highlight",
    "pymdownx.superfences",
]
# Mostly what Markdown, HTML and the extensions react to.
TEXTS = st.text(
    st.sampled_from("ab1 .\\`*_{}[]()#+-!|~<>&\"'=:$^@/?%;é\n\t\u202e\x02"), max_size=40
)


class Shown(HTMLParser):
    """The text of HTML, and the names of its elements."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.text, self.tags = "", []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


@given(TEXTS)
def test_a_paragraph_of_a_page_shows_the_text(text: str) -> None:
    shown = Shown(markdown.markdown(escape.page(text), extensions=EXTENSIONS))
    assert shown.text == escape.plain(text)
    assert shown.tags in ([], [("p",)])


@given(TEXTS)
def test_a_link_of_a_page_shows_the_text(text: str) -> None:
    source = f"[a{escape.page(text)}](b.md)"
    shown = Shown(markdown.markdown(source, extensions=EXTENSIONS))
    assert shown.text == f"a{escape.plain(text)}"
    assert shown.tags == [("p",), ("a", ("href", "b.md"))]


@given(TEXTS)
def test_a_cell_of_a_table_shows_the_text(text: str) -> None:
    source = f"| a | b |\n| --- | --- |\n| x{escape.page(text)} | y |"
    shown = Shown(markdown.markdown(source, extensions=EXTENSIONS))
    assert [tag for tag, *_ in shown.tags].count("td") == 2
    assert f"x{escape.plain(text)}" in shown.text


@given(TEXTS)
def test_html_shows_the_text(text: str) -> None:
    assert standard.unescape(escape.html(text)) == escape.plain(text)
    assert not set('<>"') & set(escape.html(text))


@given(TEXTS)
def test_a_script_element_holds_the_text(text: str) -> None:
    held = escape.script({"text": text})
    assert "<" not in held
    assert json.loads(held) == {"text": text}


@given(TEXTS)
def test_the_readme_escapes_what_commonmark_reads(text: str) -> None:
    escaped = str(escape.commonmark(text))
    kept = escaped.replace("\\\\", "")
    for mark in "`*_[]|~":
        assert kept.count(mark) == kept.count(f"\\{mark}")
    assert not set("<>$") & set(escaped)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("# title", "\\# title"),
        ("- item", "\\- item"),
        ("1. item", "1\\. item"),
        ("2019 was 1. good", "2019 was 1. good"),
        ("> quote", "&gt; quote"),
        ("LoRA: a*b", "LoRA: a\\*b"),
    ],
)
def test_the_readme_stays_readable(text: str, escaped: str) -> None:
    assert escape.commonmark(text) == escaped


def test_plain_text_is_one_line_in_one_direction() -> None:
    assert escape.plain(" a\n  b\u202ec\u0003 \u2066é ") == "a bc é"


def test_links_are_encoded_for_markdown_and_html() -> None:
    link = 'https://a.example/x_y(z)?a=1&copy;=2#"<b>'
    assert escape.url(link) == "https://a.example/x_y%28z%29?a=1&amp;copy;=2#%22%3Cb%3E"


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", "//a.example", ""])
def test_only_web_links_are_links(link: str) -> None:
    with pytest.raises(ValueError, match="not an http or https link"):
        escape.url(link)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("100% & more_of #1 $x", "100\\% \\& more\\_of \\#1 \\$x"),
        ("{a} \\b ~ ^", "\\{a\\} \\textbackslash{}b \\textasciitilde{} \\textasciicircum{}"),
        ("Šćepanović", "Šćepanović"),
    ],
)
def test_latex_characters_are_escaped(text: str, escaped: str) -> None:
    assert escape.bibtex(text) == escaped


@pytest.mark.parametrize(
    ("title", "protected"),
    [
        ("LoRA: Low-Rank Adaptation", "{LoRA}: Low-Rank Adaptation"),
        ("A Survey of GPT-2 and T5", "A Survey of {GPT}-2 and {T5}"),
        ("P-Tuning v2", "{P}-Tuning v2"),
        ("BERT & mBERT {x}", "{BERT} \\& {mBERT} \\{x\\}"),
        ("Étude of what you're told", "Étude of what you're told"),
    ],
)
def test_titles_keep_the_capitals_that_matter(title: str, protected: str) -> None:
    assert escape.bibtex_title(title) == protected
