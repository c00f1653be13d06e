"""The page that compares all methods, and its charts."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from tests.tools.small_catalog import METHOD, METHOD_PATH, comparison, write_tree
from tools import atlas as material
from tools.atlas import Atlas
from tools.data import closed_forms
from tools.data.committed import CommittedError
from tools.data.ledger import read_ledger
from tools.data.peaks import Peaks
from tools.site import all_pages
from tools.site.pages.compare import compare
from tools.site.shared import figures

PARTS = ["weights", "gradients", "optimizer", "activations", "other"]


def report(trained: int, *amounts: int, merged: int | None = 1000, adapted: int = 1060) -> dict:
    return {
        "rows": 2,
        "length": 5,
        "counts": {"trained": trained, "stored": 2 * trained, "head": 1, "base": 4_000_000},
        "ledger": dict(zip(PARTS, amounts, strict=True)),
        "phase": [1, 1],
        "inference": {"base": 1000, "adapted": adapted, "merged": merged, "positions": 7},
    }


SHAPES = {
    "full_fine_tuning": report(4_000_000, 16_000_000, 16_000_000, 32_000_000, 10_000_000, 0),
    "lora": report(2_000, 16_008_000, 8_000, 16_000, 7_000_000, 0),
    "ladder_side_tuning": report(9_000, 16_036_000, 36_000, 72_000, 2_000_000, 0, merged=None),
    "mezo": report(4_000_000, 16_000_000, 0, 0, 0, 0, adapted=1000),
    "fish_mask": report(20_000, 16_000_000, 16_000_000, 32_000_000, 10_000_000, 4_000_000),
    "pet": {"refused": "it does what its data say"},  # but has a closed form
    "shy": {"refused": "it looks <at> its data"},
    "gone": report(1, 1, 1, 1, 1, 1),
}
FILE = {
    "versions": {"torch": "2.0"},
    "lab": {
        "lora": {"first-clause": report(2_000, 400_000, 8_000, 16_000, 76_000, 0)},
        "mezo": {"first-clause": report(90_000, 390_000, 0, 0, 0, 0)},
        "gone": {"first-clause": report(1, 1, 1, 1, 1, 1)},
    },
    "architectures": {"bert-base": SHAPES},
}


def place(root: Path, method: str = "lora") -> Path:
    """Where a method's ledger is kept."""
    return root / "reference_impls" / "reparameterized" / method / "measured" / "ledger.json"


def write(root: Path, content: dict) -> None:
    """A ledger, cut into the methods' files."""
    methods = {name for part in content["architectures"].values() for name in part}
    for method in methods | content["lab"].keys():
        path = place(root, method)
        path.parent.mkdir(parents=True, exist_ok=True)
        shapes = content["architectures"].items()
        reports = {
            "lab": content["lab"].get(method, {}),
            "architectures": {name: part[method] for name, part in shapes if method in part},
            "versions": content["versions"],
        }
        path.write_text(json.dumps(reports), encoding="utf-8")


@pytest.fixture
def atlas(tmp_path: Path) -> Atlas:
    """The small catalog with a few more methods and a ledger."""
    write_tree(tmp_path)
    for name in SHAPES.keys() - {"gone", "lora"}:
        text = re.sub(r'name = "lora"', f'name = "{name}"', METHOD)
        path = (tmp_path / METHOD_PATH).parents[1] / name / f"{name}.py"
        path.parent.mkdir()
        path.write_text(text.replace('title = "LoRA"', f'title = "T {name}"'), encoding="utf-8")
    (path.parents[1] / "full_fine_tuning" / "card.toml").write_text('baseline = "upper"\n')
    write(tmp_path, FILE)
    return material.load(tmp_path)


@pytest.fixture
def text(atlas: Atlas) -> str:
    return all_pages.pages(atlas, "# C")["methods/compare.md"]


def rows(text: str) -> dict[str, list[str]]:
    """The cells of the first table, by method."""
    table = text.split("| Method |")[1].split("\n\n")[0]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    return {re.search(r"\((\w+)\.md\)", row[0])[1]: row[1:] for row in cells}


def summary(text: str) -> dict[str, list[str]]:
    """The cells of the table of all methods, as text, by method."""
    body = text.split('id="compare"')[1].split("<tbody>")[1].split("</tbody>")[0]
    found = {}
    for row in body.split("</tr>")[:-1]:
        cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, flags=re.DOTALL)
        name = re.search(r'data-method="(\w+)"', row)[1]
        found[name] = [unescape(re.sub("<[^>]+>", " ", cell)).strip() for cell in cells]
    return found


def attributes(text: str, method: str) -> dict[str, str]:
    row = re.search(rf'<tr data-method="{method}"[^>]*>', text)[0]
    return dict(re.findall(r'data-(\w+)="([^"]*)"', row))


def test_the_first_table_has_every_method(text: str, atlas: Atlas) -> None:
    table = summary(text)
    assert table.keys() == atlas.methods.keys()
    assert len({len(cells) for cells in table.values()}) == 1
    assert table["lora"][1:6] == ["2,000", "0.05%", "4,000", "23.0 MB", "×1.06"]
    assert table["lora"][6:9] == ["yes", "yes", "yes"]
    assert table["mezo"][5] == "×1"
    titles = [cells[0].split()[0] for cells in table.values()]
    assert titles == sorted(titles, key=str.lower)
    assert text.index('id="compare"') < text.index("What the numbers show")


def test_a_bar_says_its_parts(text: str) -> None:
    row = unescape(text.split('<tr data-method="lora"')[1].split("</tr>")[0])
    parts = "weights 16.0 MB, gradients 8.00 kB, optimizer 16.0 kB, activations 7.00 MB, other 0"
    assert f'aria-label="{parts}"' in row
    widths = [float(w) for w in re.findall(r'style="width: ([\d.]+)%"', row)]
    longest = closed_forms.counts("pet", "bert-base").total
    assert abs(sum(widths) - 100 * 23_024_000 / longest) < 0.005 * len(widths)
    assert len(widths) == 4  # nothing for other


def test_rows_say_what_filters_ask(text: str) -> None:
    lora = attributes(text, "lora")
    assert (lora["branch"], lora["verified"], lora["merges"]) == ("Reparameterized", "none", "yes")
    assert (lora["base"], lora["start"]) == ("yes", "yes")
    assert lora["models"] == "encoder decoder encoder-decoder"
    assert attributes(text, "pet")["models"] == "encoder"


def test_what_shapes_do_not_tell_is_counted_by_closed_forms(atlas: Atlas, text: str) -> None:
    row = compare.row(atlas, atlas.methods["pet"], [])
    assert row.counts == closed_forms.counts("pet", "bert-base")
    assert summary(text)["pet"][1] == "109,482,240"


@pytest.mark.parametrize(("outcomes", "said"), [("equal", "equal"), ("deviates", "differs")])
def test_comparisons_with_libraries_are_in_the_table(
    atlas: Atlas, outcomes: str, said: str
) -> None:
    known = replace(atlas, parity={"lora": (comparison("peft", outcomes),)})
    text = all_pages.pages(known, "# C")["methods/compare.md"]
    assert attributes(text, "lora")["verified"] == said
    assert ("1 of 1 equal" in summary(text)["lora"][10]) is (said == "equal")


def test_a_method_differs_if_it_differs_from_one_library(atlas: Atlas) -> None:
    parity = {"lora": (comparison("peft", "equal"), comparison("loralib", "deviates"))}
    row = compare.row(replace(atlas, parity=parity), atlas.methods["lora"], [])
    assert row.verified == "differs"
    assert compare.row(replace(atlas, parity={}), atlas.methods["lora"], []).verified == ""


def test_a_row_says_all_about_a_method_and_cheapest_come_first(text: str) -> None:
    table = rows(text)
    masked = ["full_fine_tuning", "fish_mask"]
    assert list(table) == ["mezo", "ladder_side_tuning", "lora", *masked, "pet"]
    assert table["lora"] == [
        *("2,000", "4,000", "0.02", "0.02", "0.00", "0.00", "0.01", "0"),
        *("×1.06", "×1", "+7"),
    ]
    assert table["mezo"][4:9] == ["0", "0", "0", "0", "×1"]
    assert table["ladder_side_tuning"][9] == "–"


def test_where_no_step_can_be_measured_the_closed_form_tells_everywhere(
    atlas: Atlas, text: str
) -> None:
    """One number for a method on a model, on whatever page; nothing of its inference."""
    report = atlas.ledger.architectures["bert-base"]["pet"]
    form = closed_forms.counts("pet", "bert-base")
    assert (report.ledger.model_dump(), report.inference) == (form.ledger, None)
    assert (report.rows, report.length, report.phase) == (8, 256, form.phase)
    assert rows(text)["pet"][2] == f"{form.total / 10**9:.2f}"
    assert rows(text)["pet"][8:] == ["–", "–", "–"]
    assert summary(text)["pet"][4:6] == ["6.63 GB", "–"]
    assert "since what they do depends on their data: T pet." in text


def test_facts_are_computed(text: str) -> None:
    words = " ".join(unescape(text).split())
    assert "change a fraction of the weights, here at the least 0.5%" in words
    assert "takes no less than 78.0 MB on BERT-base, where full fine-tuning takes 74.0 MB" in words
    assert "it trains 0.05% of the weights" in words
    assert "from 48.0 MB down to 24.0 kB" in words
    assert "of 10.0 MB of activations it keeps 7.00 MB, that is 70%" in words
    assert "to 2.00 MB or 20% of full fine-tuning's" in words
    assert "a step takes 16.0 MB, which are the weights." in words
    assert "T fish_mask" in words.split("change a fraction")[0]


def test_a_large_models_peak_is_the_figure_of_what_fits(atlas: Atlas, text: str) -> None:
    assert "Peak, 7B in bfloat16" not in text
    told = {"bfloat16": ((10**9, 0, 0, 10**6, 0, 0), (0, 0, 0, 0, 2 * 10**6, 50))}
    memory = {"llama-2-7b": {"lora": told, "mezo": {"bfloat16": "it does not run"}}}
    page = all_pages.pages(replace(atlas, memory=memory), "# C")["methods/compare.md"]
    table = summary(page)
    assert [table[name][5] for name in ("lora", "mezo", "shy")] == ["4.12 GB", "–", "–"]
    assert f'data-value="{8 * 256 * (2 * 10**6 + 50 * 256)}"' in page
    assert "Peak, 7B in bfloat16" in page


def test_measured_peaks_stand_beside_the_sum(atlas: Atlas, text: str) -> None:
    assert "Measured peaks" not in text
    found = replace(atlas, peaks=(Peaks("Card", "BERT-base", "float32", (0.5, 1.0, 3.0)),))
    words = unescape(all_pages.pages(found, "# C")["methods/compare.md"])
    assert "BERT-base in float32 on Card, 3 methods: 0.50 to 3.00, median 1.00." in words


def test_facts_need_the_methods_that_they_are_about(atlas: Atlas) -> None:
    known = atlas.ledger.architectures["bert-base"]

    def said_without(name: str) -> str:
        rest = {other: found for other, found in known.items() if other != name}
        ledger = atlas.ledger.model_copy(update={"architectures": {"bert-base": rest}})
        return all_pages.pages(replace(atlas, ledger=ledger), "# C")["methods/compare.md"]

    assert "A mask saves no" in said_without("mezo")
    assert "MeZO keeps none" not in said_without("mezo")
    assert "A mask saves no" not in said_without("full_fine_tuning")
    assert "MeZO keeps none" in said_without("fish_mask")


def test_methods_that_were_refused_are_named_and_unknown_ones_left_out(text: str) -> None:
    assert "- T shy: it looks &#60;at&#62; its data" in text
    assert summary(text)["shy"][1:6] == 5 * ["–"]
    assert "gone" not in text


def test_without_a_ledger_the_page_says_how_to_make_one(tmp_path: Path) -> None:
    write_tree(tmp_path)
    text = all_pages.pages(material.load(tmp_path), "# C")["methods/compare.md"]
    assert "No ledger has been committed yet" in text


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "the file: Invalid JSON"),
        ('{"lab": {"cue": {}}}', r"lab\.cue\.rows: Field required"),
    ],
)
def test_a_spoiled_ledger_is_named(tmp_path: Path, content: str, complaint: str) -> None:
    write(tmp_path, FILE)
    place(tmp_path).write_text(content, encoding="utf-8")
    with pytest.raises(CommittedError, match=f"lora/measured/ledger.json: {complaint}"):
        read_ledger(tmp_path)


@pytest.mark.parametrize(
    ("number", "words"),
    [(26_953_662_464, "27.0 GB"), (437_900_000, "438 MB"), (1_500, "1.50 kB"), (7, "7 bytes"),
     (0, "0"), (999, "999 bytes"), (1_000, "1.00 kB"), (10**6, "1.00 MB"), (10**9, "1.00 GB")],
)  # fmt: skip
def test_amounts_have_three_figures(number: int, words: str) -> None:
    assert figures.amount(number) == words


def test_shares_and_lists() -> None:
    assert [figures.share(part, 10_000) for part in (6, 123, 7_100)] == ["0.06%", "1.2%", "71%"]
    assert [figures.share(part, 10_000) for part in (949, 951)] == ["9.5%", "10%"]
    assert [figures.listed(names) for names in ([], ["b"], ["c", "a", "b"])] == [
        *("", "b"),
        "a, b and c",
    ]
    assert [compare.times(1000, 1000), compare.times(1001, 1000)] == ["×1", "×1.00"]
