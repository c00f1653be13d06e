"""What methods take in time: read, shown on a method's page, and compared."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.tools.small_catalog import METHOD, METHOD_PATH, write_tree
from tools import atlas as material
from tools.data.committed import CommittedError
from tools.data.digests import digest
from tools.data.files import ROOT
from tools.data.times import SIZES, read_times
from tools.site import all_pages

CODE = "r = 8\n"


def ratio(median: float) -> dict[str, float]:
    return {"median": median, "low": median - 0.011, "high": median + 0.02, "rounds": 5}


def beside(base: float, twin: float | None = None) -> dict[str, Any]:
    return {"base": ratio(base), **({"twin": ratio(twin)} if twin else {})}


def row(**changed: Any) -> dict[str, Any]:
    """A method's times on one size."""
    return {
        "sources": {"lora.py": digest(CODE)},
        "versions": {"torch": "2.0", "peft": "0.9", "processor": "a <b>processor</b>"},
        "settings": {"length": [7]},
        "phases": 2,
        "batches": {"step": [8, 32], "forward-1": [1, 32], "forward-32": [32, 16]},
        "twin": "peft",
        "trained": [1234, 5678],
        "kept": 0.5,
        "times": {
            "step": beside(0.25, 1.125),
            "forward-1": beside(1.5, 1.25),
            "forward-32": beside(1.375, 0.875),
            "merged-1": beside(1.0),
        },
        **changed,
    }


OTHER = {
    "batches": {"step": [2, 32], "generation": [1, 32]},
    "tokens": 16,
    "times": {"step": beside(0.625), "generation": beside(2.25)},
}
PLAIN = row(**OTHER)
for key in ("twin", "trained", "kept", "settings", "phases"):
    del PLAIN[key]
REFUSED = {"sources": {}, "versions": {}, "refused": "it | <b>asks</b> for a head"}
CONTROL = row(twin="itself", settings={}, times={"step": beside(1.0, 1.03125)})


def write(root: Path, sizes: dict[str, Any], method: str = "lora") -> None:
    path = root / "reference_impls" / "reparameterized" / method / "measured" / "times.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(sizes), encoding="utf-8")
    (root / "reference_impls" / "lora.py").write_text(CODE, encoding="utf-8")


def pages(root: Path, sizes: dict[str, Any] | None, **others: dict[str, Any]) -> dict[str, str]:
    """The pages of the small catalog, with these times of LoRA, and other methods with theirs."""
    write_tree(root)
    for name in others:
        path = (root / METHOD_PATH).parents[1] / name / f"{name}.py"
        path.parent.mkdir()
        text = METHOD.replace('name = "lora"', f'name = "{name}"')
        path.write_text(text.replace('title = "LoRA"', f'title = "T {name}"'), encoding="utf-8")
    for name, found in {"lora": sizes, **others}.items():
        if found:
            write(root, found, name)
    return all_pages.pages(material.load(root), "# C")


def section(page: str) -> str:
    """The section of times of a method's page, as a reader sees it."""
    return unescape(page.split("### Time ")[1].split("\n## ")[0])


def cells(page: str, what: str) -> list[str]:
    """The medians of a row."""
    (line,) = [line for line in section(page).splitlines() if line.startswith(f"| {what} |")]
    return [cell.partition("<br>")[0].strip() for cell in line.split("|")[2:-1]]


def test_what_is_there_is_read_by_method_and_size(tmp_path: Path) -> None:
    write(tmp_path, {"minilm": row(), "smollm2": REFUSED})
    found = read_times(tmp_path)["lora"]
    assert found["minilm"].times["step"].twin.median == 1.125
    assert found["minilm"].current
    assert found["smollm2"].refused.startswith("it |")
    assert read_times(tmp_path / "nowhere") == {}


def test_other_code_makes_it_stale(tmp_path: Path) -> None:
    write(tmp_path, {"minilm": row(), "smollm2": row(sources={"lora.py": digest("r = 9")})})
    found = read_times(tmp_path)["lora"]
    assert (found["minilm"].current, found["smollm2"].current) == (True, False)


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"times": {"step": {"base": {**ratio(1), "median": 0}}}}, r"times\.step\.base\.median"),
        ({"times": {"step": {"base": {**ratio(1), "rounds": 0}}}}, r"times\.step\.base\.rounds"),
        ({"times": {"stride": beside(1.0)}}, "stride"),
        ({"times": {}}, "either times, or why it is refused"),
        ({"refused": "no"}, "either times, or why it is refused"),
        ({"twin": "another"}, "twin"),
        ({"more": 1}, "more"),
    ],
)
def test_a_file_that_says_something_else_is_named(
    tmp_path: Path, changed: dict[str, Any], where: str
) -> None:
    write(tmp_path, {"minilm": row(**changed)})
    with pytest.raises(CommittedError, match=rf"lora/measured/times\.json: minilm.*{where}"):
        read_times(tmp_path)


def test_a_page_shows_both_sizes_beside_base_and_library(tmp_path: Path) -> None:
    page = pages(tmp_path, {"minilm": row(), "smollm2": PLAIN})["methods/lora.md"]
    assert "|  | MiniLM | MiniLM, beside peft | SmolLM2 |" in section(page)
    assert cells(page, "Training step") == ["×0.25", "×1.12", "×0.62"]
    assert cells(page, "Forward pass, 32 rows") == ["×1.38", "×0.88", "–"]
    assert cells(page, "Merged, one row") == ["×1.00", "–", "–"]
    assert cells(page, "Generation") == ["–", "–", "×2.25"]
    assert cells(page, "Bytes kept for backward") == ["–", "×0.50", "–"]
    assert "Merged, 32 rows" not in page
    text = section(page)
    assert "×0.25<br><small>0.24 to 0.27</small>" in text
    assert "MiniLM: a step has 8 rows of 32 tokens; a pass has 1 row of 32 tokens; " in text
    assert "; the other has 32 rows of 16 tokens; length = [7]; " in text
    assert "the longest of 2 phases; peft trains 5,678 numbers, this method 1,234. " in text
    assert "SmolLM2: a step has 2 rows of 32 tokens; 16 tokens are generated after 32. " in text
    assert "not a GPU's" in text
    assert "beside itself" not in text
    assert "(#cost)" in page


def test_what_is_refused_or_stale_is_said_and_nothing_is_markup(tmp_path: Path) -> None:
    old = row(sources={"lora.py": ""}, settings={"<i>": "|"})
    page = pages(tmp_path, {"minilm": old, "smollm2": REFUSED})["methods/lora.md"]
    assert "Not on SmolLM2: it | <b>asks</b> for a head" in section(page)
    assert not re.search(r"<b>|<i>", page.split("### Time ")[1].split("\n## ")[0])
    assert "Measured before the code's last change (MiniLM): " in page
    now = pages(tmp_path / "now", {"minilm": row(), "smollm2": row()})["methods/lora.md"]
    assert "Measured before" not in section(now)


def test_a_size_of_any_name_is_escaped(tmp_path: Path) -> None:
    page = pages(tmp_path, {"<u>|": row()})["methods/lora.md"]
    assert "<u>" not in page
    assert "<u>|: a step has" in section(page)


def test_without_times_a_page_says_so(tmp_path: Path) -> None:
    for sizes in (None, {"minilm": REFUSED, "smollm2": REFUSED}):
        found = pages(tmp_path / str(sizes)[:4], sizes)
        assert "### Time" not in found["methods/lora.md"]
        assert "(#cost)" not in found["methods/lora.md"]
        assert "Step, time" not in found["methods/compare.md"]
        assert "not measured yet" in found["methods/compare.md"]


def test_the_noise_is_what_the_control_shows(tmp_path: Path) -> None:
    found = pages(tmp_path, {"minilm": row()}, control={"minilm": CONTROL, "smollm2": REFUSED})
    ends = "has ×1.00 to ×1.03 beside itself"
    assert f"[T control](control.md#time) {ends}" in section(found["methods/lora.md"])
    assert f"This method {ends}" in section(found["methods/control.md"])
    assert f"[T control](control.md#time) {ends}" in unescape(found["methods/compare.md"])


def test_the_table_of_all_methods_sorts_by_times_on_one_model(tmp_path: Path) -> None:
    old = row(sources={"lora.py": ""}, times={"step": beside(0.75)})
    others = {"fast": {"minilm": old}, "shy": {"minilm": REFUSED, "smollm2": PLAIN}}
    text = pages(tmp_path, {"minilm": row(), "smollm2": PLAIN}, **others)["methods/compare.md"]
    heads = re.findall(r'<th scope="col" data-sort="(\w+)"[^>]*>([^<]+)', text)
    column = heads.index(("number", "Step, time"))
    assert heads[column + 1] == ("number", "Forward, time")

    def found(method: str) -> list[tuple[str, str]]:
        body = unescape(text).split(f'<tr data-method="{method}"')[1].split("</tr>")[0]
        every = re.findall(r"<t[hd]([^>]*)>(.*?)</t[hd]>", body, flags=re.DOTALL)
        return [(attributes.strip(), shown) for attributes, shown in every[column : column + 2]]

    step, forward = found("lora")
    assert step == ('data-value="0.25" title="0.24 to 0.27"', "×0.25")
    assert forward == ('data-value="1.375" title="1.36 to 1.40"', "×1.38")
    assert found("fast")[1] == found("shy")[0] == ('class="none"', "–")
    assert "Of the code before its last change: T fast." in text
    assert "MiniLM's size: a step\n(8 rows of 32 tokens)" in text


def test_the_committed_times_are_of_every_method_and_size() -> None:
    found = read_times(ROOT)
    assert found.keys() == material.load(ROOT).methods.keys()
    for method, sizes in found.items():
        assert sizes.keys() == SIZES.keys(), method
    (control,) = [name for name, sizes in found.items() if sizes["minilm"].twin == "itself"]
    assert control == "full_fine_tuning"
