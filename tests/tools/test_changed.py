"""Which tests a change selects: along imports, by the methods that share what changed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import changed
from tests.changed import selection

LORA = "reference_impls/reparameterized/lora"


def folders(run: list[str]) -> set[str]:
    """The names of the methods' folders in a run's arguments."""
    return {Path(argument).name for argument in run}


def test_a_method_alone_is_tested_with_its_cases_of_what_all_promise() -> None:
    own, shared = selection({f"{LORA}/measured/runs.json", f"{LORA}/mutants.toml"})
    assert own == [f"{LORA}/"]
    assert shared == ["tests/methods", "-k", "lora"]


def test_a_shared_part_takes_the_methods_that_import_it_and_no_other() -> None:
    own, shared, *_ = selection({"reference_impls/shared/masks.py"})
    assert folders(own) == {"child_tuning_d", "diff_pruning", "fish_mask", "lt_sft"}
    assert shared[:2] == ["tests/methods", "-k"]


def test_the_core_takes_all_methods() -> None:
    own, shared, *rest = selection({"reference_impls/core/method.py"})
    assert len(own) == len(changed.method_files())
    assert shared == ["tests/methods"]
    assert not any(path.startswith("tests/methods") for run in rest for path in run)


def test_a_tool_takes_what_imports_it_and_no_method() -> None:
    (run,) = selection({"tools/text/escape.py"})
    assert "tests/tools/test_escape.py" in run
    assert not any(path.startswith(("reference_impls", "tests/lab")) for path in run)


@pytest.mark.parametrize(
    ("name", "selected"),
    [
        ("papers.yaml", [sorted(changed.READERS["papers.yaml"])]),
        ("tools/site/pages/compare/compare.css", [["tests/site", "tests/tools"]]),
        ("tests/tools/test_escape.py", [["tests/tools/test_escape.py"]]),
        ("pyproject.toml", [[]]),
        ("LICENSE", []),
        ("tests/parity/test_lora.py", []),
    ],
)
def test_other_files_take_what_reads_them(name: str, selected: list[list[str]]) -> None:
    assert selection({name}) == selected


def test_words_for_readers_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=b", *arguments], check=True)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(changed, "ROOT", tmp_path)
    code = 'def f():\n    """Words."""\n    return 1\n'
    for name in ("words.py", "code.py", "text.md", "gone.py"):
        Path(name).write_text(code)
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "a")
    assert changed.changed("HEAD") == set()
    Path("words.py").write_text(code.replace("Words", "Others") + "# more\n")
    Path("code.py").write_text(code.replace("1", "2"))
    Path("text.md").write_text("other")
    Path("gone.py").unlink()
    Path("new.py").write_text("")
    assert changed.changed("HEAD") == {"code.py", "text.md", "gone.py", "new.py"}
    with pytest.raises(SystemExit, match="no-such-commit"):
        changed.changed("no-such-commit")


def test_nothing_to_run_is_said(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(changed, "changed", lambda base: {"LICENSE"})
    assert changed.main(["HEAD"]) == 0
    assert "nothing that a test reads" in capsys.readouterr().out


def test_the_gate_leaves_out_the_night_and_options_go_to_pytest(
    monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(changed, "changed", lambda base: {"tests/tools/test_escape.py"})
    assert changed.main(["HEAD", "--list", "-n", "2"]) == 0
    assert changed.main(["HEAD", "--list", "--night"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "pytest tests/tools/test_escape.py -n 2 -m not night",
        "pytest tests/tools/test_escape.py",
    ]


def test_every_file_that_reads_another_kind_is_there() -> None:
    readers = {name for names in changed.READERS.values() for name in names}
    assert [name for name in sorted(readers) if not (changed.ROOT / name).exists()] == []
