"""What is tried of each method on each architecture, as it was measured and committed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.data.architectures import KINDS, Cells, gist, read_architectures, read_cells
from tools.data.committed import CommittedError
from tools.data.digests import digest
from tools.data.files import ROOT

CODE = "class LoRA:\n    r = 8\n"
REFUSED = {
    "xlnet": "XLNetModel's layer 'layer.0' has no query: its query is no output of a linear "
    "module; give its name, anatomy(model, query=…), or the layers that …",
    "bart": "BartModel has no table of tokens: it reads no text",
    "ibert": "targets = ('query', 'value'): IBertModel's layer 'encoder.layer.0' has no query: its "
    "query is no output of a linear module; give its name, anatomy(model, query=…), or the "
    "layers that …",
}


def cells(**changes: object) -> dict:
    """The file of a method."""
    return {
        "runs": ["bert", "t5"],
        "refused": REFUSED,
        "fault": {"gpt2": "a cache changes what is written"},
        "versions": {"torch": "2"},
        "sources": {"lora.py": digest(CODE)},
        **changes,
    }


def write(root: Path, content: object) -> Path:
    """LoRA's cells, or the text of its file."""
    path = root / "reference_impls/reparameterized/lora/measured/architectures.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    (root / "reference_impls" / "lora.py").write_text(CODE)
    return path


def tables(root: Path, **files: str) -> None:
    """Files of architectures."""
    folder = root / "reference_impls" / "architectures"
    folder.mkdir(parents=True, exist_ok=True)
    for stem, text in files.items():
        (folder / f"{stem}.toml").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (REFUSED["xlnet"], "a layer has no query: its query is no output of a linear module"),
        (REFUSED["ibert"], "a layer has no query: its query is no output of a linear module"),
        (REFUSED["bart"], "the model has no table of tokens: it reads no text"),
        (
            "the cross-attention of T5Model's layer 'decoder.block.0' has no key: it is not there; "
            "give its name, anatomy(model, key=…), or the layers that …",
            "the cross-attention of a layer has no key: it is not there",
        ),
        (
            "targets = ('query',): BlipForConditionalGeneration has no layers that were found: x",
            "the model has no layers that were found: x",
        ),
        ("upper = 1: the gates must reach beyond 1", "upper = 1: the gates must reach beyond 1"),
        ("PET trains a classifier on one backbone", "PET trains a classifier on one backbone"),
    ],
)
def test_the_gist_is_what_a_reason_has_in_common_with_others(reason: str, said: str) -> None:
    assert gist(reason) == said


def test_refusals_are_by_reason_that_of_most_first(tmp_path: Path) -> None:
    write(tmp_path, cells())
    found = read_cells(tmp_path)["lora"]
    assert list(found.refusals().items()) == [
        ("a layer has no query: its query is no output of a linear module", ["ibert", "xlnet"]),
        ("the model has no table of tokens: it reads no text", ["bart"]),
    ]
    assert found.tried == {"bert", "t5", "gpt2", *REFUSED}


def test_reasons_of_as_many_are_in_the_order_of_their_words() -> None:
    own = cells(refused={"a": "two", "b": "one", "c": "two", "d": "one", "e": "aa"})
    assert list(Cells.model_validate(own).refusals()) == ["one", "two", "aa"]


def test_cells_are_current_until_the_code_changes(tmp_path: Path) -> None:
    write(tmp_path, cells())
    assert read_cells(tmp_path)["lora"].current
    (tmp_path / "reference_impls" / "lora.py").write_text(CODE.replace("8", "9"))
    assert not read_cells(tmp_path)["lora"].current


def test_a_method_that_was_not_measured_has_none(tmp_path: Path) -> None:
    assert read_cells(tmp_path) == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "lora/measured/architectures.json: the file: Invalid JSON"),
        (cells(refused=["bert"]), "lora/measured/architectures.json: refused: "),
        (cells(runs=None), "lora/measured/architectures.json: runs: "),
    ],
)
def test_a_spoiled_file_is_named(tmp_path: Path, content: object, message: str) -> None:
    write(tmp_path, content)
    with pytest.raises(CommittedError, match=message):
        read_cells(tmp_path)


def test_architectures_are_by_kind_and_name(tmp_path: Path) -> None:
    tables(tmp_path, decoders="[gpt2]\n[bloom]\nn = 1\n", encoders="[bert]\n", common="hidden = 1")
    assert read_architectures(tmp_path) == (
        ("bert", "encoder"),
        ("bloom", "decoder"),
        ("gpt2", "decoder"),
    )


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    tables(tmp_path, vision="[vit")
    with pytest.raises(CommittedError, match=r"^reference_impls/architectures/vision.toml: "):
        read_architectures(tmp_path)


def test_every_file_of_architectures_is_of_a_kind() -> None:
    found = {path.stem for path in (ROOT / "reference_impls/architectures").glob("*.toml")}
    assert found == {*KINDS, "common"}  # which holds what many have in common
