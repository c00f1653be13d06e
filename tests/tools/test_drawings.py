"""Drawings as SVG; what they say of the methods is held against the code in tests/methods."""

from __future__ import annotations

import re
from typing import get_args
from xml.etree import ElementTree

import pytest

from tools.data.files import ROOT
from tools.data.implementations import discover
from tools.drawings import drawing, legend, small
from tools.drawings.methods import DRAWINGS
from tools.drawings.shapes import text
from tools.drawings.vocabulary import BASE, MAPS, MEANING, PARTS, Drawing, Piece, Row, State, every
from tools.drawings.words import described

every_drawing = pytest.mark.parametrize("name", DRAWINGS)


def test_every_method_has_a_drawing_and_every_drawing_a_method() -> None:
    methods = {method.name: method.title for method in discover(ROOT).values()}
    assert {name: declared.title for name, declared in DRAWINGS.items()} == methods


@every_drawing
def test_it_is_well_formed_named_and_small(name: str) -> None:
    figure = ElementTree.fromstring(drawing(name))
    svg = figure.find("svg")
    assert svg.get("role") == "img"
    assert svg.find("title").text == f"Where {DRAWINGS[name].title} acts in a transformer block"
    assert svg.find("desc").text == described(DRAWINGS[name])
    assert len(drawing(name)) < 8 * 1024
    thumbnail = ElementTree.fromstring(small(name))
    assert thumbnail.get("aria-hidden") == "true"
    assert not list(thumbnail.iter("text"))


@every_drawing
def test_markdown_finds_nothing_in_it(name: str) -> None:
    for markup in (drawing(name), small(name)):
        assert not re.search(r"[\n|`*]|\$|\bid=", markup)


@every_drawing
def test_no_color_is_fixed(name: str) -> None:
    assert not re.search(r"#[0-9a-f]{3,6}\b|rgb|style=|fill=|stroke=", drawing(name) + small(name))


@every_drawing
def test_what_is_declared_is_drawn(name: str) -> None:
    declared, shown = DRAWINGS[name], drawing(name)
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
    without_head = re.sub(r'<g class="usual">.*?</g>', "", small(name))
    assert any(f'class="{style}"' in without_head for style in styles)


def test_an_unknown_method_has_none() -> None:
    assert drawing("no_such") == ""
    assert small("no_such") == ""


def test_the_style_sheet_knows_every_state() -> None:
    style = (ROOT / "tools/site/assets/drawings.css").read_text(encoding="utf-8")
    for state in State:
        assert re.search(rf"\.{state}\b", style), state


def test_words_tell_what_is_trained_frozen_and_added() -> None:
    declared = Drawing(
        "Some",
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
    assert "the whole pretrained model" in described(Drawing("Other", every(State.TRAINED, *BASE)))


@every_drawing
def test_the_legend_explains_every_look(name: str) -> None:
    figure = ElementTree.fromstring(drawing(name))
    drawn = {shape.get("class") for shape in figure.find("svg").iter()} & set(State)
    explained = {shape.get("class") for shape in figure.find("figcaption").iter()} & set(State)
    assert drawn == explained


def test_the_legend_has_what_is_shown_and_no_more() -> None:
    def entries(declared: Drawing) -> list[str]:
        items = ElementTree.fromstring(f"<ul>{legend(declared)}</ul>")
        return ["".join(item.itertext()) for item in items]

    assert entries(Drawing("All", every(State.TRAINED, *BASE))) == ["trained"]
    assert entries(Drawing("Some", added=(Piece("adapter", "after_attention"),))) == [
        "frozen",
        "trained",
        "bottleneck with a nonlinearity",
    ]
    helped = Drawing("Prefix", added=(Piece("prefix", "attention", helper=True),))
    assert entries(helped)[-1] == "trained, not kept afterwards"


def test_letters_after_a_low_line_are_lowered() -> None:
    shown = ElementTree.fromstring(text(0, 0, "A_1 … A_n <b>"))
    assert "".join(shown.itertext()) == "A1 … An <b>"
    steps = [float(part.get("dy")) for part in shown]
    assert steps == [3, -3, 3, -3]
