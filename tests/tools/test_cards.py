"""Cards: what their short forms stand for, and what is said of one that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.small_catalog import CARD, CARD_PATH, METHOD_PATH, write_tree
from tools.atlas import Atlas
from tools.cards import Card, read_cards
from tools.data.declared import DeclaredError, line_of
from tools.data.declared import read as read_declared
from tools.data.files import ROOT
from tools.data.implementations import discover
from tools.drawings.vocabulary import MAPS, NORMS, Piece, State
from tools.rules.catalog import read


def written(root: Path, text: str) -> Card:
    write_tree(root, card=text)
    return read_declared(root / CARD_PATH, root, Card)


def test_every_method_has_a_card_and_every_card_a_method() -> None:
    assert set(read_cards(ROOT)) == set(discover(ROOT))


def test_a_card_may_be_empty(tmp_path: Path) -> None:
    card = written(tmp_path, "")
    assert card == Card()
    assert card.drawn is None
    assert card.own_model.language_model


def test_groups_stand_for_their_parts(tmp_path: Path) -> None:
    text = """[drawing]
states.trained = ["norms", "embeddings"]
states.biases = ["maps"]
added = [{ kind = "low_rank", at = ["maps"], gated = true }, { kind = "scale", at = ["key"] }]
aside.picture = "side"
aside.words = ["a", "b"]
"""
    drawn = written(tmp_path, text).drawn
    trained = dict.fromkeys((*NORMS, "embeddings"), State.TRAINED)
    assert drawn.states == trained | dict.fromkeys(MAPS, State.BIASES)
    low_rank = [Piece("low_rank", part, gated=True) for part in MAPS]
    assert drawn.added == (*low_rank, Piece("scale", "key"))
    assert drawn.aside.words == ("a", "b")


def test_arguments_have_tuples_where_toml_has_lists(tmp_path: Path) -> None:
    card = written(tmp_path, CARD.replace("r = 8", "targets = [1, 2]") + "[contract]\n")
    assert card.published[0].settings == {"targets": (1, 2)}
    card = written(tmp_path, "contract.arguments = { places = [3], size = 2 }")
    assert card.contract.arguments == {"places": (3,), "size": 2}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[drawing\n", 1, "is not TOML"),
        ("a = 1\n", 1, "a: is not a key here; these are: baseline, aliases, drawing"),
        ('[drawing]\n\nstates.traned = ["base"]\n', 3, "Input should be 'frozen', 'quantized'"),
        ('[drawing]\nstates.trained = ["norm"]\n', 2, "Input should be 'base', 'maps', 'norms'"),
        (
            '[drawing]\nstates.trained = ["base"]\nstates.biases = ["maps", "pooler"]\n',
            1,
            "drawing: two states for attention_output, feed_forward_down",
        ),
        (
            '[drawing]\naside.picture = "side"\naside.words = []\naside.size = 3\n',
            4,
            "drawing.aside.size: is not a key here; these are: picture, words",
        ),
        (CARD + "where = 3\n", 18, "published.0.where: is not a key here; these are: architecture"),
        (
            '[architectures]\nBERT-base = { model_type = "bert" }\n',
            1,
            "'BERT-base' must be both a key of [architectures] and the architecture of a count",
        ),
        (
            "[beside.details]\nA = [1]\nB = 2\n",
            3,
            "beside.details.B: Input should be a valid tuple",
        ),
    ],
)
def test_faults_are_named_with_their_line(
    text: str, line: int, message: str, tmp_path: Path
) -> None:
    with pytest.raises(DeclaredError) as error:
        written(tmp_path, text)
    assert str(error.value).startswith(f"{CARD_PATH}:{line}: ")
    assert message in error.value.message


def test_other_bytes_than_utf_8_are_no_card(tmp_path: Path) -> None:
    write_tree(tmp_path)
    (tmp_path / CARD_PATH).write_bytes(b"\xff")
    with pytest.raises(DeclaredError, match=r"card\.toml:1: is not UTF-8"):
        read_cards(tmp_path)


def test_the_line_of_the_second_entry_is_its_own() -> None:
    text = "[[published]]\nours = 3\n\n[[published]]\nsource = { paper = 1 }\nours = 4\n"
    assert line_of(text, ("published", 1, "ours")) == 6
    assert line_of(text, ("published", 1, "source", "paper")) == 5
    assert line_of(text, ("published", 1, "note")) == 4
    assert line_of(text, ()) == 1


def test_the_baselines_are_the_lower_and_then_the_upper(tmp_path: Path) -> None:
    catalog = read(write_tree(tmp_path))
    assert (tmp_path / METHOD_PATH).is_file()
    kinds = {"a": "upper", "b": None, "c": "lower", "d": "usual"}
    cards = {name: Card(baseline=kind) for name, kind in kinds.items()}
    atlas = Atlas(catalog, discover(tmp_path), cards=cards)
    assert atlas.baselines == ["c", "a"]
    assert atlas.baseline == {"upper": "a", "lower": "c", "usual": "d"}
    assert Atlas(catalog, discover(tmp_path)).baselines == []
