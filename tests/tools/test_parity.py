"""Comparisons with libraries: read strictly, summed up fairly, shown without harm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from markdown import markdown

from tools.data.committed import CommittedError
from tools.data.parity import Comparison, read_parity, verdicts
from tools.site.pages.methods.comparisons import comparison_table

PARITY = "reference_impls/reparameterized/lora/measured/parity.json"
ENTRY = {
    "library": "peft",
    "version": "1.2",
    "compared": "logits",
    "models": ["BERT", "GPT-2"],
    "outcome": "equal",
    "difference": 6.6e-07,
    "note": "",
}


def write(root: Path, *entries: dict) -> Path:
    path = root / PARITY
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entries), encoding="utf-8")
    return root


def compared(**changes) -> Comparison:
    return Comparison.model_validate({**ENTRY, **changes})


def test_without_a_file_nothing_was_compared(tmp_path):
    assert read_parity(tmp_path) == {}


def test_counts_stay_whole_numbers(tmp_path):
    write(tmp_path, {**ENTRY, "difference": -384}, ENTRY, {**ENTRY, "difference": None})
    count, difference, none = read_parity(tmp_path)["lora"]
    assert (count.difference, type(count.difference)) == (-384, int)
    assert (difference.difference, none.difference) == (6.6e-07, None)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"outcome": "nearly"}, r"0\.outcome"),
        ({"models": []}, r"0\.models"),
        ({"difference": float("nan")}, r"0\.difference"),
        ({"more": 1}, r"0\.more"),
    ],
)
def test_what_is_no_comparison_is_refused(tmp_path, changes, complaint):
    with pytest.raises(CommittedError, match=rf"^{PARITY}: {complaint}"):
        read_parity(write(tmp_path, {**ENTRY, **changes}))


def test_what_is_no_json_is_refused(tmp_path):
    (write(tmp_path) / PARITY).write_text("{", encoding="utf-8")
    with pytest.raises(CommittedError, match=r"parity\.json: .*JSON"):
        read_parity(tmp_path)


def test_a_library_agrees_only_if_nothing_of_it_differs():
    entries = (
        compared(),
        compared(outcome="deviates"),
        compared(library="loralib", outcome="equal-after"),
    )
    assert verdicts(entries) == [
        ("peft 1.2: 1 of 2 equal", False),
        ("loralib 1.2: 1 of 1 equal", True),
    ]
    mostly = (*(4 * [compared()]), *(3 * [compared(outcome="deviates")]))
    assert verdicts(mostly) == [("peft 1.2: 4 of 7 equal", False)]


def test_versions_of_a_library_are_libraries_of_their_own():
    entries = (compared(), compared(version="1.3", outcome="deviates"), compared())
    assert verdicts(entries) == [
        ("peft 1.2: 2 of 2 equal", True),
        ("peft 1.3: 0 of 1 equal", False),
    ]


def rows(table: str) -> list[str]:
    """The table's rows below its head."""
    return [line.strip() for line in table.splitlines() if line.lstrip().startswith("| ")][2:]


def in_html(table: str) -> str:
    return markdown(table, extensions=["tables", "md_in_html", "pymdownx.details"])


def test_a_table_has_a_row_a_comparison_and_keeps_hostile_text_text():
    entries = (
        compared(note="<script>x</script> | `code`"),
        compared(difference=-384),
        compared(difference=0.0),
        compared(difference=None),
    )
    table = comparison_table(entries)
    assert [row.split(" | ")[4] for row in rows(table)] == ["6.6e-7", "−384", "0.0", "–"]
    table += comparison_table(tuple(c.model_copy(update={"outcome": "deviates"}) for c in entries))
    assert "<script>" not in table
    assert table.count("&#124; <code>code</code>") == 2
    apart = rows(table)[-4:]
    assert [row.count(" | ") for row in apart] == 4 * [4]
    assert [row.split(" | ")[4] for row in apart] == ["6.6e-7 |", "−384 |", "0.0 |", "– |"]


def test_what_differs_comes_first_and_leads_to_what_is_told_of_it():
    apart, untold = (compared(outcome="deviates", difference=n, note=f"note {n}") for n in (64, 65))
    entries = (compared(), apart, compared(outcome="equal-after", note="that"), untold)
    table = comparison_table(entries, {apart: "peft-shared"})
    first, folded = table.split("???")
    assert [row.split(" | ")[1] for row in rows(first)] == [
        "[note 64](differences.md#peft-shared)",
        "note 65",
    ]
    assert "+64" in rows(first)[0]
    assert folded.startswith(' equal "2 equal"')
    assert [row.split(" | ")[3] for row in rows(folded)] == [
        "equal",
        "equal, once the two are set alike",
    ]
    shown = in_html(table)
    assert shown.count("<table>") == 2
    assert shown.index("note 64") < shown.index("<details") < shown.index("once the two")


def test_nothing_is_folded_where_nothing_is_equal():
    assert "???" not in comparison_table((compared(outcome="deviates"),))
    assert comparison_table((compared(),)).startswith("???")


@pytest.mark.parametrize("outcome", ["equal", "deviates"])
@pytest.mark.parametrize(("number", "shown"), [(8, "a, a"), (9, "9 architectures</summary>a, a")])
def test_many_models_are_counted_and_listed_on_demand(outcome, number, shown):
    table = comparison_table((compared(models=number * ("a",), outcome=outcome),))
    page = in_html(f"<section markdown>\n\n{table}\n\n</section>")
    assert shown in page
    assert page.count("<table>") == 1
    assert page.count("</details></td>") == ("summary" in shown)
