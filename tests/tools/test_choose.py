"""The guide to choosing: what it cites exists, its lists and numbers are those of the data."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from tests.tools.small_catalog import write_tree
from tools import atlas as material
from tools.data import closed_forms
from tools.data.files import ROOT
from tools.data.ledger import Ledger, Report
from tools.site.pages.choose import choose
from tools.site.pages.choose.needs import cost, needs, reports
from tools.site.shared.site import Site

ATLAS = material.load(ROOT)
TEXT = dict(choose.pages(Site(ATLAS, "# C")))["methods/choose.md"]
TEMPLATE = Path(choose.__file__).with_name(choose.TEMPLATE).read_text(encoding="utf-8")
LEDGERS = {name: reports(ATLAS, name) for name in ATLAS.ledger.architectures}


def methods(text: str) -> set[str]:
    return set(re.findall(r"\]\((\w+)\.md\)", text))


def sentence(start: str) -> str:
    return TEXT.partition(start)[2].partition("\n")[0]


def test_everything_cited_exists_and_is_linked() -> None:
    papers, named = choose.cited(TEMPLATE)
    assert len(papers) > 20
    assert papers <= set(ATLAS.catalog.paper)
    assert named <= set(ATLAS.methods)
    assert set(re.findall(r"\(\.\./papers/(\w+)\.md\)", TEXT)) == papers
    assert choose.complete(ATLAS)


def test_without_a_paper_or_a_ledger_that_it_cites_there_is_only_the_table() -> None:
    papers = choose.cited(TEMPLATE)[0] - {method.paper for method in ATLAS.methods.values()}
    old = ATLAS.catalog
    fields = {name: getattr(old, name) for name in ("modalities", "taxonomy", "venues")}
    rest = tuple(paper for paper in old.papers if paper.id != min(papers))
    fewer = replace(ATLAS, catalog=type(old).model_construct(**fields, papers=rest))
    assert not choose.complete(fewer)
    assert not choose.complete(replace(ATLAS, ledger=Ledger()))


def test_the_state_is_gradients_and_optimizer() -> None:
    lora = LEDGERS["llama-2-7b"]["lora"]
    assert lora.ledger.gradients > 0
    assert lora.ledger.optimizer > 0
    assert cost(lora, "state") == lora.ledger.gradients + lora.ledger.optimizer
    assert cost(lora, "activations") == lora.ledger.activations
    assert cost(lora, "stored") == lora.counts.stored


@pytest.mark.parametrize("name", [*sorted(choose.cited(TEMPLATE)[0])])
def test_no_id_is_written_but_where_the_test_sees_it(name: str) -> None:
    assert TEMPLATE.count(name) == TEMPLATE.count(f'paper("{name}")')


@pytest.mark.parametrize(
    ("start", "flag"),
    [("These merge:", "mergeable"), ("These leave the base untouched:", "frozen_base")],
)
def test_lists_of_declared_properties_are_the_declarations(start: str, flag: str) -> None:
    assert methods(sentence(start)) == {n for n, m in ATLAS.methods.items() if getattr(m, flag)}


def test_the_merged_without_touching_the_base_are_the_declarations() -> None:
    both = {n for n, m in ATLAS.methods.items() if m.mergeable and m.frozen_base}
    assert methods(sentence("Of them,").partition(" train a")[0]) == both


def share(report: Report, full: Report, part: str) -> float:
    if part == "stored":
        return report.counts.stored / full.counts.stored
    if part == "state":
        state = [r.ledger.gradients + r.ledger.optimizer for r in (report, full)]
        return state[0] / state[1]
    return getattr(report.ledger, part) / getattr(full.ledger, part)


@pytest.mark.parametrize(
    ("part", "limit"), [("stored", 0.01), ("state", 0.1), ("activations", 0.5), ("weights", 0.5)]
)
def test_measured_lists_hold_on_every_architecture(part: str, limit: float) -> None:
    assert len(LEDGERS) > 1
    found = needs(ATLAS)[part]
    for name in ATLAS.methods:
        shares = [
            share(own[name], own["full_fine_tuning"], part)
            for own in LEDGERS.values()
            if name in own
        ]
        assert (name in found.unknown) is (not shares)
        assert (name in found.methods) is (bool(shares) and max(shares) < limit), name


def test_trained_lists_are_those_of_the_committed_runs() -> None:
    ran = {name for task in ("first-clause", "cloze") for name in ATLAS.runs[task]}
    assert needs(ATLAS)["encoder"].methods == ran
    ran = {name for task in ("cue", "cue-gpt2", "new-topic") for name in ATLAS.runs[task]}
    assert needs(ATLAS)["decoder"].methods == ran
    assert needs(ATLAS)["encoder-decoder"].methods == set(ATLAS.runs["summary"])
    assert methods(sentence("An encoder-decoder (T5).**")) == set(ATLAS.methods) - set(
        ATLAS.runs["summary"]
    )


def test_the_table_says_of_each_method_what_it_has() -> None:
    wanted = needs(ATLAS)
    rows = re.findall(r'<tr data-has="([^"]*)"><th scope="row"><a href="(\w+)\.html', TEXT)
    assert {name: set(has.split()) for has, name in rows} == {
        name: {need.id for need in wanted.values() if name in need.methods}
        for name in ATLAS.methods
    }


def test_numbers_are_those_of_the_ledger() -> None:
    found, shown = LEDGERS["llama-2-7b"], choose.side_by_side(TEMPLATE)
    assert len(shown) > 2
    for name in shown:
        ledger = found[name].ledger
        amounts = (*ledger.model_dump().values(), ledger.total)
        row = " | ".join(f"{amount / 10**9:.2f}" for amount in amounts)
        assert f"({name}.md) | {row} |" in TEXT
    assert f"keeps {found['lora'].counts.stored:,} numbers" in TEXT


def test_what_the_prose_says_of_the_ledger_is_so() -> None:
    found = {name: report.ledger for name, report in LEDGERS["llama-2-7b"].items()}
    full = found["full_fine_tuning"]
    alike = closed_forms.counts("qlora", "llama-2-7b", choice="no dropout").ledger["activations"]
    assert 0.9 * full.activations < alike < full.activations < found["qlora"].activations
    for number in (alike, full.activations, found["qlora"].activations):
        said = unescape(TEXT.partition("**Weights.**")[2].partition("- **")[0])
        assert f"{number / 10**9:.1f} GB" in said
    assert "QLoRA rank 64 on every linear map, with dropout 0.1; LoRA\nrank 8" in unescape(TEXT)
    assert found["lomo"].optimizer == 0
    assert found["mezo"].gradients + found["mezo"].optimizer == 0
    assert found["galore"].optimizer < 0.1 * full.optimizer
    assert full.weights // LEDGERS["llama-2-7b"]["full_fine_tuning"].counts.base == 4
    least = min(
        report.inference.adapted / report.inference.base
        for name, report in LEDGERS["llama-2-7b"].items()
        if report.inference and not ATLAS.methods[name].mergeable
    )
    assert f"by ×{least:.4f} up to" in " ".join(TEXT.split())
    known = [r.inference for r in LEDGERS["llama-2-7b"].values() if r.inference]
    merged = {inference.merged for inference in known}
    assert merged == {None, LEDGERS["llama-2-7b"]["lora"].inference.base}


def test_methods_that_refuse_a_decoder_say_why() -> None:
    shown = {next(iter(methods(method))): why for method, why in choose.refused(ATLAS)}
    assert set(shown) == {"bitfit", "pet", "unipelt"}
    for name, why in shown.items():
        assert ATLAS.ledger.architectures["llama-2-7b"][name].refused == why


def test_a_catalog_without_what_is_cited_has_only_the_table(tmp_path: Path) -> None:
    write_tree(tmp_path)
    small = material.load(tmp_path)
    text = dict(choose.pages(Site(small, "# C")))["methods/choose.md"]
    assert "Must you train" not in text
    assert 'data-has="merge base start "' in text
