"""The calculator in the browser: the numbers of Python, by mouse, by keys, and by address."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.site.browser.conftest import PHONE, Visit, overflow, serious
from tools.atlas import Atlas
from tools.data.closed_forms import FormError, architectures, counts, read
from tools.site.pages.calculator import calculator
from tools.site.pages.fits import fits
from tools.site.shared import step_peaks

PATH = "methods/calculator.html"
BATCHES = ((8, 256), (1, 2), (3, 77), (32, 512), (2, 2048))
TRIES = 4  # hyper-parameters for each method, choice and architecture, the paper's first
COMPARED = """
questions => questions.map(([method, family, dimensions, inputs]) => {
  try {
    const found = closedForms.evaluate(method, family, dimensions, inputs);
    const {weights, gradients, optimizer, activations, other} = found.ledger;
    return [found.trained, found.stored, found.head, found.base,
            weights, gradients, optimizer, activations, other, found.total];
  } catch (faults) {
    return [faults[0].field, faults[0].message];
  }
})
"""


def questions() -> list[tuple[str, str, dict[str, int], dict[str, Any]]]:
    """Every method and choice on every architecture, with several sizes and batches."""
    generator, asked = random.Random(1), []
    for method, entry in read()["methods"].items():
        for choice in entry["choices"]:
            for known in architectures().values():
                for number in range(TRIES):
                    inputs: dict[str, Any] = {"choice": choice}
                    for name, given in entry["inputs"].items():
                        if number and name == "density":
                            inputs[name] = generator.choice((0.001, 0.07, 0.3, 1.0))
                        elif number:
                            inputs[name] = generator.choice(
                                (given["least"], 2, 3, 4, 8, 16, 30, 64, 200)
                            )
                    rows, length = generator.choice(BATCHES) if number else BATCHES[0]
                    inputs |= {"B": rows, "S": length}
                    asked.append((method, known["family"], known["dimensions"], inputs))
    return asked


def said_by_python(method: str, family: str, dimensions: dict, inputs: dict) -> list[Any]:
    try:
        found = counts(method, {"family": family, "dimensions": dimensions}, **inputs)
    except FormError as error:
        return [error.field, str(error)]
    own = [found.trained, found.stored, found.head, found.base]
    return [*own, *found.ledger.values(), found.total]


@pytest.mark.parametrize(
    ("one_of", "least"), [(150, 60), pytest.param(1, 10_000, marks=pytest.mark.night)]
)
def test_the_browser_computes_what_python_computes(visit: Visit, one_of: int, least: int) -> None:
    asked = questions()[::one_of]
    said = visit(PATH).evaluate(COMPARED, asked)
    expected = [said_by_python(*question) for question in asked]
    assert [(q, a, b) for q, a, b in zip(asked, said, expected, strict=True) if a != b] == []
    numbers = sum(len(answer) for answer in expected if len(answer) > 2)
    assert numbers > least


def cells(page: Page, table: str) -> dict[str, str]:
    return page.evaluate(
        """table => Object.fromEntries([...document.querySelectorAll(`#${table} tbody tr`)]
           .map(row => [row.cells[0].textContent, row.cells[1].textContent]))""",
        table,
    )


def shows(page: Page, method: str, architecture: str, **inputs: Any) -> None:
    found = counts(method, architecture, **inputs)
    kept = cells(page, "calculator-numbers")
    assert kept["total"] == f"{found.total:,}"
    assert kept["activations"] == f"{found.ledger['activations']:,}"
    assert cells(page, "calculator-counts")["trained"] == f"{found.trained:,}"


def test_peaks_are_those_of_python_for_known_models_and_the_papers_settings(
    visit: Visit, atlas: Atlas
) -> None:
    page, box = visit(PATH), "#calculator-peaks"
    for method in ("prefix_tuning", "mezo", "lora"):
        page.select_option("[name=method]", method)
        for name, size in (("B", "3"), ("S", "77")):
            page.fill(f"[name={name}]", size)
        told = {
            setting: step_peaks.peak(atlas, method, calculator.START, setting, 3, 77)
            for setting in step_peaks.settings(atlas)
        }
        expected = {setting: fits.amount(peak) for setting, peak in told.items()}
        assert cells(page, "calculator-peaks") == expected
        assert f"takes {expected['bfloat16']} at its peak" in page.inner_text("#calculator-said")
    bare = step_peaks.without_state(told["float32"], counts("lora", calculator.START, B=3, S=77))
    row = page.locator(f"{box} tbody tr", has_text="float32").first
    assert row.locator("td").nth(1).inner_text() == fits.amount(bare)
    page.fill("[name=r]", "9")
    assert not page.locator(box).is_visible()
    assert page.locator("#calculator-unknown").is_visible()
    assert "A training step keeps" in page.inner_text("#calculator-said")
    page.fill("[name=r]", "8")
    assert page.locator(box).is_visible()
    page.fill("#calculator-dimensions [name=L]", "31")
    assert not page.locator(box).is_visible()


@pytest.mark.night
def test_what_the_page_brings_is_what_the_script_makes_of_it(visit: Visit) -> None:
    plain, live = (visit(PATH, javascript=on) for on in (False, True))
    for part in (
        ".said",
        "#calculator-peaks",
        "#calculator-numbers",
        "#calculator-counts",
        "#calculator-bars",
    ):
        own = [page.locator(f"#calculator-results {part}").inner_text() for page in (plain, live)]
        assert own[0] == own[1], part
    assert plain.locator("noscript").count()
    assert not live.locator("noscript p").is_visible()


def test_choosing_a_method_a_model_and_sizes(visit: Visit) -> None:
    page = visit(PATH)
    shows(page, "lora", "llama-2-7b")
    page.select_option("[name=architecture]", "qwen2-0.5b")
    shows(page, "lora", "qwen2-0.5b")
    page.select_option("[name=choice]", "every linear map")
    page.fill("[name=r]", "32")
    shows(page, "lora", "qwen2-0.5b", choice="every linear map", r=32)
    page.select_option("[name=method]", "prefix_tuning")
    page.fill("[name=B]", "2")
    shows(page, "prefix_tuning", "qwen2-0.5b", B=2)
    assert "Prefix tuning" in page.inner_text("#calculator-said")
    assert page.get_attribute("a.more", "href") == "prefix_tuning.html"


@pytest.mark.night
def test_own_dimensions(visit: Visit) -> None:
    page = visit(PATH)
    page.select_option("[name=architecture]", "bert-base")
    page.fill("#calculator-dimensions [name=L]", "24")
    assert page.input_value("[name=architecture]") == "own"
    own = {**architectures()["bert-base"]["dimensions"], "L": 24}
    shows(page, "lora", {"family": "bert", "dimensions": own})
    page.select_option("[name=family]", "t5")
    page.fill("#calculator-dimensions [name=e]", "64")
    own = {"L": 24, "d": 768, "f": 3072, "H": 12, "e": 64, "V": 30522}
    shows(page, "lora", {"family": "t5", "dimensions": own})


def test_bad_input_is_explained_beside_its_field(visit: Visit) -> None:
    page = visit(PATH)
    cases = (
        ("r", "-3", "At least 1."),
        ("r", "2.5", "A whole number, please."),
        ("r", "", "A whole number, please."),
        ("r", "5000", "A rank above the width is not a low one."),
        ("H", "31", "The heads must divide the width."),
        ("S", "4097", "The architecture has fewer positions than that."),
    )
    for name, wrong, message in cases:
        field = page.locator(f"[name={name}]")
        right = field.input_value()
        field.fill(wrong)
        assert page.inner_text(f"#fault-{name}") == message
        assert field.get_attribute("aria-invalid") == "true"
        assert field.get_attribute("aria-describedby") == f"fault-{name}"
        assert message in page.inner_text("#calculator-said")
        if name == "H":
            page.select_option("[name=architecture]", "llama-2-7b")
        else:
            field.fill(right)
        assert page.inner_text(f"#fault-{name}") == ""
        assert "trains" in page.inner_text("#calculator-said")


@pytest.mark.night
def test_a_method_that_does_not_run_on_a_model_says_so(visit: Visit) -> None:
    page = visit(PATH)
    page.select_option("[name=method]", "bitfit")
    assert "has none" in page.inner_text("#calculator-said")
    page.select_option("[name=architecture]", "bert-base")
    shows(page, "bitfit", "bert-base")


def test_a_method_without_forms_shows_what_was_measured(visit: Visit, atlas: Atlas) -> None:
    data = calculator.forms_of(atlas)
    lora = calculator.measured(atlas, "lora", data)
    made = {"title": "New", "measured": lora}
    script = f"""
      window.closedForms.methods.new_one = {json.dumps(made)};
      document.querySelector('[name=method]').append(new Option('New', 'new_one'));
    """
    page = visit(PATH)
    page.evaluate(script)
    page.select_option("[name=method]", "new_one")
    shows(page, "lora", "llama-2-7b")  # no other numbers
    note = page.inner_text("#calculator-inputs")
    assert note.startswith("No closed form is declared: measured on BERT-base and Llama 2 7B")
    assert not page.locator(".equations").is_visible()
    page.select_option("[name=architecture]", "bert-base")
    shows(page, "lora", "bert-base")
    for name, value in (("B", "4"), ("L", "3")):
        page.fill(f"[name={name}]", value)
        assert "No closed form is declared" in page.inner_text("#calculator-said")
        page.fill("[name=B]", "8")
    page.select_option("[name=method]", "lora")
    assert page.locator(".equations").is_visible()


@pytest.mark.night
def test_the_address_brings_everything_back(visit: Visit) -> None:
    page = visit(PATH)
    page.select_option("[name=method]", "mam")
    page.select_option("[name=choice]", "trained directly")
    page.fill("[name=prefix_length]", "5")
    page.select_option("[name=architecture]", "roberta-large")
    page.fill("[name=S]", "100")
    again = visit(page.evaluate("location.href"))
    shows(again, "mam", "roberta-large", choice="trained directly", prefix_length=5, S=100)
    page.fill("#calculator-dimensions [name=f]", "100")
    again = visit(page.evaluate("location.href"))
    assert again.input_value("#calculator-dimensions [name=f]") == "100"
    assert again.inner_text("#calculator-said") == page.inner_text("#calculator-said")


def test_hostile_addresses_do_nothing(visit: Visit) -> None:
    odd = "?method=__proto__&architecture=constructor&family=x&B=<img src=x onerror=alert(1)>"
    shows(visit(PATH + odd + "&S=256&choice=toString"), "lora", "llama-2-7b")


def test_keys_alone_suffice(visit: Visit) -> None:
    page = visit(PATH)
    page.focus("[name=method]")
    page.keyboard.press("Tab")  # the link to the method
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "choice"
    page.keyboard.press("ArrowDown")
    page.wait_for_function("closedForms && document.activeElement.name === 'choice'")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "r"
    page.keyboard.press("ArrowUp")
    shows(page, "lora", "llama-2-7b", choice="all of attention", r=9)


@pytest.mark.night
def test_results_are_announced_and_fit_a_phone(visit: Visit) -> None:
    page = visit(PATH, width=PHONE, scheme="dark")
    assert page.get_attribute("#calculator-said", "aria-live") == "polite"
    page.click("summary")
    words = page.inner_text("#calculator-equations")
    assert "4 × parameters of the base model + 4 × trained parameters" in words
    page.fill("[name=r]", "-1")
    assert serious(page) == []
    assert overflow(page) <= 0
