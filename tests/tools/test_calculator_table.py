"""The calculator's page, and the table in it that needs no script."""

from __future__ import annotations

from dataclasses import replace

from tools import atlas as material
from tools.data import closed_forms
from tools.data.files import ROOT
from tools.data.memory import at
from tools.site.pages.calculator import calculator
from tools.site.shared import step_peaks
from tools.site.shared.site import Site

ATLAS = material.load(ROOT)
KNOWN = calculator.forms_of(ATLAS)


def test_a_method_has_four_numbers_or_says_why_not() -> None:
    found = closed_forms.counts("lora", "bert-base")
    assert calculator.counted(KNOWN["methods"]["lora"], "lora", "bert-base") == [
        f"{found.trained:,}",
        "0.27%",
        f"{found.stored:,}",
        calculator.amount(found.total),
    ]
    why, *rest = calculator.counted(KNOWN["methods"]["bitfit"], "bitfit", "llama-2-7b")
    assert rest == ["–", "–", "–"]
    assert why.startswith('<abbr title="')
    assert "has none" in why


def test_the_table_has_a_row_a_method_and_columns_for_each_architecture() -> None:
    head, rule, *rows = calculator.defaults(ATLAS, KNOWN).splitlines()
    assert len(rows) == len(KNOWN["methods"]) == len(ATLAS.methods)
    assert {row.count(" | ") for row in (head, rule, *rows)} == {4 * len(calculator.SHOWN)}


def test_methods_are_grouped_by_the_branch_of_their_leaf() -> None:
    groups = calculator.groups(Site(ATLAS, ""), KNOWN["methods"])
    found = {name: branch for branch, methods in groups for name, _ in methods}
    tops = ATLAS.catalog.tops
    assert found == {name: tops[method.leaf].name for name, method in ATLAS.methods.items()}
    order = [node.name for node in ATLAS.catalog.taxonomy]
    assert [branch for branch, _ in groups] == [name for name in order if name in found.values()]


def test_without_its_first_method_the_page_starts_with_nothing() -> None:
    first = calculator.first(ATLAS, KNOWN, "lora")
    assert first["counts"] == closed_forms.counts("lora", "llama-2-7b")
    assert first["full"] == closed_forms.counts("full_fine_tuning", "llama-2-7b")
    for name in ("lora", "full_fine_tuning"):
        rest = {key: value for key, value in KNOWN["methods"].items() if key != name}
        assert calculator.first(ATLAS, {**KNOWN, "methods": rest}, "lora") == {}


def test_the_peaks_are_those_of_what_fits_with_and_without_the_state_of_adamw() -> None:
    shown = calculator.first(ATLAS, KNOWN, "lora")["peaks"]
    assert list(shown) == step_peaks.settings(ATLAS)
    for setting, (own, bare, full, full_bare) in shown.items():
        told = ATLAS.memory["llama-2-7b"]
        assert own == at(told["lora"][setting], 8, 256)
        assert full == at(told["full_fine_tuning"][setting], 8, 256)
        assert own - bare == closed_forms.counts("lora", "llama-2-7b").ledger["optimizer"]
        assert full - full_bare > 8 * 6_738_415_616
    assert calculator.first(replace(ATLAS, memory={}), KNOWN, "lora")["peaks"] == {}


def test_nothing_is_taken_off_where_adamw_does_not_train_or_phases_differ() -> None:
    def left(method: str) -> int | None:
        return step_peaks.without_state(10**12, closed_forms.counts(method, "llama-2-7b"))

    assert left("lora") == 10**12 - closed_forms.counts("lora", "llama-2-7b").ledger["optimizer"]
    assert left("galore") is left("lomo") is left("mezo") is None
    phased = replace(closed_forms.counts("lora", "llama-2-7b"), phase=(2, 2))
    assert step_peaks.without_state(10**12, phased) is None


def test_methods_of_another_catalog_are_left_out() -> None:
    few = replace(ATLAS)
    object.__setattr__(few, "methods", {"lora": ATLAS.methods["lora"]})
    assert list(calculator.forms_of(few)["methods"]) == ["lora"]
