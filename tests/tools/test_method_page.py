"""A method's page: that it shows what the data say, whatever of it there is."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tools.small_catalog import write_tree
from tools import atlas as material
from tools.atlas import Atlas
from tools.cards import Card
from tools.data.annotated import read_details
from tools.data.architectures import Cells
from tools.data.files import ROOT
from tools.data.implementations import Implementation
from tools.data.memory import at
from tools.data.real import Budget, Group, Row
from tools.site import all_pages
from tools.site.pages.methods import cost
from tools.site.pages.methods.model_kinds import CLASSIFIER, LANGUAGE_MODEL, OTHERS
from tools.site.pages.methods.own_model import Snippet, snippets
from tools.site.pages.methods.real_runs import real_runs
from tools.site.shared import figures


@pytest.fixture(scope="module")
def real() -> Atlas:
    return material.load(ROOT)


@pytest.fixture(scope="module")
def pages(real: Atlas) -> dict[str, str]:
    return all_pages.pages(real, "# C")


def programs(real: Atlas, method: Implementation, *runs: str) -> list[Snippet]:
    """Those of a method that was seen to run on these architectures."""
    cells = Cells(runs=runs, refused={}, fault={}, versions={}, sources={})
    return snippets(method, real.card(method.name).own_model, cells)


ALL = tuple(kind.architecture for kind in OTHERS)


def test_the_program_for_ones_own_model_is_the_one_that_is_tested(
    real: Atlas, pages: dict[str, str]
) -> None:
    for name, method in real.methods.items():
        own = snippets(method, real.card(name).own_model, real.cells.get(name))
        assert own, name
        for snippet in own:
            assert f"```python\n{snippet.text.strip()}\n```" in pages[f"methods/{name}.md"]


def test_programs_follow_the_declarations(real: Atlas) -> None:
    kinds = {
        name: [snippet.kind for snippet in programs(real, method)]
        for name, method in real.methods.items()
    }
    assert kinds["lora"] == [LANGUAGE_MODEL, CLASSIFIER]
    assert kinds["pet"] == kinds["unipelt"] == kinds["pasta"] == [CLASSIFIER]
    assert kinds["mezo"] == kinds["adaptersoup"] == [LANGUAGE_MODEL]
    for name, method in real.methods.items():
        for snippet in programs(real, method, *ALL):
            assert ("method.merge(fresh)" in snippet.text) == method.mergeable, name
            assert max(map(len, snippet.text.splitlines())) <= 100, name


def test_other_kinds_follow_what_was_measured(real: Atlas) -> None:
    lora = real.methods["lora"]
    assert [s.kind for s in programs(real, lora, *ALL)] == [LANGUAGE_MODEL, CLASSIFIER, *OTHERS]
    for kind in OTHERS:
        assert [s.kind for s in programs(real, lora, kind.architecture)][2:] == [kind]
    assert [s.kind for s in programs(real, lora, "bart", "swin")] == [LANGUAGE_MODEL, CLASSIFIER]
    assert len(snippets(lora, real.card("lora").own_model)) == 2  # not measured


def test_a_method_that_needs_more_has_other_kinds_where_its_card_says_what(real: Atlas) -> None:
    found = {
        name: {s.kind.name: s.text for s in programs(real, real.methods[name], *ALL)}
        for name in ("pet", "prompt_tuning", "adaptersoup", "adapterfusion")
    }
    assert list(found["pet"]) == ["classifier"]
    assert "encoder-decoder" in found["prompt_tuning"].keys() - {"vision", "audio"}
    assert "verbalizer=tuple(map(tuple, words))" in found["prompt_tuning"]["encoder-decoder"]
    assert "films, hotels =" in found["adaptersoup"]["encoder-decoder"]  # as of a language model
    assert "targets=own" in found["adaptersoup"]["encoder-decoder"]
    assert "other = partial(batches, labels=[1, 0])" in found["adapterfusion"]["audio"]
    assert "A long film" not in found["adapterfusion"]["vision"]


def test_programs_set_the_learning_rate_and_pad_where_they_must(real: Atlas) -> None:
    for name, method in real.methods.items():
        for snippet in programs(real, method, *ALL):
            for rate in (h.default for h in method.hyperparameters if h.name == "lr"):
                assert f"lr={rate}" in snippet.text, name
            padded = "\ntokenizer.pad_token = tokenizer.eos_token\n" in snippet.text
            assert padded is (snippet.kind == LANGUAGE_MODEL), name


def test_programs_give_again_what_no_file_holds(real: Atlas) -> None:
    for name, method in real.methods.items():
        for snippet in programs(real, method, *ALL):
            given = f'deltas.load(fresh, "{name}.safetensors", **settings)' in snippet.text
            needed = real.card(name).own_model.of(snippet.kind.name)
            assert given is bool((needed or real.card(name).own_model).arguments), name


def test_a_page_says_that_peft_reads_its_files_where_that_was_measured(
    real: Atlas, pages: dict[str, str]
) -> None:
    said = {name for name in real.methods if "export-peft" in pages[f"methods/{name}.md"]}
    assert said == {"lora", "qlora", "ia3", "prompt_tuning"}
    text = pages["methods/prompt_tuning.md"]
    assert "with the same outputs was measured on GPT-2 and Llama." in text


def test_programs_take_no_more_samples_than_there_is_data_for(real: Atlas) -> None:
    texts = {
        name: snippet.text
        for name, method in real.methods.items()
        for snippet in programs(real, method)
    }
    assert "samples=64" in texts["fish_mask"]  # its default is for a data set
    assert "samples=1," in texts["mezo"]  # its default is one direction a step


def test_the_file_itself_is_beside_the_page(real: Atlas, pages: dict[str, str]) -> None:
    for name, text in real.source.items():
        assert pages[f"methods/{name}.py"] == text


def test_each_detail_has_an_anchor_and_leads_to_the_code(
    real: Atlas, pages: dict[str, str]
) -> None:
    for name, method in real.methods.items():
        page = pages[f"methods/{name}.md"]
        for number in read_details(method.page.details):
            assert page.count(f"{{: #detail-{number} }}") == 1, name
        anchors = set(re.findall(r'id="(source-[^"]+)"', page))
        led_to = set(re.findall(r"\(<#(source-[^>]+)>\)", page))
        assert led_to <= anchors, name


def test_printed_counts_stand_beside_ours_with_their_source(
    real: Atlas, pages: dict[str, str]
) -> None:
    page = pages["methods/lora.md"]
    found = cost.counts(real, real.methods["lora"])
    differing = found["table"].count('class="verdict differs"')
    assert differing > 0
    assert found["reproduced"] == found["all"] - differing
    assert f"{found['reproduced']} of {found['all']} printed counts reproduced" in page
    row = next(line for line in page.splitlines() if "GPT-3 175B" in line and "r &#61; 32" in line)
    assert "150,994,944" in row
    assert "151,142,400 with a prompt" in row
    assert "**151.1M**" in row.replace("&#46;", ".")
    assert "(../papers/hu2021lora.md)" in row
    differs = next(line for line in page.splitlines() if "0&#46;35M" in line)
    assert 'class="verdict differs">differs<' in differs
    assert "](https://github.com/microsoft/LoRA)" in differs
    assert "## Counts" not in pages["methods/mezo.md"]
    assert "(#counts)" not in pages["methods/mezo.md"]


def test_costs_stand_beside_those_of_the_baselines(real: Atlas) -> None:
    bert, llama = cost.costs(real, real.methods["pfeiffer"])
    chart = str(bert["chart"])
    labels = ["Pfeiffer adapters", "Full fine-tuning", "LoRA", "Linear probe"]
    assert [chart.index(f">{label}<") for label in labels] == sorted(
        chart.index(f">{label}<") for label in labels
    )
    report = real.ledger.architectures["bert-base"]["pfeiffer"]
    assert f"Pfeiffer adapters ends at {report.ledger.total / 1e9:.2f} GB" in chart
    assert llama["refused"] is None
    own = str(cost.costs(real, real.methods["lora"])[0]["chart"])
    assert own.count(">LoRA<") == 1


def test_peaks_of_a_large_model_stand_beside_those_of_the_baselines(
    real: Atlas, pages: dict[str, str]
) -> None:
    told = real.memory["llama-2-7b"]
    names = ["pfeiffer", "full_fine_tuning", "lora", "linear_probe"]
    for setting in told["pfeiffer"]:
        peaks = [figures.amount(at(told[name][setting], 8, 256)) for name in names]
        assert f"| {setting} | {' | '.join(peaks)} |" in pages["methods/pfeiffer.md"]
    assert cost.peaks(real, real.methods["bitfit"]) is None
    only = replace(real, memory={"llama-2-7b": {"pfeiffer": told["pfeiffer"]}})
    assert str(cost.peaks(only, real.methods["pfeiffer"])).count("| – | – | – |") == len(
        told["pfeiffer"]
    )


def test_by_how_much_a_seed_may_differ_is_the_cards_where_it_says_so(
    real: Atlas, pages: dict[str, str]
) -> None:
    assert any(card.contract.repeats for card in real.cards.values())
    for name in real.methods:
        own = real.card(name).contract.repeats
        runs = {task: found[name] for task, found in real.runs.items() if name in found}
        said = [f"{own.get(task, run.tolerance):.1%}" for task, run in runs.items()]
        found = re.findall(r"repeated seed may differ by ([\d.]+%)", pages[f"methods/{name}.md"])
        assert sorted(found) == sorted(said)


def test_an_architecture_that_is_refused_says_why(real: Atlas, pages: dict[str, str]) -> None:
    refused = [(m, c) for m in real.methods.values() for c in cost.costs(real, m) if c["refused"]]
    assert refused
    for method, shown in refused:
        assert "chart" not in shown
        assert "Not on this architecture: " in pages[f"methods/{method.name}.md"]


def test_a_method_without_runs_ledger_and_printed_counts_has_a_page(tmp_path: Path) -> None:
    write_tree(tmp_path, card="")
    page = all_pages.pages(material.load(tmp_path), "# C")["methods/lora.md"]
    assert "No run has been committed yet" in page
    assert "## Cost" not in page
    assert "## Counts" not in page
    assert '<p class="name" id="source-LoRA"' in page
    assert "In the code:" not in page
    assert "1. B starts at zero. [Section 4.1]" in page


def test_scores_on_real_weights_stand_beside_the_baselines(tmp_path: Path) -> None:
    write_tree(tmp_path)
    atlas = material.load(tmp_path)
    runs = [Row(lr=lr, seed=0, split="dev", score=score) for lr, score in ((0.01, 0.8), (0.1, 0.9))]
    runs += [Row(lr=0.1, seed=seed, split="test", score=0.8 + seed / 100) for seed in (1, 2, 3)]
    group = Group(
        method="lora",
        model="minilm",
        task="trec",
        settings={"r": 2},
        weights="",
        data="",
        budget=Budget(steps=1, rows=1, head_lr=0.1),
        metric="accuracy",
        guessing=0.2,
        texts=400,
        runs=tuple(runs),
    )
    probe = replace(atlas, real=(group, group.model_copy(update={"method": "probe"})))
    object.__setattr__(probe, "cards", {"probe": Card(baseline="lower"), **probe.cards})
    text = str(real_runs(probe, "lora"))
    head = "|  | Score | Seeds | Lowest to highest | Learning rate | probe | Guessing |"
    assert text.splitlines()[0] == head
    assert "/minilm-trec.md), all-MiniLM-L6-v2, r 2 | 82.0% ± 3.8 | 3 |" in text
    assert "| 81.0% to 83.0% | 0.1, the last tried |" in text
    assert text.endswith("| 82.0% | 20.0% |")
    assert real_runs(replace(atlas, real=()), "lora") is None
