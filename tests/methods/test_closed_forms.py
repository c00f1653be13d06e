"""The closed forms against the code: fresh random models, real architectures, committed ledgers."""

from __future__ import annotations

import json
import re
from dataclasses import asdict

import pytest

from reference_impls.anatomy import anatomy, model_on_meta, numel
from reference_impls.core.registry import load_methods
from reference_impls.measure import closed_forms as forms
from reference_impls.measure import ledgers, reports
from reference_impls.measure.known import ARCHITECTURES, config_of
from tests.closed_forms import __main__ as program
from tests.closed_forms import written
from tests.closed_forms.cases import Case
from tests.closed_forms.families import FAMILIES, mistral
from tests.closed_forms.solve import HELD_OUT, NoFormError, Point, find, solve, times
from tests.closed_forms.terms import spec_of
from tests.closed_forms.written import comparisons, dumps
from tools.data.closed_forms import KINDS, SHARED, FormError, counts, read, value

METHODS = {
    name: method for name, method in load_methods().items() if forms.declaration(method).exists()
}
REPORTS = {
    name: json.loads(ledgers.path_of(method).read_text(encoding="utf-8"))["architectures"]
    for name, method in METHODS.items()
}
READ = read()["methods"]
# Numbers of parameters of the published checkpoints. Our RoBERTa is a classifier and has no pooler
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
    "llama-3-70b": 70_553_706_496,
    "llama-3.2-1b": 1_235_814_400,
    "mistral-7b": 7_241_732_096,
    "qwen2-0.5b": 494_032_768,
    "qwen2-7b": 7_615_616_512,
    "t5-v1.1-base": 247_577_856,
    "t5-v1.1-large": 783_150_080,
}


@pytest.mark.parametrize(
    ("name", "family"),
    [
        pytest.param(name, family, marks=pytest.mark.night if i else ())  # one family at the gate
        for name in METHODS
        for i, family in enumerate(f for f in FAMILIES if f not in READ[name]["refused"])
    ],
)
def test_every_form_holds_on_a_fresh_random_model(name, family):
    compared = comparisons({name: METHODS[name]}, seed=2, families=[family])
    assert [line for line in compared if line[1] != line[2]] == []


@pytest.mark.parametrize("architecture", ledgers.ARCHITECTURES)
@pytest.mark.parametrize("name", METHODS)
def test_the_forms_give_the_committed_ledger_of_real_architectures(name, architecture):
    report = REPORTS[name][architecture]
    if "refused" not in report:
        said = counts(name, architecture)
        own = {key: getattr(said, key) for key in ("trained", "stored", "head", "base")}
        assert (own, said.ledger) == (report["counts"], report["ledger"])


def test_most_methods_are_compared_with_real_architectures():
    for architecture in ledgers.ARCHITECTURES:
        assert sum("refused" not in found[architecture] for found in REPORTS.values()) >= 25


@pytest.mark.night
@pytest.mark.parametrize(  # the course of the others depends on their data
    "name", [n for n in METHODS if any("refused" not in found for found in REPORTS[n].values())]
)
def test_real_widths_in_two_layers_without_values(name):
    refused = read()["methods"][name]["refused"]
    able = [title for title, known in ARCHITECTURES.items() if known["family"] not in refused]
    architecture = able[list(METHODS).index(name) % len(able)]  # by turns
    known = ARCHITECTURES[architecture]
    dimensions = {**known["dimensions"], "L": 2}
    own = {"family": known["family"], "dimensions": dimensions}
    config = FAMILIES[known["family"]].config(dimensions)
    if architecture == "mistral-7b":
        config = mistral(dimensions)
    chosen = next(iter(spec_of(METHODS[name]).choices.values()))
    report = reports.on_config(METHODS[name], config, 3, 65, **chosen)
    assert counts(name, own, B=3, S=65).ledger == report["ledger"]


def test_architectures_have_the_published_number_of_parameters():
    assert PUBLISHED.keys() == ARCHITECTURES.keys()
    for name in ARCHITECTURES:
        parts = anatomy(model_on_meta(config_of(name)))
        assert numel(parts.base_parameters()) == PUBLISHED[name], name
        assert counts("full_fine_tuning", name).base == PUBLISHED[name], name


@pytest.mark.night
@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_refused_where_it_refuses(name):
    refused = read()["methods"][name]["refused"]
    for family in FAMILIES:
        case = Case(METHODS[name], family, next(iter(spec_of(METHODS[name]).choices)), 3)
        if family not in refused:
            case.counted(1)
            continue
        with pytest.raises(ValueError, match=re.escape(refused[family])):
            case.counted(1)


@pytest.mark.parametrize("name", METHODS)
def test_a_methods_file_is_what_its_declaration_says(name):
    committed = read()["methods"][name]
    found = {
        family: {"refused": committed["refused"][family]}
        if family in committed["refused"]
        else {choice: c["forms"][family] for choice, c in committed["choices"].items()}
        for family in FAMILIES
    }
    said = {**written.entry(METHODS[name], found), "sources": committed["sources"]}
    assert dumps(said) + "\n" == forms.path_of(METHODS[name]).read_text(encoding="utf-8")


def test_the_shared_file_is_what_is_declared():
    found = {
        name: {key: own[key] for key in ("base", "head")}
        for name, own in read()["families"].items()
    }
    assert dumps(written.shared(found)) + "\n" == SHARED.read_text(encoding="utf-8")


def test_every_name_in_a_form_is_explained():
    file = read()
    for name, entry in file["methods"].items():
        for chosen in entry["choices"].values():
            for form in chosen["forms"].values():
                for phase in form["phases"]:
                    used = {f for kind in KINDS for t in phase[kind] for f in t.split("*")}
                    unknown = {f for f in used if not f.isdigit()} - file["symbols"].keys()
                    assert unknown <= {*entry["inputs"], *entry["derived"]}, name
        assert entry["symbols"].keys() <= entry["derived"].keys()


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
    with pytest.raises(NoFormError):
        find([["x"]], made, 1)
    assert asked[-1] == HELD_OUT + 2


def test_products_of_terms():
    assert times(["L", ""], ["", "d"]) == ["L", "L*d", "1", "d"]


def test_the_command_line_compares_and_says_what_is_wrong(monkeypatch, capsys):
    assert program.main(["bitfit", "lora"]) == 0
    # BitFit on three families, LoRA's three choices on six, nine numbers each
    assert capsys.readouterr().out == f"{9 * (4 + 18)} numbers are as the closed forms say\n"
    wrong = {"trained": 1}, {"trained": 2}
    monkeypatch.setattr(written, "comparisons", lambda *_: iter([("lora on x", *wrong)]))
    assert program.main([]) == 1
    assert "lora on x: {'trained': 1}, but measured is {'trained': 2}" in capsys.readouterr().err


def test_the_command_line_writes_the_files_of_the_methods_that_are_named(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(forms, "path_of", lambda method: tmp_path / f"{method.name}.json")
    monkeypatch.setattr(written, "SHARED", tmp_path / "shared.json")
    monkeypatch.setattr(written, "FAMILIES", {"bert": FAMILIES["bert"]})
    assert program.main(["bitfit", "--write"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["bitfit.json"]
    made = json.loads((tmp_path / "bitfit.json").read_text(encoding="utf-8"))
    assert made["choices"][""]["forms"]["bert"] == form_of("bitfit", "bert")
    assert made["sources"] == forms.sources_of(METHODS["bitfit"])
    written.write_shared()
    shared = json.loads((tmp_path / "shared.json").read_text(encoding="utf-8"))
    assert shared["families"] == {"bert": read()["families"]["bert"]}
    assert program.main(["bitfitt", "--write"]) == 2
    assert "did you mean 'bitfit'?" in capsys.readouterr().err


def test_a_method_without_forms_or_enough_terms_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(program, "method_files", lambda: {"lora": tmp_path / "lora.py"})
    assert program.main(["lora"]) == 2
    assert capsys.readouterr().err.startswith("lora has no forms.py")
    (tmp_path / "forms.py").touch()

    def fail(method):
        raise NoFormError("lora on bert: no form of trained")

    monkeypatch.setattr(written, "write", fail)
    assert program.main(["lora", "--write"]) == 1
    assert "its terms in forms.py do not suffice" in capsys.readouterr().err


def form_of(name: str, family: str) -> dict:
    """The committed form of a method without choices."""
    return read()["methods"][name]["choices"][""]["forms"][family]


def test_a_form_evaluates_as_it_reads():
    assert value({"2*x": 3, "1": 4, "x*y": -1}, {"x": 5, "y": 6}) == 4
    with pytest.raises(FormError, match="at least two features"):
        counts("lora", {"family": "bert", "dimensions": {**_BERT, "H": 24}})


_BERT = {"L": 2, "d": 24, "f": 9, "H": 2, "V": 30, "P": 512}


def test_the_phase_that_takes_most_counts():
    single, many = (counts("adapterfusion", "bert-base", size=s, B=1, S=2) for s in (48, 4000))
    assert (single.phase, many.phase) == ((2, 2), (1, 2))
    assert asdict(many)["ledger"]["gradients"] > single.ledger["gradients"]
