"""A catalog of several files is read, checked, formatted and added to as one of one file is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.small_catalog import CATALOG, write_generated, write_parts, write_tree
from tools.commands.add import spliced
from tools.commands.fmt import formatted
from tools.commands.links import links
from tools.commands.validate import validate
from tools.data.parts import file_of, load, read
from tools.rules.catalog import read_with_places

ENTRY = """\
  - id: new2021paper
    title: "A Paper"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_parts(tmp_path)


def test_the_year_in_the_id_says_where_an_entry_is():
    assert [*map(file_of, ("hu2021lora", "microsoftndtuning"))] == [
        "papers/2021.yaml",
        "papers/undated.yaml",
    ]


def test_several_files_hold_what_one_holds(path, tmp_path):
    write_generated(tmp_path)
    assert validate(path) == ([], 5)
    one = load(write_tree(tmp_path / "one")).data
    assert {**load(path).data, "papers": 0} == {**one, "papers": 0}
    assert sorted(load(path).data["papers"], key=lambda paper: paper["id"]) == one["papers"]


def test_each_entry_is_found_where_it_stands(path):
    for paper_id, (file, line) in read_with_places(path)[1].items():
        text = (path.parent / file).read_text(encoding="utf-8").splitlines()[line - 1]
        assert text == f"  - id: {paper_id}"
    for link in links(load(path)):
        text = (path.parent / link.file).read_text(encoding="utf-8").splitlines()[link.line - 1]
        assert text.strip().startswith(f"{link.field}:")


def test_a_finding_names_its_file_and_the_other_one(tmp_path):
    acl = '    acl: "2022.acl-long.433"'
    twin = CATALOG.replace('    arxiv: "2010.00001"', f'    arxiv: "2010.00001"\n{acl}')
    findings, _ = validate(write_parts(tmp_path, twin))
    told = {(Path(f.path).name, f.code): f.message for f in findings}
    assert "at papers/2020.yaml:" in told["2021.yaml", "S304"].replace(f"{tmp_path}/", "")


def test_a_file_without_the_line_for_editors_is_told(path, tmp_path):
    write_generated(tmp_path)
    part = tmp_path / "papers" / "2020.yaml"
    part.write_text("# Papers\n" + part.read_text(encoding="utf-8").partition("\n")[2])
    [finding] = validate(path)[0]
    assert (finding.code, Path(finding.path).name) == ("S803", "2020.yaml")


def test_an_entry_is_added_to_the_file_of_its_year_or_to_a_new_one(path):
    files = read(path)
    after = spliced(files, {"new2021paper": ENTRY, "new1999paper": ENTRY.replace("2021", "1999")})
    changed = {name for name in after if after[name] != files.get(name)}
    assert changed == {"papers/1999.yaml", "papers/2021.yaml"}
    assert after["papers/1999.yaml"].decode().endswith("papers:\n" + ENTRY.replace("2021", "1999"))


def test_each_file_has_its_canonical_form(path):
    files = {name: formatted(raw, name, path.parent) for name, raw in read(path).items()}
    assert files["papers.yaml"] == read(path)["papers.yaml"]
    for name, raw in files.items():
        (path.parent / name).write_bytes(raw)
    assert {name: formatted(raw, name, path.parent) for name, raw in read(path).items()} == files
    assert sorted(load(path).data["papers"], key=lambda p: p["id"])[0]["id"] == "hu2021lora"


def test_a_file_that_cannot_be_read_or_holds_something_else_is_a_fault_of_the_whole(path):
    part = path.parent / "papers" / "2020.yaml"
    text = part.read_text(encoding="utf-8")
    part.write_text(f"{text}venues: []\n", encoding="utf-8")
    assert [finding.code for finding in load(path).findings] == ["S010"]
    part.write_text(f"{text}  - [", encoding="utf-8")
    assert load(path).data is None
