"""LaTeX in a docstring becomes MathML, or an error that names it."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tools.text.formulas import FormulaError, mathml, rendered


def test_inline_and_block_formulas_become_mathml() -> None:
    text = rendered("with $W x$ and\n$$ h = W x\n+ b $$ end")
    assert text.count("<math ") == 2
    assert text.count('display="block"') == 1
    assert "$" not in text


@pytest.mark.parametrize(
    "text",
    ["`$x$` stays", "costs $5 and $6 more", "```\n$x$\n```", "an escaped \\$x$", "`a` $ x $"],
)
def test_what_is_no_formula_stays(text: str) -> None:
    assert rendered(text) == text


@pytest.mark.parametrize("text", ["a `b` $x$ `c`", "$x$ or `$y$`", "from $5$ to $x$."])
def test_formulas_beside_code(text: str) -> None:
    assert "<math " in rendered(text)


@pytest.mark.parametrize(
    ("latex", "reason"),
    [
        (r"\unknown x", r"uses '\\unknown'"),
        (r"\frac{a}", "lacks an argument"),
        (r"\begin{aligned} a &= b \end{aligned}", "uses '&'"),
        ("{", "does not parse"),
        (r"\left( x", "does not parse"),
        ("a_1_2", "does not parse: double subscripts"),
    ],
)
def test_a_formula_that_would_show_wrongly_is_an_error(latex: str, reason: str) -> None:
    with pytest.raises(FormulaError, match=reason):
        mathml(latex)


def test_markdown_leaves_mathml_alone() -> None:
    element = mathml(r"a_1 * b_1 | c * \text{x_y [z]}")
    ElementTree.fromstring(element)
    between = "".join(part.split(">", 1)[1] for part in element.split("<")[1:])
    assert not set("*_|[]`") & set(between)


def test_bare_links_become_links_once() -> None:
    text = rendered("See https://a.example/x_y. And <https://b.example/>, `https://c.example`")
    assert "<https://a.example/x_y>." in text
    assert text.count("<https://b.example/>") == 1
    assert "`https://c.example`" in text
    assert rendered("arXiv:2106.09685, §4") == (
        "[arXiv:2106.09685](https://arxiv.org/abs/2106.09685), §4"
    )
