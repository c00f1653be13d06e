"""What is read from a method's file without running it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.small_catalog import METHOD, METHOD_PATH, write_tree
from tools.data.files import ROOT
from tools.data.implementations import (
    PROTOCOL,
    DeclarationError,
    Hyperparameter,
    default_tasks,
    discover,
    parse_page,
)


def test_declarations_and_page(tmp_path: Path) -> None:
    write_tree(tmp_path)
    # what is not named as its folder is no method's file
    (tmp_path / METHOD_PATH).with_name("__init__.py").write_text("@register\nclass Base: pass\n")
    core = tmp_path / "reference_impls/core/method.py"
    core.parent.mkdir()
    core.write_text("@register\nclass Method: pass\n")
    assert list(discover(tmp_path)) == ["lora"]
    lora = discover(tmp_path)["lora"]
    assert (lora.name, lora.title, lora.paper, lora.leaf) == (
        "lora",
        "LoRA",
        "hu2021lora",
        "low-rank",
    )
    assert (lora.init_noop, lora.mergeable, lora.frozen_base) == (True, True, True)
    assert lora.hyperparameters == (
        Hyperparameter("r", "int", "8"),
        Hyperparameter("alpha", "float", "16.0"),
    )
    assert (lora.path, lora.branch) == (METHOD_PATH, "reparameterized")
    assert METHOD.splitlines()[lora.line - 1] == "class LoRA(Method):"
    page = lora.page
    assert page.title == "LoRA: low-rank adaptation."
    assert page.lead == "$$ h = W x + B A x $$\n\nwith thin A and B."
    assert (page.trained, page.frozen, page.stored) == ("A and B.", "the rest.", "A and B.")
    assert (page.merge, page.count) == ("exact.", "$r (d_{in} + d_{out})$.")
    assert page.details == "1. B starts at zero. [Section 4.1]"
    assert page.differences == "- paper: the same."
    assert page.source == "Hu et al. 2021, arXiv:2106.09685."


def test_missing_parts_are_empty() -> None:
    page = parse_page("Title.\n\n**Trained:** all.\n")
    assert (page.title, page.trained) == ("Title.", "all.")
    assert {page.lead, page.frozen, page.count, page.details, page.differences, page.source} == {""}


def test_a_part_begins_at_the_last_of_its_headings() -> None:
    text = "Title.\n\nSource: of the idea, see below.\n\n**Trained:** all.\n\nSource: Hu 2021.\n"
    page = parse_page(text)
    assert (page.source, page.trained) == ("Hu 2021.", "all.")
    assert page.lead == "Source: of the idea, see below."


def test_options_given_by_the_task_and_class_variables_are_no_hyperparameters(
    tmp_path: Path,
) -> None:
    extra = "\n    labels: list = from_task()\n    kinds: ClassVar[int] = 3\n    _own: int = 1\n"
    write_tree(tmp_path, method=METHOD + extra)
    names = [h.name for h in discover(tmp_path)["lora"].hyperparameters]
    assert names == ["r", "alpha"]


def test_the_type_of_an_option_is_told_in_its_words(tmp_path: Path) -> None:
    write_tree(tmp_path, method=METHOD.replace("r: int", "r: Count"))
    options = tmp_path / "reference_impls/core/options.py"
    options.parent.mkdir()
    options.write_text('KINDS = {"Count": Kind(int, "at least 1", lambda value: value >= 1)}\n')
    found = discover(tmp_path)["lora"].hyperparameters
    assert [option.type for option in found] == ["at least 1", "float"]


def test_tasks_are_the_methods_own_or_those_of_the_protocol(tmp_path: Path) -> None:
    write_tree(tmp_path)
    assert discover(tmp_path)["lora"].tasks == ()
    path = tmp_path / PROTOCOL
    path.parent.mkdir()
    path.write_text(
        'class Other:\n    tasks = ("no",)\n\n\nclass Method:\n    tasks: X = ("a", "b")\n'
    )
    assert discover(tmp_path)["lora"].tasks == ("a", "b")
    write_tree(tmp_path, method=METHOD + '\n    tasks = ("c",)\n')
    assert discover(tmp_path)["lora"].tasks == ("c",)


def test_the_protocol_has_default_tasks() -> None:
    assert default_tasks((ROOT / PROTOCOL).read_text("utf-8")) == ("first-clause", "cue", "summary")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('    name = "lora"', "    name = NAME", "'name' must be a literal str"),
        ("    mergeable = True", "    mergeable = 1", "'mergeable' must be a literal bool"),
        ("    r: int = 8", "    tasks = TASKS", "'tasks' must be a literal tuple"),
        ('    leaf = "low-rank"\n', "", "does not declare leaf"),
        ("class LoRA(Method):", "class LoRA(Method:", "is not Python"),
    ],
)
def test_bad_declarations(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in METHOD
    write_tree(tmp_path, method=METHOD.replace(old, new))
    with pytest.raises(DeclarationError, match=message) as error:
        discover(tmp_path)
    assert str(error.value).startswith(f"{METHOD_PATH}:")


def test_a_second_method_in_one_file_is_refused(tmp_path: Path) -> None:
    write_tree(tmp_path, method=METHOD + "\n\n@register\nclass Other(Method):\n    pass\n")
    with pytest.raises(DeclarationError, match="second method"):
        discover(tmp_path)


def test_a_name_belongs_to_one_file(tmp_path: Path) -> None:
    write_tree(tmp_path)
    second = (tmp_path / METHOD_PATH).parents[1] / "z" / "z.py"
    second.parent.mkdir()
    second.write_text(METHOD, encoding="utf-8")
    with pytest.raises(DeclarationError, match="already the name of"):
        discover(tmp_path)
