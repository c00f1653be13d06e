"""Drawings as SVG; what they say of the methods is held against the code in tests/methods."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import get_args
from xml.etree import ElementTree

import pytest

from tools.cards import read_cards
from tools.data.files import ROOT
from tools.drawings.block import block
from tools.drawings.canvas import LINE
from tools.drawings.figure import drawing, legend, small
from tools.drawings.margin import margin
from tools.drawings.shapes import text
from tools.drawings.vocabulary import BASE, MAPS, MEANING, PARTS, Drawing, Piece, Row, State
from tools.drawings.words import described

DRAWINGS = {name: card.drawn for name, card in read_cards(ROOT).items()}
every_drawing = pytest.mark.parametrize("name", DRAWINGS)


def every(state: State, *parts: str) -> dict[str, State]:
    """The same state for all these parts."""
    return dict.fromkeys(parts, state)


@every_drawing
def test_it_is_well_formed_named_and_small(name: str) -> None:
    figure = ElementTree.fromstring(drawing("A & B", DRAWINGS[name]))
    svg = figure.find("svg")
    assert svg.get("role") == "img"
    assert svg.find("title").text == "Where A & B acts in a transformer block"
    assert svg.find("desc").text == described(DRAWINGS[name])
    assert len(drawing(name, DRAWINGS[name])) < 8 * 1024
    thumbnail = ElementTree.fromstring(small(DRAWINGS[name]))
    assert thumbnail.get("aria-hidden") == "true"
    assert not list(thumbnail.iter("text"))


@every_drawing
def test_markdown_finds_nothing_in_it(name: str) -> None:
    for markup in (drawing(name, DRAWINGS[name]), small(DRAWINGS[name])):
        assert not re.search(r"[\n|`*]|\$|\bid=", markup)


@every_drawing
def test_no_color_is_fixed(name: str) -> None:
    shown = drawing(name, DRAWINGS[name]) + small(DRAWINGS[name])
    assert not re.search(r"#[0-9a-f]{3,6}\b|rgb|style=|fill=|stroke=", shown)


@every_drawing
def test_what_is_declared_is_drawn(name: str) -> None:
    declared, shown = DRAWINGS[name], drawing(name, DRAWINGS[name])
    for state in {declared.state(part) for part in PARTS}:
        assert f'class="{state}"' in shown
        assert MEANING[state] in shown
    for piece in declared.added:
        assert f'class="{piece.state}"' in shown
    words = [*declared.notes.values(), *([declared.aside.words] if declared.aside else [])]
    for line in (line for lines in words for line in lines):
        assert text(0, 0, line).partition(">")[2] in shown
    assert declared.notes.keys() <= set(get_args(Row))


@every_drawing
def test_the_thumbnail_differs_from_that_of_a_frozen_model(name: str) -> None:
    styles = ("trained", "entries", "biases", "solid", "sampled", "quantized")
    without_head = re.sub(r'<g class="usual">.*?</g>', "", small(DRAWINGS[name]))
    assert any(f'class="{style}"' in without_head for style in styles)


def test_what_is_not_declared_is_not_drawn() -> None:
    assert drawing("A method", None) == ""
    assert small(None) == ""


def test_the_style_sheet_knows_every_state() -> None:
    style = (ROOT / "tools/site/assets/drawings.css").read_text(encoding="utf-8")
    for state in State:
        assert re.search(rf"\.{state}\b", style), state


def test_words_tell_what_is_trained_frozen_and_added() -> None:
    declared = Drawing(
        states=every(State.QUANTIZED, *MAPS),
        added=(Piece("low_rank", "query", gated=True), Piece("scale", "feed_forward_down")),
        notes={"input": ("two", "lines")},
    )
    assert described(declared) == (
        "One of L equal layers, with the input at the bottom. Trained: the task head. "
        "Frozen, stored in four bits: all linear maps of the layers. "
        "Frozen: all norms, the embeddings and the pooler. "
        "Added: a low-rank update beside the query map, behind a learned gate, trained; "
        "a rescaling vector on the input of the second feed-forward map, trained. Two lines."
    )
    assert "the whole pretrained model" in described(Drawing(every(State.TRAINED, *BASE)))


@every_drawing
def test_the_legend_explains_every_look(name: str) -> None:
    figure = ElementTree.fromstring(drawing(name, DRAWINGS[name]))
    drawn = {shape.get("class") for shape in figure.find("svg").iter()} & set(State)
    explained = {shape.get("class") for shape in figure.find("figcaption").iter()} & set(State)
    assert drawn == explained


def test_the_legend_has_what_is_shown_and_no_more() -> None:
    def entries(declared: Drawing) -> list[str]:
        items = ElementTree.fromstring(f"<ul>{legend(declared)}</ul>")
        return ["".join(item.itertext()) for item in items]

    assert entries(Drawing(every(State.TRAINED, *BASE))) == ["trained"]
    assert entries(Drawing(added=(Piece("adapter", "after_attention"),))) == [
        "frozen",
        "trained",
        "bottleneck with a nonlinearity",
    ]
    helped = Drawing(added=(Piece("prefix", "attention", helper=True),))
    assert entries(helped)[-1] == "trained, not kept afterwards"


def drawn(*added: Piece, notes: dict[Row, tuple[str, ...]] | None = None) -> str:
    canvas = block(Drawing(added=added, notes=notes or {}))
    return "".join([*canvas.shapes, *margin(canvas)])


def test_a_gate_a_norm_and_a_residual_connection_are_drawn_where_there_is_one() -> None:
    plain = drawn(Piece("low_rank", "query"))
    assert ">G</text>" not in plain
    assert ">G</text>" in drawn(Piece("low_rank", "query", gated=True))
    place = "after_attention"
    bare = drawn(Piece("adapter", place, residual=False))
    assert drawn(Piece("adapter", place, residual=True)).count('class="joint"') == (
        bare.count('class="joint"') + 1
    )
    normed = drawn(Piece("adapter", place, residual=False, norm=True))
    assert normed.count('class="trained"') == bare.count('class="trained"') + 1


@every_drawing
def test_the_layer_has_a_frame_around_it(name: str) -> None:
    for markup in (drawing(name, DRAWINGS[name]), small(DRAWINGS[name])):
        assert markup.count('<rect class="frame"') == 1


def test_the_lines_of_a_note_stand_below_each_other() -> None:
    text = drawn(notes={"input": ("one", "two", "three")})
    places = [float(y) for y in re.findall(r'y="([-\d.]+)" dy=".35em" class="note"', text)]
    assert [later - y for y, later in pairwise(places)] == pytest.approx([LINE, LINE], abs=0.01)


def test_letters_after_a_low_line_are_lowered() -> None:
    shown = ElementTree.fromstring(text(0, 0, "A_1 … A_n <b>"))
    assert "".join(shown.itertext()) == "A1 … An <b>"
    steps = [float(part.get("dy")) for part in shown]
    assert steps == [3, -3, 3, -3]
