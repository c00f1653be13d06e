"""Text in the catalog is data: whatever it holds, it is shown and never executed."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from tests.site.building import build_site
from tests.site.html_pages import HtmlPage, read_site
from tests.tools.small_catalog import CATALOG, write_tree
from tools import readme
from tools.atlas import Atlas
from tools.data.differences import Difference
from tools.data.implementations import discover
from tools.data.parity import Comparison
from tools.data.schema import Catalog

HOSTILE = [
    "<evil-tag onclick=alert(1)>x</evil-tag>",
    "</title><evil-tag></evil-tag>",
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><details open ontoggle=alert(1)>",
    '"><evil-tag onload="alert(1)">',
    "' onmouseover='alert(1)",
    "</code></pre><evil-tag>```</evil-tag>",
    "[click](javascript:alert(1))",
    "![pic](https://evil.example/x.png)",
    "<https://evil.example/> <javascript:alert(1)>",
    "{: onclick=alert(1) .evil } text {: #evil }",
    "{{ config }} {% raw %} ${7*7} {# x #}",
    "&lt;evil-tag&gt; &amp; &#60;evil-tag&#62; &",
    "# Heading? a | b || c \\| d",
    "1. item *bold* _it_ __b__ `code` ~~s~~ ^^u^^ ==m== $x$ [^1] [ref]: http://evil.example",
    "!!! danger",
    '??? note "evil"',
    "--8<-- 'mkdocs.yml'",
    "*[HTML]: evil <!-- comment -->",
    "\\ \\\\ \\* \\< ends with a backslash \\",
    "---",
    "% # $ & _ { } ~ ^ \\end{document}",
]


def hostile_atlas(root: Path) -> Atlas:
    """The small catalog with hostile text wherever text may stand; one paper for each text."""
    write_tree(root)
    data = yaml.safe_load(CATALOG)
    node = data["taxonomy"][0]
    node["name"], node["description"] = HOSTILE[0], " ".join(HOSTILE)
    node["aliases"] = HOSTILE
    node["children"][0]["description"] = HOSTILE[8]
    node["children"][0]["elsewhere"] = {"hu2021lora": HOSTILE[11]}
    data["modalities"][0]["name"] = HOSTILE[2]
    data["venues"][0] |= {"id": HOSTILE[6], "name": HOSTILE[4], "url": "https://evil.example/)*"}
    for paper in data["papers"]:
        paper["venue"] = HOSTILE[6] if paper["venue"] == "ICLR" else paper["venue"]
    model = data["papers"][0]
    for number, text in enumerate(HOSTILE):
        data["papers"].append(
            {
                **model,
                "id": f"evil{2000 + number}text",
                "title": text,
                "authors": [{"literal": text}, f"Ev{{il<, {text.replace(',', '')}"],
                "venue": HOSTILE[6],
                "openreview": f"forum{number}",
                "summary": text,
                "note": text,
                "also_titled": [text],
                "code": "https://evil.example/(x)[y]'*_x_*~$&copy;=1)",
                "related": ["hu2021lora"],
            }
        )
    methods = discover(root)
    source = {m.name: (root / m.path).read_text() + "\n# ``` </code>" for m in methods.values()}
    told, rows = hostile_differences()
    return Atlas(
        Catalog.model_validate(data),
        methods,
        source,
        differences={"lora": told},
        parity={"lora": rows},
    )


def hostile_differences() -> tuple[tuple[Difference, ...], tuple[Comparison, ...]]:
    """A difference for each text, and the rows that it explains; others are equal."""
    told, rows = [], []
    for number, text in enumerate(HOSTILE):
        about = dict.fromkeys(("library", "title", "reproduce", "prints"), text)
        effect = text.replace("{document}", "")  # names a figure
        about |= {"name": f"evil-{number}", "severity": "bug", "effect": effect, "notes": [text]}
        told.append(Difference.model_validate(about))
        about = dict.fromkeys(("library", "version", "compared", "note"), text)
        about |= {"models": [text], "difference": 0.5}
        for outcome in ("deviates", "equal-after"):
            rows.append(Comparison.model_validate(about | {"outcome": outcome}))
    return tuple(told), tuple(rows)


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    return hostile_atlas(tmp_path_factory.mktemp("hostile-catalog"))


@pytest.fixture(scope="module")
def built(atlas: Atlas, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_site(atlas, tmp_path_factory.mktemp("hostile-site"))


@pytest.fixture(scope="module")
def pages(built: Path) -> dict[str, HtmlPage]:
    return read_site(built)


def test_no_element_or_handler_comes_out_of_text(pages: dict[str, HtmlPage]) -> None:
    for page in pages.values():
        for element in page.elements:
            assert element.tag != "evil-tag", page.path
            assert element.attributes.get("src") != "x", page.path
            assert not [name for name in element.attributes if name.startswith("on")], page.path
            assert "evil" not in element.attributes.get("class", "").split(), page.path
            assert element.attributes.get("id") != "evil", page.path


def test_no_link_runs_a_script_and_no_image_comes_from_elsewhere(
    pages: dict[str, HtmlPage],
) -> None:
    for page in pages.values():
        assert not [link for link in page.links if link.lower().startswith(("javascript", "data"))]
        assert not [address for address in page.fetched if "evil.example" in address]
    code = "https://evil.example/%28x%29%5By%5D'%2A_x_%2A~$&copy;=1%29"
    assert code in pages["papers/evil2000text.html"].links


def test_every_text_is_shown_as_it_was_written(atlas: Atlas, pages: dict[str, HtmlPage]) -> None:
    for number, text in enumerate(HOSTILE):
        page = pages[f"papers/evil{2000 + number}text.html"]
        [heading] = page.all("h1")
        assert heading.text.removesuffix("¶").strip() == text
        [title] = page.all("title")
        assert title.text.strip() == f"{text} - Fine-Tuning Atlas"
        descriptions = [e for e in page.all("meta") if e.attributes.get("name") == "description"]
        assert descriptions[0].attributes["content"] == text
        assert text in [p.text.strip() for p in page.all("p")]
        assert f"Curator's note. {text}" in " ".join(page.text.split())
    branch = pages["taxonomy/reparameterized.html"]
    assert " ".join(HOSTILE) in " ".join(branch.text.split())
    cells = [cell.text for cell in pages["crosswalk.html"].all("td")]
    assert any(HOSTILE[11] in cell for cell in cells)


def test_every_difference_is_shown_as_it_was_written(pages: dict[str, HtmlPage]) -> None:
    """But for backticks, which mark code."""
    written = sorted(text.replace("`", "") for text in HOSTILE)
    page, method = pages["methods/differences.html"], pages["methods/lora.html"]
    titles = [heading.text.removesuffix("¶").strip() for heading in page.all("h3")]
    assert sorted(title.replace("`", "") for title in titles) == written
    libraries = [option.text for option in page.all("option")]
    assert set(HOSTILE) <= set(libraries)
    cells = [cell.text.replace("`", "") for cell in method.all("td")]
    assert set(written) <= set(cells)
    links = [link for link in method.links if link.startswith("differences.html#evil-")]
    assert len(links) == len(HOSTILE)


def test_one_main_heading_and_no_torn_table(pages: dict[str, HtmlPage]) -> None:
    assert all(len(page.all("h1")) == 1 for page in pages.values())
    table = pages["papers/index.html"]
    rows = len(HOSTILE) + len(yaml.safe_load(CATALOG)["papers"])
    assert len(table.all("td")) == 8 * rows


def test_the_search_index_holds_no_element(built: Path) -> None:
    index = json.loads((built / "search" / "search_index.json").read_text(encoding="utf-8"))
    found: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append(tag)
            found.extend(name for name, _ in attrs if name.startswith("on"))

    for entry in index["docs"]:
        parser = Parser()
        parser.feed(" ".join([entry["title"], entry["text"], *entry.get("tags", [])]))
        parser.close()
    assert set(found) <= {"p", "ul", "ol", "li", "pre", "code", "em", "strong"}


def test_the_readme_shows_every_text_and_lets_nothing_out(atlas: Atlas) -> None:
    text = readme.render(atlas)
    assert "<evil-tag" not in text
    assert not re.search(r"(?<!\\)\]\(javascript", text)
    assert "![pic]" not in text
    assert "](https://evil.example/%28x%29%5By%5D'%2A_x_%2A~$&amp;copy;=1%29)" in text
