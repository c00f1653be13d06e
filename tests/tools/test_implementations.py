"""What is read from a method's file without running it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.small_catalog import METHOD, METHOD_PATH, write_tree
from tools.data.implementations import DeclarationError, Hyperparameter, discover, parse_page


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


def test_options_given_by_the_task_and_class_variables_are_no_hyperparameters(
    tmp_path: Path,
) -> None:
    extra = "\n    labels: list = from_task()\n    kinds: ClassVar[int] = 3\n    _own: int = 1\n"
    write_tree(tmp_path, method=METHOD + extra)
    names = [h.name for h in discover(tmp_path)["lora"].hyperparameters]
    assert names == ["r", "alpha"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('    name = "lora"', "    name = NAME", "'name' must be a literal str"),
        ("    mergeable = True", "    mergeable = 1", "'mergeable' must be a literal bool"),
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
