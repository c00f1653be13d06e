"""The closed forms against the code: fresh random models, real architectures, committed ledgers."""

from __future__ import annotations

import json
import re
from dataclasses import asdict

import pytest

from reference_impls.anatomy import anatomy, model_on_meta, numel
from reference_impls.core.method import METHODS
from reference_impls.core.registry import load_methods
from reference_impls.measure import ledger
from tests.closed_forms import fit as closed_forms
from tests.closed_forms.__main__ import main
from tests.closed_forms.fit import (
    HELD_OUT,
    Case,
    Point,
    comparisons,
    dumps,
    find,
    solve,
    times,
)
from tests.closed_forms.specs import ARCHITECTURES, FAMILIES, SPECS, Spec, mistral
from tools.data.closed_forms import COMMITTED, KINDS, FormError, counts, read, value

NAMES = list(load_methods())
LEDGER = json.loads(ledger.COMMITTED.read_text(encoding="utf-8"))
# Numbers of parameters of the published checkpoints. Our RoBERTa is a classifier and has no pooler;
# transformers 5 ties the output layer of T5 v1.1, which the checkpoint has apart
PUBLISHED = {
    "bert-base": 109_482_240,
    "bert-large": 335_141_888,
    "roberta-base": 124_645_632 - 768 * 769,
    "roberta-large": 355_359_744 - 1024 * 1025,
    "gpt2": 124_439_808,
    "gpt2-medium": 354_823_168,
    "gpt2-xl": 1_557_611_200,
    "llama-2-7b": 6_738_415_616,
    "llama-2-13b": 13_015_864_320,
    "llama-3-8b": 8_030_261_248,
    "llama-3.2-1b": 1_235_814_400,
    "mistral-7b": 7_241_732_096,
    "qwen2-0.5b": 494_032_768,
    "qwen2-7b": 7_615_616_512,
    "t5-v1.1-base": 247_577_856 - 32128 * 768,
    "t5-v1.1-large": 783_150_080 - 32128 * 1024,
}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_form_holds_on_a_fresh_random_model(family):
    wrong = [
        (which, said, measured)
        for which, said, measured in comparisons(METHODS, seed=2, families=[family])
        if said != measured
    ]
    assert wrong == []


@pytest.mark.parametrize("architecture", ledger.ARCHITECTURES)
def test_the_forms_give_the_committed_ledger_of_real_architectures(architecture):
    compared, file = 0, read()
    for name, report in LEDGER["architectures"][architecture].items():
        if "refused" not in report:
            said = counts(name, architecture)
            own = {key: getattr(said, key) for key in ("trained", "stored", "head", "base")}
            if "sources" not in file["methods"][name]["inputs"]:  # one here, none in the counts
                assert own == report["counts"], name
            assert said.ledger == report["ledger"], name
            compared += 1
    assert compared >= 25


@pytest.mark.parametrize(
    ("architecture", "name"),
    [
        ("roberta-base", "lora"),
        ("gpt2-xl", "prefix_tuning"),
        ("llama-3.2-1b", "houlsby"),
        ("mistral-7b", "lora"),
        ("mistral-7b", "full_fine_tuning"),
        ("qwen2-0.5b", "qlora"),
        ("t5-v1.1-large", "ladder_side_tuning"),
        ("llama-3-8b", "galore"),
    ],
)
def test_real_widths_in_two_layers_without_values(architecture, name):
    known = ARCHITECTURES[architecture]
    dimensions = {**known["dimensions"], "L": 2}
    own = {"family": known["family"], "dimensions": dimensions}
    config = FAMILIES[known["family"]].config(dimensions)
    if architecture == "mistral-7b":
        config = mistral(dimensions)
    report = ledger.on_config(METHODS[name], config, 3, 65)
    assert counts(name, own, B=3, S=65).ledger == report["ledger"]


def test_architectures_have_the_published_number_of_parameters():
    assert PUBLISHED.keys() == ARCHITECTURES.keys()
    for name, known in ARCHITECTURES.items():
        parts = anatomy(model_on_meta(FAMILIES[known["family"]].config(known["dimensions"])))
        assert numel(parts.base_parameters()) == PUBLISHED[name], name
        assert counts("full_fine_tuning", name).base == PUBLISHED[name], name


@pytest.mark.parametrize("name", NAMES)
def test_a_method_is_refused_where_it_refuses(name):
    refused = read()["methods"][name]["refused"]
    for family in FAMILIES:
        case = Case(METHODS[name], family, next(iter(SPECS.get(name, Spec()).choices)), 3)
        if family not in refused:
            case.counted(1)
            continue
        with pytest.raises(ValueError, match=re.escape(refused[family])):
            case.counted(1)


def test_the_file_is_what_the_declarations_say():
    found = {}
    for family in FAMILIES:
        forms = {
            name: {"refused": entry["refused"][family]}
            if family in entry["refused"]
            else {choice: c["forms"][family] for choice, c in entry["choices"].items()}
            for name, entry in read()["methods"].items()
        }
        own = read()["families"][family]
        found[family] = {"family": {key: own[key] for key in ("base", "head")}, **forms}
    text = dumps(closed_forms.document(load_methods(), found)) + "\n"
    assert text == COMMITTED.read_text(encoding="utf-8")


def test_every_name_in_a_form_is_explained():
    file = read()
    for name, entry in file["methods"].items():
        for chosen in entry["choices"].values():
            for form in chosen["forms"].values():
                for phase in form["phases"]:
                    used = {f for kind in KINDS for t in phase[kind] for f in t.split("*")}
                    unknown = {f for f in used if not f.isdigit()} - file["symbols"].keys()
                    assert unknown <= {*entry["inputs"], *entry["derived"]}, name


def points(number: int, rule) -> list[Point]:
    """Points whose number follows a rule in x, y and z."""
    drawn = [{"x": 3 + i % 7, "y": 5 + i * i % 11, "z": 2 + i % 5} for i in range(number)]
    return [Point(values, rule(**values)) for values in drawn]


def test_a_form_is_found_exactly_and_nothing_else_is():
    terms = ["x", "x*y", "1", "y*y", "2*x"]
    right = points(20, lambda x, y, z: 7 * x * y - 3 * y * y + 11)
    assert solve(terms, right, 6) == {"x*y": 7, "1": 11, "y*y": -3}
    assert solve(terms, points(20, lambda x, y, z: 7 * x * y + z), 6) is None
    # one wrong measurement among those that it was not made of
    spoiled = [*right[:-1], Point(right[-1].values, right[-1].number + 1)]
    assert solve(terms, spoiled, 6) is None
    assert solve(["x", "2*x"], points(20, lambda x, y, z: 6 * x), 6) == {"x": 6}


def test_the_first_terms_that_suffice_are_taken():
    def made(models: int) -> list[Point]:
        asked.append(models)
        return points(models, lambda x, y, z: 2 * x * y)

    asked: list[int] = []
    assert find([["x"], ["x*y", "odd"], ["x*y", "y"]], made, 1) == {"x*y": 2}
    assert asked == [1, HELD_OUT + 1, 1, HELD_OUT + 1]
    with pytest.raises(closed_forms.NoFormError):
        find([["x"]], made, 1)
    assert asked[-1] == HELD_OUT + 2


def test_products_of_terms():
    assert times(["L", ""], ["", "d"]) == ["L", "L*d", "1", "d"]


def test_the_command_line_compares_and_says_what_is_wrong(monkeypatch, capsys):
    only = {"bitfit": METHODS["bitfit"], "lora": METHODS["lora"]}
    monkeypatch.setattr("tests.closed_forms.__main__.load_methods", lambda: only)
    assert main([]) == 0
    # BitFit on three families, LoRA's three choices on six, nine numbers each
    assert capsys.readouterr().out == f"{9 * (4 + 18)} numbers are as the closed forms say\n"
    wrong = {"trained": 1}, {"trained": 2}
    monkeypatch.setattr(closed_forms, "comparisons", lambda *_: iter([("lora on x", *wrong)]))
    assert main([]) == 1
    assert "lora on x: {'trained': 1}, but measured is {'trained': 2}" in capsys.readouterr().err


def test_the_command_line_writes_the_file(tmp_path, monkeypatch):
    path = tmp_path / "closed_forms.json"
    monkeypatch.setattr(closed_forms, "COMMITTED", path)
    monkeypatch.setattr(closed_forms, "FAMILIES", {"bert": FAMILIES["bert"]})
    monkeypatch.setattr(
        "tests.closed_forms.__main__.load_methods", lambda: {"bitfit": METHODS["bitfit"]}
    )
    assert main(["--write"]) == 0
    written = json.loads(path.read_text(encoding="utf-8"))
    committed = read()
    assert written["families"]["bert"] == committed["families"]["bert"]
    forms = written["methods"]["bitfit"]["choices"][""]["forms"]
    assert forms["bert"] == committed["methods"]["bitfit"]["choices"][""]["forms"]["bert"]


def test_a_form_evaluates_as_it_reads():
    assert value({"2*x": 3, "1": 4, "x*y": -1}, {"x": 5, "y": 6}) == 4
    with pytest.raises(FormError, match="at least two features"):
        counts("lora", {"family": "bert", "dimensions": {**_BERT, "H": 24}})


_BERT = {"L": 2, "d": 24, "f": 9, "H": 2, "V": 30, "P": 512}


def test_the_phase_that_takes_most_counts():
    single, many = (counts("adapterfusion", "bert-base", size=s, B=1, S=2) for s in (48, 4000))
    assert (single.phase, many.phase) == ((2, 2), (1, 2))
    assert asdict(many)["ledger"]["gradients"] > single.ledger["gradients"]
