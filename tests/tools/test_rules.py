"""Every rule, on a small catalog with one fault in it: the right code, the right line, no more."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.tools.fault_cases import FAULTS, Case
from tests.tools.fault_cases_of_code import FAULTS_OF_CODE
from tests.tools.fault_cases_of_content import FAULTS_OF_CONTENT, PLAIN
from tests.tools.fault_cases_of_differences import FAULTS_OF_DIFFERENCES
from tests.tools.fault_cases_of_files import FAULTS_OF_FILES
from tests.tools.fault_cases_of_scores import FAULTS_OF_SCORES
from tests.tools.small_catalog import CATALOG, write_generated, write_tree
from tools import rules
from tools.commands.validate import validate
from tools.rules.order import misplaced

RULES = rules.load()
CASES = [
    *FAULTS,
    *FAULTS_OF_CONTENT,
    *FAULTS_OF_CODE,
    *FAULTS_OF_DIFFERENCES,
    *FAULTS_OF_FILES,
    *FAULTS_OF_SCORES,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code}-{case.new[:30]!a}")
def test_fault_is_found_once_on_its_line(case: Case, tmp_path: Path) -> None:
    findings, _ = validate(case.write(tmp_path))
    found = [(f.code, Path(f.path).relative_to(tmp_path).as_posix(), f.line) for f in findings]
    assert found == [(case.code, case.file, case.line(tmp_path))], "\n".join(map(str, findings))
    assert case.says in str(findings[0])


def test_small_catalog_is_clean(tmp_path: Path) -> None:
    path = write_tree(tmp_path)
    write_generated(tmp_path)
    assert validate(path) == ([], 5)


def test_every_rule_has_a_case() -> None:
    assert {case.code for case in CASES} == set(RULES)
    assert not [code for code, n in Counter(map(repr, CASES)).items() if n > 1]


@pytest.mark.parametrize("code", [code for code, rule in RULES.items() if rule.good in CATALOG])
def test_documented_example(code: str, tmp_path: Path) -> None:
    """Where a rule's good example is a piece of the small catalog, its bad one breaks that rule."""
    rule = RULES[code]
    path = write_tree(tmp_path, CATALOG.replace(rule.good, rule.bad, 1))
    if code == "S803":
        write_generated(tmp_path)
    findings, _ = validate(path)
    assert [finding.code for finding in findings] == [code], "\n".join(map(str, findings))


def test_most_rules_have_an_example_that_is_tested() -> None:
    described = {code for code, rule in RULES.items() if rule.good not in CATALOG}
    files = {code for code in RULES if code >= "S701"} - {"S803"}
    assert described == {"S001", "S010", "S109", "S111", "S409", "S413", "S603"} | files


def test_rules_are_explained() -> None:
    for code, rule in RULES.items():
        assert rule.code == code
        assert rule.title
        assert not rule.title.endswith(".")
        assert rule.explanation.endswith(".")
        assert rule.good != rule.bad


def test_rules_lie_in_the_module_of_their_family() -> None:
    modules = {f"tools.rules.{name}": f"S{i}" for i, name in enumerate(rules.FAMILIES)}
    for name in ("differences", "official_code", "reported"):
        modules[f"tools.rules.{name}"] = modules["tools.rules.implementations"]
    for code, rule in RULES.items():
        if rule.check:
            assert code.startswith(modules[rule.check.__module__])


def test_a_code_belongs_to_one_rule() -> None:
    with pytest.raises(ValueError, match="S204"):
        rules.declare("S204", "Again", "Again.", bad="", good="x")


def test_all_findings_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = CATALOG
    for code in ("S410", "S103", "S204", "S507", "S201"):
        rule = RULES[code]
        good, bad = (rule.good, rule.bad) if code != "S103" else ("year: 2020", 'year: "2020"')
        text = text.replace(good, bad, 1)
    findings, papers = validate(write_tree(tmp_path, text))
    assert [f.code for f in findings] == ["S410", "S204", "S201", "S507", "S103"]
    assert [f.line for f in findings] == sorted(f.line for f in findings)
    assert papers == 5


def test_a_circle_of_papers_is_told_once_and_what_builds_on_it_is_not_blamed(
    tmp_path: Path,
) -> None:
    text = CATALOG.replace(PLAIN, f"{PLAIN}\n    builds_on: [ruckle2020survey]").replace(
        'arxiv: "2010.00001"\n', 'arxiv: "2010.00001"\n    builds_on: [ruckle2020drop]\n'
    )
    findings, _ = validate(write_tree(tmp_path, text))
    [circle] = [f for f in findings if f.code == "S208"]
    assert (circle.entry, circle.message) == (
        "ruckle2020drop",
        "leads back to the paper: ruckle2020drop → ruckle2020survey → ruckle2020drop",
    )


def test_a_month_of_another_year_than_the_id_is_not_compared(tmp_path: Path) -> None:
    """A paper of 2020 that was put on arXiv in 2021 may build on one of late 2020."""
    text = CATALOG.replace('"2010.00001"', '"2101.00001"').replace(
        'arxiv: "2101.00001"\n', 'arxiv: "2101.00001"\n    builds_on: [ruckle2020drop]\n'
    )
    findings, _ = validate(write_tree(tmp_path, text))
    assert [f.code for f in findings if f.code in ("S208", "S412")] == []


def test_a_faulty_entry_makes_no_faults_of_the_references_to_it(tmp_path: Path) -> None:
    text = CATALOG.replace('title: "UniPELT', 'titel: "UniPELT').replace(
        "id: ACL", "id: ACL\n    logo: a"
    )
    findings, _ = validate(write_tree(tmp_path, text))
    assert [f.code for f in findings] == ["S102", "S102"]


def test_a_faulty_branch_does_not_move_the_findings_in_the_next(tmp_path: Path) -> None:
    text = CATALOG.replace("        name: Low rank\n", "").replace(
        "are vectors.", "are <b>vectors</b>."
    )
    findings, _ = validate(write_tree(tmp_path, text))
    assert [(f.code, f.entry, f.field) for f in findings] == [
        ("S101", "low-rank", "name"),
        ("S501", "soft", "description"),
    ]


def test_a_faulty_taxonomy_makes_no_faults_elsewhere(tmp_path: Path) -> None:
    text = CATALOG.replace("        name: Low rank\n", "")
    findings, _ = validate(write_tree(tmp_path, text))
    assert [(f.code, f.entry, f.field) for f in findings] == [("S101", "low-rank", "name")]


@pytest.mark.parametrize(
    "text", ["", "[]", "a", "papers: 3", "papers: [3, [], {}]", "taxonomy: {}"]
)
def test_what_is_no_catalog_has_findings(text: str, tmp_path: Path) -> None:
    findings, _ = validate(write_tree(tmp_path, text))
    assert findings
    assert {finding.code[:2] for finding in findings} <= {"S0", "S1", "S7", "S2"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        ([1, 2, 3], []),
        ([3, 1, 2], [0]),
        ([1, 9, 2, 3], [1]),
        ([2, 3, 1], [2]),
        ([1, 1], [0]),
    ],
)
def test_misplaced_names_the_fewest(values: list[int], expected: list[int]) -> None:
    assert misplaced(values) == expected
