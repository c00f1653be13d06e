"""The site's Markdown, before MkDocs."""

from __future__ import annotations

import posixpath
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType
from urllib.parse import unquote

import pytest

from tests.tools.small_catalog import write_tree
from tools import atlas as material
from tools import readme, rules
from tools.atlas import Atlas
from tools.commands.manual import manual
from tools.data.files import ROOT
from tools.data.schema import Paper
from tools.site import all_pages
from tools.site.pages.papers import paper
from tools.site.shared.site import Site
from tools.text.markup import (
    capital,
    code,
    fenced,
    first_sentence,
    from_repository,
    front,
    unaccented,
    with_code,
)


@pytest.fixture
def atlas(tmp_path: Path) -> Atlas:
    write_tree(tmp_path)
    return material.load(tmp_path)


def test_front_matter_is_escaped_for_html() -> None:
    assert front('A "b" <c>: d', "e") == (
        '---\ntitle: "A &#34;b&#34; &lt;c&gt;: d"\n'.replace("&#34;", "&quot;")
        + 'description: "e"\nhide: [navigation]\n---'
    )


def test_a_fence_is_longer_than_any_inside() -> None:
    assert fenced("a ```` b", "py").split("\n")[0] == "`````py"
    assert fenced("a\n\nb", "py", "    ") == "    ```py\n    a\n\n    b\n    ```"


def test_an_option_is_not_broken_at_its_hyphens() -> None:
    assert code("--a-b") == '<code class="whole">&#45;-a-b</code>'
    assert code("a --b") == "<code>a --b</code>"


def test_backticks_mark_code() -> None:
    assert with_code("run `a_b *c*`, <b> `") == (
        "run <code>a&#95;b &#42;c&#42;</code>, &#60;b&#62; &#96;"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Rücklé, naïve and plain; Rücklé", "Ruckle naive"),
        ("Łoś", ""),  # a stroke is no accent
        ("S²FT of 10³ m²", "S2FT m2"),
        ("Ruckle Rücklé 3é x²", "Ruckle e x2"),
        ("only ASCII", ""),
        ("§ · –", ""),
    ],
)
def test_words_with_accents_are_found_without_them(text: str, words: str) -> None:
    assert unaccented(text) == (f"<p hidden>{words}</p>" if words else "")


def test_a_paper_is_cited_with_its_year_if_it_has_one(atlas: Atlas) -> None:
    cited = Site(atlas, "").cited
    assert cited("hu2021lora") == "Hu and Shen 2022"
    assert cited("microsoftndtuning") == "Microsoft Research"


def test_every_paper_can_be_found_without_accents(atlas: Atlas) -> None:
    made = all_pages.pages(atlas, "# C")
    assert (
        "# On Dropping Adapters { #paper }\n\n<p hidden>Ruckle</p>\n"
        in (made["papers/ruckle2020drop.md"])
    )
    assert "<p hidden>" not in made["papers/microsoftndtuning.md"]


def test_venues_count_their_papers(atlas: Atlas) -> None:
    text = all_pages.pages(atlas, "# C")["venues.md"]
    found = re.findall(r">([^>]+)</span> .* \| (\d+) \|$", text, re.MULTILINE)
    assert found == [("ICLR", "1"), ("ACL", "2"), ("arXiv", "1"), ("Web", "1")]


def test_rules_stand_below_their_family(atlas: Atlas) -> None:
    text = all_pages.pages(atlas, "# C")["rules.md"]
    _, *parts = re.split("(?m)^## (.+)$", text)
    digits = [set(re.findall(r"(?m)^### S([0-9])", part)) for part in parts[1::2]]
    assert digits == [{str(digit)} for digit in range(len(rules.FAMILIES))]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("One thing. Two things.", "One thing."),
        ("From v. 2 on. Then more.", "From v. 2 on."),
        ("Only one", "Only one"),
    ],
)
def test_first_sentences(text: str, first: str) -> None:
    assert first_sentence(text) == first


def test_a_capital_changes_nothing_else() -> None:
    assert [capital(text) for text in ("", "aBC d", "$x$ y")] == ["", "ABC d", "$x$ y"]


def test_a_file_of_the_repository_becomes_a_page() -> None:
    text = from_repository(
        "See [the catalog](papers.yaml), [LICENSE](LICENSE) and [x](https://a.example).\n"
        "1. do\n\n   ```yaml\n   a:\n     b\n   ```\n\n```\n   as it is\n```\n"
    )
    assert "See the catalog (`papers.yaml`), LICENSE and [x](https://a.example)." in text
    assert "\n    ```yaml\n    a:\n      b\n    ```\n" in text
    assert "\n   as it is\n" in text


def test_links_of_a_paper_are_each_given_once(atlas: Atlas) -> None:
    unipelt = atlas.catalog.paper["mao2021unipelt"]
    assert paper.links(unipelt) == [
        ("Publication", "https://aclanthology.org/2022.acl-long.433/"),
        ("Page", "https://example.org/unipelt"),
        ("Preprint", "https://arxiv.org/abs/2110.07577"),
        ("PDF", "https://aclanthology.org/2022.acl-long.433.pdf"),
        ("Reviews", "https://openreview.net/forum?id=kBjlDJpGGwF"),
    ]
    only = unipelt.model_copy(update={"acl": None, "doi": None, "openreview": None})
    assert paper.links(only)[0] == ("Page", "https://example.org/unipelt")
    forum = unipelt.model_copy(update={"acl": None, "doi": None})
    found = paper.links(forum)
    assert [label for label, _ in found] == ["Publication", "Page", "Preprint", "PDF"]
    assert found[0][1] == "https://openreview.net/forum?id=kBjlDJpGGwF"  # which has the reviews
    only = only.model_copy(update={"url": None})
    assert paper.links(only) == [
        ("Preprint", "https://arxiv.org/abs/2110.07577"),
        ("PDF", "https://arxiv.org/pdf/2110.07577"),
    ]


def test_the_name_of_a_method_is_quoted_in_links(atlas: Atlas) -> None:
    """A declared name is any text until `validate` has seen it, and a preview does not ask that."""
    name = 'a "b"/?#'
    lora = replace(atlas.methods["lora"], name=name)
    plain = {"implementations": ()}
    old = atlas.catalog
    taxonomy = [
        node.model_copy(
            update={"children": tuple(n.model_copy(update=plain) for n in node.children)}
        )
        for node in old.taxonomy
    ]
    catalog = type(old).model_construct(
        modalities=old.modalities,
        venues=old.venues,
        taxonomy=tuple(taxonomy),
        papers=tuple(paper.model_copy(update=plain) for paper in old.papers),
    )
    odd = replace(atlas, catalog=catalog, methods={name: lora}, source={name: atlas.source["lora"]})
    made = all_pages.pages(odd, "# C")
    quoted = "a%20%22b%22%2F%3F%23"
    assert f"### [LoRA]({quoted}.md)" in made["methods/index.md"]
    assert f'href="{quoted}.html"' in made["methods/compare.md"]


def test_every_link_between_pages_leads_to_one(atlas: Atlas) -> None:
    made = all_pages.pages(atlas, "# C")
    written = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.*")}
    seen = 0
    for path, text in made.items():
        if not path.endswith(".md"):
            continue
        for pair in re.findall(r'\]\(<?([^)\s#?<>]+)|href="([^"#?]+)', text):
            link = unquote(pair[0] or pair[1])
            if ":" in link:
                continue
            seen += 1
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
            page = target.removesuffix(".html") + ".md" if target.endswith(".html") else target
            assert page in made or page in written, f"{path}: {link}"
    assert seen > 100


def test_pages_do_not_depend_on_the_order_of_methods(atlas: Atlas) -> None:
    turned = replace(atlas, methods=dict(reversed(atlas.methods.items())))
    assert all_pages.pages(turned, "# C") == all_pages.pages(atlas, "# C")


def many(atlas: Atlas, number: int) -> Atlas:
    model = atlas.catalog.paper["mao2021unipelt"]

    def paper(i: int) -> Paper:
        changed = {
            "id": f"many{number}p{i}",
            # words of its own: what became of a text is kept
            "title": f"{model.title} {number} {i}",
            "summary": f"{model.summary} {number} {i}",
            "acl": f"2022.acl-long.{i + 1000}",
            "authors": model.authors * 5,
            "related": (f"many{number}p{(i + 7) % number}", f"many{number}p{(i + 70) % number}"),
        }
        return model.model_copy(update=changed)

    papers = (*atlas.catalog.papers, *(paper(i) for i in range(number)))
    fields = {name: getattr(atlas.catalog, name) for name in ("modalities", "taxonomy", "venues")}
    catalog = type(atlas.catalog).model_construct(**fields, papers=papers)
    return Atlas(catalog, atlas.methods, atlas.source, atlas.runs)


def calls(work: Callable[[], object]) -> int:
    """How many functions are called: time, on a machine that is not busy with anything else."""
    number = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal number
        number += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return number


def test_every_paper_costs_the_same_and_little(atlas: Atlas) -> None:
    """Each took 4,800 calls when this was written; 1,000 papers with 10,800 each took 1.5 s.

    Counted above the number from which the list is in several files.
    """

    def build(papers: int) -> None:
        wanted = many(atlas, papers)
        assert len(all_pages.pages(wanted, "# C")) > papers
        readme.render(wanted)

    build(110)  # compiles the templates, those of a long list as well
    few, some, more = (calls(lambda n=n: build(n)) for n in (120, 200, 280))
    assert more - some == pytest.approx(some - few, rel=0.02)
    assert (more - few) / 160 < 7_000


def test_a_style_or_script_beside_a_page_is_asked_for_there_only() -> None:
    """Those that others ask for, too, lie in assets/."""
    pages = ROOT / "tools/site/pages"
    templates = {path: path.read_text(encoding="utf-8") for path in pages.rglob("*.j2")}
    for file in [*pages.rglob("*.css"), *pages.rglob("*.js")]:
        users = {path.parent for path, text in templates.items() if f'"{file.name}"' in text}
        assert users == {file.parent}, file


def test_every_style_and_script_is_written(atlas: Atlas) -> None:
    made = all_pages.pages(atlas, "# C")
    files = [p for p in (ROOT / "tools/site").rglob("*") if p.suffix in (".css", ".js")]
    for path in files:
        assert made[f"assets/{path.name}"] == path.read_text(encoding="utf-8")
    assert len(files) > 10


def test_names_of_templates_and_of_styles_are_used_once() -> None:
    """A template is found by its name, and styles and scripts of all pages lie in one folder."""
    kinds = (".j2", ".css", ".js", ".svg")
    names = [path.name for path in (ROOT / "tools/site").rglob("*") if path.suffix in kinds]
    assert sorted(set(names)) == sorted(names)


def test_the_manual_is_as_wide_on_every_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = []
    for columns in ("40", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        texts.append([text for _, _, text in manual()])
    assert texts[0] == texts[1]
