"""What is told of differences from libraries: read strictly, tied to rows, shown without harm."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from markdown import markdown

from tests.tools.small_catalog import write_tree
from tools import atlas as material
from tools.atlas import Atlas
from tools.data.committed import CommittedError
from tools.data.differences import Difference, Told, read_differences, rows_of, tell
from tools.data.files import ROOT
from tools.data.parity import Comparison
from tools.site import all_pages
from tools.site.pages.differences.differences import MEANINGS, thread
from tools.site.pages.methods.method import told_of
from tools.text.escape import html

PATH = "reference_impls/reparameterized/lora/differences.toml"
FILE = """\
[[difference]]
name = "peft-shared"
library = "peft"
title = "One pair"
severity = "deviation"
effect = "Logits move by {largest}."
notes = ["shares A"]
reproduce = "print(3)"
prints = "3"
"""
ENTRY = {
    "name": "peft-shared",
    "library": "peft",
    "title": "One pair",
    "severity": "deviation",
    "effect": "Logits move.",
    "notes": ["shares A"],
    "reproduce": "print(3)",
    "prints": "3",
}
EVIL = "<img src=x onerror=alert(1)> | `code` {{ x }} [a](javascript:b) ```"


def entry(**changes) -> Difference:
    return Difference.model_validate(ENTRY | changes)


def row(difference: float | None = 0.5, **changes) -> Comparison:
    about = {
        "library": "peft",
        "version": "1.2",
        "compared": "logits",
        "models": ["BERT"],
        "outcome": "deviates",
        "note": "shares A",
    }
    return Comparison.model_validate(about | {"difference": difference} | changes)


def told(*rows: Comparison, **changes) -> Told:
    return Told(entry(**changes), "lora", tuple(("lora", each) for each in rows))


def write(root: Path, text: str) -> Path:
    path = root / PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return root


# reading


def test_a_file_is_read_beside_its_method(tmp_path: Path) -> None:
    (found,) = read_differences(write(tmp_path, FILE))["lora"]
    assert (found.name, found.notes, found.upstream, found.methods) == (
        "peft-shared",
        ("shares A",),
        "",
        (),
    )


@pytest.mark.parametrize(
    ("old", "new", "line", "complaint"),
    [
        ('severity = "deviation"', 'severity = "grave"', 5, r"difference\.0\.severity: .*'bug'"),
        ('name = "peft-shared"', 'name = "Peft shared"', 2, r"difference\.0\.name: "),
        ('title = "One pair"', 'titel = "One pair"', 1, r"difference\.0\.title: Field required"),
        ('prints = "3"', 'prints = "3"\nmore = 1', 10, r"more: is not a key here; these are: name"),
        ("{largest}", "{most}", 6, r"has no figure '\{most\}'; these are: smallest, largest"),
        ('prints = "3"', 'prints = "3\\n4"', 9, r"prints: is one line"),
        ('prints = "3"', 'prints = " 3"', 9, r"prints: is one line"),
        ('notes = ["shares A"]', "notes = []", 7, r"difference\.0\.notes: "),
        (
            'prints = "3"',
            'prints = "3"\nupstream = "https://example.org/1"',
            10,
            r"difference\.0\.upstream: ",
        ),
        ("[[difference]]", "[[difference]", 1, "is not TOML"),
    ],
)
def test_what_is_no_difference_is_refused_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, complaint: str
) -> None:
    assert FILE.count(old) == 1
    with pytest.raises(CommittedError, match=rf"^{PATH}:{line}: .*{complaint}"):
        read_differences(write(tmp_path, FILE.replace(old, new)))


def test_an_address_of_an_issue_or_a_change_is_taken() -> None:
    for kind in ("issues", "pull"):
        address = f"https://github.com/huggingface/peft/{kind}/12"
        assert thread(told(row(), upstream=address)) == "huggingface/peft#12"


# rows


def test_rows_are_found_by_their_note_in_the_methods_that_are_named() -> None:
    rows = {
        "lora": (row(), row(outcome="equal"), row(note="other"), row(compared="gradients")),
        "ia3": (row(0.25),),
        "bitfit": (row(0.125),),
    }
    assert rows_of(entry(), "lora", rows) == (("lora", row()), ("lora", row(compared="gradients")))
    also = rows_of(entry(methods=["ia3", "lora"], compared=["logits"]), "lora", rows)
    assert also == (("lora", row()), ("ia3", row(0.25)))


def test_figures_come_from_the_rows() -> None:
    found = told(row(0.0341), row(-0.5), row(-1280), row(64), row(None, models=["bert", "t5"]))
    assert found.figures() == {
        "smallest": "0.034",
        "largest": "0.5",
        "counted": "1,280",
        "models": "2",
    }


def test_figures_stand_in_the_effect_and_one_that_is_missing_is_an_error() -> None:
    effect = "By {smallest} to {largest} on {models}."
    assert told(row(0.25), row(0.5), effect=effect).effect() == "By 0.25 to 0.5 on 1."
    with pytest.raises(CommittedError, match=r"rows of 'peft-shared' have no figure 'counted'"):
        told(row(), effect="{counted} more").effect()


def test_a_model_counts_once_by_whichever_name() -> None:
    rows = (row(models=["gpt2", "bert", "deberta-v2"]), row(models=["GPT-2", "mT5"]))
    assert told(*rows).models == ("GPT-2", "mT5", "bert", "deberta-v2")


def test_the_version_is_that_of_the_librarys_own_rows() -> None:
    rows = (row(), row(library="torch", version="9"), row(version="1.3"))
    assert told(*rows).version == "1.2, 1.3"


@pytest.mark.parametrize(
    ("effect", "left"),
    [
        ("Moves by 0.47.", ["0.47"]),
        ("Moves by {largest}, 7 times.", ["7"]),
        ("Prints 3 as rank 12 does, of weight 1.", ["12"]),
        ("GPT-2, Llama 4, T5 v1.1, 8-bit codes, block-3 and `x=5`.", []),
    ],
)
def test_numbers_in_the_effect_that_nothing_holds_are_found(effect: str, left: list[str]) -> None:
    assert entry(effect=effect, notes=["of weight 1"]).unchecked() == left


def test_the_most_severe_come_first_then_by_library_and_title() -> None:
    entries = [
        entry(name="d", severity="scope", library="a"),
        entry(name="c", title="`Zeta`"),
        entry(name="b", title="alpha"),
        entry(name="a", severity="bug", library="z"),
        entry(name="e", severity="bug", library="b"),
    ]
    found = [each.difference.name for each in tell({"lora": entries}, {})]
    assert found == ["e", "a", "b", "c", "d"]


# the page


@pytest.fixture(scope="module")
def real() -> Atlas:
    return material.load(ROOT)


@pytest.fixture
def small(tmp_path: Path) -> Atlas:
    return material.load(write_tree(tmp_path).parent)


def page_of(atlas: Atlas, *entries: Difference, rows: tuple[Comparison, ...] = (row(),)) -> str:
    known = replace(atlas, differences={"lora": entries}, parity={"lora": rows})
    return all_pages.pages(known, "# C")["methods/differences.md"]


def test_without_differences_the_page_says_so(small: Atlas) -> None:
    text = all_pages.pages(small, "# C")["methods/differences.md"]
    assert "No difference" in text
    assert "<form" not in text


def test_the_summary_counts_by_library_and_severity(small: Atlas) -> None:
    text = page_of(
        small,
        entry(),
        entry(name="two"),
        entry(name="three", severity="bug"),
        entry(name="four", library="adapters", severity="bug"),
        rows=(row(), row(library="adapters")),
    )
    assert "4 differences between libraries and the files here, which fold 8 comparisons" in text
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert lines == [
        "| | bug | deviation | All |",
        "| --- | ---: | ---: | ---: |",
        "| adapters | 1 | – | 1 |",
        "| peft | 1 | 2 | 3 |",
        "| **All** | 2 | 2 | **4** |",
    ]
    assert [s for s in MEANINGS if f'<li><span class="severity {s}">' in text] == [
        "bug",
        "deviation",
    ]


def test_an_entry_shows_what_it_is_about(small: Atlas) -> None:
    address = "https://github.com/huggingface/peft/issues/12"
    text = page_of(small, entry(effect="Moves by {largest}.", upstream=address))
    assert "### One pair { #peft-shared }" in text
    assert '<strong>peft 1.2</strong> · <a href="lora.html">LoRA</a>' in text
    assert "\nMoves by 0.5.\n" in text
    assert "```python\nprint(3)\n```\n\nIt prints\n\n```text\n3\n```" in text
    assert f"Told upstream: [huggingface/peft&#35;12]({address})" in text
    assert "upstream" not in page_of(small, entry())


def test_a_row_leads_to_what_is_told_of_it_in_its_own_method(small: Atlas) -> None:
    entries = {"lora": (entry(),), "ia3": (entry(name="other"),)}
    atlas = replace(small, differences=entries, parity={"lora": (row(),), "ia3": (row(),)})
    assert told_of(atlas, "lora") == {row(): "peft-shared"}
    assert told_of(atlas, "ia3") == {row(): "other"}


def test_hostile_text_stays_text(small: Atlas) -> None:
    effect = EVIL.replace("{{ x }}", "")
    hostile = entry(title=EVIL, effect=effect, library=EVIL, reproduce=f"# {EVIL}", prints=EVIL)
    rows = (row(library=EVIL, version=EVIL, models=[EVIL]),)
    text = page_of(small, hostile, rows=rows)
    assert f'data-library="{html(EVIL)}"' in text
    shown = markdown(
        text.split("---", 2)[2],
        extensions=["attr_list", "md_in_html", "tables", "pymdownx.superfences"],
    )
    assert "<img" not in shown
    assert 'href="javascript:' not in shown
    assert shown.count("<section") == shown.count("</section>") == 1


def test_the_page_of_the_repository_has_all_of_them_and_links_that_lead_somewhere(
    real: Atlas,
) -> None:
    pages = all_pages.pages(real, "# C")
    text = pages["methods/differences.md"]
    anchors = re.findall(r"(?m)^### .* \{ #(\S+) \}$", text)
    assert len(anchors) == len(set(anchors)) == len(real.told) > 0
    deviating = sum(c.outcome == "deviates" for own in real.parity.values() for c in own)
    links = [
        anchor
        for name in real.methods
        for anchor in re.findall(r"\]\(differences\.md#([^)]+)\)", pages[f"methods/{name}.md"])
    ]
    assert len(links) == deviating
    assert set(links) == set(anchors)


def test_programs_of_the_repository_are_short_and_stand_alone(real: Atlas) -> None:
    for each in real.told:
        lines = each.difference.reproduce.strip().splitlines()
        assert len(lines) <= 22, each.difference.name
        assert max(map(len, lines)) <= 100, each.difference.name
        modules = set(re.findall(r"(?m)^ *(?:from|import) (\w+)", each.difference.reproduce))
        assert modules <= {"copy", "torch", "transformers", each.difference.library}
