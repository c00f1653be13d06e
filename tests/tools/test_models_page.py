"""The table of methods and architectures, and what a method's own page says of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.tools.small_catalog import METHOD, METHOD_PATH, write_tree
from tests.tools.test_architectures import cells, tables
from tools import atlas as material
from tools.atlas import Atlas
from tools.data.architectures import Architecture, Cells
from tools.site import all_pages
from tools.site.pages.methods.runs_on import runs_on
from tools.site.pages.models import models

EVIL = "<b>`evil`</b> | *no* one"


def measured(root: Path, method: str, content: dict) -> None:
    """What was measured of a method."""
    path = (root / METHOD_PATH).parents[1] / method / "measured" / "architectures.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def add(root: Path, method: str) -> None:
    """One more method of which nothing was measured."""
    path = (root / METHOD_PATH).parents[1] / method / f"{method}.py"
    path.parent.mkdir(exist_ok=True)
    text = METHOD.replace('"lora"', f'"{method}"').replace(
        'title = "LoRA"', f'title = "T {method}"'
    )
    path.write_text(text, encoding="utf-8")


def write_measured(root: Path) -> Path:
    """Four methods on seven architectures: two were measured, one of them of other code."""
    write_tree(root)
    tables(root, encoders="[xlnet]\n[bert]\n[ibert]\n", decoders="[gpt2]\n")
    tables(root, encoder_decoders="[t5]\n[bart]\n[new_one]\n")
    (root / METHOD_PATH).with_name("measured").joinpath("architectures.json").unlink()
    for name in ("all", "ia3", "new"):
        add(root, name)
    measured(root, "ia3", cells(sources={"gone.py": "ab"}))
    everywhere = ["bert", "ibert", "t5", "bart", "gpt2", "new_one"]
    measured(root, "all", cells(runs=everywhere, refused={"xlnet": EVIL}, fault={}, sources={}))
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_measured(tmp_path)


@pytest.fixture
def atlas(root: Path) -> Atlas:
    return material.load(root)


@pytest.fixture
def made(atlas: Atlas) -> dict[str, str]:
    return all_pages.pages(atlas, "# C")


@pytest.fixture
def text(made: dict[str, str]) -> str:
    return made["methods/models.md"]


def row(text: str, name: str) -> list[str]:
    """The cells of an architecture, or the sums of a kind."""
    (line,) = re.findall(rf'<tr[^>]*><th scope="row(?:group)?">{name}</th>(.*?)</tr>', text)
    return re.findall(r"<td[^>]*>(.*?)</td>", line)


def test_a_row_has_a_cell_of_each_method_that_was_measured(text: str) -> None:
    heads = re.findall(r'<th scope="col" data-method="(\w+)"><a href="(\w+).html">', text)
    assert heads == [("all", "all"), ("ia3", "ia3")]
    assert row(text, "bert") == ["✓", "✓"]
    assert row(text, "gpt2") == ["✓", "!1"]
    assert row(text, "ibert") == ["✓", "2"]
    assert row(text, "xlnet") == ["3", "2"]
    assert row(text, "bart") == ["✓", "4"]
    assert row(text, "new_one") == ["✓", "–"]
    assert '<td class="fault">!1</td>' in text
    assert '<td class="no">2</td>' in text
    assert '<td class="untried">–</td>' in text


def test_rows_are_by_kind_with_their_sums(text: str) -> None:
    assert re.findall(r'data-kind="([^"]+)"', text) == ["Encoders", "Decoders", "Encoder-decoders"]
    assert row(text, "All, 7") == ["6", "2"]
    assert row(text, "Encoders, 3") == ["2", "1"]
    assert row(text, "Decoders, 1") == ["1", "0"]
    assert row(text, "Encoder-decoders, 3") == ["3", "1"]
    assert "2 methods on 7 architectures are 14 pairs; 8 of them run." in text


def test_the_summary_tells_on_how_many_of_a_kind_methods_run(text: str) -> None:
    assert "| Encoders | 3 | 0 | 2 | 0 | 3 of 6 |" in text
    assert "| Decoders | 1 | 1 | 0 | 1 | 1 of 2 |" in text
    assert "| Encoder-decoders | 3 | 1 | 1 | 0 | 4 of 6 |" in text


def test_faults_come_first_then_the_reason_of_most(atlas: Atlas) -> None:
    methods = [atlas.methods["all"], atlas.methods["ia3"]]
    found = models.reasons(methods, [atlas.cells[method.name] for method in methods])
    assert [(reason.mark, reason.models) for reason in found] == [
        ("!1", ["gpt2"]),
        ("2", ["ibert", "xlnet"]),
        ("3", ["xlnet"]),
        ("4", ["bart"]),
    ]
    assert [reason.methods for reason in found] == [["T ia3"], ["T ia3"], ["T all"], ["T ia3"]]
    assert found[0].text == "a cache changes what is written"


def test_a_fault_and_a_refusal_of_the_same_words_have_two_numbers(atlas: Atlas) -> None:
    own = Cells.model_validate(cells(runs=[], fault={"a": "same"}, refused={"b": "same"}))
    known = (Architecture("a", "encoder"), Architecture("b", "encoder"))
    methods = {"ia3": atlas.methods["ia3"]}
    one = Atlas(atlas.catalog, methods, architectures=known, cells={"ia3": own})
    (group,) = models.values(one)["groups"]
    assert group.rows == [("a", [("!1", "fault")]), ("b", [("2", "no")])]


def test_a_reason_is_shown_as_it_is(text: str, made: dict[str, str]) -> None:
    assert "&lt;b&gt;`evil`&lt;/b&gt; | *no* one" in text  # inside HTML
    assert "<b>" not in text + made["methods/all.md"]
    assert "- &#60;b&#62;&#96;evil" in made["methods/all.md"]


def test_a_reason_that_many_have_stands_in_the_page_once(text: str) -> None:
    assert text.count("its query is no output of a linear module") == 1


def test_what_was_not_measured_or_is_of_other_code_is_named(text: str) -> None:
    assert "Not measured yet, and not in the table: LoRA, T new." in text
    assert "Measured before the code's last change: T ia3." in text
    assert "Measured with torch 2." in text


def test_a_method_page_tells_what_it_runs_on(made: dict[str, str]) -> None:
    page = made["methods/ia3.md"]
    assert "[Models](#models)" in page
    assert (
        "Runs on **2 of 6 architectures** of transformers that were tried: 1 of 3 encoders, "
        "0 of 1 decoder and 1 of 2 encoder-decoders." in page
    )
    assert "- <code>gpt2</code>: a cache changes what is written" in page
    reason = "a layer has no query: its query is no output of a linear module"
    assert f"- {reason}: <code>ibert</code>, <code>xlnet</code>" in page
    assert page.index("**A promise is broken** on") < page.index("**It is refused**")
    assert "This was measured before the code's last change" in page
    assert "[named by hand](models.md#by-hand)" in page
    other = made["methods/all.md"]
    assert "A promise is broken" not in other
    assert "This was measured before the code's last change" not in other


def test_more_than_a_few_reasons_are_folded(atlas: Atlas) -> None:
    refused = {f"m{i}": f"reason {i}" for i in range(7)}
    own = Cells.model_validate(cells(refused=refused))
    found = runs_on(Atlas(atlas.catalog, cells={"ia3": own}), "ia3")
    assert [reason for reason, _ in found.refusals] == [f"reason {i}" for i in range(5)]
    assert [reason for reason, _ in found.folded] == ["reason 5", "reason 6"]


def test_folded_reasons_are_in_the_page(root: Path) -> None:
    measured(root, "all", cells(refused={f"m{i}": f"reason {i}" for i in range(6)}))
    page = all_pages.pages(material.load(root), "# C")["methods/all.md"]
    assert "<summary>1 more reason</summary>" in page
    assert page.index("reason 4") < page.index("<summary>1 more reason") < page.index("reason 5")


def test_a_method_that_was_not_measured_says_so(made: dict[str, str]) -> None:
    assert (
        "Not measured yet: <code>python -m reference&#95;impls measure new</code>"
        in (made["methods/new.md"])
    )
    assert "Runs on **" not in made["methods/new.md"]


def test_where_nothing_was_measured_there_is_no_table(root: Path) -> None:
    for path in root.glob("reference_impls/*/*/measured/architectures.json"):
        path.unlink()
    text = all_pages.pages(material.load(root), "# C")["methods/models.md"]
    assert "No method has been measured yet" in text
    assert "<table" not in text
    assert "each of 7 architectures" in text
