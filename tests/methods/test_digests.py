"""A measurement is tied to the code that it ran: what that is, and what may change around it."""

from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path

import pytest

import tools.data.digests
from reference_impls.core.registry import PACKAGE, load_methods
from reference_impls.lab import backbones
from reference_impls.lab.tasks import TASKS
from reference_impls.measure import digests, given, ledgers, recorded

METHODS = load_methods()
CODE = '''"""Says what it is.

In two paragraphs.
"""

import os  # for nothing


def double(x: int) -> int:
    """Twice as much."""
    # a comment
    text = "# no comment"

    return 2 * x
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Says what it is.", "Says something else."),
        ("In two paragraphs.\n", "In two.\n\nIn three.\n"),
        ("  # for nothing", ""),
        ("    # a comment\n", ""),
        ("Twice as much.", "Two of it.\n\n    And more.\n    "),
        ('no comment"\n\n', 'no comment"\n\n\n\n'),
        ("import os", "\n\nimport os"),
    ],
)
def test_words_around_the_code_may_change(old, new):
    assert CODE.count(old) == 1
    assert digests.code(CODE.replace(old, new)) == digests.code(CODE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2 * x", "3 * x"),
        ("# no comment", "# another comment"),
        ('"# no comment"', "'''\\''' # no comment'''"),
        ('"# no comment"', 'r"\\" # no comment"'),
        ("import os", "import sys"),
        ("    return", "return"),
        ("x: int", "x: float"),
        ('text = "# no comment"', 'text = "# no comment"; text = 1'),
        ('    """Twice as much."""\n', '    """Twice as much."""; x = 1\n'),
    ],
)
def test_any_other_change_is_seen(old, new):
    assert CODE.count(old) == 1
    changed = CODE.replace(old, new)
    assert digests.code(changed) != digests.code(CODE)
    assert tools.data.digests.code(changed) == digests.code(changed)


def test_imports_within_the_package_are_followed_and_types_for_checkers_are_not(
    tmp_path, monkeypatch
):
    texts = {
        "a/one.py": "import os\nfrom torch import nn\nfrom ..b import two\nfrom . import sibling\n",
        "a/sibling.py": "def f():\n    from ..c.lazy import x\n",
        "a/unused.py": "",
        "b/__init__.py": "",
        "b/two.py": "if TYPE_CHECKING:\n    from ..a.unused import x\nfrom ..a import one\n",
        "c/__init__.py": "from .third import y\n",
        "c/lazy.py": "from . import y\n",
        "c/third.py": "",
    }
    for path, text in texts.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    monkeypatch.setattr(digests, "PACKAGE", tmp_path.resolve())
    found = digests.sources(tmp_path / "a/one.py")
    assert found.keys() == texts.keys() - {"a/unused.py"}
    assert found["c/lazy.py"] != found["c/__init__.py"]


@pytest.mark.parametrize("name", METHODS)
def test_a_run_is_tied_to_its_method_task_and_family_and_to_no_other(name):
    method = METHODS[name]
    for task in method.tasks:
        found = recorded.sources_of(method, task).keys()
        modules = {sys.modules[base.__module__].__file__ for base in method.__mro__[:-1]}
        paths = [*map(Path, modules), *given.files_of(method)]
        assert {path.relative_to(PACKAGE).as_posix() for path in paths} <= found
        assert {"measure/runs.py", "core/training.py", "anatomy/parts.py"} <= found
        families = {path for path in found if path.startswith("anatomy/families/")}
        assert families == {"anatomy/families/__init__.py", *families_of(task)}
        others = {Path(path).parts[1] for path in found if path.count("/") == 2} & METHODS.keys()
        assert others == {name}


def families_of(task: str) -> list[str]:
    """The file of the family that a task's backbone is of, if there is one."""
    files = {"encoder-decoder": ["anatomy/families/t5.py"]}
    return files.get(TASKS[task].backbone, [])


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A function that makes a copy of the package with more code, by path, and imports it."""
    kept = shutil.ignore_patterns("*.safetensors", "measured", "__pycache__", "test_*.py")
    shutil.copytree(PACKAGE, tmp_path / "copied", ignore=kept)
    monkeypatch.syspath_prepend(tmp_path)

    def changed(**texts: str):
        for path, text in texts.items():
            with (tmp_path / "copied" / f"{path}.py").open("a", encoding="utf-8") as file:
                file.write(text)
        names = ("core.registry", "measure.recorded", "measure.ledgers")
        registry, *modules = (importlib.import_module(f"copied.{name}") for name in names)
        return registry.load_methods(), *modules

    yield changed
    for name in [name for name in sys.modules if name.partition(".")[0] == "copied"]:
        del sys.modules[name]


def test_a_new_task_and_a_new_family_make_nothing_stale(copied):
    methods, its_recorded, its_ledgers = copied(
        **{
            "lab/tasks/new_task": "from dataclasses import replace\nfrom .cue import TASK as CUE\n"
            'TASK = replace(CUE, name="new-task")\n',
            "anatomy/families/new": "from dataclasses import replace\nfrom .t5 import FAMILY\n"
            'FAMILY = replace(FAMILY, types=("new",))\n',
        }
    )
    tasks = importlib.import_module("copied.lab.tasks")
    families = importlib.import_module("copied.anatomy.families")
    assert tasks.TASKS.keys() - TASKS.keys() == {"new-task"}
    assert families.family_of("new").types == ("new",)
    for name, method in METHODS.items():
        for task in method.tasks:
            known = recorded.sources_of(method, task)
            assert its_recorded.sources_of(methods[name], task) == known
        assert its_ledgers.sources_of(methods[name]) == ledgers.sources_of(method)


def test_a_changed_family_makes_its_own_runs_stale_and_a_changed_task_its_own(copied):
    methods, its_recorded, _ = copied(
        **{"anatomy/families/t5": "\nOTHER = 1\n", "lab/tasks/topic": "\nOTHER = 1\n"}
    )
    for name, method in METHODS.items():
        for task in method.tasks:
            is_t5 = backbones.model_type(TASKS[task].backbone) == "t5"
            same = its_recorded.sources_of(methods[name], task) == recorded.sources_of(method, task)
            assert same != is_t5
