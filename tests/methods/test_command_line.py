"""`python -m reference_impls`, as a user runs it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import BertConfig

from reference_impls.__main__ import main
from reference_impls.core.registry import load_methods
from tools.data.implementations import discover

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reference_impls", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)


@pytest.fixture
def bert_base(tmp_path) -> Path:
    BertConfig().save_pretrained(tmp_path)
    return tmp_path / "config.json"


def test_list_names_every_method_with_what_it_declares():
    rows = {row["name"]: row for row in json.loads(run("list", "--json").stdout)}
    assert rows["lora"]["leaf"] == "low-rank"
    assert rows["lora"]["paper"] == "hu2021lora"
    assert (rows["lora"]["init_noop"], rows["bitfit"]["frozen_base"]) == (True, False)
    assert set(rows) == {line.split()[0] for line in run("list").stdout.splitlines()}


def test_count_gives_the_known_numbers_of_bert_base(bert_base, capsys):
    assert main(["count", "lora", "--config", str(bert_base), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"trained": 294_912, "stored": 294_912, "head": 1_538, "base": 109_482_240}
    assert main(["count", "lora", "--config", str(bert_base), "--r", "4"]) == 0
    assert "147,456" in capsys.readouterr().out


def shown(text: str) -> dict[str, str]:
    """The second word of each line by the first."""
    return dict(line.split()[:2] for line in text.splitlines())


def test_the_share_is_that_of_the_base(bert_base, capsys):
    assert main(["count", "lora", "--config", str(bert_base)]) == 0
    assert shown(capsys.readouterr().out) == {
        "trained": "294,912",
        "stored": "294,912",
        "head": "1,538",
        "base": "109,482,240",
        "share": f"{294_912 / 109_482_240:.4%}",
    }
    assert main(["count", "full_fine_tuning", "--config", str(bert_base)]) == 0
    assert shown(capsys.readouterr().out)["share"] == "100.0000%"
    assert main(["count", "prefix_tuning", "--config", str(bert_base)]) == 0
    prefix = shown(capsys.readouterr().out)
    assert prefix["trained"] != prefix["stored"]
    assert prefix["share"] == f"{int(prefix['trained'].replace(',', '')) / 109_482_240:.4%}"


def test_what_a_run_prints_is_what_it_returned(monkeypatch, capsys):
    counts = {"trained": 1_234, "stored": 5_678, "head": 91, "base": 234_567}
    result = {
        "curve": [(0, 0.25), (300, 0.875)],
        "score": 0.875,
        "seconds": 12.34,
        "counts": counts,
    }
    monkeypatch.setattr("reference_impls.measure.runs.one", lambda *_, **__: result)
    assert main(["train", "lora", "--task", "cue"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "step     0  score 0.250",
        "step   300  score 0.875",
        "lora on cue: score 0.875 after 12.3 s; trained 1,234, stored 5,678, head 91, base 234,567",
    ]


def test_the_list_says_of_each_what_it_declares_and_no_more(capsys):
    assert main(["list"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    for name, method in load_methods().items():
        for key in ("init_noop", "mergeable", "frozen_base"):
            assert (key.replace("_", " ") in rows[name]) is getattr(method, key), name


def test_every_column_of_the_ledger_has_its_own_bytes(tmp_path, capsys):
    BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48
    ).save_pretrained(tmp_path)
    config = ["--config", str(tmp_path), "--tokens", "6"]
    assert main(["ledger", "lora", *config, "--json"]) == 0
    (report,) = json.loads(capsys.readouterr().out)
    assert main(["ledger", "lora", *config]) == 0
    head, row = capsys.readouterr().out.splitlines()
    found = dict(zip(head.split()[2:], row.split()[2:], strict=True))
    assert found == {name: f"{number:,}" for name, number in report["ledger"].items()}
    assert len(set(found.values())) > 3


def test_train_reports_score_curve_and_counts():
    done = run("train", "lora", "--steps", "3", "--r", "2", "--seed", "1", "--json")
    answer = json.loads(done.stdout)
    assert answer["counts"]["trained"] == 2 * 2 * 2 * (64 + 64)
    assert answer["hyperparameters"]["r"] == 2
    assert [step for step, _ in answer["curve"]] == [0, 3]
    assert "/3 [" in done.stderr  # the progress bar


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["train"], "required: METHOD"),
        (["train", "lora", "--steps", "0"], "at least one step"),
        (["train", "bitfit", "--task", "cue"], "runs on first-clause"),
        (["train", "lora", "--backbone", "no-such"], "no-such"),
        (["train", "lora", "--r", "x"], "this option must be a whole number"),
        (["train", "lorra"], "no method is called 'lorra'; did you mean 'lora'?"),
        (
            ["count", "no_such", "--config", "x"],
            "no method is called 'no_such'; known: adapterdrop",
        ),
        (["ledger", "lorra"], "did you mean 'lora'?"),
        (["measure", "lorra"], "did you mean 'lora'?"),
        (["measure"], "name methods, or say --stale"),
        (["count", "lora", "--config", "no/such.json"], "no such file"),
        (["nothing"], "invalid choice"),
    ],
)
def test_bad_input_is_refused_in_one_line(arguments, complaint, capsys):
    try:
        status = main(arguments)
    except SystemExit as stop:  # argparse's own refusals
        status = stop.code
    assert status == 2
    assert complaint in capsys.readouterr().err.splitlines()[-1]


HEAVY = """
import sys
from reference_impls.__main__ import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print([name for name in ("torch", "transformers", "yaml", "pydantic") if name in sys.modules])
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "--json"],
        ["--help"],
        ["train", "lora", "--help"],
        ["train", "lora", "--r", "x"],
        ["train", "lorra"],
        ["measure", "lorra"],
    ],
)
def test_what_needs_no_model_imports_neither_torch_nor_transformers(arguments):
    command = [sys.executable, "-c", HEAVY, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "[]"


def test_without_torch_the_command_says_what_to_install(tmp_path):
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(name='torch')", encoding="utf-8")
    command = [sys.executable, "-m", "reference_impls", "train", "lora"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "reference_impls: this needs torch: pip install 'fine-tuning-atlas[methods]'\n"
    )


def test_a_model_without_attention_is_refused_without_a_traceback(tmp_path, capsys):
    (tmp_path / "config.json").write_text('{"model_type": "mamba"}', encoding="utf-8")
    assert main(["count", "lora", "--config", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "MambaModel has no layers that were found" in line


@pytest.mark.parametrize("name", load_methods())
def test_every_method_counts_from_a_configuration_alone(name, bert_base, capsys):
    assert main(["count", name, "--config", str(bert_base), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer.keys() == {"trained", "stored", "head", "base"}
    assert 0 < answer["trained"] <= answer["base"]


@pytest.mark.parametrize("name", load_methods())
def test_options_are_the_declared_hyperparameters(name, capsys):
    with pytest.raises(SystemExit):
        main(["train", name, "--help"])
    offered = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    declared = {f"--{h.name.replace('_', '-')}" for h in discover(ROOT)[name].hyperparameters}
    assert offered - {"--help", "--task", "--backbone", "--seed", "--steps", "--json"} == declared
