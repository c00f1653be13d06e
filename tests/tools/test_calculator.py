"""The calculator's page, also of a method that declares no closed forms."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tools import atlas as material
from tools.atlas import Atlas
from tools.data.files import ROOT
from tools.site.pages.calculator import calculator
from tools.site.pages.compare import compare
from tools.site.pages.methods import method as method_page
from tools.site.shared.site import Site


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    """The real one, with a method more that has all that LoRA has but for closed forms."""
    real = material.load(ROOT)
    new = replace(real.methods["lora"], name="new", title="New")
    shapes = {
        name: {**reports, "new": reports["lora"]}
        for name, reports in real.ledger.architectures.items()
    }
    return replace(
        real,
        methods={**real.methods, "new": new},
        source={**real.source, "new": real.source["lora"]},
        ledger=real.ledger.model_copy(update={"architectures": shapes}),
    )


@pytest.fixture(scope="module")
def made(atlas: Atlas) -> dict[str, str]:
    return dict(calculator.pages(Site(atlas, "# C")))


def row(text: str, name: str) -> str:
    """The cells of a method's row behind its title."""
    return text.partition(f"]({name}.md) |")[2].partition("\n")[0]


def test_a_method_without_forms_is_in_the_table_as_measured(made: dict[str, str]) -> None:
    text = made["methods/calculator.md"]
    assert row(text, "new") == row(text, "lora") != ""
    named = text.partition("Measured, since no closed form is declared: ")[2].partition(".\n")[0]
    assert "New" in named.split(", ")
    assert "LoRA" not in named.split(", ")


def test_the_browser_gets_its_measurements_in_place_of_forms(made: dict[str, str]) -> None:
    text = made[calculator.DATA].partition(" = ")[2].rstrip(";\n")
    methods = json.loads(text)["methods"]
    assert methods["new"].keys() == {"title", "measured"}
    bert = methods["new"]["measured"]["bert-base"]
    assert bert["total"] == sum(bert["ledger"].values())
    assert bert["trained"] == 12 * 2 * 8 * 2 * 768
    assert not {"measured", "sources"} & methods["lora"].keys()


def test_other_batches_and_architectures_are_not_offered(atlas: Atlas) -> None:
    file = calculator.forms_of(atlas)
    other = {**file, "batch": {"B": 1, "S": 256}}
    assert calculator.measured(atlas, "new", other) == {}
    assert calculator.measured(atlas, "bitfit", file)["llama-2-7b"].keys() == {"refused"}


def test_without_either_a_method_is_not_in_the_calculator(atlas: Atlas) -> None:
    bare = replace(atlas, ledger=atlas.ledger.model_copy(update={"architectures": {}}))
    assert "new" not in calculator.forms_of(bare)["methods"]
    assert "lora" in calculator.forms_of(bare)["methods"]


def test_the_methods_page_and_the_comparison_go_by_what_was_measured(atlas: Atlas) -> None:
    closed = {
        name: method_page.values(atlas, atlas.methods[name])["closed"] for name in ("new", "lora")
    }
    assert closed == {"new": False, "lora": True}
    assert compare.models_of(atlas, "new") == ("encoder", "decoder")
    assert compare.models_of(atlas, "lora") == ("encoder", "decoder", "encoder-decoder")
