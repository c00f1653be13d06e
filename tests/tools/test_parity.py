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
        ("peft 1.2: 1 of 2 equal; 1 differs", False),
        ("loralib 1.2: 1 of 1 equal", True),
    ]
    mostly = (*(4 * [compared()]), *(3 * [compared(outcome="deviates")]))
    assert verdicts(mostly) == [("peft 1.2: 4 of 7 equal; 3 differ", False)]


def test_versions_of_a_library_are_libraries_of_their_own():
    entries = (compared(), compared(version="1.3", outcome="deviates"), compared())
    assert verdicts(entries) == [
        ("peft 1.2: 2 of 2 equal", True),
        ("peft 1.3: 0 of 1 equal; 1 differs", False),
    ]


def test_the_table_has_a_row_a_comparison_and_keeps_hostile_text_text():
    table = comparison_table(
        (
            compared(note="<script>x</script> | `code`"),
            compared(difference=-384),
            compared(difference=64, outcome="deviates"),
            compared(difference=0.0),
            compared(difference=None),
        )
    )
    rows = table.splitlines()[2:]
    assert [row.split(" | ")[4] for row in rows] == ["6.6e-7", "−384", "+64", "0.0", "–"]
    assert "<script>" not in table
    assert "<code>code</code>" in rows[0]
    assert all(row.count(" | ") == 5 for row in rows)


@pytest.mark.parametrize(("number", "shown"), [(8, "a, a"), (9, "9 architectures</summary>a, a")])
def test_many_models_are_counted_and_listed_on_demand(number, shown):
    table = comparison_table((compared(models=number * ("a",)),))
    assert table.splitlines()[2].count(" | ") == 5
    page = markdown(table, extensions=["tables", "md_in_html"])
    assert shown in page
    assert page.count("</details></td>") == ("summary" in shown)
