"""A folder for a new method, made like that of another: what only a person can write is left to do.

Of the other method come the code to change and its card; the page, the first test and the planted
faults are prompts. `tools/validate` goes on naming each part of the page that still says TODO.
"""

from __future__ import annotations

import ast
import difflib
import json
import keyword
import re
from pathlib import Path
from typing import Any, NamedTuple

from .core.registry import PACKAGE, method_file, method_files

PAGE = '''\
r"""{title}: TODO, in one line.

TODO: the equation, and what its terms are.

**Trained:** TODO: which parameters.

**Frozen:** TODO: what stays as it is.

**Stored:** TODO: what is kept to have the trained model again.

**Merge:** TODO: exact, or why it cannot be.

**Count:** TODO: how many are trained, in the sizes of a model.

Details that matter
-------------------
1. TODO: what is easily done wrong. [where to see it]

Paper, official code, libraries
-------------------------------
- TODO: where the three differ, and which this file follows.

Source: TODO: authors, year, identifier.
"""'''
TEST = '''\
"""{title}: what is particular to it."""

from reference_impls.anatomy import anatomy
from reference_impls.{branch}.{name} import {class_name}
from tests.methods import models


def test_the_count_is_the_papers_closed_form():
    """In the sizes of `models.BERT`: two layers of width 32, 48 in the feed-forward network."""
    expected = None  # TODO: the paper's formula with these numbers
    assert {class_name}().trained(anatomy(models.build("bert"))) == expected
'''
MUTANTS = (
    3
    * """\
[[mutant]]
why = ""  # TODO: how the file could be wrong
old = ""  # text that occurs in it once
new = ""

"""
)
OFFICIAL = """\
[code]
repository = ""  # TODO: owner/name on GitHub; where there is none, unavailable = "why" for [code]
commit = ""  # TODO: the commit that you read

[settings] # each "equal", "none" (neither has it), or both sides, with the source behind the first
""" + "\n".join(
    f'{key} = {{ official = "TODO", here = "TODO" }}'
    for key in (
        *("start", "schedule", "warm_up", "decay", "clipping"),
        *("dropout", "label_smoothing", "loss", "targets"),
    )
)


class Plan(NamedTuple):
    """What is to be made: where, and what it declares."""

    name: str
    title: str
    leaf: str
    paper: str
    branch: str
    class_name: str


def new(name: str, *, leaf: str, like: str, paper: str = "", title: str = "") -> list[str]:
    """Write the folder, and give what is left to do, a line each.

    Raises:
        ValueError: a name that will not do, a leaf, a paper or a method to be like that does not
            exist.
    """
    if not re.fullmatch("[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ValueError(f"'{name}' is no name for a method: small letters, digits and underscores")
    if name in method_files():
        raise ValueError(f"there is a method called '{name}': {method_files()[name]}")
    title = title or name.replace("_", " ").capitalize()
    if re.search(r'["\\\n]', title):
        raise ValueError("a title has no quotes, backslashes or line breaks")
    model = method_file(like)
    source = model.read_text(encoding="utf-8")
    tree = ast.parse(source)
    class_name = _class_name(name, tree)
    catalog = _catalog()
    if paper:
        _check_paper(paper, leaf, catalog)
    plan = Plan(name, title, leaf, paper or "TODO", _branch(leaf, catalog), class_name)
    folder = PACKAGE / plan.branch / name
    if folder.exists():
        raise ValueError(f"{folder} is there already")
    code, old_class = _code(source, tree, plan)
    files = {
        f"{name}.py": code,
        "__init__.py": f"from .{name} import {class_name} as {class_name}\n",
        f"test_{name}.py": TEST.format(**plan._asdict()),
        "mutants.toml": MUTANTS.rstrip("\n") + "\n",
        "official.toml": OFFICIAL + "\n",
    }
    card = model.parent / "card.toml"
    if card.is_file():
        text = _declared(card.read_text(encoding="utf-8"))
        files[card.name] = _named(_named(text, like, name), old_class, class_name)
    folder.mkdir(parents=True)
    for file, text in files.items():
        (folder / file).write_text(text, encoding="utf-8")
    return _left(plan, like, folder, has_card=card.name in files, has_paper=bool(paper))


def _catalog() -> dict[str, Any]:
    """What the catalog says. Raises ValueError."""
    catalog = PACKAGE.parent / "papers.yaml"
    try:
        import yaml
    except ModuleNotFoundError:
        raise ValueError(
            "the taxonomy needs PyYAML: pip install 'fine-tuning-atlas[catalog]'"
        ) from None
    if not catalog.is_file():
        raise ValueError(f"{catalog} is missing: a new method is made in a clone")
    files = [catalog, *sorted(catalog.with_name("papers").glob("*.yaml"))]
    read = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
    return {**read[0], "papers": [entry for each in read for entry in each.get("papers", ())]}


def _check_paper(paper: str, leaf: str, catalog: dict[str, Any]) -> None:
    """Raises ValueError where the catalog lacks the paper."""
    ids = [entry["id"] for entry in catalog["papers"]]
    if paper not in ids:
        near = difflib.get_close_matches(paper, ids, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"first {_add(leaf)}"
        raise ValueError(f"the catalog has no paper '{paper}'; {hint}")


def _branch(leaf: str, catalog: dict[str, Any]) -> str:
    """The folder of the top-level branch of a leaf. Raises ValueError."""
    found = {}
    for top in catalog["taxonomy"]:
        found |= dict.fromkeys(_leaves(top), top["id"])
    if leaf not in found:
        near = difflib.get_close_matches(leaf, found, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(found)}"
        raise ValueError(f"the taxonomy has no leaf '{leaf}'; {hint}")
    return found[leaf].replace("-", "_")


def _leaves(node: dict[str, Any]) -> list[str]:
    below = node.get("children", ())
    return [leaf for child in below for leaf in _leaves(child)] if below else [node["id"]]


def _class_name(name: str, tree: ast.Module) -> str:
    """The name in capitals, told from what the file names so already."""
    wanted = "".join(word.capitalize() for word in name.split("_"))
    imported = (node.names for node in tree.body if isinstance(node, ast.ImportFrom))
    taken = {alias.name for aliases in imported for alias in aliases}
    taken |= {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    return f"{wanted}Method" if wanted in taken else wanted


def _code(source: str, tree: ast.Module, plan: Plan) -> tuple[str, str]:
    """The other method's file with this one's declarations, and how its class was called."""
    registered = next(
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef) and "register" in map(ast.unparse, node.decorator_list)
    )
    changes = {tree.body[0]: PAGE.format(title=plan.title)}
    if ast.get_docstring(registered):
        changes[registered.body[0]] = '    """TODO: what it does, in one line."""'
    for node in registered.body:
        word = ast.unparse(node.targets[0]) if isinstance(node, ast.Assign) else ""
        if word in ("name", "title", "paper", "leaf"):
            value = json.dumps(getattr(plan, word), ensure_ascii=False)
            changes[node] = f"    {word} = {value}"
    lines = source.split("\n")
    for node in sorted(changes, key=lambda node: node.lineno, reverse=True):
        lines[node.lineno - 1 : node.end_lineno] = [changes[node]]
    return _named("\n".join(lines), registered.name, plan.class_name), registered.name


def _declared(card: str) -> str:
    """A card without what is the other method's alone: details, what others print, measurements."""
    alone = r"^\[\[?(?:architectures|published)\b(?s:.*)"
    alone += r"|^\[beside\.details\]\n(?:[^\[\n].*\n)*"
    alone += r"|^(?:details|elsewhere|moves|reaches|baseline|aliases)\b.*\n"
    alone += r"|^suite = \[\n(?:  .*\n)*\]\n"
    declared = re.sub(alone, "", card, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", declared).strip() + "\n"


def _named(text: str, old: str, new: str) -> str:
    return re.sub(rf"\b{re.escape(old)}\b", new, text)


def _left(plan: Plan, like: str, folder: Path, *, has_card: bool, has_paper: bool) -> list[str]:
    """What is left to do, in order, with the commands."""
    place = folder.relative_to(PACKAGE.parent).as_posix()
    steps = [
        f"Write {place}/{plan.name}.py: now code, `tasks` and `lab` are {like}'s.",
        f"Write {place}/test_{plan.name}.py: python -m pytest {place}",
        f"Plant faults in {place}/mutants.toml: python tests/mutants/plant.py {plan.name}",
        f"Compare with the official code: {place}/official.toml",
        f"Measure it: python -m reference_impls measure {plan.name}",
        "See what is left: tools/validate",
        "Make its page: python -m tools build",
    ]
    if has_card:
        steps.insert(3, f"Change {place}/card.toml: drawing and refusals are {like}'s.")
    if not has_paper:
        steps.insert(0, f"Add the paper, and name its id in {plan.name}.py: {_add(plan.leaf)}")
    return [f"{number}. {step}" for number, step in enumerate(steps, start=1)]


def _add(leaf: str) -> str:
    """The command that puts a paper into the catalog."""
    return f'python -m tools add arxiv ID --leaf {leaf} --summary "…" --network --write'
