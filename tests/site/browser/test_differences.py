"""Where libraries differ: filters, links to one difference, and programs to unfold."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.site.browser.conftest import PHONE, Visit, overflow
from tools.atlas import Atlas
from tools.data.parity import verdicts

PATH = "methods/differences.html"


def test_library_severity_and_method_filter_and_stay_in_the_address(
    visit: Visit, atlas: Atlas
) -> None:
    page = visit(PATH)
    told = atlas.told
    shown = page.locator(".difference:visible")
    assert shown.count() == len(told)
    page.get_by_label("Library").select_option("peft")
    assert shown.count() == sum(t.difference.library == "peft" for t in told)
    page.get_by_label("Severity").select_option("default")
    wanted = [t for t in told if t.difference.library == "peft"]
    wanted = [t for t in wanted if t.difference.severity == "default"]
    assert shown.count() == len(wanted) > 1
    page.get_by_label("Method").select_option("prompt_tuning")
    wanted = [t for t in wanted if "prompt_tuning" in t.methods]
    assert [h.get_attribute("id") for h in page.locator(".difference:visible h3").all()] == [
        t.difference.name for t in wanted
    ]
    said = f"{len(wanted)} of {len(told)} differences"
    expect(page.locator(".map-tools output")).to_have_text(said)
    assert page.url.endswith("?library=peft&severity=default&method=prompt_tuning")
    page.reload()
    expect(page.locator(".map-tools output")).to_have_text(said)
    page.get_by_label("Library").select_option("")
    page.get_by_label("Severity").select_option("")
    page.get_by_label("Method").select_option("")
    expect(page.locator(".map-tools output")).to_have_text("")
    assert "?" not in page.url


def test_what_the_address_names_and_there_is_not_filters_nothing(
    visit: Visit, atlas: Atlas
) -> None:
    page = visit(f"{PATH}?library=none&severity=bug")
    bugs = sum(told.difference.severity == "bug" for told in atlas.told)
    assert page.locator(".difference:visible").count() == bugs
    assert page.get_by_label("Library").evaluate("select => select.selectedIndex") == 0  # "all"


def test_a_link_to_a_difference_shows_it_whatever_is_filtered(visit: Visit) -> None:
    page = visit(f"{PATH}?library=bitsandbytes#peft-lora-fused")
    expect(page.locator("#peft-lora-fused")).to_be_in_viewport()
    assert "library" not in page.url
    page.get_by_label("Library").select_option("bitsandbytes")
    expect(page.locator("#peft-lora-fused")).not_to_be_visible()
    page.evaluate("location.hash = 'peft-rslora-sum'")
    expect(page.locator("#peft-rslora-sum")).to_be_in_viewport()


def test_a_methods_table_leads_to_its_differences(visit: Visit, atlas: Atlas) -> None:
    page = visit("methods/lora.html")
    (said,) = (said for said, _ in verdicts(atlas.parity["lora"]) if said.startswith("peft"))
    expect(page.locator("a.verdict", has_text="peft")).to_have_text(said)
    folded = page.locator(".compared details.equal")
    expect(folded.locator("table").first).not_to_be_visible()
    folded.locator("summary").first.click()
    expect(folded.locator("table").first).to_be_visible()
    page.get_by_role("link", name="the sum of one rsLoRA adapter").click()
    page.wait_for_url("**/methods/differences.html#peft-rslora-sum")


@pytest.mark.parametrize("javascript", [True, False])
def test_a_program_unfolds_and_fits_a_phone(visit: Visit, javascript: bool) -> None:
    page = visit(PATH, width=PHONE, javascript=javascript)
    assert page.locator(".map-tools").is_visible() is javascript
    program = page.locator(".difference:has(#peft-lora-fused) .reproduce")
    assert not program.locator("pre").first.is_visible()
    program.locator("summary").click()
    assert "get_peft_model" in program.inner_text()
    assert overflow(page) <= 0
