"""The guides: runnable files as pages, with what their recorded runs printed and drew."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from ....atlas import BuildError
from ....data import guides
from ....data.guides import Bars, Boxes, Dots, Guide
from ....text.escape import html, safe
from ....text.formulas import FormulaError, rendered
from ....text.markup import fenced
from ...shared import charts
from ...shared.site import Site
from ...shared.spread_chart import dots


def pages(site: Site) -> Iterator[tuple[str, str]]:
    """The list of guides, and a page for each. Raises BuildError for a formula that has no form."""
    known = [(guide, prose(guide, guide.introduction)) for guide in site.atlas.guides]
    yield site.render("guides.md.j2", "guides/index.md", guides=known)
    for guide, introduction in known:
        yield site.render(
            "guide.md.j2",
            f"guides/{guide.name}.md",
            guide=guide,
            introduction=introduction,
            pieces=[
                piece
                for block in zip(guide.blocks, guide.recorded.shown)
                for piece in shown(guide, *block)
            ],
        )


def shown(guide: Guide, block: guides.Block, result: guides.Shown) -> Iterator[Markup]:
    """A block's pieces of Markdown: prose; code, what it printed and figures, for no search."""
    if block.prose:
        yield prose(guide, block.prose)
    ran = [fenced(block.code, "python")] if block.code else []
    if result.output:
        ran.append(f'<div class="output" markdown>\n\n{fenced(result.output, "text")}\n\n</div>')
    ran += map(drawn, result.figures)
    if ran:
        whole = "\n\n".join(ran)
        yield safe(f"<section data-search-exclude markdown>\n\n{whole}\n\n</section>")


def prose(guide: Guide, text: str) -> Markup:
    """Markdown with formulas. Raises BuildError naming the guide."""
    try:
        return rendered(text)
    except FormulaError as error:
        raise BuildError(f"{guide.path}: {error}") from None


def drawn(figure: Bars | Dots | Boxes) -> Markup:
    """A figure as HTML, its title above it."""
    match figure:
        case Bars(title=title, unit=unit):
            rows = [(label, list(numbers)) for label, numbers in figure.rows.items()]
            chart = charts.stacked_bars(title, unit, list(figure.parts), rows)
            return titled(f"{title}, in {unit}", chart)
        case Dots(title=title):
            return titled(title, dots(title, figure.rows, figure.chance))
        case Boxes():
            return titled(figure.title, boxes(figure))


def titled(title: str, chart: Markup) -> Markup:
    """A figure below its title."""
    return safe(f'<p class="figure">{html(title)}</p>\n\n{chart}')


def boxes(figure: Boxes) -> Markup:
    """A table with a column for each method: which part of the model is trained, which frozen."""
    head = "".join(f'<th scope="col">{html(name)}</th>' for name in figure.columns)
    body = ""
    for row, part in enumerate(figure.parts):
        cells = "".join(box(*column[row]) for column in figure.columns.values())
        body += f'<tr><th scope="row">{html(part)}</th>{cells}</tr>'
    return safe(
        f'<div class="boxes" tabindex="0" role="region" aria-label="{html(figure.title)}">'
        '<table class="parts">'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def box(trained: int, every: int) -> str:
    """A cell: its state as a color, and in words."""
    if not trained:
        return f'<td class="frozen">frozen<span>{every:,}</span></td>'
    if trained == every:
        return f'<td class="trained">trained<span>{every:,}</span></td>'
    return f'<td class="added">{trained:,} trained<span>of {every:,}</span></td>'
